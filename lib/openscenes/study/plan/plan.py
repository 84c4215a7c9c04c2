"""``make plan``: what will be done, what is there already, what it takes, and how long."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from openscenes.downloads import gigabytes
from openscenes.networks.devices import resolved
from openscenes.study.asked import key_words
from openscenes.study.experiments.registry import EXPERIMENTS, experiment
from openscenes.study.graph.page import Page
from openscenes.study.graph.tasks import Graph, PseudoMasks, Scoring, Task, Training, tasks_of
from openscenes.study.graph.wanted import Wanted
from openscenes.study.graph.workers import GPU, HOST, needs, slots_here
from openscenes.study.plan.costs import START, Machine, Time, duration, scoring_work, time_of
from openscenes.study.plan.machines import assumed, here
from openscenes.study.plan.requirements import missing, objects_of, published_objects, requirements
from openscenes.study.plan.schedule import all_before, longest_chain, makespan, task_time, work_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import open_study
from openscenes.study.runs.finished import keys_of
from openscenes.study.runs.memory import held_by, training_of
from openscenes.study.runs.names import folder_words
from openscenes.study.runs.published import require_published
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.shapes import network_of
from openscenes.study.runs.work import CLICK, Work
from openscenes.study.scores.evaluation import Evaluation, recipes_of

Evaluations = Mapping[str, Sequence[Evaluation]]  # by the key of an experiment
_PAGE_BYTES = 1e6
_COLUMNS = {"masks": 5, "ipt": 45, "clicks": 24}  # of a table of scores
_KINDS: dict[type, str] = {
    Training: "training", PseudoMasks: "pseudo masks", Scoring: "scoring", Page: "pages",
}  # fmt: skip
_PART = re.compile(r" part \d+/\d+")
_UNKNOWN = Time(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Plan:
    """What is asked for, what of it is left, and what all of it takes.

    Attributes:
        objects: as ``requirements.OBJECTS``.
        graph: what is still to do.
        machine: None where nothing is known of the time.
        kind: "cpu" or "cuda".
    """

    profile: Profile
    evaluations: Evaluations
    objects: Mapping[str, int]
    graph: Graph
    machine: Machine | None
    kind: str

    def time(self, task: Task) -> Time:
        """Seconds of one task."""
        if self.machine is None:
            return _UNKNOWN
        return task_time(self.profile, task, self.objects, self.machine)

    def total(self, n: int) -> float:
        """Seconds of all of it by ``n`` processes or GPUs, from the start of the command on."""
        assert self.machine is not None
        starts = self.machine.seconds[START] * (1 + (n > 1 and not self.machine.cores))
        return starts + makespan(self.graph, {task: self.time(task).wall for task in self.graph}, n)

    def kinds(self) -> dict[str, Time]:
        """Seconds by kind of work."""
        found: dict[str, Time] = {}
        for task in self.graph:
            name = _KINDS[type(task)]
            found[name] = found.get(name, Time()) + self.time(task)
        return found

    def trainings(self) -> list[Recipe]:
        """What is still to train, parents first."""
        return [task.recipe for task in self.graph if isinstance(task, Training)]


def plan_text(
    profile: Profile, seeds: int, data: Path | None, device: str,
    *, keys: Sequence[str] = (), assume: Path | None = None,
) -> str:  # fmt: skip
    """All that the tables need, in sections: per table, per model, disk, time.

    Missing data are no error: the text then says what is needed and where.

    Args:
        seeds: how many trainings of each model.
        data: folder of the four data sets, None for the synthetic scenes.
        device: as for ``devices.make_fabric``.
        keys: of the tables; those of ``make tables`` if there are none.
        assume: a file that states another machine (``machines``).
    """
    there, plan = planned(profile, seeds, data, device, keys=keys, assume=assume)
    on_images = profile.synthetic is None or data is not None
    counted = "published counts" if on_images and missing(data) else "counted"
    images = profile.data if data is None else folder_words(data)
    parts = [
        [f"Plan of profile {profile.name}, {seeds} {'seed' if seeds == 1 else 'seeds'}: {images}"],
        requirements(profile, data) if on_images else [],
        [f"Objects ({counted}; \"val\" is to test on)", f"  {_numbered(plan.objects)}"],
        _tables(plan), _trained(there), _to_train(plan), [_disk(plan)], _times(plan),
    ]  # fmt: skip
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def planned(
    profile: Profile, seeds: int, data: Path | None, device: str,
    *, keys: Sequence[str] = (), assume: Path | None = None,
) -> tuple[list[Recipe], Plan]:  # fmt: skip
    """What is trained already, and the plan; without data the published counts stand in.

    Args: as ``plan_text``.
    """
    chosen = dict.fromkeys(keys or keys_of(profile.kind))
    evaluations = {key: experiment(key).evaluations(profile, seeds) for key in chosen}
    require_published(profile)
    kind, _ = resolved(device)
    elsewhere = assume is not None or profile.kind == "paper"
    machine = assumed(assume, profile) if elsewhere else None
    kind = "cuda" if elsewhere else kind
    pages = {Page(key, seeds): tuple(group) for key, group in evaluations.items()}
    if (profile.synthetic is None or data is not None) and missing(data):
        objects, graph = published_objects(profile), tasks_of(profile, (), pages)
        return [], Plan(profile, evaluations, objects, graph, machine, kind)
    study = open_study(profile, data, device)
    graph = Wanted((), pages)(study).graph
    left = {task.recipe for task in graph if isinstance(task, Training)}
    every = recipes_of(evaluation for group in evaluations.values() for evaluation in group)
    machine = machine or here(study, len(slots_here(study, left, device)))
    plan = Plan(profile, evaluations, objects_of(study), graph, machine, kind)
    return [recipe for recipe in every if recipe not in left], plan


def _tables(plan: Plan) -> list[str]:
    """What each table adds to those above it."""
    rows, seen_tasks, scored = [], set[Task](), set[Evaluation]()
    pages = {task.key: task for task in plan.graph if isinstance(task, Page)}
    for key, group in plan.evaluations.items():
        tasks = all_before(plan.graph, pages[key]) - seen_tasks if key in pages else set()
        seen_tasks |= tasks
        new = [e for e in dict.fromkeys(group) if e not in scored] if key in pages else []
        scored |= set(new)
        others = [task for task in tasks if not isinstance(task, Scoring)]
        work = sum((work_of(plan.profile, t, plan.objects) for t in others), Work())
        time = sum((plan.time(task) for task in others), Time())
        for evaluation in new:
            units = scoring_work(plan.profile, evaluation, plan.objects)
            work += units
            time += time_of(plan.profile, units, plan.machine) if plan.machine else _UNKNOWN
        rows.append((
            key_words(key), sum(isinstance(t, Training) for t in tasks),
            sum(isinstance(t, PseudoMasks) for t in tasks), len(new),
            _crops(work, "train"), _crops(work, "forward"), f"{work[CLICK]:,}",
            _took(time.network), _took(time.beside), EXPERIMENTS[key].about,
        ))  # fmt: skip
    head = ("table", "models", "masks", "scores", "learned", "seen", "clicks", "network", "other")
    return [
        "What each table adds to those above it", *aligned((*head, ""), rows),
        "  masks: sets of pseudo masks; learned, seen: crops that networks are trained on, or only",
        "  predict; network, other: time in networks, and beside them (images, masks, pages)",
    ]  # fmt: skip


def _numbered(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())


def _crops(work: Work, kind: str) -> str:
    return f"{sum(n for unit, n in work.items() if unit.startswith(kind)):,}"


def _took(seconds: float) -> str:
    return "?" if math.isnan(seconds) else duration(seconds)


def short_words(recipe: Recipe) -> str:
    """A recipe's words, in which the parts of a scene are one step, and rounds on it another."""
    steps = [step.words().rpartition(" > ")[2] for step in recipe.lineage()]
    parts = [step.part[1] for step in recipe.lineage() if step.part]
    n_times = Counter(_PART.sub("", step) for step in steps)
    again = max(n_times.values())
    told = f", in {parts[0]} parts" if parts else f", {again} rounds" if again > 1 else ""
    return " > ".join(n_times) + told


