"""Table 7: a task sequence inside one scene, a quarter of its images at a time."""

from openscenes.study.experiments.rows import BlockSpec, RowSpec, data_and_seeds, table_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import FULL, LIFE, in_parts, initial
from openscenes.study.scores.evaluation import Evaluation
from openscenes.study.scores.results import Table

LABELS = ("None", "25%", "50%", "75%", "Full")


def blocks(_profile: Profile) -> list[BlockSpec]:
    """One row for each quarter: the paper's sequence, then one on evidence, which is ours."""
    title = "Cityscapes in four parts, initial model on VOC"
    claims = (*((label, "None") for label in LABELS[1:]), ("Full", "25%"))
    return [
        BlockSpec(title, _rows("cityscapes", FULL), claims),
        BlockSpec(f"{title}; ours, on evidence", _rows("", LIFE), claims),
    ]


def _rows(column: str, *variants: str) -> tuple[RowSpec, ...]:
    first = initial("voc", 0)
    models = (first, *in_parts(first, "cityscapes", len(LABELS) - 1, *variants))
    return tuple(
        RowSpec(label, Evaluation(model, "cityscapes"), source=True, column=column)
        for label, model in zip(LABELS, models, strict=True)
    )


def table(study: Study, seeds: int) -> Table:
    """Evolving on more and more of a scene.

    Paper: Table 7. The parts are drawn by image, and every step starts from the model and the
    pool that the one before it left; the second sequence learns masks that image and box make
    (Table 4+), the old data's weight does not fade, and the weights go three quarters of each way.
    """
    specs = blocks(study.profile)
    caption = f"mIoU by the share of images seen, on {data_and_seeds(study, specs, seeds)}."
    return table_of(study, "7", caption, specs, seeds)
