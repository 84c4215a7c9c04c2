"""One model trained by several processes at once, each on a device of its own.

They are started for one training and end with it. Whoever starts them holds the model's lock and
has made all that the training needs, so that nobody else takes part in what they exchange.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch.multiprocessing.spawn import (
    ProcessExitedException,
    ProcessRaisedException,
    start_processes,
)

from openscenes.errors import OpenScenesError, TrainingError
from openscenes.networks.devices import make_shared_fabric
from openscenes.paths import scratch
from openscenes.pool import end_with_parent
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
    sent = replace(study, fabric=cast(Fabric, None), memory={})
    with TemporaryDirectory(**scratch()) as folder:
        where = (study.fabric.device.type, n_devices, threads, Path(folder) / "meeting")
        try:
            start_processes(
                _on_device, (where, told, sent, work, arguments), n_devices, start_method="spawn"
            )
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
    rank: int, where: tuple[str, int, int, Path], told: SimpleQueue[Any], sent: Study,
    work: Callable[..., None], arguments: tuple[object, ...],
) -> None:  # fmt: skip
    """One of the processes; what the user can mend goes to the one that started it."""
    end_with_parent()
    kind, n_devices, threads, meeting = where
    torch.set_num_threads(threads)
    if rank > 0:
        os.environ["TQDM_DISABLE"] = "1"  # the first process tells how far they are
    train = sent.profile.initial
    fabric = make_shared_fabric(
        kind, train.precision, train.deterministic, rank=rank, n_devices=n_devices, meeting=meeting
    )
    try:
        work(replace(sent, fabric=fabric), *arguments)
    except (OpenScenesError, OSError, MemoryError) as error:
        told.put(error)
        raise
    dist.destroy_process_group()
