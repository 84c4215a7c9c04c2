"""Files of the cache that hold their own checksum, by which damage is noticed.

A flipped digit would otherwise pass for a result. A damaged file counts as missing: that is
said once, and the file is made again.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from openscenes.errors import DataError, InputError
from openscenes.files import one_line, reason, require_regular
from openscenes.paths import atomic
from openscenes.progress import say

_CHECKSUM = '{"sha256": "%s"'
_HEAD = len(_CHECKSUM % ("0" * 64))
_TAIL_BYTES = 65  # a line end and the checksum, behind plain bytes
_PATIENCE_S = 1.0  # before one says that it waits
_told: set[Path] = set()


def keep(path: Path, value: Mapping[str, Any]) -> None:
    """Write plain data by name, whole or not at all; a folder in its place is moved aside."""
    rest = json.dumps(value, indent=1)[1:]
    rest = f",{rest}" if value else rest
    _move_folder_aside(path)
    with atomic(path) as partial:
        partial.write_text(_CHECKSUM % _digest(rest) + rest, encoding="utf-8")
    _told.discard(path)


def kept(path: Path) -> dict[str, Any] | None:
    """What ``keep`` wrote; None where there is nothing, or no longer all of it as it was."""
    if not path.is_file():
        if os.path.lexists(path):
            _say_damaged(path)
        return None
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        text = ""
    if text[:_HEAD] != _CHECKSUM % _digest(text[_HEAD:]):
        _say_damaged(path)
        return None
    value: dict[str, Any] = json.loads(text)
    del value["sha256"]
    return value


def keep_bytes(path: Path, content: bytes) -> None:
    """The same for bytes, which their checksum follows."""
    try:
        _move_folder_aside(path)
        with atomic(path) as partial, partial.open("wb") as file:
            file.write(content)
            file.write(b"\n" + sha256(content).hexdigest().encode())
    except OSError as error:
        raise InputError(
            f"the cache {one_line(str(path))} cannot be written ({reason(error)}); free its place, "
            "or name another: OPENSCENES_CACHE=path/to/folder"
        ) from None


def kept_bytes(path: Path) -> NDArray[np.uint8] | None:
    """What ``keep_bytes`` wrote, (N,), mapped into memory; None as ``kept``."""
    try:
        require_regular(path)
        whole = np.memmap(path, dtype=np.uint8, mode="r")
    except (DataError, OSError, ValueError):  # ValueError: an empty file cannot be mapped
        if os.path.lexists(path):
            _say_damaged(path)
        return None
    content, checksum = whole[:-_TAIL_BYTES], whole[-_TAIL_BYTES:].tobytes()
    if checksum == b"\n" + sha256(content.data).hexdigest().encode():
        return content
    _say_damaged(path)
    return None


@contextmanager
def alone(lock: Path, what: str) -> Iterator[None]:
    """One process at a time makes ``what``; another waits, and says what for.

    ``lock`` is a file of its own, which the system frees when its process dies.
    """
    held = FileLock(lock)
    try:
        held.acquire(timeout=_PATIENCE_S)
    except Timeout:
        say(f"waiting for another process, which makes {what}")
        held.acquire()
    try:
        yield
    finally:
        held.release()


def _move_folder_aside(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f"{path.name}.damaged"))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _say_damaged(path: Path) -> None:
    if path not in _told:
        _told.add(path)
        print(f"{path} is damaged or of an older version; it is made again", file=sys.stderr)
