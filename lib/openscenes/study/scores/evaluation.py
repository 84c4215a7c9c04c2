"""What a table scores: one model, one validation set, one simulated user, one inference setting.

The models to train, the scores to compute and the plan to print all follow from the evaluations
of a table's rows, and what two tables share is scored once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from openscenes.method.inference import InferenceConfig
from openscenes.study.profiles import User
from openscenes.study.runs.data import Study, validation
from openscenes.study.runs.evidence import with_learned
from openscenes.study.runs.recipes import Recipe, in_order, inference_config
from openscenes.study.runs.runs import find
from openscenes.study.scores import clicks
from openscenes.study.scores.masks import ipt_iou, ipt_variants, object_iou

Kind = Literal["masks", "ipt", "clicks"]


@dataclass(frozen=True)
class Evaluation:
    """How a model is scored.

    Attributes:
        recipe: the model; for peers "masks" means their first prediction.
        where: "voc", "cityscapes" or "coco".
        kind: IoU of masks; IoU of every variant of IPT; IoU after each of 20 clicks.
        user: who clicks; human boxes are jittered, human corrections spread and slip.
        clipped, tta, evidence: the inference setting (see ``recipes.inference_config``).
        obey: whether corrections go through ``click_cut``; False is the network alone.
    """

    recipe: Recipe
    where: str
    kind: Kind = "masks"
    user: User = "iog"
    clipped: bool = False
    tta: bool = False
    obey: bool = True
    evidence: bool = False

    def with_seed(self, seed: int) -> Evaluation:
        """The same evaluation of another training of the model."""
        return replace(self, recipe=self.recipe.with_seed(seed))


def recipes_of(evaluations: Iterable[Evaluation]) -> tuple[Recipe, ...]:
    """Every model that is scored, parents before children."""
    return in_order(evaluation.recipe for evaluation in evaluations)


def score(study: Study, evaluation: Evaluation) -> pd.DataFrame:
    """Scores per object, computed once and kept; nothing is trained.

    Returns:
        Columns object_id, class_name, area, iou; for "ipt" one more per variant; for "clicks"
        click_1 to click_20 instead of iou.
    Raises:
        WeightsError: if a model that it needs is not trained yet.
    """
    evaluation = study.scored_as(evaluation)
    recipe, user = evaluation.recipe, evaluation.user
    model = find(study, recipe)
    labelled = validation(study, evaluation.where, user=user if user == "human" else None)
    if evaluation.kind == "clicks":
        return clicks.click_iou(
            study, recipe, model, labelled, user, obey=evaluation.obey,
            evidence=_inference(study, evaluation).evidence,
        )  # fmt: skip
    if "peer" in recipe.kind:
        return clicks.first_iou(study, recipe, model, labelled)
    if evaluation.kind == "ipt":
        return ipt_iou(study, model, labelled, ipt_variants(study.profile))
    return object_iou(study, model, labelled, _inference(study, evaluation))


def _inference(study: Study, asked: Evaluation) -> InferenceConfig:
    """How masks are made; weights of evidence are those that the model of t = 0 learned."""
    config = inference_config(
        study.profile, asked.clipped, asked.tta, asked.user, evidence=asked.evidence
    )
    first = asked.recipe.lineage()[0]
    return with_learned(study, first, find(study, first), config)


def score_seeds(
    study: Study, evaluation: Evaluation, seeds: int, column: str | list[str] = "iou"
) -> NDArray[np.float64]:
    """One column of ``score`` for seeds 0, 1, ...: (n_seeds, n_objects), or with several columns
    (n_seeds, n_objects, n_columns).
    """
    frames = [score(study, evaluation.with_seed(seed)) for seed in range(seeds)]
    return np.stack([frame[column].to_numpy() for frame in frames])
