"""What is computed once and kept: named by all that made it, put in place whole.

A killed run leaves nothing that is taken for a result; of two processes that want the same thing,
one makes it and the other waits.
"""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openscenes.kept import alone, keep, kept
from openscenes.paths import atomic, cache_dir

if TYPE_CHECKING:
    import pandas as pd

SPENT = "spent.json"  # how long killed runs worked in a folder


def digest_of(value: Any) -> str:
    """Twelve hex digits that name a value made of dataclasses, mappings and plain data."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:12]


def plain(value: Any) -> Any:
    """The same value in dictionaries, lists and scalars, as JSON has them."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def file_digest(path: Path) -> str:
    """The sha256 of a file's bytes."""
    return sha256(path.read_bytes()).hexdigest()


@contextmanager
def locked(folder: Path, what: str = "") -> Iterator[None]:
    """One process at a time in a folder, without what a killed run left half written."""
    with alone(folder / "lock", what or folder.name):
        for leftover in folder.glob(".*.partial"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        yield


def put_json(path: Path, value: Any) -> None:
    """Write plain data as JSON, whole or not at all."""
    with atomic(path) as partial:
        partial.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")


def kept_scores(made_of: Mapping[str, Any], compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """A table of scores per object, computed once for all that made it."""
    path = cache_dir() / "scores" / f"{digest_of(made_of)}.json"
    if (found := kept(path)) is None:
        found = {"csv": compute().to_csv(index=False)}
        keep(path, found)
    return read_scores(found["csv"])


def read_scores(csv: str) -> pd.DataFrame:
    """Scores per object: a name stays a name, such as a class "NA"; only numbers have gaps."""
    import pandas as pd

    names = dict.fromkeys(("object_id", "class_name", "block"), str)
    columns = pd.read_csv(io.StringIO(csv), nrows=0).columns
    gaps = {name: [""] for name in columns if name not in names}
    return pd.read_csv(io.StringIO(csv), dtype=names, keep_default_na=False, na_values=gaps)


def stopwatch(folder: Path) -> Callable[[], float]:
    """Begin a run in a folder; gives the seconds that it and the killed runs before it took.

    Of a killed run counts what lies before the state that it kept last; the rest is made again.
    """
    note, resume = folder / SPENT, folder / "resume.safetensors"
    earlier, began = 0.0, time.monotonic()
    if resume.exists() and (spent := kept(note)) is not None:
        earlier = spent["s"] + max(0.0, resume.stat().st_mtime - spent["began"])
    keep(note, {"s": earlier, "began": time.time()})
    return lambda: round(earlier + time.monotonic() - began, 1)
