"""The append-only log of a workspace: one JSON line per action, never changed, never erased.

A line is one write under a lock between processes, on the disk before it is confirmed; what a
crash leaves half-written is kept, marked and skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from filelock import FileLock, Timeout

from openscenes.annotator.store.snapshot import Snapshot, from_json, to_json
from openscenes.errors import DataError, InputError

LOG_NAME = "log.jsonl"
PATIENCE_S = 10.0
_TORN = b" <torn>"
_BLOCK = 1 << 16


class Log:
    """A log file, as one window sees it: what it has read so far, and what could not be read.

    Several windows, each a process with a ``Log`` of its own, may write to one file. Within a
    process one thread at a time may use a ``Log``.

    Attributes:
        path: the file; it need not exist yet.
        torn: numbers of the lines that a crash cut short before they were confirmed.
        damaged: numbers of the other lines that are no snapshot.
    """

    def __init__(self, path: Path | str, *, patience_s: float = PATIENCE_S) -> None:
        """Touches nothing on the disk; ``patience_s`` is how long to wait for another window."""
        self.path = Path(path)
        self.torn: list[int] = []
        self.damaged: list[int] = []
        self._lock = FileLock(self.path.with_suffix(".lock"), timeout=patience_s)
        self._read_to, self._n_lines = 0, 0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other windows from writing; may be entered again. Raises as ``append``."""
        try:
            self._lock.acquire()
        except Timeout:
            raise DataError(
                f"{self.path} has been locked by another window for more than "
                f"{self._lock.timeout:g} s; close that window and try again."
            ) from None
        except OSError as error:
            raise InputError(_not_writable(self.path, error)) from error
        try:
            yield
        finally:
            self._lock.release()

    def append(self, *snapshots: Snapshot) -> None:
        """Write one line per snapshot; when this returns, they are on the disk.

        Raises:
            InputError: if the file cannot be written to.
            DataError: if another window keeps the lock.
        """
        lines = "".join(json.dumps(to_json(one), separators=(",", ":")) + "\n" for one in snapshots)
        with self.locked():
            try:
                _write(self.path, lines.encode("ascii"))
            except OSError as error:
                raise InputError(_not_writable(self.path, error)) from error

    def repair(self) -> bool:
        """Close and mark a half-written line, as ``append`` does; say whether there was one."""
        with self.locked():
            before = self.path.stat().st_size if self.path.exists() else 0
            self.append()
            return self.path.stat().st_size > before

    def read_new(self) -> list[Snapshot]:
        """All snapshots since the last call, in the order of the file, this window's included.

        A last line without its end is left for later, as another window may be writing it.

        Raises:
            DataError: if the file has lost what was read before.
        """
        read = (self._snapshot(line) for line in self._new_lines())
        return [snapshot for snapshot in read if snapshot is not None]

    def complaint(self) -> str:
        """One sentence about the lines that were skipped; empty where all could be read."""
        why = {"not readable": self.damaged,
               "cut short by a crash, never confirmed": self.torn}  # fmt: skip
        parts = [f"line{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))} ({reason})"
                 for reason, numbers in why.items() if numbers]  # fmt: skip
        said = f"In {self.path}, {' and '.join(parts)} could not be used; all other lines count."
        return said if parts else ""

    def _new_lines(self) -> list[bytes]:
        try:
            with self.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < self._read_to:
                    raise DataError(
                        f"{self.path} is shorter than when it was last read; it is only ever "
                        "added to, so bring the whole file back and open it again."
                    )
                file.seek(self._read_to)
                new = file.read(size - self._read_to)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be read ({error}); mend its permissions."
            ) from error
        whole = new[: new.rfind(b"\n") + 1]
        self._read_to += len(whole)
        return whole.split(b"\n")[:-1]

    def _snapshot(self, line: bytes) -> Snapshot | None:
        self._n_lines += 1
        snapshot = _read(line)
        if snapshot is None and line.endswith(_TORN):
            self.torn.append(self._n_lines)
        elif snapshot is None and line.strip():
            self.damaged.append(self._n_lines)
        return snapshot


def _read(line: bytes) -> Snapshot | None:
    """The snapshot of a line; None where it is none."""
    try:
        return from_json(json.loads(line))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _write(path: Path, lines: bytes) -> None:
    """One write at the end of the file, after the end of a line that a crash has left open."""
    is_new = not path.exists()
    with path.open("a+b", buffering=0) as file:
        _write_all(file, _completion(_tail(file)) + lines)
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


def _write_all(file: FileIO, content: bytes) -> None:
    while content:
        content = content[file.write(content) :]


def _tail(file: FileIO) -> bytes:
    """What stands after the end of the last whole line."""
    start, tail = file.seek(0, os.SEEK_END), b""
    while start and b"\n" not in tail:
        end, start = start, max(0, start - _BLOCK)
        file.seek(start)
        tail = file.read(end - start) + tail
    return tail.rpartition(b"\n")[2]


def _completion(tail: bytes) -> bytes:
    """What ends an open line: only its end is missing, or more is, and then it is marked."""
    if not tail:
        return b""
    return b"\n" if _read(tail) else _TORN + b"\n"


def _sync_folder(folder: Path) -> None:
    """Make a new file's name outlive a loss of power, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _not_writable(path: Path, error: OSError) -> str:
    return (
        f"{path} cannot be written to ({error.strerror or error}); give a workspace in a folder "
        "that exists, that you may write to and that has room."
    )
