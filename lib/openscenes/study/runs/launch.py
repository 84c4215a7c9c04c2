"""One model trained by several processes at once, each on a device of its own.

They are started for one training and end with it. Whoever starts them holds the model's lock and
has made all that the training needs, so that nobody else takes part in what they exchange.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import (
    ProcessExitedException,
    ProcessRaisedException,
    start_processes,
)

from openscenes.data.examples import ImageCache
from openscenes.errors import OpenScenesError, TrainingError
from openscenes.networks.devices import make_shared_fabric
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import Study


def on_devices(study: Study, work: Callable[..., None], *arguments: object) -> None:
    """Call ``work(study, *arguments)`` in as many processes as the profile has devices per model.

    In each the study's Fabric is on another device, and one of them is the first of all
    (``fabric.is_global_zero``). If one fails, all end.

    Args:
        work: a function at the top of a module; like the arguments, it is sent by pickle.
    Raises:
        OpenScenesError: what a process raised, or if the system ended one.
    """
    n_devices, told = study.profile.devices_per_model, get_context("spawn").SimpleQueue()
    threads = max(1, torch.get_num_threads() // n_devices)
    with TemporaryDirectory() as folder:
        where = (study.profile, study.root, study.fabric.device.type, Path(folder) / "meeting")
        try:
            start_processes(
                _on_device, (n_devices, threads, where, told, work, arguments), n_devices,
                start_method="spawn",
            )  # fmt: skip
        except (ProcessRaisedException, ProcessExitedException) as error:
            if not told.empty():
                raise told.get() from None
            if isinstance(error, ProcessRaisedException):
                raise
            raise TrainingError(
                f"one of the {n_devices} processes that share a training was ended by the system, "
                "most often for want of memory; the same command goes on where it was"
            ) from None


def _on_device(
    rank: int, n_devices: int, threads: int, where: tuple[Profile, Path, str, Path],
    told: SimpleQueue[Any], work: Callable[..., None], arguments: tuple[object, ...],
) -> None:  # fmt: skip
    """One of the processes; what the user can mend goes to the one that started it."""
    end_with_parent()
    profile, root, kind, meeting = where
    torch.set_num_threads(threads)
    if rank > 0:
        os.environ["TQDM_DISABLE"] = "1"  # the first process tells how far they are
    train = profile.initial
    fabric = make_shared_fabric(
        kind, train.precision, train.deterministic, rank=rank, n_devices=n_devices, meeting=meeting
    )
    cache = ImageCache(int(profile.cache_gib * 2**30 / n_devices))
    try:
        work(Study(profile, root, fabric, cache), *arguments)
    except (OpenScenesError, OSError, MemoryError) as error:
        told.put(error)
        raise
    dist.destroy_process_group()


def end_with_parent() -> None:
    """Let this process not outlive the one that started it, whatever ends that."""

    def watch() -> None:
        parent_process().join()  # type: ignore[union-attr]
        os._exit(1)

    Thread(target=watch, daemon=True).start()
