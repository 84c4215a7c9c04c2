"""Table 5: which terms align an object of unseen class; and how far 1/M' may grow."""

from __future__ import annotations

from openscenes.study.experiments.rows import Line, Plan, in_words, table_of
from openscenes.study.experiments.table_4 import line
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import CLAMP_VARIANTS, FULL, TABLE_5_VARIANTS
from openscenes.study.scores.results import Table


def plans(_profile: Profile) -> list[Plan]:
    """Eq. 8 in three forms on COCO, where classes are unseen; the clamp on Cityscapes.

    Ours: the paper's rows show no tick in their second row, which we read as neither term; its
    model starts from VOC+SBD, as the value of its third row tells.
    """
    return [
        Plan(
            "COCO, components of Eq. 8",
            (
                _line("A + B", TABLE_5_VARIANTS[0]),
                _line("neither", TABLE_5_VARIANTS[1]),
                _line("A (Eq. 8)", FULL),
            ),
            (("A (Eq. 8)", "A + B"), ("A (Eq. 8)", "neither")),
        ),
        Plan(
            "Cityscapes, weight of B in Eq. 7",
            (
                line("voc+sbd", "cityscapes", "1/M' up to 20", FULL),
                line("voc+sbd", "cityscapes", "1/M' up to 1000", CLAMP_VARIANTS[0]),
            ),
        ),
    ]


def _line(label: str, variant: str) -> Line:
    made = line("voc+sbd", "coco", label, variant)
    return Line(label, made.asking, made.source, "coco")


def table(study: Study, seeds: int) -> Table:
    """Components of the alignment loss.

    Paper: Table 5, with A = ||c_a - c_b||^2 and B = sum_i 1/M'_bi ||F_bi - c_a||^2.
    """
    caption = f"mIoU after one step of evolution onto COCO on {in_words(study, seeds)}."
    return table_of(study, "5", caption, plans(study.profile), seeds)
