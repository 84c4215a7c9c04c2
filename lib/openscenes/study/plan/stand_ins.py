"""Which models and scores run the same code, so that a dry run makes one for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from openscenes.study.profiles import SCENE_NAMES
from openscenes.study.runs.recipes import (
    ACCEPTED,
    BN_ONLY,
    CLIPPED_VIEWS,
    DISTILLED,
    DOSES,
    EVIDENCE_VARIANTS,
    FULL,
    LITERAL_IPT,
    OURS,
    OWN_STATISTICS,
    SEPARABLE,
    TRUE_NAMES,
    Recipe,
    evolved,
    finetuned,
    initial,
    peer,
)
from openscenes.study.scores.evaluation import Evaluation

N_PARTS = 4
HOME = "coco"  # where models of no scene are scored
FREE_CLICKS = "ITIS"  # the quickest system without a box


def stand_in(recipe: Recipe) -> Recipe:
    """The recipe that is trained in place of one; of all that run the same code it is one.

    Every ablation is a way of its own. Both scenes evolve, one of them in parts, of which the
    second learns with the masks of the first. What self-training takes besides, of the paper and
    of ours, is taken by two: with alignment and IPT, and on evidence masks of jittered boxes.
    """
    first = initial("voc+sbd", recipe.seed)
    root = recipe.lineage()[0]
    if recipe.kind == "initial":
        return initial("voc+sbd", recipe.seed, recipe.variant)
    if "peer" in recipe.kind:
        alone = peer(root.name, recipe.seed)
        return alone if recipe.kind == "peer" else finetuned(alone, "coco")
    if recipe.kind == "fine-tuned":
        return finetuned(first, "coco")
    return _step(first, recipe)


def _step(first: Recipe, recipe: Recipe) -> Recipe:
    """Of those that evolve."""
    if recipe.kind == "re-estimated":
        return evolved(first, "coco", BN_ONLY)
    if recipe.variant == TRUE_NAMES:
        return evolved(first, "coco", TRUE_NAMES)
    if recipe.lineage()[0].variant == SEPARABLE:
        return evolved(initial("voc+sbd", recipe.seed, SEPARABLE), "coco", list(LITERAL_IPT)[-1])
    if recipe.variant in DOSES:
        return evolved(first, recipe.scene, next(iter(DOSES)))
    if recipe.variant in ACCEPTED:
        return evolved(first, "coco", next(iter(ACCEPTED)))
    if recipe.variant in (DISTILLED, OWN_STATISTICS):
        return evolved(first, "coco", recipe.variant)
    if recipe.user == "human" or recipe.variant in (*EVIDENCE_VARIANTS, CLIPPED_VIEWS):
        return evolved(first, "coco", OURS, user="human")
    quarter = evolved(first, "cityscapes", FULL, part=(0, N_PARTS))
    if recipe.parent is not None and recipe.parent.kind == "evolved":
        return evolved(quarter, "cityscapes", FULL, part=(1, N_PARTS))
    return quarter if recipe.scene == "cityscapes" else evolved(first, "coco", FULL)


def scored_as(evaluation: Evaluation) -> Evaluation:
    """The evaluation that is scored in place of one, on the same objects.

    Each model is scored where it learned last, or on COCO, and there the initial model's also for
    each user and setting. On the other sets stands the ``quickest`` of each kind of system; no
    system knows what set its objects are of.
    """
    made, where = stand_in(evaluation.recipe), evaluation.where
    if evaluation.kind == "ipt":
        return replace(evaluation, recipe=made)
    if where != (made.name if made.name in SCENE_NAMES else HOME):
        return Evaluation(quickest(made), where, evaluation.kind)
    if made.parent is not None:
        return Evaluation(made, where, evaluation.kind)
    return replace(evaluation, recipe=made)


def quickest(recipe: Recipe) -> Recipe:
    """Of its kind of system the first model that is scored soonest; it also chooses thresholds."""
    root = recipe.lineage()[0]
    if root.kind == "initial":
        return initial("voc+sbd", root.seed)
    return root if root.name == "DEXTR" else peer(FREE_CLICKS, root.seed)


def stands_in_for(recipes: Iterable[Recipe]) -> dict[Recipe, int]:
    """Each recipe that is trained, and for how many it stands."""
    return dict(Counter(stand_in(recipe) for recipe in recipes))
