"""Table 2: a life over three scenes, beside two systems that are fine-tuned with ground truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from openscenes.study.experiments.rows import TITLES, Line, Plan, asks, in_words, table_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import (
    FULL,
    LOW_RATE_STEPS,
    Recipe,
    evolved,
    finetuned,
    initial,
    peer,
)
from openscenes.study.scores.continual import SEQUENCE, Continual, continual, continual_markdown
from openscenes.study.scores.evaluation import Evaluation, score
from openscenes.study.scores.results import Table

Life = Callable[[int], tuple[Recipe, ...]]  # seed -> the models after t = 0, 1, 2
WHERE = ("voc", "cityscapes", "coco")


def _dextr(seed: int) -> tuple[Recipe, ...]:
    first = peer("DEXTR", seed)
    second = finetuned(first, "cityscapes")
    return first, second, finetuned(second, "coco")


def _iog(seed: int) -> tuple[Recipe, ...]:
    first = initial("voc+sbd", seed)
    second = finetuned(first, "cityscapes")
    return first, second, finetuned(second, "coco")


def _ours(seed: int) -> tuple[Recipe, ...]:
    first = initial("voc+sbd", seed)
    second = evolved(first, "cityscapes", FULL)
    return first, second, evolved(second, "coco", FULL)


def _careful(seed: int) -> tuple[Recipe, ...]:
    """Ours: the normalisations see a scene before its masks are made; then it learns slowly."""
    first = initial("voc+sbd", seed)
    second = evolved(first, "cityscapes", *LOW_RATE_STEPS)
    return first, second, evolved(second, "coco", *LOW_RATE_STEPS)


CAREFULLY = "Ours, statistics first, a fifth of the rate"
LIVES: dict[str, Life] = {"DEXTR": _dextr, "IOG": _iog, "Ours": _ours, CAREFULLY: _careful}
# Which model each printed cell is of: the scene's first column compares ours, evolved onto it,
# with the others before they saw any of its ground truth.
CELLS: dict[str, dict[str, dict[str, int]]] = {
    "voc": {"t = 0": dict.fromkeys(LIVES, 0), "t = 1*": dict.fromkeys(LIVES, 1),
            "t = 2*": dict.fromkeys(LIVES, 2)},
    "cityscapes": {"t = 1": {"DEXTR": 0, "IOG": 0, "Ours": 1, CAREFULLY: 1},
                   "t = 2*": dict.fromkeys(LIVES, 2)},
    "coco": {"t = 2": {"DEXTR": 0, "IOG": 0, "Ours": 2, CAREFULLY: 2}},
}  # fmt: skip
OVER_OTHERS = (("Ours", "DEXTR"), ("Ours", "IOG"), (CAREFULLY, "Ours"), (CAREFULLY, "IOG"))


def plans(_profile: Profile) -> list[Plan]:
    """A block for each printed column; its rows are the systems."""
    return [
        Plan(f"{TITLES[where]}, {time}", _lines(where, time, steps), OVER_OTHERS)
        for where, times in CELLS.items()
        for time, steps in times.items()
    ]


def _lines(where: str, time: str, steps: dict[str, int]) -> tuple[Line, ...]:
    return tuple(
        Line(name, _asking(LIVES[name], step, where), column=f"{where} {time}")
        for name, step in steps.items()
    )


def _asking(life: Life, step: int, where: str) -> Callable[[int], Evaluation]:
    return asks(lambda seed: life(seed)[step], where)


def matrix_questions(seeds: int) -> list[Evaluation]:
    """Every model of every life on every set."""
    return [
        Evaluation(recipe, where)
        for life in LIVES.values()
        for seed in range(seeds)
        for recipe in life(seed)
        for where in WHERE
    ]


def matrices(study: Study, seeds: int) -> dict[str, Continual]:
    """R[i][j] with accuracy, transfer and forgetting, of each system."""
    return {
        name: continual(
            {
                (step, place): np.stack(
                    [
                        score(study, Evaluation(life(seed)[step], where))["iou"].to_numpy()
                        for seed in range(seeds)
                    ]
                )
                for step in range(len(WHERE))
                for place, where in enumerate(WHERE)
            }
        )
        for name, life in LIVES.items()
    }


def table(study: Study, seeds: int) -> Table:
    """The sequence VOC, Cityscapes, COCO.

    Paper: Table 2.  Ours: the whole matrix and the usual measures of life-long learning below,
    and a second life of ours.
    """
    caption = (
        f"mIoU along the sequence VOC > Cityscapes > COCO on {in_words(study, seeds)}. "
        "* DEXTR and IOG are fine-tuned with ground truth up to there, ours never is."
    )
    made = table_of(study, "2", caption, plans(study.profile), seeds)
    matrix = continual_markdown(matrices(study, seeds))
    about = f"Rows: after step t; columns: {', '.join(SEQUENCE)}."
    return replace(made, notes=(f"## The whole matrix\n\n{about}\n\n{matrix}",))
