"""Which models of the study run the same code, so that a dry run trains one for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from openscenes.study.runs.recipes import (
    ACCEPTED,
    ALL_BEYOND,
    BEYOND_VARIANTS,
    BN_ONLY,
    EVIDENCE_VARIANTS,
    FULL,
    OURS,
    TRUE_NAMES,
    Recipe,
    evolved,
    finetuned,
    initial,
    peer,
)

EMA = BEYOND_VARIANTS[-1]
N_PARTS = 4


def stand_in(recipe: Recipe) -> Recipe:
    """The recipe that is trained in place of one; of all that run the same code it is one.

    Every ablation is a way of its own. Both scenes evolve, one of them in parts, of which the
    second learns with the masks of the first. Self-training alone is the EMA teacher's, which also
    labels anew in each epoch; clipped masks, six views and box losses are the combination of all,
    learned from jittered boxes.
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
    if recipe.variant in ACCEPTED:
        return evolved(first, "coco", next(iter(ACCEPTED)))
    if recipe.variant in EVIDENCE_VARIANTS:
        return evolved(first, "coco", OURS, user="human")
    quarter = evolved(first, "cityscapes", FULL, part=(0, N_PARTS))
    if recipe.parent is not None and recipe.parent.kind == "evolved":
        return evolved(quarter, "cityscapes", FULL, part=(1, N_PARTS))
    if recipe.user == "human" or recipe.variant in (*BEYOND_VARIANTS[:-1], ALL_BEYOND):
        return evolved(first, "coco", ALL_BEYOND, user="human")
    if recipe.variant in ("st", EMA):
        return evolved(first, "coco", EMA)
    return quarter if recipe.scene == "cityscapes" else evolved(first, "coco", FULL)


def stands_in_for(recipes: Iterable[Recipe]) -> dict[Recipe, int]:
    """Each recipe that is trained, and for how many it stands."""
    return dict(Counter(stand_in(recipe) for recipe in recipes))
