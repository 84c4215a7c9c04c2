"""Table 5: which terms align an object of unseen class; and how far 1/M' may grow."""

from openscenes.study.experiments.rows import BlockSpec, data_and_seeds, table_of
from openscenes.study.experiments.table_4 import row
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import CLAMP_VARIANTS, FULL, TABLE_5_VARIANTS
from openscenes.study.scores.results import Table


def blocks(_profile: Profile) -> list[BlockSpec]:
    """Eq. 8 in three forms on COCO, where classes are unseen; the clamp on Cityscapes.

    The paper's second row shows no tick, which we read as neither term; its model starts from
    VOC+SBD, as the value of its third row shows.
    """
    both, neither = TABLE_5_VARIANTS
    variants = {"A + B": both, "neither": neither, "A (Eq. 8)": FULL}
    components = (row(label, "voc+sbd", "coco", v, "coco") for label, v in variants.items())
    clamped = {"1/M' up to 20": FULL, "1/M' up to 1000": CLAMP_VARIANTS[0]}
    clamps = (row(label, "voc+sbd", "cityscapes", v) for label, v in clamped.items())
    claims = (("A (Eq. 8)", "A + B"), ("A (Eq. 8)", "neither"))
    return [
        BlockSpec("COCO, components of Eq. 8", tuple(components), claims),
        BlockSpec("Cityscapes, weight of B in Eq. 7", tuple(clamps)),
    ]


def table(study: Study, seeds: int) -> Table:
    """Components of the alignment loss.

    Paper: Table 5, with A = ||c_a - c_b||^2 and B = sum_i 1/M'_bi ||F_bi - c_a||^2.
    """
    specs = blocks(study.profile)
    caption = (
        f"mIoU after one step of evolution onto COCO on {data_and_seeds(study, specs, seeds)}."
    )
    return table_of(study, "5", caption, specs, seeds)
