"""Training the systems of Table 1: from the source's labels, then on a scene's ground truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from openscenes.method.click_training import learn_clicks, learn_refinement
from openscenes.method.training import TrainConfig
from openscenes.networks.iog_refinement import RefinableIOG, graft
from openscenes.networks.weights import load_weights
from openscenes.seeding import torch_generator
from openscenes.study.material import Study, new_scene, source, with_others
from openscenes.study.models import Made, Making, Model, imagenet_file, setting_of
from openscenes.study.peers import Peer, peer_of
from openscenes.study.profiles import InitialSet
from openscenes.study.recipes import Recipe

SOURCE_SET: InitialSet = "voc+sbd"


def from_source(study: Study, recipe: Recipe, _parent: Model | None) -> Making:
    """A peer trained on the labelled source, like our initial model."""
    peer, labelled = peer_of(study.profile, recipe.name), source(study, SOURCE_SET)
    made_of = _names(study, peer, peer.train) | {"stage": "peer", "data": labelled.digest}
    if peer.imagenet is not None:
        made_of["imagenet"] = peer.imagenet

    def make(folder: Path, label: str) -> Made:
        network = peer.build(torch_generator("peer", peer.name, recipe.seed))
        if peer.imagenet is not None:
            peer.load_imagenet(network, imagenet_file(study, peer.imagenet))
        return _learned(
            study, network, peer, peer.train, with_others(labelled), recipe, folder, label
        )

    return Making(made_of, make, (*peer.code, learn_clicks))


def finetuned(study: Study, recipe: Recipe, parent: Model | None) -> Making:
    """A peer that goes on with a scene's ground truth, naively, as Table 2 has it."""
    assert parent is not None
    peer = peer_of(study.profile, recipe.life()[0].name)
    scenery = new_scene(study, recipe.scene)
    ours = study.profile.evolving(recipe.scene).train
    train = replace(peer.train, epochs=ours.epochs, learning_rate=peer.train.learning_rate / 5)
    made_of = _names(study, peer, train) | {"stage": "peer tuned", "data": scenery.digest}

    def make(folder: Path, label: str) -> Made:
        network = load_peer(study, parent, peer)
        return _learned(study, network, peer, train, scenery.truth, recipe, folder, label)

    return Making(made_of, make, (*peer.code, learn_clicks))


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


def load_peer(study: Study, model: Model, peer: Peer) -> nn.Module:
    """A trained peer, ready to be asked."""
    network = peer.build()
    load_weights(network, model.weights)
    return network.eval()


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


def _names(study: Study, peer: Peer, train: TrainConfig) -> dict[str, Any]:
    return {
        "peer": peer.name,
        "network": peer.config,
        "train": train,
        "clicking": peer.clicking,
        "loss": getattr(peer.loss, "__name__", "loss"),
        "peer_crop": peer.crop,
        "augmentation": study.profile.augmentation,
    }


def _learned(
    study: Study,
    network: nn.Module,
    peer: Peer,
    train: TrainConfig,
    examples: Any,
    recipe: Recipe,
    folder: Path,
    label: str,
) -> Made:
    shared = replace(setting_of(study, recipe.seed), crop=peer.crop)
    history = learn_clicks(
        network, examples, train, study.profile.augmentation, peer.clicking, peer.loss, shared,
        folder=folder, label=label,
    )  # fmt: skip
    return Made(network, history)
