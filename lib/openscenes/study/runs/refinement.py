"""Training the refinement branch, which corrects a box-and-point network by further clicks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from openscenes.method.training import TrainConfig
from openscenes.networks.iog_refinement import RefinableIOG, graft
from openscenes.networks.openscene import OpenSceneNet
from openscenes.peers.training import learn_refinement
from openscenes.seeding import torch_generator
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Study, source
from openscenes.study.runs.models import Model, run_context
from openscenes.study.runs.peers import SOURCE_SET
from openscenes.study.runs.recipes import Recipe

_CODE = (RefinableIOG, learn_refinement)


def names(study: Study, _recipe: Recipe) -> dict[str, Any]:
    """What names a refinement branch, beside what names every model."""
    return {
        "stage": "refiner",
        "train": refiner_training(study),
        "augmentation": study.profile.augmentation,
        "data": source(study, SOURCE_SET).digest,
        "code": code_digest(*_CODE),
    }


def trained(
    study: Study, recipe: Recipe, parent: OpenSceneNet, model: Model
) -> tuple[nn.Module, list[dict[str, float]]]:
    """The refinement branch, trained on the source's labels to a network that is frozen.

    It is learned once, at t = 0, and put onto every model that evolves from it.

    Args:
        model: where its training is kept.
    Returns:
        The branch, and its losses by epoch.
    """
    network = _refinable(study, parent, recipe.seed)
    history = learn_refinement(
        network, source(study, SOURCE_SET).examples, refiner_training(study),
        study.profile.augmentation, run_context(study, recipe.seed),
        folder=model.folder, label=model.label,
    )  # fmt: skip
    return network.refiner, history


def refiner_training(study: Study) -> TrainConfig:
    """A quarter of the initial epochs; new columns that start at zero need a high rate."""
    initial = study.profile.initial
    rate = 1e-2 if initial.optimiser == "adamw" else initial.learning_rate * 10
    epochs = max(1, initial.epochs // 4)
    return replace(
        initial, epochs=epochs, learning_rate=rate, head_factor=1.0, freeze_batchnorm=False,
        freeze_first_stages=False,
    )  # fmt: skip


def load_refinable(study: Study, branch: Model, first: Model, model: Model) -> RefinableIOG:
    """A model with the refinement branch that was trained on the first of its task sequence.

    Args:
        branch: the refiner's weights.
        first: the model that it was trained on.
        model: the model to correct, which may have evolved since.
    """
    refinable = _refinable(study, first.load(study), 0)
    branch.load_into(refinable.refiner)
    return graft(refinable, model.load(study)).eval()


def _refinable(study: Study, network: OpenSceneNet, seed: int) -> RefinableIOG:
    generator = torch_generator("refiner", seed)
    return RefinableIOG(network, study.profile.clicks, generator=generator)