def aligned(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of a table; the last column, which is text, to the left."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(["", *map(str.rjust, row[:-1], widths), row[-1]]).rstrip() for row in cells]


def _folded(recipes: Iterable[Recipe]) -> dict[str, list[Recipe]]:
    """Recipes by short words, with their number: seeds and parts of a scene share a line."""
    groups: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        groups.setdefault(short_words(recipe), []).append(recipe)
    return {
        words + (f" ({len(same)} models)" if len(same) > 1 else ""): same
        for words, same in groups.items()
    }


def _trained(there: Sequence[Recipe]) -> list[str]:
    names = [f"  {words}" for words in _folded(there)]
    return [f"Trained already: {_models(len(there))}", *names] if there else []


def _models(n: int) -> str:
    return f"{n} model" if n == 1 else f"{n} models"


def _to_train(plan: Plan) -> list[str]:
    """One line for each model, its seeds and parts together."""
    left = plan.trainings()
    if not left:
        return ["To train: nothing"]
    rows = []
    for words, same in _folded(left).items():
        tasks = [Training(recipe) for recipe in same]
        work = sum((work_of(plan.profile, t, plan.objects) for t in tasks), Work())
        time = sum((plan.time(task) for task in tasks), Time())
        most = needs(plan.profile, same[0], plan.kind)
        gib = [f"{most[name]:.1f} GiB" for name in (GPU, HOST) if name in most]
        rows.append((_crops(work, "train"), _crops(work, "forward"), *gib, _took(time.wall), words))
    memory = ("memory",) if plan.kind == "cpu" else ("GPU memory", "host memory")
    head = ("learned", "seen", *memory, "time", "")
    return [f"To train: {_models(len(left))}, each after the one it starts from (left of >)",
            *aligned(head, rows)]  # fmt: skip


def _disk(plan: Plan) -> str:
    """What stays in the cache and the reports."""
    weights = sum(
        held_by(plan.profile, network_of(r), training_of(plan.profile, r)).weights
        for r in plan.trainings()
    )
    scores = dict.fromkeys(e for group in plan.evaluations.values() for e in group)
    cells = sum(plan.objects[f"val {e.where}"] * _COLUMNS[e.kind] for e in scores)
    pages = _PAGE_BYTES * len(plan.evaluations) + 4.0 * cells
    return (
        f"Disk: {gigabytes(weights)} of weights, {gigabytes(8.0 * cells)} of scores, "
        f"{gigabytes(pages)} of reports, and decoded images up to "
        f"{gigabytes(plan.profile.store_gib * 2**30)}"
    )


def _times(plan: Plan) -> list[str]:
    """Seconds by kind of work, and in all with one process or GPU and with more."""
    if plan.machine is None:
        return ["Time: no estimate without the data; objects are counted as published."]
    rows = [
        (duration(t.network), duration(t.beside), duration(t.wall), name)
        for name, t in plan.kinds().items()
    ]
    what = ("GPU", "GPUs") if plan.machine.cores else ("process", "processes")
    chain = longest_chain(plan.graph, {task: plan.time(task).wall for task in plan.graph})
    return [
        "Time", *aligned(("network", "other", "one by one", ""), rows),
        *(f"  In all {duration(plan.total(n))} by {n} {what[n > 1]}." for n in plan.machine.sides),
        f"  Never less than {duration(chain)}: a chain of models that start from each other.",
        plan.machine.source,
    ]  # fmt: skip
