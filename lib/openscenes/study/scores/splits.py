"""How many images and objects each split really has, for the record of a run."""

from collections.abc import Iterable
from typing import Any

from openscenes.data.records import Index
from openscenes.study.profiles import InitialSet
from openscenes.study.runs.data import Study, new_scene, source, validation
from openscenes.study.runs.peers import SOURCE_SET
from openscenes.study.runs.recipes import Recipe
from openscenes.study.scores.evaluation import Evaluation, recipes_of


def objects_as_found(study: Study, evaluations: Iterable[Evaluation]) -> dict[str, dict[str, Any]]:
    """What lies in every split that the evaluations touch; the study remembers most of it.

    Counted, not quoted, since readers differ in what they leave out.

    Returns:
        Such as ``{"coco/train": {"images": 84, "objects": 410, "dropped": {"crowd": 3}, "drawn":
        300}}``; ``drawn`` is how many a step of evolution takes, where that is not all.
    """
    evaluations = list(evaluations)
    found: dict[str, dict[str, Any]] = {}
    for recipe in recipes_of(evaluations):
        found |= _learned(study, recipe)
    for evaluation in evaluations:
        found |= _described(validation(study, evaluation.where).index)
    return dict(sorted(found.items()))


def _learned(study: Study, recipe: Recipe) -> dict[str, dict[str, Any]]:
    if recipe.kind in ("initial", "peer"):
        return _described(source(study, _initial_set(recipe)).index)
    drawn = len(new_scene(study, recipe.scene).clicked)
    described = _described(study.memory["index", recipe.scene])
    for facts in described.values():
        facts |= {"drawn": drawn} if drawn != facts["objects"] else {}
    return described


def _initial_set(recipe: Recipe) -> InitialSet:
    return "voc" if recipe.kind == "initial" and recipe.name == "voc" else SOURCE_SET


def _described(index: Index) -> dict[str, dict[str, Any]]:
    counts = {"images": index.n_images, "objects": len(index.records), "dropped": index.dropped}
    return {index.scene: counts}
