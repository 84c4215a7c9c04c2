"""``make plan``: what will be done, what is there already, what it takes, and how long."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from openscenes.networks.devices import make_fabric
from openscenes.study.experiments.registry import EXPERIMENTS, experiment, key_words
from openscenes.study.graph.page import Page
from openscenes.study.graph.tasks import Graph, PseudoMasks, Scoring, Task, Training, tasks_of
from openscenes.study.graph.wanted import Wanted
from openscenes.study.graph.workers import GPU, HOST, needs, workers_here
from openscenes.study.plan.costs import START, Machine, Time, duration, scoring_work, time_of
from openscenes.study.plan.machines import assumed, here
from openscenes.study.plan.requirements import (
    IMAGES,
    OBJECTS,
    images_of,
    missing,
    objects_of,
    requirements,
)
from openscenes.study.plan.schedule import all_before, longest_chain, makespan, task_time, work_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import open_study
from openscenes.study.runs.finished import keys_of
from openscenes.study.runs.memory import held_by, training_of
from openscenes.study.runs.names import folder_words
from openscenes.study.runs.published import require_published
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.shapes import network_of
from openscenes.study.runs.work import CLICK, MASK, Work
from openscenes.study.scores.evaluation import Evaluation, recipes_of

Evaluations = Mapping[str, Sequence[Evaluation]]  # by the key of an experiment
_BYTES = 4  # of a stored pixel: its colours and its label
_PAGE_BYTES = 1e6
_KINDS: dict[type, str] = {
    Training: "training", PseudoMasks: "pseudo masks", Scoring: "scoring", Page: "pages",
}  # fmt: skip
_PART = re.compile(r" part \d+/\d+")


@dataclass(frozen=True)
class Plan:
    """What is asked for, what of it is left, and what all of it takes.

    Attributes:
        objects, images: as ``requirements.OBJECTS`` and ``IMAGES``; empty where unknown.
        graph: what is still to do.
        kind: "cpu" or "cuda".
    """

    profile: Profile
    evaluations: Evaluations
    objects: Mapping[str, int]
    images: Mapping[str, tuple[int, int]]
    graph: Graph
    machine: Machine
    kind: str

    def time(self, task: Task) -> Time:
        """Seconds of one task."""
        return task_time(self.profile, task, self.objects, self.machine)

    def total(self, n: int) -> float:
        """Seconds of all of it by ``n`` processes or GPUs, from the start of the command on."""
        seconds = {task: self.time(task).wall for task in self.graph}
        starts = self.machine.seconds[START] * (1 + (n > 1 and not self.machine.on_gpus))
        return starts + self.decoding() / n + makespan(self.graph, seconds, n)

    def kinds(self) -> dict[str, Time]:
        """Seconds by kind of work."""
        found: dict[str, Time] = {}
        for task in self.graph:
            name = _KINDS[type(task)]
            found[name] = found.get(name, Time()) + self.time(task)
        return found

    def decoding(self) -> float:
        """Seconds to decode every image once, by the helpers of one GPU or in the loop."""
        spent = sum(n * self.machine.decode.get(name, 0.0) for name, (n, _) in self.images.items())
        return spent / max(1, min(self.profile.workers, self.machine.cores))


def plan_text(
    profile: Profile, seeds: int, data: Path | None, device: str,
    *, keys: Sequence[str] = (), assume: Path | None = None,
) -> str:  # fmt: skip
    """All that the tables need, in sections: per table, per model, memory, disk, time.

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
    plural = "seed" if seeds == 1 else "seeds"
    images = profile.data if data is None else folder_words(data)
    parts = [
        [f"Plan of profile {profile.name} on {images}, {seeds} {plural}"],
        requirements(profile, data) if on_images else [],
        ["Objects: " + ", ".join(f"{k} {n:,}" for k, n in plan.objects.items())] if plan else [],
        _tables(plan) if plan else [],
        _trained(there),
        *([_to_train(plan), _memory(plan), _disk(plan), _times(plan)] if plan else []),
        [plan.machine.source if plan else "No estimate: it needs the data."],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def planned(
    profile: Profile, seeds: int, data: Path | None, device: str,
    *, keys: Sequence[str] = (), assume: Path | None = None,
) -> tuple[list[Recipe], Plan | None]:  # fmt: skip
    """What is trained already, and the plan; None where nothing is known of the data.

    Args: as ``plan_text``.
    """
    chosen = dict.fromkeys(keys or keys_of(profile.kind))
    evaluations = {key: experiment(key).evaluations(profile, seeds) for key in chosen}
    require_published(profile)
    make_fabric(device)
    kind, _, alone = device.partition(":")
    on_images = profile.synthetic is None or data is not None
    study = None if on_images and missing(data) else open_study(profile, data, kind)
    pages = {Page(key, seeds): tuple(group) for key, group in evaluations.items()}
    elsewhere = assume is not None or profile.kind == "paper"
    if study is None:
        machine = assumed(assume, profile) if elsewhere else None
        if machine is None or profile.kind != "paper":
            return [], None
        graph = tasks_of(profile, (), pages)
        return [], Plan(profile, evaluations, OBJECTS, IMAGES, graph, machine, "cuda")
    graph = Wanted((), pages)(study).graph
    left = {task.recipe for task in graph if isinstance(task, Training)}
    every = recipes_of(evaluation for group in evaluations.values() for evaluation in group)
    if elsewhere:
        machine = assumed(assume, profile)
    else:
        machine = here(study, 1 if alone else workers_here(study, left))
    kind = "cuda" if elsewhere else study.fabric.device.type
    plan = Plan(profile, evaluations, objects_of(study), images_of(study), graph, machine, kind)
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
            work, time = work + units, time + time_of(plan.profile, units, plan.machine)
        rows.append((
            key_words(key), sum(isinstance(t, Training) for t in tasks),
            sum(isinstance(t, PseudoMasks) for t in tasks), len(new),
            _crops(work, "train"), _crops(work, "forward"), f"{work[MASK] + work[CLICK]:,}",
            duration(time.network), duration(time.beside), EXPERIMENTS[key].about,
        ))  # fmt: skip
    head = (
        "table",
        "models",
        "pseudo",
        "scores",
        "crops",
        "forward",
        "pasted",
        "network",
        "CPU",
        "",
    )
    return ["What each table adds to those above it", *aligned(head, rows)]


def _crops(work: Work, kind: str) -> str:
    return f"{sum(n for unit, n in work.items() if unit.startswith(kind)):,}"


def short_words(recipe: Recipe) -> str:
    """A recipe's words, in which the parts of a scene are one step."""
    steps = [step.words().rpartition(" > ")[2] for step in recipe.lineage()]
    parts = [step.part[1] for step in recipe.lineage() if step.part]
    once = dict.fromkeys(_PART.sub("", step) for step in steps)
    return " > ".join(once) + (f", in {parts[0]} parts" if parts else "")


def aligned(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of a table; the last column, which is text, to the left."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(["", *map(str.rjust, row[:-1], widths), row[-1]]).rstrip() for row in cells]


def _folded(recipes: Iterable[Recipe]) -> dict[str, list[Recipe]]:
    """Recipes by short words: seeds and parts of a scene share a line."""
    groups: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        groups.setdefault(short_words(recipe), []).append(recipe)
    return groups


def _times_of(same: Sequence[Recipe]) -> str:
    return "" if len(same) == 1 else f" ({len(same)} models)"


def _trained(there: Sequence[Recipe]) -> list[str]:
    names = [f"  {words}{_times_of(same)}" for words, same in _folded(there).items()]
    return [f"Trained already: {len(there)} models", *names] if there else []


def _to_train(plan: Plan) -> list[str]:
    """One line for each model, its seeds and parts together."""
    left = [task.recipe for task in plan.graph if isinstance(task, Training)]
    if not left:
        return ["To train: nothing"]
    rows = []
    for words, same in _folded(left).items():
        tasks = [Training(recipe) for recipe in same]
        work = sum((work_of(plan.profile, t, plan.objects) for t in tasks), Work())
        time = sum((plan.time(task) for task in tasks), Time())
        most = needs(plan.profile, same[0], plan.kind)
        gib = " + ".join(f"{most[name]:.1f}" for name in (GPU, HOST) if name in most)
        rows.append((
            _crops(work, "train"), _crops(work, "forward"), gib, duration(time.wall),
            f"{words}{_times_of(same)}",
        ))  # fmt: skip
    memory = "GiB" if plan.kind == "cpu" else "GPU + host GiB"
    head = ("crops", "forward", memory, "time", "")
    return [f"To train: {len(left)} models in this order", *aligned(head, rows)]


def _memory(plan: Plan) -> list[str]:
    most: dict[str, tuple[float, str]] = {}
    for task in plan.graph:
        if isinstance(task, Training):
            for name, gib in needs(plan.profile, task.recipe, plan.kind).items():
                most[name] = max(most.get(name, (0.0, "")), (gib, short_words(task.recipe)))
    places = {GPU: "on a GPU", HOST: "on the host"}
    said = [f"  {gib:.1f} GiB {places[name]}: {words}" for name, (gib, words) in most.items()]
    return ["Memory of one training, at most", *said] if said else []


def _disk(plan: Plan) -> list[str]:
    """What stays in the cache and the reports."""
    left = [task.recipe for task in plan.graph if isinstance(task, Training)]
    weights = sum(
        held_by(plan.profile, network_of(r), training_of(plan.profile, r)).weights for r in left
    )
    stored = sum(n * pixels * _BYTES for n, pixels in plan.images.values())
    scores = dict.fromkeys(e for group in plan.evaluations.values() for e in group)
    cells = sum(plan.objects[f"val {e.where}"] * _COLUMNS[e.kind] for e in scores)
    rows = [
        (_size(min(stored, plan.profile.store_gib * 2**30)), "image store"),
        (_size(weights), "weights"),
        (_size(8.0 * cells), "scores"),
        (_size(_PAGE_BYTES * len(plan.evaluations) + 4.0 * cells), "reports"),
    ]
    return ["Disk", *aligned(("MB", ""), rows)]


_COLUMNS = {"masks": 5, "ipt": 45, "clicks": 24}  # of a table of scores


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:,.0f}"


def _times(plan: Plan) -> list[str]:
    """Seconds by kind of work, and in all with one process or GPU and with more."""
    rows = [
        (name, duration(t.network), duration(t.beside), duration(t.wall))
        for name, t in plan.kinds().items()
    ]
    seconds = {task: plan.time(task).wall for task in plan.graph}
    what = ("GPU", "GPUs") if plan.machine.on_gpus else ("process", "processes")
    said = ["Time", *aligned(("", "network", "CPU", "one by one"), rows)]
    if plan.decoding():
        said.append(f"Each image is decoded once: {duration(plan.decoding())} more.")
    for n in plan.machine.sides:
        said.append(f"In all {duration(plan.total(n))} with {n} {what[n > 1]}.")
    bound = duration(longest_chain(plan.graph, seconds))
    return [*said, f"However many there are, the longest chain of models takes {bound}."]
