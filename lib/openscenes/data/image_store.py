"""Decoded pixels on the disk, uncompressed and mapped into memory: one copy for a whole machine.

Processes that read the same images share the pages of one file each, in place of a decoder and a
copy each. Every file can be made again: one that is damaged, evicted or cannot be written costs
time alone.
"""

import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from inspect import getsource
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from openscenes.data.datasets import colours, file_ends, images, labels, matlab, orientation
from openscenes.files import one_line, reason
from openscenes.paths import atomic, cache_dir

SMALL_BYTES = 1 << 18  # what is smaller is decoded faster than it is looked up
PATIENCE_S = 30.0  # for a process that decodes the same image
PAUSE_S = 60.0  # after a file could not be written
SPARED_BYTES = 8 << 30  # of the disk, or a twentieth of a small one
_DECODERS = (colours, file_ends, images, labels, matlab, orientation)
Pixels = NDArray[Any]


@cache
def _decoders() -> str:
    """Digest of all that decoding depends on, beside the file."""
    return sha256("".join([version("pillow"), *map(getsource, _DECODERS)]).encode()).hexdigest()


def state(path: Path) -> tuple[int, ...]:
    """Time of the last change in ns, and bytes; nothing for what is no file."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return ()
    return facts.st_mtime_ns, facts.st_size


class ImageStore:
    """Files of pixels in the cache folder; what was used least recently makes room."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.folder = max_bytes, cache_dir() / "images"
        self._room, self._paused_until, self._told = 0, 0.0, False

    def pixels(self, key: tuple[object, ...], decode: Callable[[], Pixels]) -> Pixels:
        """The pixels of a key, read-only and mapped into memory; decoded by the first that asks.

        Small ones, and those for which there is no place, come as ``decode`` gives them.

        Args:
            key: what tells one file, its state and the way it is decoded from all others.
        """
        name = sha256("\x1f".join([_decoders(), *map(str, key)]).encode()).hexdigest()[:40]
        path = self.folder / name[:2] / f"{name}.npy"
        found = _mapped(path)
        if found is not None or time.monotonic() < self._paused_until:
            return decode() if found is None else found
        with _turn(path.with_name("lock")):
            found = _mapped(path)
            if found is None:
                found = self._kept(path, decode())
        return found

    def _kept(self, path: Path, pixels: Pixels) -> Pixels:
        if not SMALL_BYTES <= pixels.nbytes <= self.max_bytes:
            return pixels
        try:
            self._make_room(pixels.nbytes + 4096)
            with atomic(path) as partial, partial.open("wb") as file:
                np.lib.format.write_array(file, np.ascontiguousarray(pixels), allow_pickle=False)
        except OSError as error:
            self._pause(reason(error))
            return pixels
        mapped = _mapped(path)
        return pixels if mapped is None else mapped

    def _make_room(self, n_bytes: int) -> None:
        """Keep the bound, which other processes fill as well, and spare disk for what is trained.

        All files are looked through once this process has written a share of what was free.
        """
        self._room -= n_bytes
        if self._room >= 0:
            return
        files = sorted(_files(self.folder))
        total, disk = sum(size for _, size, _ in files), shutil.disk_usage(self.folder.parent)
        spared = min(SPARED_BYTES, disk.total // 20)
        bound = min(self.max_bytes, total + disk.free - spared)
        if bound < n_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        most = bound - n_bytes
        wanted = total if total <= most else most - bound // 10
        for _, size, path in files:
            if total <= wanted:
                break
            with suppress(OSError):  # gone by now, or held open (Windows)
                Path(path).unlink()
                total -= size
        self._room = (most - total) // 64

    def _pause(self, why: str) -> None:
        self._paused_until = time.monotonic() + PAUSE_S
        worker = get_worker_info()
        if not self._told and (worker is None or worker.id == 0):
            print(
                f"decoded images cannot be kept in {one_line(str(self.folder))} ({why}); they are "
                "decoded again each time: slower, with the same results",
                file=sys.stderr,
            )
        self._told = True


def is_mapped(pixels: Pixels) -> bool:
    """Whether an array lies in an open file."""
    while isinstance(pixels.base, np.ndarray):
        pixels = pixels.base
    return isinstance(pixels.base, mmap)


def _mapped(path: Path) -> Pixels | None:
    """The pixels of a file; None where there is none, or not all of it."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        whole = path.stat().st_size == found.offset + found.nbytes
    except (OSError, ValueError, EOFError, AttributeError):  # damaged, or evicted meanwhile
        return None
    with suppress(OSError):  # read only
        os.utime(path)  # the time of its last use
    return found.view(np.ndarray) if whole else None


def _files(folder: Path) -> Iterator[tuple[int, int, str]]:
    """Time of the last use, bytes and path of every file of a store, partial ones included."""
    with suppress(OSError), os.scandir(folder) as parts:
        for part in parts:
            with suppress(OSError), os.scandir(part.path) as entries:
                for entry in entries:
                    with suppress(OSError):
                        facts = entry.stat()
                        if entry.name != "lock":
                            yield facts.st_mtime_ns, facts.st_size, entry.path


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Hold a lock, which the system frees when a process dies; nobody waits for ever."""
    lock = FileLock(path)
    with suppress(OSError):  # read only, a disk without locks, or patience at its end
        lock.acquire(PATIENCE_S, poll_interval=0.002)
    try:
        yield
    finally:
        lock.release()
