"""What a table asks: one model, one validation set, one user, one way of reading the answer.

Tables are lists of questions.  The models to train, the scores to compute and the plan to print
all follow from them, and a question that two tables ask is answered once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from openscenes.study.runs.data import Study, User, validation
from openscenes.study.runs.recipes import Recipe, in_order, inference_config, refiner_of
from openscenes.study.runs.runs import find
from openscenes.study.scores import clicks
from openscenes.study.scores.masks import ipt_iou, ipt_variants, object_iou

Kind = Literal["masks", "ipt", "clicks"]


@dataclass(frozen=True)
class Evaluation:
    """How good is this model there?

    Attributes:
        recipe: the model; for peers and refiners "masks" means their first answer.
        where: "voc", "cityscapes" or "coco".
        kind: IoU of masks; IoU of every variant of IPT; IoU after each of 20 clicks.
        user: who clicks; human boxes are jittered.
        confined, views: how the answer is read (see ``recipes.reading``).
    """

    recipe: Recipe
    where: str
    kind: Kind = "masks"
    user: User = "iog"
    clipped: bool = False
    views: bool = False

    def needs(self) -> tuple[Recipe, ...]:
        """The model, and where a box-and-point network is corrected, its refinement branch."""
        if self.kind == "clicks" and "peer" not in self.recipe.kind:
            return self.recipe, refiner_of(self.recipe)
        return (self.recipe,)


def recipes_of(questions: Iterable[Evaluation]) -> tuple[Recipe, ...]:
    """Every model that the questions need, parents before children."""
    return in_order(recipe for question in questions for recipe in question.needs())


def score(study: Study, question: Evaluation) -> pd.DataFrame:
    """Scores per object, computed once and kept; nothing is trained.

    Returns:
        Columns object_id, class_name, area, iou; for "ipt" one more per variant; for "clicks"
        click_1 to click_20 instead of iou.
    Raises:
        WeightsError: if a model that it needs is not trained yet.
    """
    made = find(study, question.recipe)
    labelled = validation(
        study, question.where, user=question.user if question.user == "human" else None
    )
    if question.kind == "clicks":
        return clicks.click_iou(study, question.recipe, made, labelled)
    if "peer" in question.recipe.kind:
        return clicks.first_iou(study, question.recipe, made, labelled)
    if question.kind == "ipt":
        return ipt_iou(study, made, labelled, ipt_variants(study.profile))
    how = inference_config(study.profile, question.clipped, question.views, question.user)
    return object_iou(study, made, labelled, how)
