"""Processes beside the network: they cut the next crops, and paste and score the last ones."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import re
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp, mkstemp
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from openscenes.errors import OpenScenesError, TrainingError
from openscenes.paths import scratch

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")
_SMALL = 1 << 15  # bytes that a pipe takes at once
_WORKER: list[Any] = []  # in a worker process: what is shared, and the folder of arrays


class Pool(Generic[Shared]):
    """A function over tasks, its results in their order: by processes, or here if there are none.

    Functions are called as ``function(shared, task)``; every process has its own ``shared``. The
    processes start with the first task and end with the ``with`` block, or with this process.
    """

    def __init__(self, workers: int, shared: Shared) -> None:
        """``workers``: how many processes; 0 works in the loop, as does one that may have none."""
        self.shared = shared
        self.workers = 0 if multiprocessing.current_process().daemon else workers
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Pool[Shared]:
        """Get ready; without it everything is done in the loop."""
        if self.workers:
            self._executor = ProcessPoolExecutor(
                self.workers, multiprocessing.get_context(start_method()), _begin,
                (self.shared, _spool()),
            )  # fmt: skip
        return self

    def __exit__(self, *_error: object) -> None:
        """End the processes; what nobody has asked for yet is not done."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def ordered(
        self, function: Callable[[Shared, Task], Result], tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """The results one by one, while a few more tasks are on their way.

        Raises:
            OpenScenesError: that of a task, or a TrainingError where a process was killed.
        """
        waiting: deque[Future[Result | OpenScenesError]] = deque()
        for task in tasks:
            if self._executor is None:
                yield function(self.shared, task)
                continue
            with _alive():
                waiting.append(self._executor.submit(_work, function, task))
            while waiting and (len(waiting) > 2 * self.workers + 1 or waiting[0].done()):
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())


@dataclass(frozen=True)
class Sent:
    """An array on its way to another process: through a file, a third of what a pipe costs."""

    array: NDArray[Any]

    def __reduce__(self) -> tuple[Callable[..., Sent], tuple[Any, ...]]:
        """Write it where the other process reads it; a small one, or without space, in the pipe."""
        if self.array.nbytes > _SMALL:
            with suppress(OSError):
                handle, path = mkstemp(dir=_WORKER[1] if _WORKER else _spool())
                with os.fdopen(handle, "wb") as file:
                    file.write(np.ascontiguousarray(self.array).data)
                return _received, (path, self.array.dtype.str, self.array.shape)
        return Sent, (self.array,)


def _received(path: str, dtype: str, shape: tuple[int, ...]) -> Sent:
    """The array, in the pages of its file, which has no name any more."""
    array = np.asarray(np.memmap(path, dtype, "c", shape=shape))
    Path(path).unlink()
    return Sent(array)


@cache
def _spool() -> str:
    """Where this process puts arrays for others; removed when it ends."""
    folder = mkdtemp(**scratch())
    atexit.register(rmtree, folder, ignore_errors=True)
    return folder


def start_method() -> str:
    """How processes start: safe beside threads and CUDA, and quick where there is a fork server."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return "spawn"
    loaded = [name for name in sys.modules if re.fullmatch(r"openscenes(\.\w*[a-z])+", name)]
    multiprocessing.set_forkserver_preload(loaded)  # so that no process imports them again
    return "forkserver"


def begin_worker(_number: int = 0) -> None:
    """One thread for this process, which ends with the one that started it."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that is interrupted ends it
    end_with_parent()


def end_with_parent() -> None:
    """Let this process not outlive the one that started it, whatever ends that."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _begin(shared: Any, folder: str) -> None:
    begin_worker()
    _WORKER[:] = [shared, folder]


def _work(function: Callable[[Any, Task], Result], task: Task) -> Result | OpenScenesError:
    """An error is a value: one that is raised brings the traceback of its process."""
    try:
        return function(_WORKER[0], task)
    except OpenScenesError as error:
        return error


def _result(future: Future[Result | OpenScenesError]) -> Result:
    with _alive():
        result = future.result()
    if isinstance(result, OpenScenesError):
        raise result
    return result


@contextmanager
def _alive() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise TrainingError(
            "a process that cuts and scores was killed, most often for want of memory; train fewer "
            "models at once, such as WORKERS=1; the same command goes on where it was"
        ) from None
