"""What was decided about versions: one line each, added and never changed."""

import getpass
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from openscenes.annotator.store.lines import append_whole, writing
from openscenes.annotator.store.snapshot import is_plain
from openscenes.files import read_bytes

What = Literal["added", "accepted", "refused", "rolled back"]
_MOST_BYTES = 1 << 28  # of a file of lines
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")  # of a folder, on any system


@dataclass(frozen=True)
class Decision:
    """One line of the history: what happened to which version, when, and who did it."""

    what: What
    version: str
    time: str
    by: str


def append_line(path: Path, entry: Mapping[str, Any]) -> None:
    """Add one JSON line and wait until it lies on the disk; what was cut short stays apart."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        append_whole(path, json.dumps(entry).encode() + b"\n", lambda tail: b"\n" * bool(tail))


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The entries of a file of JSON lines; what is no entry was cut short and is passed over."""
    for line in _lines(path):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            yield entry


def decisions(path: Path) -> list[Decision]:
    """All decisions of a file, the oldest first; lines that are none are passed over."""
    return [Decision(**entry) for entry in read_lines(path) if _is_decision(entry)]


def n_unread(path: Path) -> int:
    """Lines of a file that are no decisions."""
    return sum(bool(line.strip()) for line in _lines(path)) - len(decisions(path))


def is_name(value: object) -> bool:
    """Whether something from a file can be the name of a version, and so of its folder."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _lines(path: Path) -> list[bytes]:
    if not os.path.lexists(path):
        return []
    return read_bytes(path, "file of lines", _MOST_BYTES).split(b"\n")


def _is_decision(entry: dict[str, Any]) -> bool:
    right_keys = entry.keys() == {one.name for one in fields(Decision)}
    return (
        right_keys and entry["what"] in get_args(What) and is_name(entry["version"])
        and is_plain(entry["time"]) and is_plain(entry["by"])
    )  # fmt: skip


def decide(path: Path, what: What, version: str, by: str) -> None:
    """Add a decision of now to a file; without a name, the one who is logged in made it."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    append_line(path, asdict(Decision(what, version, time, by or _somebody())))


def in_use(history: list[Decision]) -> list[str]:
    """The versions taken up and not left again, the one in use last."""
    taken: list[str] = []
    for decision in history:
        if decision.what == "accepted" and taken[-1:] != [decision.version]:
            taken.append(decision.version)
        elif decision.what == "rolled back" and len(taken) > 1:
            taken.pop()
    return taken


def _somebody() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        return "somebody"
