"""The append-only log of a workspace: one JSON line per action, never changed, never erased.

A line is one write under a lock between processes, on the disk before it is confirmed; what a
crash leaves half-written is kept, marked and skipped.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from openscenes.annotator.store.lines import (
    LONGEST_BYTES,
    NotWritable,
    append_whole,
    ends,
    shown,
    whole_lines,
    writing,
)
from openscenes.annotator.store.snapshot import Snapshot, from_json, to_json
from openscenes.errors import DataError, InputError
from openscenes.files import reason, require_regular

PATIENCE_S = 10.0
MOST_NAMED = 10  # lines that a complaint names one by one
_TORN = b" <torn>"


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
        self._read_to, self._n_lines, self._ends = 0, 0, b""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other windows from writing; may be entered again. Raises as ``append``."""
        try:
            self._lock.acquire()
        except Timeout:
            raise DataError(
                f"{shown(self.path)} has been locked by another window for more than "
                f"{self._lock.timeout:g} s; close that window and try again."
            ) from None
        except OSError as error:
            raise NotWritable(self.path, error) from error
        try:
            yield
        finally:
            self._lock.release()

    def append(self, *snapshots: Snapshot) -> None:
        """Write one line per snapshot; when this returns, all are on the disk, else none is.

        Raises:
            InputError: if the file cannot be written to, see ``NotWritable``, or a mask is too
                ragged for a line.
            DataError: if another window keeps the lock, or something else lies in its place.
        """
        lines = b"".join(map(_line, snapshots))
        with self.locked(), writing(self.path):
            append_whole(self.path, lines, _completion)

    def repair(self) -> bool:
        """Close and mark a half-written line, as ``append`` does; say whether there was one."""
        with self.locked():
            before = self._n_bytes()
            self.append()
            return self._n_bytes() > before

    def read_new(self) -> list[Snapshot]:
        """All snapshots since the last call, in the order of the file, this window's included.

        A last line without its end is left for later, as another window may be writing it.

        Raises:
            DataError: if the file cannot be read, or is not the one that was read before.
        """
        try:
            lines = self._new_lines()
            read = [_read(line) for line in lines]
            read_to = self._read_to + sum(x if isinstance(x, int) else len(x) for x in lines)
            known_by = ends(self.path, read_to) if lines else self._ends
        except OSError as error:
            raise DataError(
                f"{shown(self.path)} cannot be read ({reason(error)}); mend its permissions."
            ) from error
        self._count(lines, read)
        self._read_to, self._n_lines, self._ends = read_to, self._n_lines + len(lines), known_by
        return [snapshot for snapshot in read if snapshot is not None]

    def complaint(self) -> str:
        """One sentence about the lines that were skipped; empty where all could be read."""
        why = {"not readable": self.damaged,
               "cut short by a crash, never confirmed": self.torn}  # fmt: skip
        parts = [f"line{'s' * (len(numbers) > 1)} {_listed(numbers)} ({reason})"
                 for reason, numbers in why.items() if numbers]  # fmt: skip
        said = f"{' and '.join(parts)} could not be used; all other lines count."
        return f"In {shown(self.path)}, {said}" if parts else ""

    def _new_lines(self) -> list[bytes | int]:
        n_bytes = self._n_bytes()
        self._check_same(n_bytes)
        return list(whole_lines(self.path, self._read_to)) if n_bytes else []

    def _check_same(self, n_bytes: int) -> None:
        """Refuse a file that has lost, or has other lines than, what was read of it."""
        shorter = n_bytes < self._read_to
        if shorter or (self._read_to and ends(self.path, self._read_to) != self._ends):
            change = "shorter than" if shorter else "not the file that it was"
            raise DataError(
                f"{shown(self.path)} is {change} when it was last read; it is only ever "
                "added to, so bring the whole file back and open it again."
            )

    def _n_bytes(self) -> int:
        if not os.path.lexists(self.path):
            return 0
        require_regular(self.path, "log")
        return self.path.stat().st_size

    def _count(self, lines: list[bytes | int], read: list[Snapshot | None]) -> None:
        pairs = zip(lines, read, strict=True)
        for number, (line, snapshot) in enumerate(pairs, start=self._n_lines + 1):
            if snapshot is not None:
                continue
            if isinstance(line, bytes) and line.endswith(_TORN + b"\n"):
                self.torn.append(number)
            elif isinstance(line, int) or line.strip():
                self.damaged.append(number)


def _line(snapshot: Snapshot) -> bytes:
    line = json.dumps(to_json(snapshot), separators=(",", ":")).encode("ascii") + b"\n"
    if len(line) > LONGEST_BYTES:
        raise InputError(
            f"object {snapshot.object_id} cannot be kept: its mask needs {len(line)} bytes, and a "
            f"line of the log has at most {LONGEST_BYTES}; draw a smoother mask."
        )
    return line


def _read(line: bytes | int) -> Snapshot | None:
    try:
        return None if isinstance(line, int) else from_json(json.loads(line))
    except (ValueError, RecursionError):  # no JSON, nested too deeply, or no snapshot
        return None


def _completion(tail: bytes) -> bytes:
    """What ends an open line: only its end is missing, or more is, and then it is marked."""
    if not tail:
        return b""
    return b"\n" if _read(tail) else _TORN + b"\n"


def _listed(numbers: list[int]) -> str:
    named = ", ".join(map(str, numbers[:MOST_NAMED]))
    n_more = len(numbers) - MOST_NAMED
    return f"{named} and {n_more} more" if n_more > 0 else named
