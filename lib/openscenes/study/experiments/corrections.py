"""What corrections bring, beside Table 1: IoU click by click, for whom, and by which ingredient.

Ours: all of this; the paper stops after three clicks. Clicks count as there: box and point are
three.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from openscenes.study.experiments.rows import TITLES
from openscenes.study.pages.markdown import grid
from openscenes.study.profiles import Profile, Scene, User
from openscenes.study.runs.data import SOURCE, Study
from openscenes.study.runs.recipes import ABLATIONS, OURS, evolved, initial
from openscenes.study.scores.evaluation import Evaluation, score, score_seeds
from openscenes.study.scores.noc import MAX_CLICKS, ClickCurve
from openscenes.study.scores.results import change
from openscenes.study.scores.statistics import images_of, paired_difference

FIRST = 3  # clicks before the first answer
SHOWN = (3, 5, 10, 15, 20)
GOALS = (0.80, 0.85, 0.90)
COMPARED = (FIRST, 10)  # clicks after which ingredients are compared
WHERE = (SOURCE, "cityscapes", "coco")
SCENES: tuple[Scene, ...] = ("cityscapes", "coco")
NO_CUT, SEEN = "without the cut", "on evidence"
# Words -> user, whether clicks are obeyed, whether answers are weighed with evidence.
WAYS: dict[str, tuple[User, bool, bool]] = {
    "": ("iog", True, False),
    f", {SEEN}": ("iog", True, True),
    f", a person's clicks, {SEEN}": ("human", True, True),
    f", {NO_CUT}": ("iog", False, False),
}


def rows(profile: Profile, where: str) -> dict[str, Evaluation]:
    """Every model, user and ingredient that is compared on a validation set, with seed 0."""
    first = initial("voc+sbd", 0)
    onto = [evolved(first, scene, OURS) for scene in SCENES if scene == where]
    models = dict(zip(("initial", "evolved"), (first, *onto), strict=False))
    whole = {
        f"{model}{words}": Evaluation(recipe, where, "clicks", user, obey=obey, evidence=seen)
        for words, (user, obey, seen) in WAYS.items()
        for model, recipe in models.items()
    }
    return whole | {
        f"initial, {words}": Evaluation(initial("voc+sbd", 0, words), where, "clicks")
        for words in _ablations(profile)
    }


def _ablations(profile: Profile) -> tuple[str, ...]:
    return tuple(ABLATIONS) if profile.ablations else ()


def evaluations(profile: Profile, seeds: int) -> list[Evaluation]:
    """All that the page scores."""
    chosen = (one for where in TITLES for one in rows(profile, where).values())
    return [one.with_seed(seed) for one in chosen for seed in range(seeds)]


def click_curves(study: Study, seeds: int) -> dict[str, dict[str, ClickCurve]]:
    """Test set -> row -> IoU after each click, up to the twentieth."""
    return {
        TITLES[where]: {
            label: _curve(study, seeds, evaluation)
            for label, evaluation in rows(study.profile, where).items()
        }
        for where in WHERE
    }


def _images(study: Study) -> dict[str, list[str]]:
    """Test set -> the image of each object of its curves."""
    first = {where: next(iter(rows(study.profile, where).values())) for where in WHERE}
    return {
        TITLES[where]: images_of(score(study, evaluation)["object_id"])
        for where, evaluation in first.items()
    }


def page(study: Study, seeds: int) -> str:
    """Markdown: mean IoU after some clicks, clicks to three goals, what never gets there; and what
    each ingredient brings.
    """
    series = click_curves(study, seeds)
    last = FIRST + study.profile.n_clicks - 1
    lines = [
        (where, label, *_line(curve))
        for where, curves in series.items()
        for label, curve in curves.items()
    ]
    percents = [f"{100 * goal:.0f}" for goal in GOALS]
    head = (
        "set", "model", *(f"IoU@{k}" for k in SHOWN if k <= last),
        *(f"NoC@{goal}" for goal in percents), *(f"never {goal}" for goal in percents),
    )  # fmt: skip
    about = (
        "One network answers box, point and corrections; it evolves by one round of ours (Table "
        "4+). On evidence, every answer is weighed with what image and box say (Table 4+), as in "
        "the annotator. A person's box is jittered, her clicks spread over the error and one in "
        "twenty slips; everybody else clicks the deepest pixel. "
        "Without the cut, the network alone answers a correction."
    )
    without = (
        " Three more initial models were trained, each without one ingredient: the mask before the "
        "last click as an input; corrections that teach the backbone and the first answer's "
        "decoder, too; the image's features beside the clicks, for which IOG's own branch stands."
    )
    about += without if study.profile.ablations else ""
    brings = (
        "The initial model less itself without the ingredient, in points of mean IoU after so many "
        "clicks, paired over the same objects and seeds; brackets hold the 95 % interval. After "
        f"{FIRST} clicks nothing is corrected yet: there the line without joint training says what "
        "learning corrections costs the first answer (below zero), or gives to it."
    )
    compared = (NO_CUT, *_ablations(study.profile))
    brought = _ingredients(series, compared, last, _images(study))
    return (
        f"## Corrections\n\n{about}\n\n{grid(head, lines)}\n\n"
        f"### What each ingredient brings\n\n{brings}\n\n{brought}"
    )


def _ingredients(
    series: dict[str, dict[str, ClickCurve]],
    words_of: Sequence[str],
    last: int,
    images: dict[str, list[str]],
) -> str:
    """A line for each ingredient: the whole initial model less the one without it."""
    at = [k for k in COMPARED if k <= last]
    head = ("initial less itself", *(f"{where}, IoU@{k}" for where in series for k in at))
    lines = [
        (words, *(_gain(series[where], words, k, images[where]) for where in series for k in at))
        for words in words_of
    ]
    return grid(head, lines)


def _gain(curves: dict[str, ClickCurve], words: str, k: int, images: list[str]) -> str:
    whole, less = (curves[label].iou[..., k - FIRST] for label in ("initial", f"initial, {words}"))
    return change(paired_difference(whole, less, images))


def _curve(study: Study, seeds: int, evaluation: Evaluation) -> ClickCurve:
    columns = [f"click_{k + 1}" for k in range(study.profile.n_clicks)]
    return ClickCurve(FIRST, score_seeds(study, evaluation, seeds, columns)).upto(MAX_CLICKS)


def _line(curve: ClickCurve) -> Iterator[str]:
    means = 100 * curve.iou.mean(axis=(0, 1))
    yield from (f"{means[k - FIRST]:.1f}" for k in SHOWN if k - FIRST < len(means))
    yield from (f"{np.mean(curve.noc(goal)):.1f}" for goal in GOALS)
    yield from (f"{100 * np.mean(curve.never_reached(goal)):.0f} %" for goal in GOALS)
