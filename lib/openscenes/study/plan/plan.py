"""``make plan``: what will be trained, what is there already, and how long it may take.

Ours: all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.plan.costs import (
    SUSTAINED_FLOPS,
    Cost,
    Work,
    counted,
    measured,
    scoring_of,
    work_of,
)
from openscenes.study.plan.requirements import OBJECTS, missing, requirements
from openscenes.study.plan.scheduler import parallel_jobs
from openscenes.study.profiles import InitialSet, Profile
from openscenes.study.runs.data import SOURCE, Study, new_scene, open_study, source, validation
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.runs import find
from openscenes.study.scores.evaluation import Evaluation, recipes_of
from openscenes.study.scores.results import SCENES

INITIAL_SETS: tuple[InitialSet, ...] = ("voc", "voc+sbd")
Asked = Mapping[str, Sequence[Evaluation]]  # key of an experiment -> its questions


@dataclass(frozen=True)
class Estimate:
    """Everything that the plan's numbers follow from.

    Attributes:
        objects: as ``requirements.OBJECTS``; empty where nobody knows.
        costs: seconds per crop by network; empty where there is nothing to measure on.
        there: recipes whose models exist.
        n_jobs: trainings side by side.
        how: where the seconds come from, one sentence.
    """

    objects: Mapping[str, int] = field(default_factory=dict)
    costs: Mapping[str, Cost] = field(default_factory=dict)
    there: frozenset[Recipe] = frozenset()
    n_jobs: int = 1
    how: str = "No estimate: it needs the data."

    def seconds(self, works: Iterable[Work]) -> float | None:
        """How long these take one after the other; None where that cannot be told."""
        if not (self.objects and self.costs):
            return None
        return sum(work.cost(self.costs) for work in works)


def plan_text(profile: Profile, seeds: int, data: Path | None, device: str) -> str:
    """The models of every table in the order of their training, with crops and seconds.

    Missing data are no error: the text then says what is needed and where.

    Args:
        seeds: how many trainings of each model.
        data: folder of the four data sets, None for the synthetic scenes.
        device: as for ``devices.make_fabric``.
    """
    asked = {key: found.questions(profile, seeds) for key, found in EXPERIMENTS.items()}
    recipes = recipes_of(question for questions in asked.values() for question in questions)
    on_photographs = profile.synthetic is None or data is not None
    needed = requirements(profile, data) if on_photographs else []
    if on_photographs and missing(data):
        estimate = _from_afar(profile)
    else:
        estimate = _on_the_spot(open_study(profile, data, device), recipes)
    plural = "seed" if seeds == 1 else "seeds"
    title = f"Plan of profile {profile.name} on {profile.data}, {seeds} {plural}"
    objects = _objects(estimate.objects)
    parts = [
        [title], needed, objects, _tables(asked), _trained(recipes, estimate),
        _untrained(profile, recipes, estimate, seeds), _sums(profile, asked, recipes, estimate),
    ]  # fmt: skip
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _from_afar(profile: Profile) -> Estimate:
    """Published counts for the paper's size; nothing is known of another collection."""
    if profile.name != "paper":
        return Estimate()
    return Estimate(OBJECTS, _on_a_gpu(profile), how=_ON_A_GPU)


def _on_the_spot(study: Study, recipes: Sequence[Recipe]) -> Estimate:
    objects = _counted_objects(study)
    there = frozenset(r for r in recipes if find(study, r).is_trained)
    if study.profile.name == "paper":
        return Estimate(objects, _on_a_gpu(study.profile), there, how=_ON_A_GPU)
    works = [work_of(study.profile, recipe, objects) for recipe in recipes]
    networks = sorted({name for work in works for name in (work.network, work.asked)})
    n_jobs = parallel_jobs(study)
    how = (
        f"Seconds are measured here and now ({study.fabric.device.type}, {n_jobs} side by side); "
        "pasting masks and counting their pixels come on top."
    )
    return Estimate(objects, measured(study, networks), there, n_jobs, how)


_ON_A_GPU = """Hours are counted operations at 40 % of an H200's 989 bfloat16 TFLOP/s, not measured.
Unfused layers reach 20-25 %, so expect 1.6 to 2 times as many; float32, which this profile is set
to, takes longer still. Decoding counts too: about 50 ms for one Cityscapes photograph, an hour on
16 cores for 20 epochs if each object decodes it anew."""


