"""Who a window is: a restarted kernel goes on as the one before, so that undo goes on, too."""

from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from openscenes.annotator.store.snapshot import new_id

FIRST = "first"
LOCK_NAME = "window.lock"


def window_at(folder: Path) -> str:
    """The name that this process writes under into a workspace's log.

    It is the same one after a restart; a further process beside it, and one that may not write
    there, gets a new name.
    """
    try:
        _held(folder)
    except (Timeout, OSError):
        return new_id()
    return FIRST


@cache
def _held(folder: Path) -> FileLock:
    """The lock of a folder's first window, kept until this process ends."""
    lock = FileLock(folder / LOCK_NAME, timeout=0)
    lock.acquire()
    return lock
