"""Training all that a table needs: initial models first, then what evolves from them, in parallel.

Small networks use a second core badly but a second process well. Each training takes the
profile's number of threads, whatever else runs, so that its numbers do not depend on how many
others train beside it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

from openscenes.errors import OpenScenesError
from openscenes.kept import keep, kept
from openscenes.paths import cache_dir
from openscenes.study.options import profile_named
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Study, open_study, validation
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.runs import find, train
from openscenes.study.runs.store import digest_of
from openscenes.study.scores.evaluation import Evaluation, recipes_of, score

_CODE = (score,)  # what decides a score


def prepare(
    study: Study, evaluations: Sequence[Evaluation], data: Path | None, device: str
) -> Iterator[str]:
    """Train every model that is missing, parents first, then compute every score.

    A line of text for each.  What was prepared once is cached by all that decides it, so
    that a second call does nothing.
    """
    done = cache_dir() / "prepared" / f"{_digest(study, evaluations)}.json"
    missing = [r for r in recipes_of(evaluations) if not find(study, r).is_trained]
    if not missing and kept(done) is not None:
        return
    where = (study.profile.spelling or study.profile.name, data, device)
    yield from _run(study, [Training(recipe) for recipe in missing], where)
    if study.fabric.is_global_zero:
        yield from _run(study, [Scoring(group) for group in _by_model(evaluations)], where)
        keep(done, {"scores": len(evaluations)})


@dataclass(frozen=True)
class Training:
    """A model to train, once its parent is there."""

    recipe: Recipe

    def __call__(self, study: Study) -> str:
        """Train, or find trained meanwhile."""
        made = train(study, self.recipe)
        return f"ready: {made.label} (trained in {made.facts()['wall_s']:.0f} s)"


@dataclass(frozen=True)
class Scoring:
    """Evaluations of one model, which is then loaded by one process only."""

    evaluations: tuple[Evaluation, ...]
    recipe: None = None

    def __call__(self, study: Study) -> str:
        """Score, or find scored meanwhile."""
        for evaluation in self.evaluations:
            score(study, evaluation)
        recipe = self.evaluations[0].recipe
        return f"scored: {recipe.words()} seed {recipe.seed}"


Task = Training | Scoring


def _by_model(evaluations: Sequence[Evaluation]) -> list[tuple[Evaluation, ...]]:
    groups: dict[Recipe, list[Evaluation]] = {}
    for evaluation in evaluations:
        groups.setdefault(evaluation.recipe, []).append(evaluation)
    return [tuple(dict.fromkeys(group)) for group in groups.values()]


def _digest(study: Study, evaluations: Sequence[Evaluation]) -> str:
    scores = [
        [e.where, e.kind, e.user, e.clipped, e.tta]
        + [find(study, recipe).digest for recipe in e.needs()]
        for e in evaluations
    ]
    sets = [validation(study, where).digest for where in sorted({e.where for e in evaluations})]
    inference = [study.profile.inference, study.profile.ipt, study.profile.clicks]
    return digest_of([scores, sets, inference, code_digest(*_CODE)])


def workers_here(study: Study) -> int:
    """How many trainings fit on this machine: on a CPU, as its cores and its memory allow."""
    threads = study.profile.cpu_threads
    if study.fabric.device.type != "cpu" or study.fabric.world_size > 1 or threads < 1:
        return 1
    by_cores = (os.cpu_count() or 1) // threads
    by_memory = _memory_gib() / study.profile.job_gib
    return max(1, int(min(by_cores, by_memory)))


def _memory_gib() -> float:
    """What the machine has; without a limit where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _run(study: Study, tasks: Sequence[Task], where: tuple[str, Path | None, str]) -> Iterator[str]:
    """Do the tasks here, or side by side where the machine has room."""
    n_jobs = min(len(tasks), workers_here(study))
    if n_jobs > 1:
        yield from _side_by_side(tasks, n_jobs, where)
    else:
        yield from (task(study) for task in tasks)


def _side_by_side(
    tasks: Sequence[Task], n_jobs: int, where: tuple[str, Path | None, str]
) -> Iterator[str]:
    """Work in fresh processes, each task as soon as the model that it starts from is there.

    What a killed process leaves is resumed by the next call.
    """
    waiting = list(tasks)
    context = get_context("spawn")
    with ProcessPoolExecutor(n_jobs, context, initializer=_end_with_parent) as pool:
        running: dict[Future[str], Task] = {}
        try:
            while waiting or running:
                for task in _ready(waiting, running.values())[: n_jobs - len(running)]:
                    waiting.remove(task)
                    running[pool.submit(_in_process, where, task)] = task
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
                    del running[future]
        except BrokenProcessPool as error:
            raise OpenScenesError(
                "a process that trained was ended by the system, most often for want of memory; "
                "the same command goes on where it was"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _ready(waiting: Sequence[Task], running: Iterable[Task]) -> list[Task]:
    """Tasks whose model's parent is neither waiting nor running, those of many heirs first.

    A model that others wait for, begun last, would leave all processes but one idle.
    """
    unfinished = {task.recipe for task in (*waiting, *running)} - {None}
    ready = [t for t in waiting if t.recipe is None or t.recipe.parent not in unfinished]
    heirs = Counter(step for t in waiting if t.recipe is not None for step in t.recipe.lineage())
    return sorted(ready, key=lambda task: -heirs[task.recipe] if task.recipe else 0)


def _end_with_parent() -> None:
    """Let no worker of a killed process wait for ever for its next task."""

    def watch() -> None:
        parent_process().join()  # type: ignore[union-attr]
        os._exit(1)

    Thread(target=watch, daemon=True).start()


_opened: dict[tuple[str, Path | None, str], Study] = {}


def _in_process(where: tuple[str, Path | None, str], task: Task) -> str:
    """Work in a worker process, which opens its study once.

    A mistake that the user can mend comes back as its sentence alone, which every process reads.
    """
    try:
        if where not in _opened:
            profile, data, device = where
            _opened[where] = open_study(profile_named(profile), data, device)
        return task(_opened[where])
    except OpenScenesError as error:
        raise OpenScenesError(str(error)) from error
