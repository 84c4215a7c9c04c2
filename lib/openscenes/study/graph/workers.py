"""How many workers a machine has room for, and what each of them is given."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from openscenes.errors import InputError
from openscenes.study.asked import MOST_WORKERS as MOST
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import Study
from openscenes.study.runs.machine import cores, memory_gib
from openscenes.study.runs.memory import GIB, cpu_gib, gpu_gib, host_gib
from openscenes.study.runs.recipes import Recipe

MOST_ON_A_GPU = 4  # trainings on one GPU: more only take turns
HOST, GPU = "host_gib", "gpu_gib"  # names of the resources that workers announce


@dataclass(frozen=True)
class Slot:
    """What one worker of this machine is given.

    Attributes:
        gpus: numbers or names of its GPUs, as ``CUDA_VISIBLE_DEVICES`` has them.
        gib: memory that it may count on, by resource.
    """

    gib: Mapping[str, float]
    gpus: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        """Variables that count only before torch and CUDA start."""
        visible = {"CUDA_VISIBLE_DEVICES": ",".join(self.gpus)} if self.gpus else {}
        return {"OMP_NUM_THREADS": "1", **visible}


def needs(profile: Profile, recipe: Recipe, device: str) -> dict[str, float]:
    """Memory that a training takes, GiB by resource."""
    if device == "cpu":
        return {HOST: cpu_gib(profile, recipe)}
    return {HOST: host_gib(profile, recipe), GPU: gpu_gib(profile, recipe)}


def largest_needs(study: Study, recipes: Iterable[Recipe]) -> dict[str, float]:
    """The most that any of these trainings takes, by resource."""
    largest: dict[str, float] = {}
    for recipe in recipes:
        for name, gib in needs(study.profile, recipe, study.fabric.device.type).items():
            largest[name] = max(gib, largest.get(name, 0.0))
    return largest


def slots_here(
    study: Study, recipes: Iterable[Recipe] = (), device: str = "auto", asked: int | None = None
) -> list[Slot]:
    """The workers of this machine: as cores and memory allow, or one and more for each GPU.

    Args:
        device: as on the command line; "cuda:K" takes one GPU alone.
        asked: how many, whatever there is room for.
    """
    most, n = largest_needs(study, recipes), study.profile.devices_per_model
    host = memory_gib()
    by_host = int(min(host / most[HOST], MOST)) if most.get(HOST) else MOST
    if study.fabric.device.type == "cpu":
        threads = study.profile.cpu_threads
        by_cores = 1 if threads < 1 else cores() // (threads * n)
        groups: list[tuple[str, ...]] = [()] * (asked or max(1, min(by_cores, by_host)))
        offers = {}
    else:
        visible = visible_gpus(device)
        if n > len(visible):
            raise InputError(
                f"a training shares {n} GPUs, but there are {len(visible)}; ask for fewer with "
                "DEVICES_PER_MODEL="
            )
        total = _gpu_gib(device)
        beside = max(1, min(MOST_ON_A_GPU, int(total / most[GPU]) if GPU in most else 1))
        per_gpu = 1 if n > 1 else beside
        several = [tuple(visible[i : i + n]) for i in range(0, len(visible) - n + 1, n)]
        groups = [group for _ in range(per_gpu) for group in several]
        n_workers = asked or min(len(groups), max(1, by_host))
        groups = [groups[i % len(groups)] for i in range(n_workers)]
        offers = {GPU: total / max(groups.count(group) for group in groups)}
    return [Slot({HOST: host / len(groups), **offers}, group) for group in groups]


def visible_gpus(device: str) -> list[str]:
    """The GPUs that a study may take, named as ``CUDA_VISIBLE_DEVICES`` names them.

    CUDA leaves out what follows a name that it does not know. Of several parts of a GPU (MIG) each
    process sees the first alone, so that each is a worker's own.
    """
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    parts = [name for name in named if name.startswith("MIG-")]
    n_devices = torch.cuda.device_count()
    every = parts or (named if named[0] else [str(i) for i in range(n_devices)])[:n_devices]
    _, _, number = device.partition(":")
    return [every[int(number)]] if number else every


def gpu_of(asked: str, device: torch.device) -> str:
    """The GPU that a notebook's kernel may see alone, which then is its first; "" for all.

    Args:
        asked: as on the command line.
        device: of this process, which may see that GPU alone itself.
    """
    return visible_gpus(asked)[0] if device.index else ""


def _gpu_gib(device: str) -> float:
    """Memory of the smallest of these GPUs; all parts of a GPU are taken to be like the first."""
    _, _, number = device.partition(":")
    numbers = [int(number)] if number else range(torch.cuda.device_count())
    return min(torch.cuda.get_device_properties(i).total_memory for i in numbers) / GIB
