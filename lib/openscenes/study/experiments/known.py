"""Known or unknown, beside Tables 4 and 5: what decides between Eq. 7 and 8, and how well."""

from collections import Counter
from collections.abc import Iterable

from openscenes.method.pseudo import kept_winners
from openscenes.study.experiments.rows import BlockSpec
from openscenes.study.pages.markdown import grid
from openscenes.study.profiles import SCENE_NAMES
from openscenes.study.runs.class_names import confusion, true_channels
from openscenes.study.runs.data import Study
from openscenes.study.runs.pseudo import pseudo_file, scene_data
from openscenes.study.runs.recipes import FULL, Recipe
from openscenes.study.runs.runs import find, masks_of

ABOUT = (
    "A new object whose predicted class is *known* meets an old one of that class, under Eq. 7 and "
    "9; else any, under Eq. 8 and 10. The paper does not say from which probability on. "
    "*Calibrated*, as the rows are: on source objects in other looks, so that as many of those "
    "named rightly are refused as are taken of the others, and of all without their own class. "
    "*Constant* is 0.5. "
    "Counted over the scene's training objects, whose true classes no row but *true class names* "
    "sees; all seeds together."
)


def known_note(study: Study, blocks: Iterable[BlockSpec], seeds: int) -> str:
    """A section: the confusion of both gates on each scene of a row +ST +IPT +FA."""
    recipes = (row.evaluation.recipe for block in blocks for row in block.rows)
    steps = list(dict.fromkeys(r for r in recipes if r.variant == FULL and r.part is None))
    lines = [line for step in steps for line in _lines(study, step, seeds)]
    return f"## Known or unknown\n\n{ABOUT}\n\n{grid(_HEAD, lines)}"


_COUNTS = (
    "objects", "class in the source", "of these known", "rightly named", "unseen class, known",
)  # fmt: skip
_HEAD = ("scene", "initial set", "gate", "threshold", *_COUNTS)


def _lines(study: Study, step: Recipe, seeds: int) -> list[tuple[str, ...]]:
    counts: dict[str, Counter[str]] = {"calibrated": Counter(), "constant": Counter()}
    thresholds = list[float]()
    for seed in range(seeds):
        own: Recipe = study.stand_in(step.with_seed(seed))
        assert own.parent is not None
        masks_of(study, own)
        threshold, winners = kept_winners(pseudo_file(study, own, find(study, own.parent)))
        true = true_channels(study, own, scene_data(study, own))
        constant = study.profile.inference.unknown_below
        counts["calibrated"].update(confusion(true, winners, threshold))
        counts["constant"].update(confusion(true, winners, constant))
        thresholds.append(threshold)
    shown = {
        "calibrated": ", ".join(f"{one:.2f}" for one in thresholds),
        "constant": f"{study.profile.inference.unknown_below:.2f}",
    }
    where = SCENE_NAMES[step.scene], step.lineage()[0].name.upper()
    return [
        (*where, gate, shown[gate], *(str(found[name]) for name in _COUNTS))
        for gate, found in counts.items()
    ]
