"""What a worker process does: one task at a time, on a study that it opens once."""

import hashlib
import logging
import multiprocessing
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TypeVar

import torch
from distributed import get_worker

import openscenes
from openscenes import progress
from openscenes.errors import OpenScenesError
from openscenes.study.options import profile_named
from openscenes.study.runs.data import Study, open_study

T = TypeVar("T")


@dataclass(frozen=True)
class Where:
    """What a worker must know to open the study of a command, and to see that it is the same.

    Attributes:
        profile: its spelling.
        data: absolute folder of the four data sets, or None.
        device: "auto", "cpu" or "cuda".
        cache: folder that all processes share.
        token: a file in it; what the worker tells goes by the same name.
        code, torch: of the command.
    """

    profile: str
    data: Path | None
    device: str
    cache: Path
    token: str
    code: str
    torch: str


_opened: dict[Where, Study] = {}
_one_at_a_time = Lock()  # a worker that others started may have several threads


def in_worker(where: Where, task: Callable[[Study], T], *_before: object) -> T:
    """Do a task in a Dask worker, which tells its progress to the command.

    A mistake that the user can mend comes back as its sentence alone, which every process reads.
    """
    worker = get_worker()

    def told(label: str, done: int, total: int) -> None:
        worker.log_event(where.token, [str(worker.name), label, done, total])

    with _one_at_a_time:
        told(getattr(task, "label", ""), 0, 0)
        progress.tell(told)
        try:
            return task(_study(where))
        except OpenScenesError as error:
            raise OpenScenesError(str(error)) from None
        finally:
            progress.tell(None)
            told("", 0, 0)


def _study(where: Where) -> Study:
    if where not in _opened:
        os.environ["OPENSCENES_CACHE"] = str(where.cache)
        _check(where)
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        _opened[where] = open_study(profile_named(where.profile), where.data, where.device)
    return _opened[where]


def _check(where: Where) -> None:
    """Refuse another cache, other code, another torch, or a process that may not start others."""
    here, version = f"the worker on {platform.node()}", torch.__version__
    if not (where.cache / "workers" / where.token).is_file():
        raise OpenScenesError(
            f"{here} does not see the cache {where.cache} of this command; name a folder that all "
            "machines share: OPENSCENES_CACHE=path/to/folder"
        )
    if code_of_package() != where.code:
        raise OpenScenesError(
            f"{here} has other code of openscenes than this command; install the same there"
        )
    if version != where.torch:
        raise OpenScenesError(
            f"{here} has torch {version} and this command {where.torch}; install the same there"
        )
    if multiprocessing.current_process().daemon:
        raise OpenScenesError(
            f"{here} may start no processes, which training needs; start it with "
            "DASK_DISTRIBUTED__WORKER__DAEMON=False dask worker ..."
        )


def code_of_package() -> str:
    """Digest of all code of the package, in whatever folder it lies."""
    folder, digest = Path(openscenes.__file__).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
