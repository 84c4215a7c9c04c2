"""Table 2: a sequence of three scenes, beside two systems fine-tuned with ground truth."""

from dataclasses import replace

from openscenes.study.experiments.rows import TITLES, BlockSpec, RowSpec, data_and_seeds, table_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import (
    FULL,
    LIFE,
    Recipe,
    evolved,
    finetuned,
    initial,
    peer,
)
from openscenes.study.scores.continual import SEQUENCE, Continual, continual, continual_markdown
from openscenes.study.scores.evaluation import Evaluation, score, score_seeds
from openscenes.study.scores.results import Table
from openscenes.study.scores.statistics import images_of

WHERE = ("voc", "cityscapes", "coco")
ON_EVIDENCE = "Ours, on evidence"


def _evolved(*variants: str) -> tuple[Recipe, ...]:
    first = initial("voc+sbd", 0)
    second = evolved(first, "cityscapes", *variants)
    return first, second, evolved(second, "coco", *variants)


def _finetuned(first: Recipe) -> tuple[Recipe, ...]:
    second = finetuned(first, "cityscapes")
    return first, second, finetuned(second, "coco")


# The models after t = 0, 1, 2, with seed 0. Ours beyond the paper: masks that image and box make,
# old data whose weight does not fade, and weights between those before and after (Table 4+).
SEQUENCES = {
    "DEXTR": _finetuned(peer("DEXTR", 0)),
    "IOG": _finetuned(initial("voc+sbd", 0)),
    "Ours": _evolved(FULL),
    ON_EVIDENCE: _evolved(LIFE),
}
_ALL = {t: dict.fromkeys(SEQUENCES, t) for t in range(3)}
# Which model each printed cell is of: the scene's first column compares ours, evolved onto it,
# with the others before they saw any of its ground truth.
CELLS: dict[str, dict[str, dict[str, int]]] = {
    "voc": {"t = 0": _ALL[0], "t = 1*": _ALL[1], "t = 2*": _ALL[2]},
    "cityscapes": {
        "t = 1": {"DEXTR": 0, "IOG": 0, "Ours": 1, ON_EVIDENCE: 1}, "t = 2*": _ALL[2],
    },
    "coco": {"t = 2": {"DEXTR": 0, "IOG": 0, "Ours": 2, ON_EVIDENCE: 2}},
}  # fmt: skip
CLAIMS = (
    ("Ours", "DEXTR"), ("Ours", "IOG"), (ON_EVIDENCE, "Ours"), (ON_EVIDENCE, "IOG"),
)  # fmt: skip


def blocks(_profile: Profile) -> list[BlockSpec]:
    """A block for each printed column; its rows are the systems."""
    return [
        BlockSpec(f"{TITLES[where]}, {time}", _rows(where, time, steps), CLAIMS)
        for where, times in CELLS.items()
        for time, steps in times.items()
    ]


def _rows(where: str, time: str, steps: dict[str, int]) -> tuple[RowSpec, ...]:
    return tuple(
        RowSpec(name, Evaluation(SEQUENCES[name][step], where), column=f"{where} {time}")
        for name, step in steps.items()
    )


def matrix_evaluations(seeds: int) -> list[Evaluation]:
    """Every model of every sequence on every set."""
    return [
        Evaluation(recipe.with_seed(seed), where)
        for sequence in SEQUENCES.values()
        for seed in range(seeds)
        for recipe in sequence
        for where in WHERE
    ]


def matrices(study: Study, seeds: int) -> dict[str, Continual]:
    """R[i][j] with accuracy, transfer and forgetting, of each system."""
    first = SEQUENCES["IOG"][0]
    images = {
        place: images_of(score(study, Evaluation(first, where))["object_id"])
        for place, where in enumerate(WHERE)
    }
    return {
        name: continual(
            {
                (step, place): score_seeds(study, Evaluation(recipe, where), seeds)
                for step, recipe in enumerate(sequence)
                for place, where in enumerate(WHERE)
            },
            images,
        )
        for name, sequence in SEQUENCES.items()
    }


def table(study: Study, seeds: int) -> Table:
    """The sequence VOC, Cityscapes, COCO.

    Paper: Table 2; below it the whole matrix, the usual measures of continual learning, and a
    second sequence beyond the paper.
    """
    specs = blocks(study.profile)
    images = data_and_seeds(study, specs, seeds)
    caption = (
        f"mIoU along the sequence VOC > Cityscapes > COCO on {images}. "
        "* DEXTR and IOG are fine-tuned with ground truth up to there, ours never is."
    )
    made = table_of(study, "2", caption, specs, seeds)
    matrix = continual_markdown(matrices(study, seeds))
    about = f"Rows: after step t; columns: {', '.join(SEQUENCE)}."
    return replace(made, notes=(f"## The whole matrix\n\n{about}\n\n{matrix}",))
