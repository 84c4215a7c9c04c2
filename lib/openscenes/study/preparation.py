"""Training all that a table needs: initial models first, then what evolves from them, in parallel.

Small networks use a second core badly but a second process well. Each training takes the
profile's number of threads, whatever else runs, so that its numbers do not depend on how many
others train beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from openscenes.study.material import Study, open_study
from openscenes.study.profiles import InitialSet, Profile, Scene, profile_named
from openscenes.study.runs import VARIANTS, Model, Variant, evolved_model, initial_model
from openscenes.study.tables import SCENES


@dataclass(frozen=True)
class Task:
    """One model to train: an initial one, or one that evolved onto a scene."""

    initial_set: InitialSet
    seed: int
    evolution: tuple[Scene, Variant] | None = None


def prepare(study: Study, number: int, seeds: int, data: Path | None, device: str) -> Iterator[str]:
    """Train every model that a table needs and that is not there; a line of text for each."""
    for wave in waves(study.profile, number, seeds):
        missing = [task for task in wave if not _model(study, task, train=False).weights.exists()]
        n_jobs = min(len(missing), parallel_jobs(study))
        if n_jobs > 1:
            yield from _side_by_side(missing, n_jobs, (study.profile.name, data, device))
        else:
            yield from (_train(study, task) for task in missing)


def waves(profile: Profile, number: int, seeds: int) -> tuple[list[Task], list[Task]]:
    """The initial models of a table, and the models that evolve from them."""
    initial_sets = profile.initial_sets if number == 4 else profile.initial_sets[:1]
    first = [Task(name, seed) for seed in range(seeds) for name in initial_sets]
    then = [
        Task(task.initial_set, task.seed, (scene, variant))
        for task in (first if number == 4 else [])
        for scene in SCENES
        for variant in VARIANTS
    ]
    return first, then


def parallel_jobs(study: Study) -> int:
    """How many trainings fit on this machine: on a CPU, its cores by the profile's threads."""
    threads = study.profile.cpu_threads
    if study.fabric.device.type != "cpu" or study.fabric.world_size > 1 or threads < 1:
        return 1
    return max(1, (os.cpu_count() or 1) // threads)


def _train(study: Study, task: Task) -> str:
    model = _model(study, task, train=True)
    return f"ready: {model.label} (trained in {model.facts()['wall_s']:.0f} s)"


def _model(study: Study, task: Task, *, train: bool) -> Model:
    if task.evolution is None:
        return initial_model(study, task.initial_set, task.seed, train=train)
    scene, variant = task.evolution
    return evolved_model(study, task.initial_set, scene, variant, task.seed, train=train)


def _side_by_side(
    wave: Sequence[Task], n_jobs: int, where: tuple[str, Path | None, str]
) -> Iterator[str]:
    """Train in fresh processes; what a killed one leaves is resumed by the next call."""
    with ProcessPoolExecutor(n_jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_train_in_process, where, task) for task in wave]
        try:
            yield from (future.result() for future in as_completed(futures))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_opened: dict[tuple[str, Path | None, str], Study] = {}


def _train_in_process(where: tuple[str, Path | None, str], task: Task) -> str:
    """Train in a worker process, which opens its study once."""
    if where not in _opened:
        profile, data, device = where
        _opened[where] = open_study(profile_named(profile), data, device)
    return _train(_opened[where], task)
