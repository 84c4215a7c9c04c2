"""Table 7: a task sequence inside one scene, a quarter of its images at a time."""

from dataclasses import replace

from openscenes.study.experiments.rows import BlockSpec, RowSpec, data_and_seeds, table_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import (
    FULL,
    FULL_KEPT,
    LIFE,
    evolved,
    finetuned,
    in_parts,
    initial,
)
from openscenes.study.scores.evaluation import Evaluation
from openscenes.study.scores.results import Table

TITLE = "Cityscapes in four parts, initial model on VOC"
QUARTERS = "Ours, in four parts"
LABELS = ("None", "25%", "50%", "75%", "Full")


def blocks(profile: Profile) -> list[BlockSpec]:
    """One row for each quarter: the paper's sequence, then one on evidence, which is ours.

    With ablations also the paper's masks on our schedule, and what one step over all of the scene
    brings.
    """
    claims = (*((label, "None") for label in LABELS[1:]), ("Full", "25%"))
    sequences = {"": ("cityscapes", FULL), "; ours, on evidence": ("", LIFE)}
    sequences |= {"; the paper's masks, our schedule": ("", FULL_KEPT)} if profile.ablations else {}
    own = [BlockSpec(f"{TITLE}{which}", _rows(*one), claims) for which, one in sequences.items()]
    return [*own, _at_once()] if profile.ablations else own


def _at_once() -> BlockSpec:
    first = initial("voc", 0)
    models = {
        "None": first,
        "the paper's method": evolved(first, "cityscapes", FULL),
        "Ours": evolved(first, "cityscapes", LIFE),
        QUARTERS: in_parts(first, "cityscapes", len(LABELS) - 1, LIFE)[-1],
        "Upperbound": finetuned(first, "cityscapes"),
    }
    rows = tuple(
        RowSpec(label, Evaluation(model, "cityscapes"), source=True)
        for label, model in models.items()
    )
    claims = (*((label, "None") for label in [*models][1:]), (QUARTERS, "Ours"))
    return BlockSpec("Cityscapes in one step, initial model on VOC", rows, claims)


def sequences_of(table: Table) -> Table:
    """The blocks whose rows are the quarters of a sequence, for figures."""
    return replace(table, blocks=tuple(b for b in table.blocks if b.title.startswith(TITLE)))


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
    Optimiser and learning rate begin anew with every step; to carry them over was not tried.
    """
    specs = blocks(study.profile)
    caption = f"mIoU by the share of images seen, on {data_and_seeds(study, specs, seeds)}."
    return table_of(study, "7", caption, specs, seeds)