def _on_a_gpu(profile: Profile) -> dict[str, Cost]:
    return {name: cost.times(1 / SUSTAINED_FLOPS) for name, cost in counted(profile).items()}


def _counted_objects(study: Study) -> dict[str, int]:
    """What the study's own indexes hold."""
    found: dict[str, int] = {name: len(source(study, name).examples) for name in INITIAL_SETS}
    found |= {scene: len(new_scene(study, scene).clicked) for scene in SCENES}
    tested = {f"val {name}": len(validation(study, name).examples) for name in (SOURCE, *SCENES)}
    return found | tested


def _objects(objects: Mapping[str, int]) -> list[str]:
    if not objects:
        return []
    named = [f"{name} {n:,}" for name, n in objects.items()]
    return [f"Objects: {', '.join(named)}"]


def _tables(asked: Asked) -> list[str]:
    """How many models each table needs, and which it shares with those above it."""
    lines = ["Tables: models for one seed, and those that a table above has trained"]
    seen: dict[Recipe, str] = {}
    for key, questions in asked.items():
        needs = [recipe for recipe in recipes_of(questions) if recipe.seed == 0]
        shared = [recipe for recipe in needs if recipe in seen]
        lines.append(f"  {key:8}{len(needs):3} models, {len(needs) - len(shared):2} new  "
                     f"{EXPERIMENTS[key].about}")  # fmt: skip
        lines += [f"{'':25}of {by}: {words}" for by, words in _by_owner(shared, seen).items()]
        seen |= {recipe: key for recipe in needs if recipe not in seen}
    return lines


def _by_owner(shared: Sequence[Recipe], owner: Mapping[Recipe, str]) -> dict[str, str]:
    names: dict[str, list[str]] = {}
    for recipe in shared:
        names.setdefault(owner[recipe], []).append(recipe.words())
    return {key: "; ".join(words) for key, words in names.items()}


def _trained(recipes: Sequence[Recipe], estimate: Estimate) -> list[str]:
    if not estimate.there:
        return []
    counts = _by_words(recipe for recipe in recipes if recipe in estimate.there)
    return [f"Trained already: {len(estimate.there)} models", *_names(counts)]


def _names(counts: Mapping[str, list[Recipe]]) -> list[str]:
    return [f"  {words}{_times(same)}" for words, same in counts.items()]


def _untrained(
    profile: Profile, recipes: Sequence[Recipe], estimate: Estimate, seeds: int
) -> list[str]:
    """One line for each model, its seeds together."""
    left = [recipe for recipe in recipes if recipe not in estimate.there]
    if not left:
        return ["To train: nothing"]
    head = f"To train: {len(left)} models in this order"
    if not estimate.objects:
        return [head, *_names(_by_words(left))]
    lines = [head, f"  {'crops':>12} {'to label':>10} {'time':>8}"]
    for words, same in _by_words(left).items():
        works = [work_of(profile, recipe, estimate.objects) for recipe in same]
        crops, forwards = sum(w.crops for w in works), sum(w.forwards for w in works)
        took = _duration(estimate.seconds(works))
        lines.append(f"  {crops:12,.0f} {forwards:10,.0f} {took:>8}  {words}{_times(same)}")
    return lines


def _by_words(recipes: Iterable[Recipe]) -> dict[str, list[Recipe]]:
    groups: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        groups.setdefault(recipe.words(), []).append(recipe)
    return groups


def _times(same: Sequence[Recipe]) -> str:
    return "" if len(same) == 1 else f" ({len(same)} seeds)"


def _sums(
    profile: Profile, asked: Asked, recipes: Sequence[Recipe], estimate: Estimate
) -> list[str]:
    """Training and scoring in all, on one process and as many as fit."""
    if not estimate.objects:
        return [estimate.how]
    left = [recipe for recipe in recipes if recipe not in estimate.there]
    training = estimate.seconds(work_of(profile, recipe, estimate.objects) for recipe in left)
    every = dict.fromkeys(question for questions in asked.values() for question in questions)
    scoring = estimate.seconds(
        work for question in every for work in scoring_of(profile, question, estimate.objects)
    )
    lines = [
        f"Training: {_duration(training)} of one process.",
        f"Scoring: {_duration(scoring)} for {len(every)} questions, if none is answered yet.",
    ]
    if estimate.n_jobs > 1 and training is not None and scoring is not None:
        together = _duration((training + scoring) / estimate.n_jobs)
        lines.append(f"Together about {together} with {estimate.n_jobs} processes side by side.")
    return [*lines, estimate.how]


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
