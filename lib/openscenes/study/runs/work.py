"""The work of a training: crops through networks, and the operations of a crop, counted.

Nothing is trained and no network lies in memory for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from openscenes.networks.openscene import OpenSceneNet
from openscenes.peers.zoo import peer_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.recipes import Recipe, evolution_config
from openscenes.study.runs.shapes import CORRECTION, NETWORKS, OURS, PAIRS, shape_of, tensors_of

N_VIEWS = 6
N_ERRORS = 3  # ITIS runs the network up to three times before each step


@dataclass(frozen=True)
class Cost:
    """Of one crop: forward and backward, and forward alone; in seconds or in operations."""

    training: float
    forward: float

    def times(self, factor: float) -> Cost:
        """Both, scaled."""
        return Cost(self.training * factor, self.forward * factor)


@dataclass(frozen=True)
class Work:
    """How many crops go through which network, with and without a backward pass.

    Attributes:
        network: one of ``NETWORKS``, that learns.
        teacher: the network of the forward passes.
    """

    network: str
    crops: float
    forwards: float = 0.0
    teacher: str = OURS

    def cost(self, costs: Mapping[str, Cost]) -> float:
        """In the unit of ``costs``."""
        trained = self.crops * costs[self.network].training if self.crops else 0.0
        return trained + (self.forwards * costs[self.teacher].forward if self.forwards else 0.0)


def work_of(profile: Profile, recipe: Recipe, objects: Mapping[str, int]) -> Work:
    """The crops of one training.

    Args:
        objects: to learn, by initial set and scene, as ``requirements.OBJECTS`` has them.
    """
    if recipe.kind == "initial":
        return Work(OURS, objects[recipe.name] * profile.initial.epochs)
    if recipe.kind == "peer":
        peer = peer_of(profile, recipe.name)
        crops = objects["voc+sbd"] * peer.train.epochs
        simulated = N_ERRORS * (crops - objects["voc+sbd"]) if peer.clicks.iterative else 0
        return Work(peer.name, crops, simulated, peer.name)
    n = objects[recipe.scene] / (recipe.part[1] if recipe.part else 1)
    epochs = profile.evolving(recipe.scene).train.epochs
    if "fine-tuned" in recipe.kind:
        first = recipe.lineage()[0]
        return Work(first.name if first.kind == "peer" else OURS, n * epochs)
    if recipe.kind == "re-estimated":
        return Work(PAIRS, 0, n + 2 * n * epochs)
    config = evolution_config(profile, recipe.scene, recipe.variant, recipe.user)
    views = N_VIEWS if config.teacher is not None and config.teacher.tta == "six views" else 1
    labellings = views * (1 if config.ema_decay is None else config.train.epochs)
    return Work(PAIRS, 2 * n * epochs, n * labellings)


def counted(profile: Profile) -> dict[str, Cost]:
    """Floating-point operations per crop of all networks, without building one in memory.

    Convolutions and matrix products, a product with its sum as two operations. A correction is
    counted by itself; a training simulates several of them, of which the last one learns.
    """
    costs = {name: _operations(*shape_of(profile, name)) for name in NETWORKS}
    correction, n = _correction(profile), profile.corrections.mean_clicks
    for name in (OURS, PAIRS):
        both, alone = costs[name], correction.forward
        costs[name] = Cost(both.training + (n - 1) * alone, both.forward - correction.training)
    return costs | {CORRECTION: correction}


def _correction(profile: Profile) -> Cost:
    """Operations of one correction; as ``training`` with what is seen once per crop."""
    network, (inputs, simulate) = shape_of(profile, OURS)
    network = cast(OpenSceneNet, network)
    with torch.no_grad():
        stages = network.encode(inputs)
        output = network.first(stages)
        with FlopCounterMode(display=False) as seeing:
            seen = network.see(stages, output.fine_features)
        with FlopCounterMode(display=False) as correcting:
            network.correct(seen, *simulate(seen, output))
    once = correcting.get_total_flops() / 2
    return Cost(once + seeing.get_total_flops() / 2, once)


def _operations(network: nn.Module, inputs: Sequence[Any]) -> Cost:
    """Of one crop out of a batch of two."""
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        network(*inputs)
    with FlopCounterMode(display=False) as both:
        outputs = [tensor for tensor in tensors_of(network(*inputs)) if tensor.requires_grad]
        torch.stack([tensor.sum() for tensor in outputs]).sum().backward()
    return Cost(both.get_total_flops() / 2, forward.get_total_flops() / 2)
