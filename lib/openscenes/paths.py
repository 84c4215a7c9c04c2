"""Where things lie, and how a file is put in place whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def cache_dir() -> Path:
    """Folder of everything that can be computed again; ``OPENSCENES_CACHE`` moves it."""
    path = Path(os.environ.get("OPENSCENES_CACHE", PROJECT / ".cache" / "openscenes"))
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write; put it in place whole when the block ends well.

    A reader sees the old file or the new one, never half of one; two writers do not mix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
