"""What was decided about versions: one line each, added and never changed."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

What = Literal["added", "accepted", "refused", "rolled back"]


@dataclass(frozen=True)
class Decision:
    """One line of the history: what happened to which version, when, and who did it."""

    what: What
    version: str
    time: str
    by: str


def append_line(path: Path, entry: Mapping[str, Any]) -> None:
    """Add one JSON line and wait until it lies on the disk; what was cut short stays apart."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        n_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(n_bytes - 1, 0))
        cut_short = n_bytes > 0 and file.read() != b"\n"
        file.write(b"\n" * cut_short + json.dumps(entry).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The entries of a file of JSON lines; what is no entry was cut short and is passed over."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry


def decisions(path: Path) -> list[Decision]:
    """All decisions of a file, the oldest first; a line that was cut short is passed over."""
    names = {one.name for one in fields(Decision)}
    return [Decision(**entry) for entry in read_lines(path) if entry.keys() == names]


def decide(path: Path, what: What, version: str, by: str) -> None:
    """Add a decision of now to a file; without a name, the one who is logged in made it."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    append_line(path, asdict(Decision(what, version, time, by or _somebody())))


def in_use(history: list[Decision]) -> list[str]:
    """The versions taken up and not left again, the one in use last."""
    taken: list[str] = []
    for decision in history:
        if decision.what == "accepted":
            taken.append(decision.version)
        elif decision.what == "rolled back" and len(taken) > 1:
            taken.pop()
    return taken


def _somebody() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        return "somebody"
