"""Run cases in processes of their own, so that a crash, a hang or a memory bomb is one outcome."""

import multiprocessing
import os
import resource
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.frame import CRASH, Outcome, Place, run_case

LIMIT_S = 20.0
MORE_MEMORY = 3 << 30  # bytes beyond what the imports take
_FORK = multiprocessing.get_context("fork")
Cases = Mapping[str, Callable[[Place], None]]


class _Worker(NamedTuple):
    process: BaseProcess
    line: Connection


def run_all(
    names: Sequence[str], cases: Cases, folder: Path, n_workers: int, *, keep: bool = False
) -> Iterator[tuple[str, Outcome]]:
    """The outcome of each case, as they come."""
    waiting, free = deque(names), [_started(cases, folder, keep) for _ in range(n_workers)]
    busy: dict[_Worker, tuple[str, float]] = {}
    while waiting or busy:
        while waiting and free:
            worker = free.pop()
            worker.line.send(name := waiting.popleft())
            busy[worker] = name, time.monotonic() + LIMIT_S
        ready = set(wait([worker.line for worker in busy], timeout=0.5))
        for worker, (name, until) in list(busy.items()):
            if worker.line not in ready and time.monotonic() < until:
                continue
            outcome = _answer(worker, worker.line in ready)
            del busy[worker]
            free.append(worker if worker.process.is_alive() else _started(cases, folder, keep))
            yield name, outcome
    for worker in free:
        worker.process.kill()  # idle: it waits for a name
        worker.process.join()


def _answer(worker: _Worker, ready: bool) -> Outcome:
    """What a worker sends; a crash where it ended without a word, a hang where it says nothing."""
    try:
        if ready:
            return worker.line.recv()
        words = f"no answer in {LIMIT_S:g} s"
    except EOFError:
        words = ""
    if not words:
        worker.process.join(5)
    worker.process.kill()
    worker.process.join()
    code = worker.process.exitcode or 0
    return Outcome(CRASH, words or (signal.Signals(-code).name if code < 0 else f"exit {code}"))


def _started(cases: Cases, folder: Path, keep: bool) -> _Worker:
    ours, theirs = _FORK.Pipe()
    process = _FORK.Process(target=_serve, args=(cases, folder, keep, theirs, ours), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _serve(cases: Cases, folder: Path, keep: bool, line: Connection, other: Connection) -> None:
    other.close()
    with Path("/proc/self/statm").open() as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MORE_MEMORY, now + MORE_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(folder / f"said-{os.getpid()}", os.O_CREAT | os.O_WRONLY), 2)
    while True:
        try:
            name = line.recv()
        except EOFError:
            return
        place = folder / (name.replace("/", "-") if keep else f"case-{os.getpid()}")
        line.send(run_case(name, cases[name.rpartition("/")[0]], place, keep=keep))
