"""Training the systems of Table 1: from the source's labels, then on a scene's ground truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from openscenes.method.training import TrainConfig
from openscenes.networks.weights import load_weights
from openscenes.peers.training import learn_clicks
from openscenes.peers.zoo import Peer, peer_of
from openscenes.seeding import torch_generator
from openscenes.study.profiles import InitialSet
from openscenes.study.runs.data import Study, new_scene, source, with_others
from openscenes.study.runs.models import Made, Making, Model, imagenet_file, setting_of
from openscenes.study.runs.recipes import Recipe

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
    peer = peer_of(study.profile, recipe.lineage()[0].name)
    scene_data = new_scene(study, recipe.scene)
    ours = study.profile.evolving(recipe.scene).train
    train = replace(peer.train, epochs=ours.epochs, learning_rate=peer.train.learning_rate / 5)
    made_of = _names(study, peer, train) | {"stage": "peer tuned", "data": scene_data.digest}

    def make(folder: Path, label: str) -> Made:
        network = load_peer(study, parent, peer)
        return _learned(study, network, peer, train, scene_data.truth, recipe, folder, label)

    return Making(made_of, make, (*peer.code, learn_clicks))


def load_peer(study: Study, model: Model, peer: Peer) -> nn.Module:
    """A trained peer, ready to be asked."""
    network = peer.build()
    load_weights(network, model.weights)
    return network.eval()


def _names(study: Study, peer: Peer, train: TrainConfig) -> dict[str, Any]:
    return {
        "peer": peer.name,
        "network": peer.config,
        "train": train,
        "click_simulation": peer.clicks,
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
        network, examples, train, study.profile.augmentation, peer.clicks, peer.loss, shared,
        folder=folder, label=label,
    )  # fmt: skip
    return Made(network, history)
