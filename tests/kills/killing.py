"""Kill work at a seeded moment, begin it again in the same place, and look at what is left.

A door's work runs in a forked child, so that nothing is imported twice. Every other kill comes
before a chosen file operation (open for writing, rename, remove, folder made), the rest at a
random time.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_CHANGES = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
}
PATIENCE_S = 300.0
IN_A_ROW = 3  # kills, after which work is let come to its end


@dataclass(frozen=True)
class Door:
    """Work that may be killed.

    Attributes:
        work: done in a place from wherever it stands to its end.
        result: what must be equal to an undisturbed run's, whenever the work came to its end.
        prepare: makes a new place fit for the work.
        intact: complaints about a place at any moment after a kill.
        beside: cleans what a run leaves on purpose outside ``result``.
    """

    name: str
    work: Callable[[Path], None]
    result: Callable[[Path], object]
    prepare: Callable[[Path], None] = lambda place: None
    intact: Callable[[Path], list[str]] = lambda place: []


@dataclass
class Tally:
    """What a series of kills came to."""

    door: str
    kills: int = 0
    complete: int = 0
    differ: int = 0
    failed: int = 0
    complaints: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether every run that came to its end gave the right result and left nothing."""
        return not (self.differ or self.failed or self.complaints or self.left_over)

    def __str__(self) -> str:
        return (
            f"{self.door}: {self.kills} kills, {self.complete} complete runs, "
            f"{self.differ} differ, {self.failed} failed, {len(self.complaints)} lost, "
            f"{len(self.left_over)} left over, {self.seconds:.0f} s"
        )


def series(door: Door, places: Path, *, kills: int, seed: int = 0) -> Tally:
    """Kill a door's work until the count is reached, and begin it again after every kill."""
    began, rng, tally = time.monotonic(), random.Random(f"{door.name} {seed}"), Tally(door.name)
    wanted, n_changes, seconds = undisturbed(door, places / "undisturbed")
    while tally.kills < kills:
        place = places / f"{tally.complete + tally.failed}"
        place.mkdir(parents=True)
        door.prepare(place)
        in_a_row = 0
        while True:
            aim: tuple[int | None, float | None]
            if tally.kills >= kills or in_a_row >= IN_A_ROW:
                aim = None, None
            elif rng.random() < 0.5:
                aim = rng.randint(1, n_changes), None
            else:
                aim = None, rng.uniform(0.0, seconds)
            ended = run(door.work, place, before_change=aim[0], after_s=aim[1])
            if ended == -signal.SIGKILL:
                tally.kills += 1
                in_a_row += 1
                tally.complaints += door.intact(place)
                continue
            break
        if ended:
            tally.failed += 1
            tally.complaints.append(_last_words(place))
        else:
            tally.complete += 1
            tally.complaints += door.intact(place)
            tally.differ += door.result(place) != wanted
            tally.left_over += left_over(place)
        if not ended and tally.clean:
            shutil.rmtree(place)
    tally.seconds = time.monotonic() - began
    return tally


def undisturbed(door: Door, place: Path) -> tuple[object, int, float]:
    """The result of a run that nobody kills, its number of file operations and its seconds."""
    place.mkdir(parents=True)
    door.prepare(place)
    began, counted = time.monotonic(), place.with_suffix(".count")
    ended = run(door.work, place, count=counted)
    if ended:
        raise RuntimeError(f"{door.name} fails undisturbed: {_last_words(place)}")
    seconds = time.monotonic() - began
    assert not left_over(place), left_over(place)
    return door.result(place), int(counted.read_text()), seconds


def run(
    work: Callable[[Path], None],
    place: Path,
    *,
    before_change: int | None = None,
    after_s: float | None = None,
    count: Path | None = None,
) -> int:
    """Do work in a child; its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        _child(work, place, before_change, count, _log(place))
    patience = time.monotonic() + (PATIENCE_S if after_s is None else after_s)
    while time.monotonic() < patience:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if after_s is None:
        _log(place).write_text(f"hangs for {PATIENCE_S:g} s")
        return 1
    return code


def side_by_side(works: Sequence[Callable[[Path], None]], place: Path) -> list[str]:
    """Do all works in one place at once, each in a child; the last words of those that failed."""
    children = []
    for number, work in enumerate(works):
        child = os.fork()
        if child == 0:
            _child(work, place, None, None, place.with_name(f"{place.name}-{number}.log"))
        children.append(child)
    failed = [number for number, child in enumerate(children) if os.waitpid(child, 0)[1]]
    return [_last_line(place.with_name(f"{place.name}-{number}.log")) for number in failed]


def left_over(place: Path) -> list[str]:
    """Files that only a write in progress should know."""
    found = (
        path
        for pattern in ("*.partial", "*.old", ".tmp*", "*.damaged")
        for path in place.rglob(pattern)
    )
    return [path.relative_to(place).as_posix() for path in found]


def contents(folder: Path, patterns: Iterable[str] = ("**/*",)) -> dict[str, bytes]:
    """The bytes of every file below a folder that fits a pattern, by relative path."""
    found = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(found)}


def _child(
    work: Callable[[Path], None],
    place: Path,
    before_change: int | None,
    count: Path | None,
    log: Path,
) -> None:
    """Never returns."""
    os.setsid()
    words = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(words, 1)
    os.dup2(words, 2)
    n_changes = 0

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal n_changes
        if event in _CHANGES or (event == "open" and _for_writing(arguments)):
            n_changes += 1
            if n_changes == before_change:
                os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        sys.addaudithook(audit)
        work(place)
        if count is not None:
            count.write_text(str(n_changes))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _for_writing(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _log(place: Path) -> Path:
    return place.with_suffix(".log")


def _last_words(place: Path) -> str:
    return _last_line(_log(place))


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no words"
