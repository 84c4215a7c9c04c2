"""All that a command wants done: in this process where one suffices, else on Dask workers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from openscenes.errors import OpenScenesError
from openscenes.kept import keep
from openscenes.paths import cache_dir, scratch
from openscenes.progress import say
from openscenes.study.graph.tasks import Graph, Task, Training
from openscenes.study.graph.wanted import Outcome, Place, Planned, Wanted
from openscenes.study.graph.workers import slots_here
from openscenes.study.runs.data import Study
from openscenes.study.scores.evaluation import Evaluation

if TYPE_CHECKING:
    from openscenes.study.graph.worker import Where

FAILED = "failed: "  # begins the line of a task that failed


def prepare(study: Study, evaluations: Sequence[Evaluation]) -> Iterator[str]:
    """Train and score all that is missing, in this process; a line of text for each task.

    What was prepared once is noted with all that decides it: a second call does nothing.
    """
    planned = Wanted(tuple(evaluations))(study)
    yield from (text for _, text in _told(planned, in_order(study, planned.graph)))


def done(study: Study, planned: Planned, place: Place) -> Iterator[tuple[Task, str]]:
    """Do what is still to do on this machine; each task with its line."""
    recipes = [task.recipe for task in planned.graph if isinstance(task, Training)]
    slots = slots_here(study, recipes, place.device, place.workers)
    slots = slots[: len(planned.graph)]
    if len(slots) < 2:
        if place.dashboard:
            say("dashboard: none, as one process does all; ask for more with WORKERS=2")
        yield from _told(planned, in_order(study, planned.graph))
        return
    from openscenes.study.graph.by_dask import by_dask
    from openscenes.study.graph.clusters import local_workers

    spelling = study.profile.spelling or study.profile.name
    with (
        where_of(spelling, replace(place, device=study.fabric.device.type)) as where,
        local_workers(slots, dashboard=place.dashboard) as client,
    ):
        outcomes = by_dask(client, where, planned.graph, planned.chains, planned.needs)
        yield from _told(planned, outcomes)


def done_elsewhere(
    spelling: str, wanted: Wanted, place: Place
) -> Iterator[tuple[Task | None, str]]:
    """The same on a cluster, whose workers also say what is still to do; first that, as a line.

    This machine then needs neither the data nor a GPU.
    """
    from openscenes.study.graph.by_dask import by_dask, planned_by
    from openscenes.study.graph.clusters import cluster_workers

    with (
        where_of(spelling, place) as where,
        cluster_workers(place.cluster, dashboard=place.dashboard) as client,
    ):
        planned = planned_by(client, where, wanted)
        yield None, to_train(planned)
        outcomes = by_dask(client, where, planned.graph, planned.chains, planned.needs)
        yield from _told(planned, outcomes)


def to_train(planned: Planned) -> str:
    """One line: how many models are still to be trained."""
    return f"models to train: {planned.to_train} of {planned.models}"


def in_order(study: Study, graph: Graph) -> Iterator[tuple[Task, Outcome]]:
    """All tasks in this process; what follows from one that failed is left out."""
    failed = set[Task]()
    for task, before in graph.items():
        if failed.intersection(before):
            failed.add(task)
            continue
        outcome: Outcome
        try:
            outcome = task(study)
        except OpenScenesError as error:
            failed.add(task)
            outcome = error
        yield task, outcome


def _told(planned: Planned, outcomes: Iterable[tuple[Task, Outcome]]) -> Iterator[tuple[Task, str]]:
    """The lines of what was done, and of what failed, which ends the command after the others.

    Raises:
        OpenScenesError: of the first task that failed.
    """
    errors: list[OpenScenesError] = []
    for task, outcome in outcomes:
        if isinstance(outcome, OpenScenesError):
            errors.append(outcome)
            yield task, f"{FAILED}{task.label}: {outcome}"
        else:
            yield task, outcome
    if errors:
        raise errors[0]
    keep(planned.note, {"scores": planned.models})


@contextmanager
def where_of(spelling: str, place: Place) -> Iterator[Where]:
    """What workers must know of this command, and a file in the cache by which they know it."""
    from openscenes.study.graph.worker import Where, code_of_package  # Dask takes half a second

    folder = cache_dir() / "workers"
    folder.mkdir(exist_ok=True)
    token = "{prefix}{}{suffix}".format(uuid.uuid4().hex, **scratch(folder))
    file = folder / token
    file.touch()
    data = None if place.data is None else place.data.absolute()
    try:
        yield Where(
            spelling, data, place.device, cache_dir(), token, code_of_package(), torch.__version__
        )
    finally:
        file.unlink(missing_ok=True)
