"""``make plan``: what will be trained, what is there already, and how long it may take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from openscenes.networks.devices import make_fabric
from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.graph.workers import workers_here
from openscenes.study.plan.costs import (
    Times,
    duration,
    measured,
    on_a_gpu,
    recorded,
    scoring_of,
    work_of,
)
from openscenes.study.plan.requirements import OBJECTS, missing, requirements
from openscenes.study.profiles import InitialSet, Profile
from openscenes.study.runs.data import (
    SOURCE,
    Study,
    new_scene,
    open_study,
    source,
    validation,
)
from openscenes.study.runs.names import folder_words
from openscenes.study.runs.published import require_published
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.runs import find
from openscenes.study.scores.evaluation import Evaluation, recipes_of
from openscenes.study.scores.results import SCENES

INITIAL_SETS: tuple[InitialSet, ...] = ("voc", "voc+sbd")
Evaluations = Mapping[str, Sequence[Evaluation]]  # by the key of an experiment
_ON_A_GPU = """Hours are counted operations at 40 % of an H200's 989 bfloat16 TFLOP/s, not measured.
Unfused layers reach 20-25 %, so expect 1.6 to 2 times as many; float32, which this profile is set
to, takes longer still. Decoding counts too: about 50 ms for one Cityscapes image, an hour on
16 cores for 20 epochs if each object decodes it anew."""


def plan_text(profile: Profile, seeds: int, data: Path | None, device: str) -> str:
    """The models of every table in the order of their training, with crops and seconds.

    Missing data are no error: the text then says what is needed and where.

    Args:
        seeds: how many trainings of each model.
        data: folder of the four data sets, None for the synthetic scenes.
        device: as for ``devices.make_fabric``.
    """
    evaluations = {key: found.evaluations(profile, seeds) for key, found in EXPERIMENTS.items()}
    recipes = recipes_of(evaluation for group in evaluations.values() for evaluation in group)
    on_images = profile.synthetic is None or data is not None
    require_published(profile)
    make_fabric(device)
    kind, _, shared = device.partition(":")  # a plan trains nothing together with others
    study = None if on_images and missing(data) else open_study(profile, data, kind)
    times = _without_data(profile) if study is None else _on_data(study)
    there = [r for r in recipes if study is not None and find(study, r).is_trained]
    left = [recipe for recipe in recipes if recipe not in there]
    n_jobs = 1
    if study is not None and profile.kind != "paper" and not shared:
        n_jobs = workers_here(study)
    images = profile.data if data is None else folder_words(data)
    plural = "seed" if seeds == 1 else "seeds"
    parts = [
        [f"Plan of profile {profile.name} on {images}, {seeds} {plural}"],
        requirements(profile, data) if on_images else [],
        _objects(times.objects),
        _tables(evaluations),
        [f"Trained already: {len(there)} models", *_names(there)] if there else [],
        _to_train(profile, left, times),
        [*_sums(profile, evaluations, left, times, n_jobs), times.source],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _without_data(profile: Profile) -> Times:
    """Published counts for the paper's size; nothing is known of another collection."""
    if profile.kind != "paper":
        return Times()
    return Times(OBJECTS, on_a_gpu(profile), source=_ON_A_GPU)


def _on_data(study: Study) -> Times:
    objects: dict[str, int] = {name: len(source(study, name).examples) for name in INITIAL_SETS}
    objects |= {scene: len(new_scene(study, scene).clicked) for scene in SCENES}
    for name in (SOURCE, *SCENES):
        objects[f"val {name}"] = len(validation(study, name).examples)
    if study.profile.kind == "paper":
        return Times(objects, on_a_gpu(study.profile), recorded(study), _ON_A_GPU)
    return Times(
        objects,
        measured(study),
        recorded(study),
        f"Seconds are those of earlier trainings in this cache; of what was never trained here, "
        f"counted operations at the speed of a short training here and now "
        f"({study.fabric.device.type}); pasting masks and counting their pixels come on top.",
    )


def _objects(objects: Mapping[str, int]) -> list[str]:
    named = ", ".join(f"{name} {n:,}" for name, n in objects.items())
    return [f"Objects: {named}"] if objects else []


def _tables(evaluations: Evaluations) -> list[str]:
    """How many models each table needs, and which it shares with those above it."""
    lines = ["Tables: models for one seed, and those that a table above has trained"]
    owner: dict[Recipe, str] = {}
    for key, group in evaluations.items():
        needs = [recipe for recipe in recipes_of(group) if recipe.seed == 0]
        shared: dict[str, list[str]] = {}
        for recipe in needs:
            if recipe in owner:
                shared.setdefault(owner[recipe], []).append(recipe.words())
        new = len(needs) - sum(map(len, shared.values()))
        lines.append(f"  {key:8}{len(needs):3} models, {new:2} new  {EXPERIMENTS[key].about}")
        lines += [f"{'':25}of {by}: {'; '.join(words)}" for by, words in shared.items()]
        owner = dict.fromkeys(needs, key) | owner
    return lines


def _names(recipes: Iterable[Recipe]) -> list[str]:
    return [f"  {words}{_times(same)}" for words, same in _by_words(recipes).items()]


def _to_train(profile: Profile, left: Sequence[Recipe], times: Times) -> list[str]:
    """One line for each model, its seeds together."""
    if not left:
        return ["To train: nothing"]
    head = f"To train: {len(left)} models in this order"
    if not times.objects:
        return [head, *_names(left)]
    lines = [head, f"  {'crops':>12} {'to label':>10} {'time':>8}"]
    for words, same in _by_words(left).items():
        works = [work_of(profile, recipe, times.objects) for recipe in same]
        crops, forwards = sum(w.crops for w in works), sum(w.forwards for w in works)
        took = duration(times.training(profile, same))
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
    profile: Profile, evaluations: Evaluations, left: Sequence[Recipe], times: Times, n_jobs: int
) -> list[str]:
    """Training and scoring in all, on one process and as many as fit."""
    if not times.objects:
        return []
    training = times.training(profile, left)
    every = dict.fromkeys(evaluation for group in evaluations.values() for evaluation in group)
    scoring = sum(
        work.cost(times.costs)
        for evaluation in every
        for work in scoring_of(profile, evaluation, times.objects)
    )
    lines = [
        f"Training: {duration(training)} of one process.",
        f"Scoring: {duration(scoring)} for {len(every)} scores, if none is there yet.",
    ]
    if n_jobs > 1:
        together = duration((training + scoring) / n_jobs)
        lines.append(f"Together about {together} with {n_jobs} processes side by side.")
    return lines
