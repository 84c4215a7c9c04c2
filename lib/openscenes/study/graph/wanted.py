"""What a command asks for, where it is done, and what of it is still to do."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openscenes.errors import InputError, OpenScenesError
from openscenes.kept import kept
from openscenes.paths import cache_dir
from openscenes.settings import count_parameter
from openscenes.study.asked import MOST_WORKERS, workers
from openscenes.study.graph.page import Page
from openscenes.study.graph.tasks import (
    Graph,
    PseudoMasks,
    Task,
    Training,
    chain_costs,
    still_to_do,
    tasks_of,
)
from openscenes.study.graph.workers import needs
from openscenes.study.profiles import InitialSet
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Study, new_scene, source, validation
from openscenes.study.runs.runs import find
from openscenes.study.runs.store import digest_of
from openscenes.study.scores.evaluation import Evaluation, recipes_of, score

_CODE = (score,)  # what decides a score
Outcome = str | OpenScenesError


@dataclass(frozen=True)
class Place:
    """Where the tasks of a command run.

    Attributes:
        data, device: as on the command line.
        workers: processes on this machine; None: as many as there is room for.
        cluster: address of a Dask scheduler, or a file that describes a cluster; "" is here.
        dashboard: whether Dask shows what it does in a browser.
    """

    data: Path | None = None
    device: str = "auto"
    workers: int | None = None
    cluster: str = ""
    dashboard: bool = False

    @classmethod
    def of(cls, parsed: argparse.Namespace) -> Place:
        """The place that the options of a command name."""
        n = workers(parsed.workers)
        return cls(parsed.data, parsed.device, n, parsed.cluster, parsed.dashboard)

    def __post_init__(self) -> None:
        if self.workers is not None:
            count_parameter("workers", self.workers, 1, MOST_WORKERS)
            if self.cluster:
                raise InputError(
                    "workers counts processes on this machine, and cluster names others; give one "
                    "of the two"
                )
        if self.dashboard:
            from openscenes.study.graph.clusters import require_dashboard

            require_dashboard()


@dataclass(frozen=True)
class Wanted:
    """What a command asks for; called on a study it says what of it is still to do.

    Attributes:
        evaluations: to score.
        pages: to make, and the evaluations that each shows.
    """

    evaluations: tuple[Evaluation, ...]
    pages: Mapping[Page, tuple[Evaluation, ...]] = field(default_factory=dict)
    label = "plan"

    def __call__(self, study: Study) -> Planned:
        """The graph of what is still to do, parents first."""
        graph = still_to_do(study, tasks_of(study.profile, self.evaluations, self.pages))
        models = [find(study, recipe) for recipe in recipes_of(self._every())]
        missing = [task for task in graph if isinstance(task, Training)]
        note = cache_dir() / "prepared" / f"{scores_digest(study, self._every())}.json"
        if not missing and kept(note) is not None:
            graph = {task: () for task in graph if isinstance(task, Page)}
        kind, profile = study.fabric.device.type, study.profile
        chains = chain_costs(profile, graph, _objects(study, graph))
        memory: dict[Task, dict[str, float]] = {
            task: needs(profile, task.recipe, kind) for task in missing
        }
        return Planned(graph, chains, memory, note, len(missing), len(models))

    def _every(self) -> list[Evaluation]:
        shown = (evaluation for group in self.pages.values() for evaluation in group)
        return list(dict.fromkeys([*self.evaluations, *shown]))


@dataclass(frozen=True)
class Planned:
    """What is still to do.

    Attributes:
        chains: cost of each task and of the longest chain behind it.
        needs: memory of each training, GiB by resource.
        note: the file that says that all of it was done.
        to_train, models: how many models are missing, and how many there are in all.
    """

    graph: Graph
    chains: Mapping[Task, float]
    needs: Mapping[Task, Mapping[str, float]]
    note: Path
    to_train: int
    models: int


def _objects(study: Study, graph: Graph) -> dict[str, int]:
    """How many objects the trainings of a graph learn, by initial set and scene."""
    objects: dict[str, int] = {}
    for task in graph:
        recipes = [task.recipe] if isinstance(task, Training) else []
        recipes += [task.step] if isinstance(task, PseudoMasks) else []
        for recipe in recipes:
            for step in recipe.lineage():
                if step.name in ("cityscapes", "coco"):
                    objects.setdefault(step.name, len(new_scene(study, step.scene).clicked))
                else:
                    learned: InitialSet = "voc" if step.name == "voc" else "voc+sbd"
                    objects.setdefault(learned, len(source(study, learned).examples))
    return objects


def scores_digest(study: Study, evaluations: Sequence[Evaluation]) -> str:
    """Names all that decides some scores."""
    scores = [
        [e.where, e.kind, e.user, e.clipped, e.tta, e.obey, find(study, e.recipe).digest]
        for e in evaluations
    ]
    sets = [validation(study, where).digest for where in sorted({e.where for e in evaluations})]
    inference = [study.profile.inference, study.profile.ipt, study.profile.clicks]
    return digest_of([scores, sets, inference, code_digest(*_CODE)])
