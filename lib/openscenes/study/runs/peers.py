"""Training the systems of Table 1: from the source's labels, then on a scene's ground truth."""

from dataclasses import replace
from typing import Any

from torch import nn

from openscenes.method.training import TrainConfig
from openscenes.networks.weights import load_published
from openscenes.peers.training import learn_clicks
from openscenes.peers.zoo import Peer, fine_tuning, peer_of
from openscenes.seeding import torch_generator
from openscenes.study.profiles import InitialSet
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Study, new_scene, source, with_others
from openscenes.study.runs.models import Model, local_imagenet, run_context
from openscenes.study.runs.published import INITIAL_SET, beginning
from openscenes.study.runs.recipes import Recipe

SOURCE_SET: InitialSet = INITIAL_SET
_CODE = (learn_clicks,)


def names(study: Study, recipe: Recipe) -> dict[str, Any]:
    """What names a peer, beside what names every model."""
    peer, on_source = _peer(study, recipe), recipe.kind == "peer"
    if (begun := beginning(study.profile, recipe)) is not None:
        # nothing is drawn for weights that are taken as they are: all seeds share one model
        begins = {"published": begun.sha256, "seed": 0}
        return {"stage": "peer", "peer": peer.name, "network": peer.config, **begins}
    data = source(study, SOURCE_SET) if on_source else new_scene(study, recipe.scene)
    return {
        "stage": "peer" if on_source else "peer tuned",
        "peer": peer.name,
        "network": peer.config,
        "train": _training(study, recipe, peer),
        "click_simulation": peer.clicks,
        "loss": getattr(peer.loss, "__name__", "loss"),
        "peer_crop": peer.crop,
        "augmentation": study.profile.augmentation,
        "data": data.digest,
        "code": code_digest(*peer.code, *_CODE),
        **({"imagenet": peer.imagenet} if on_source and peer.imagenet is not None else {}),
    }


def trained(
    study: Study, recipe: Recipe, parent: Model | None, model: Model
) -> tuple[nn.Module, list[dict[str, float]]]:
    """A peer trained on the labelled source, or from its parent on a scene's ground truth.

    Returns:
        The network, and its losses by epoch.
    """
    peer = _peer(study, recipe)
    if (begun := beginning(study.profile, recipe)) is not None:
        network = peer.build()
        load_published(network, begun.path)
        return network, []
    if parent is None:
        network = peer.build(torch_generator("peer", peer.name, recipe.seed))
        if peer.imagenet is not None:
            peer.load_imagenet(network, local_imagenet(study.root, peer.imagenet))
        examples = with_others(source(study, SOURCE_SET))
    else:
        network = load_peer(parent, peer)
        examples = new_scene(study, recipe.scene).truth
    history = learn_clicks(
        network, examples, _training(study, recipe, peer),
        study.profile.augmentation, peer.clicks, peer.loss,
        replace(run_context(study, recipe.seed), crop=peer.crop),
        folder=model.folder, label=model.label,
    )  # fmt: skip
    return network, history


def load_peer(model: Model, peer: Peer) -> nn.Module:
    """A trained peer in evaluation mode."""
    network: nn.Module = peer.build()
    return model.load_into(network).eval()


def _peer(study: Study, recipe: Recipe) -> Peer:
    return peer_of(study.profile, recipe.lineage()[0].name)


def _training(study: Study, recipe: Recipe, peer: Peer) -> TrainConfig:
    if recipe.kind == "peer":
        return peer.train
    return fine_tuning(peer, study.profile, study.profile.evolving(recipe.scene).train)
