"""Dose and response, beside Table 3: how much a student gains for masks that are better."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from openscenes import masks
from openscenes.study.profiles import Profile, Scene
from openscenes.study.runs.data import Study
from openscenes.study.runs.pseudo import scene_data
from openscenes.study.runs.recipes import DOSES, Recipe, evolved, initial
from openscenes.study.runs.runs import masks_of
from openscenes.study.scores.evaluation import Evaluation, score, score_seeds
from openscenes.study.scores.statistics import Estimate, images_of, paired_difference

SCENE: Scene = "cityscapes"  # one is enough, where masks lack most
PLAIN = "st"
TEACHERS = {PLAIN: 0.0, **DOSES}  # variant -> points that its masks are to be better by


@dataclass(frozen=True)
class Response:
    """What one dose did.

    Attributes:
        asked: points of mean IoU that the masks were to be better by.
        dose: that they are, over training objects and seeds.
        gain: of the student over the one that learned the network's own masks, on the scene's
            validation set, in points.
    """

    asked: float
    dose: float
    gain: Estimate


def recipe(variant: str) -> Recipe:
    """The student of a dose, with seed 0."""
    return evolved(initial("voc+sbd", 0), SCENE, variant)


def evaluations(profile: Profile, seeds: int) -> list[Evaluation]:
    """What is scored beside the rows of Table 3, with ablations."""
    teachers = TEACHERS if profile.ablations else ()
    found = (Evaluation(recipe(variant), SCENE) for variant in teachers)
    return [one.with_seed(seed) for one in found for seed in range(seeds)]


def responses(study: Study, seeds: int) -> list[Response]:
    """Every dose, the smallest first."""
    asked = {variant: Evaluation(recipe(variant), SCENE) for variant in TEACHERS}
    images = images_of(score(study, asked[PLAIN])["object_id"])
    plain = score_seeds(study, asked[PLAIN], seeds)
    own = _mean_iou(study, PLAIN, seeds)
    return [
        Response(
            points,
            _mean_iou(study, variant, seeds) - own,
            paired_difference(score_seeds(study, asked[variant], seeds), plain, images),
        )
        for variant, points in DOSES.items()
    ]


def _mean_iou(study: Study, variant: str, seeds: int) -> float:
    """Of a student's masks with the truth, over objects and seeds, in %."""
    found = []
    for seed in range(seeds):
        step = study.stand_in(recipe(variant).with_seed(seed))
        truth = {one.object_id: one for one in scene_data(study, step).truth}
        for one in masks_of(study, step):
            mask = study.cache.mask(truth[one.object_id])
            found.append(masks.iou(masks.decode(one.supervision), mask))
    return 100.0 * float(np.mean(found))


def pairs(found: list[Response]) -> list[tuple[float, Estimate]]:
    """As ``figures.dose`` draws them."""
    return [(one.dose, one.gain) for one in found]


def frame(found: list[Response]) -> pd.DataFrame:
    """A line for each dose, in points: asked, dose, change, low, high, n_seeds, n_objects."""
    columns = ["asked", "dose", "change", "std", "low", "high", "n_seeds", "n_objects"]
    lines = [
        (one.asked, one.dose, g.mean, g.std, g.low, g.high, g.n_seeds, g.n_objects)
        for one in found
        for g in [one.gain]
    ]
    return pd.DataFrame(lines, columns=columns)
