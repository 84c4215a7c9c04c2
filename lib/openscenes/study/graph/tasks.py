"""What a study does, as tasks: pseudo masks, trainings, scores, pages, and what each waits for.

Every result is named by all that made it and put in place whole, so that a task that was done
before, by whom ever, returns at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from openscenes.networks.devices import memory_told
from openscenes.study.graph.page import Page
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import Recipe, evolution_config
from openscenes.study.runs.runs import find, masks_of, train
from openscenes.study.runs.work import masks_work, training_work
from openscenes.study.scores.evaluation import Evaluation, recipes_of, score

_FORWARD = 1 / 3  # of a training's crop, which is run forward and backward
_PAGE = 1.0  # a page's cost, in crops: it is the end of every chain


@dataclass(frozen=True)
class PseudoMasks:
    """The pseudo masks that a step of evolution learns from, for all steps that share them."""

    step: Recipe

    def __call__(self, study: Study) -> str:
        """Predict, or find predicted meanwhile."""
        with memory_told(self.label):
            n = len(masks_of(study, self.step))
        return f"ready: {n} pseudo masks of {self.label}"

    @property
    def label(self) -> str:
        """What it makes, for a line and a bar."""
        return f"{self.step.words()} seed {self.step.seed}"


@dataclass(frozen=True)
class Training:
    """A model to train."""

    recipe: Recipe

    def __call__(self, study: Study) -> str:
        """Train, or find trained meanwhile."""
        made = train(study, self.recipe)
        return f"ready: {made.label} (trained in {made.facts()['wall_s']:.0f} s)"

    @property
    def label(self) -> str:
        """What it makes, for a line and a bar."""
        return f"{self.recipe.words()} seed {self.recipe.seed}"


@dataclass(frozen=True)
class Scoring:
    """Evaluations of one model, which is then loaded by one process only."""

    evaluations: tuple[Evaluation, ...]

    def __call__(self, study: Study) -> str:
        """Score, or find scored meanwhile."""
        with memory_told(self.label):
            for evaluation in self.evaluations:
                score(study, evaluation)
        return f"scored: {self.label}"

    @property
    def label(self) -> str:
        """What it makes, for a line and a bar."""
        recipe = self.evaluations[0].recipe
        return f"{recipe.words()} seed {recipe.seed}"


Task = PseudoMasks | Training | Scoring | Page
Graph = dict[Task, tuple[Task, ...]]  # task -> what must be done before it; parents come first


def tasks_of(
    profile: Profile, evaluations: Iterable[Evaluation], pages: Mapping[Page, Iterable[Evaluation]]
) -> Graph:
    """All tasks behind evaluations and pages, whatever is done already; no data are opened."""
    every = list(dict.fromkeys([*evaluations, *(e for group in pages.values() for e in group)]))
    graph: Graph = {}
    shared: dict[object, PseudoMasks] = {}
    for recipe in recipes_of(every):
        parent = () if recipe.parent is None else (Training(recipe.parent),)
        if recipe.learns_masks:
            masks = shared.setdefault(_masks_key(profile, recipe), PseudoMasks(recipe))
            graph.setdefault(masks, parent)
            parent = (*parent, masks)
        graph[Training(recipe)] = parent
    groups: dict[Recipe, list[Evaluation]] = {}
    for evaluation in every:
        groups.setdefault(evaluation.recipe, []).append(evaluation)
    scored_by: dict[Evaluation, Scoring] = {}
    for recipe, group in groups.items():
        scoring = Scoring(tuple(group))
        graph[scoring] = (Training(recipe),)
        scored_by |= dict.fromkeys(group, scoring)
    for page, shown in pages.items():
        graph[page] = tuple(dict.fromkeys(scored_by[evaluation] for evaluation in shown))
    return graph


def _masks_key(profile: Profile, step: Recipe) -> object:
    """Equal for steps that learn from the same masks (``runs.pseudo.pseudo_file``)."""
    config = evolution_config(profile, step.scene, step.variant, step.user)
    return (
        step.parent, step.scene, step.user, step.part, config.ipt, config.gate,
        config.teacher or profile.inference,
    )  # fmt: skip


def still_to_do(study: Study, graph: Graph) -> Graph:
    """The graph without models that are trained, and without masks that only they learned from."""
    left = {
        task: before
        for task, before in graph.items()
        if not (isinstance(task, Training) and find(study, task.recipe).is_trained)
    }
    wanted = {parent for before in left.values() for parent in before}
    left = {t: b for t, b in left.items() if not isinstance(t, PseudoMasks) or t in wanted}
    return {task: tuple(b for b in before if b in left) for task, before in left.items()}


def chain_costs(profile: Profile, graph: Graph, objects: Mapping[str, int]) -> dict[Task, float]:
    """Of each task: its cost and that of the longest chain behind it, in crops that are trained.

    Args:
        objects: to learn, by initial set and scene.
    """
    return chains(graph, {task: cost(profile, task, objects) for task in graph})


def chains(graph: Graph, costs: Mapping[Task, float]) -> dict[Task, float]:
    """Of each task: its cost and that of the longest chain behind it."""
    found = {task: costs[task] for task in graph}
    for task, before in reversed(graph.items()):  # heirs come before their parents
        for parent in before:
            found[parent] = max(found[parent], costs[parent] + found[task])
    return found


def cost(profile: Profile, task: Task, objects: Mapping[str, int]) -> float:
    """What a task costs beside others, in crops that are trained, whatever the network."""
    if isinstance(task, Scoring):
        return float(len(task.evaluations))
    if isinstance(task, Page):
        return _PAGE
    if isinstance(task, Training):
        work = training_work(profile, task.recipe, objects)
    else:
        work = masks_work(profile, task.step, objects)
    share = {"train": 1.0, "forward": _FORWARD}
    return sum(n * share.get(unit.partition(" ")[0], 0.0) for unit, n in work.items())
