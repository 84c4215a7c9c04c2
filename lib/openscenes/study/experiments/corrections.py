"""What corrections bring, beside Table 1: IoU click by click, for whom, and by which ingredient.

Ours: all of this; the paper stops after three clicks. Clicks count as there: box and point are
three.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from openscenes.study.experiments.rows import TITLES
from openscenes.study.pages.markdown import grid
from openscenes.study.profiles import Scene, User
from openscenes.study.runs.data import SOURCE, Study
from openscenes.study.runs.recipes import FULL, evolved, initial
from openscenes.study.scores.evaluation import Evaluation, score_seeds
from openscenes.study.scores.noc import MAX_CLICKS, ClickCurve

FIRST = 3  # clicks before the first answer
SHOWN = (3, 5, 10, 15, 20)
GOALS = (0.80, 0.85, 0.90)
SCENES: tuple[Scene, ...] = ("cityscapes", "coco")


WAYS: tuple[tuple[str, User, bool], ...] = (
    ("", "iog", True),
    (", a person's clicks", "human", True),
    (", without the cut", "iog", False),
)


def rows(where: str) -> dict[str, Evaluation]:
    """Every model, user and ingredient that is compared on a validation set, with seed 0."""
    first = initial("voc+sbd", 0)
    onto = [evolved(first, scene, FULL) for scene in SCENES if scene == where]
    models = dict(zip(("initial", "evolved"), (first, *onto), strict=False))
    return {
        f"{model}{words}": Evaluation(recipe, where, "clicks", user, obey=obey)
        for words, user, obey in WAYS
        for model, recipe in models.items()
    }


def evaluations(seeds: int) -> list[Evaluation]:
    """All that the page scores."""
    chosen = (one for where in TITLES for one in rows(where).values())
    return [one.with_seed(seed) for one in chosen for seed in range(seeds)]


def page(study: Study, seeds: int) -> str:
    """Markdown: mean IoU after some clicks, clicks to three goals, and what never gets there."""
    lines = [
        (TITLES[where], label, *_line(study, seeds, evaluation))
        for where in (SOURCE, *SCENES)
        for label, evaluation in rows(where).items()
    ]
    percents = [f"{100 * goal:.0f}" for goal in GOALS]
    head = (
        "set", "model", *(f"IoU@{k}" for k in SHOWN if k - FIRST < study.profile.n_clicks),
        *(f"NoC@{goal}" for goal in percents), *(f"never {goal}" for goal in percents),
    )  # fmt: skip
    about = (
        "One network answers box, point and corrections. A person's box is jittered, her clicks "
        "spread over the error and one in twenty slips; everybody else clicks the deepest pixel. "
        "Without the cut, the network alone answers a correction."
    )
    return f"## Corrections\n\n{about}\n\n{grid(head, lines)}"


def _line(study: Study, seeds: int, evaluation: Evaluation) -> Iterator[str]:
    columns = [f"click_{k + 1}" for k in range(study.profile.n_clicks)]
    curve = ClickCurve(FIRST, score_seeds(study, evaluation, seeds, columns)).upto(MAX_CLICKS)
    means = 100 * curve.iou.mean(axis=(0, 1))
    yield from (f"{means[k - FIRST]:.1f}" for k in SHOWN if k - FIRST < len(means))
    yield from (f"{np.mean(curve.noc(goal)):.1f}" for goal in GOALS)
    yield from (f"{100 * np.mean(curve.never_reached(goal)):.0f} %" for goal in GOALS)
