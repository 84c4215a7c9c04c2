"""study.runs.refinement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from openscenes.method.training import TrainConfig
from openscenes.networks.iog_refinement import RefinableIOG, graft
from openscenes.networks.weights import load_weights
from openscenes.peers.training import learn_refinement
from openscenes.seeding import torch_generator
from openscenes.study.runs.data import Study, source
from openscenes.study.runs.models import Made, Making, Model, setting_of
from openscenes.study.runs.peers import SOURCE_SET
from openscenes.study.runs.recipes import Recipe


def refiner(study: Study, recipe: Recipe, parent: Model | None) -> Making:
    """The refinement branch, taught on the source's labels to a model that rests.

    Ours: it is learned once, at t = 0, and put onto every model that evolves from it.
    """
    assert parent is not None
    labelled, train = source(study, SOURCE_SET), refiner_training(study)
    made_of = {
        "stage": "refiner",
        "train": train,
        "augmentation": study.profile.augmentation,
        "data": labelled.digest,
    }

    def make(folder: Path, label: str) -> Made:
        network = _refinable(study, parent, recipe.seed)
        shared = setting_of(study, recipe.seed)
        history = learn_refinement(
            network, labelled.examples, train, study.profile.augmentation, shared,
            folder=folder, label=label,
        )  # fmt: skip
        return Made(network.refiner, history)

    return Making(made_of, make, (RefinableIOG, learn_refinement))


def refiner_training(study: Study) -> TrainConfig:
    """Ours: a quarter of the initial epochs; new columns that start at zero want a high rate."""
    initial = study.profile.initial
    rate = 1e-2 if initial.optimiser == "adamw" else initial.learning_rate * 10
    epochs = max(1, initial.epochs // 4)
    return replace(
        initial, epochs=epochs, learning_rate=rate, head_factor=1.0, freeze_batchnorm=False,
        freeze_first_stages=False,
    )  # fmt: skip


def load_refinable(study: Study, trained: Model, first: Model, model: Model) -> RefinableIOG:
    """A model with the refinement branch that was taught to the first model of its life.

    Args:
        trained: the refiner's weights.
        first: the model that it was taught to.
        model: the model to ask, which may have evolved since.
    """
    refinable = _refinable(study, first, 0)
    load_weights(refinable.refiner, trained.weights)
    return graft(refinable, model.load(study)).eval()


def _refinable(study: Study, first: Model, seed: int) -> RefinableIOG:
    generator = torch_generator("refiner", seed)
    return RefinableIOG(first.load(study), study.profile.clicks, generator=generator)
