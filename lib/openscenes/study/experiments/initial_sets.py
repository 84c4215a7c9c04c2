"""Table 6: how much ground truth the initial model needs."""

from __future__ import annotations

from openscenes.study.experiments.lines import Plan, in_words, table_of
from openscenes.study.experiments.modules import line
from openscenes.study.material import Study
from openscenes.study.profiles import SCENE_NAMES, InitialSet, Profile
from openscenes.study.recipes import FULL
from openscenes.study.tables import SCENES, Table

ROWS = {"Baseline": "", "+ST": "st", "+ST +IPT +FA": FULL}
SETS: tuple[InitialSet, ...] = ("voc", "voc+sbd")


def plans(_profile: Profile) -> list[Plan]:
    """A block for each scene and initial set."""
    return [
        Plan(
            f"{SCENE_NAMES[scene]}, initial model on {initial_set.upper()}",
            tuple(line(initial_set, scene, label, variant) for label, variant in ROWS.items()),
            (("+ST", "Baseline"), ("+ST +IPT +FA", "Baseline"), ("+ST +IPT +FA", "+ST")),
        )
        for scene in SCENES
        for initial_set in SETS
    ]


def table(study: Study, seeds: int) -> Table:
    """Initial models on VOC and on VOC+SBD.

    Paper: Table 6.
    """
    caption = f"mIoU by what the initial model learned, on {in_words(study, seeds)}."
    return table_of(study, "6", caption, plans(study.profile), seeds)
