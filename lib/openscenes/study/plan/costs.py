"""What training costs: crops per recipe, operations per crop, and seconds where one can measure.

Ours: all of it; the paper reports no cost.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from openscenes.data.examples import Example
from openscenes.method.evolution import Pool, align, initialise
from openscenes.method.training import TrainConfig
from openscenes.networks.backbones import INPUT_CHANNELS
from openscenes.networks.iog_refinement import CLICK_CHANNELS, RefinableIOG
from openscenes.networks.openscene import OpenSceneNet
from openscenes.peers.training import learn_clicks, learn_refinement
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.seeding import torch_generator
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import SOURCE, Study, source, with_others
from openscenes.study.runs.models import run_context
from openscenes.study.runs.recipes import FULL, Recipe, evolution_config
from openscenes.study.runs.refinement import refiner_training
from openscenes.study.scores.clicks import SWEPT, THRESHOLDS
from openscenes.study.scores.evaluation import Evaluation

N_CROPS = 8


def measured(study: Study, networks: Sequence[str]) -> dict[str, Cost]:
    """Seconds per crop of those networks, in about two seconds for the demo's size.

    A forward pass takes its share of the operations.

    Args:
        networks: of ``costs.NETWORKS``.
    """
    operations = counted(study.profile, networks)
    examples = with_others(source(study, "voc+sbd"))[:N_CROPS]
    found = {}
    for name in networks:
        seconds = _seconds_per_crop(study, name, examples)
        found[name] = operations[name].times(seconds / operations[name].training)
    return found


def _seconds_per_crop(study: Study, name: str, examples: Sequence[Example]) -> float:
    if name == OURS:
        train, n_slots = _initial(study, examples), 1
    elif name == PAIRS:
        train, n_slots = _evolving(study, examples), 2
    elif name == REFINEMENT:
        train, n_slots = _refining(study, examples), 1
    else:
        train, n_slots = _peer(study, name, examples), 1
    with redirect_stderr(io.StringIO()):
        train()
        began = time.perf_counter()
        train()
    return (time.perf_counter() - began) / (n_slots * len(examples))


def _initial(study: Study, examples: Sequence[Example]) -> Callable[[], object]:
    profile = study.profile
    network = _network(profile)
    return lambda: initialise(
        network, examples, _one_step(profile.initial), profile.augmentation, run_context(study, 0),
        class_loss_weight=profile.class_loss_weight,
    )  # fmt: skip


def _evolving(study: Study, examples: Sequence[Example]) -> Callable[[], object]:
    profile = study.profile
    config = evolution_config(profile, "coco", FULL)
    config = replace(config, train=_one_step(config.train))
    network = _network(profile).with_unknown_class(generator=torch_generator("timing"))
    pool = Pool(tuple(examples))
    return lambda: align(network, pool, examples, config, run_context(study, 0))


def _refining(study: Study, examples: Sequence[Example]) -> Callable[[], object]:
    profile = study.profile
    network = RefinableIOG(_network(profile), profile.clicks)
    config = _one_step(refiner_training(study))
    return lambda: learn_refinement(
        network, examples, config, profile.augmentation, run_context(study, 0)
    )


def _peer(study: Study, name: str, examples: Sequence[Example]) -> Callable[[], object]:
    peer = peer_of(study.profile, name)
    network = peer.build(torch_generator("timing", name))
    context = replace(run_context(study, 0), crop=peer.crop)
    return lambda: learn_clicks(
        network, examples, _one_step(peer.train), study.profile.augmentation, peer.clicks,
        peer.loss, context,
    )  # fmt: skip


def _network(profile: Profile) -> OpenSceneNet:
    return OpenSceneNet(profile.network, generator=torch_generator("timing"))


def _one_step(config: TrainConfig) -> TrainConfig:
    return replace(config, epochs=1, batch_size=N_CROPS, workers=0)


TERAFLOP_PER_CROP = 0.426  # forward and backward of IOG with ResNet-101 at 512 px, as published
SUSTAINED_FLOPS = 0.4 * 989e12  # Ours: 40 % of what one H200 can multiply in bfloat16
OURS, PAIRS, REFINEMENT = "ours", "pairs", "refinement"
NETWORKS = (OURS, PAIRS, REFINEMENT, *PEERS)
N_VIEWS = 6
N_ERRORS = 3  # ITIS asks the network up to three times before each step


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
        network: a key of what ``counted`` or ``timing.measured`` returns.
        asked: the network of the forward passes.
    """

    network: str
    crops: float
    forwards: float = 0.0
    asked: str = OURS

    def cost(self, costs: Mapping[str, Cost]) -> float:
        """In the unit of ``costs``."""
        trained = self.crops * costs[self.network].training if self.crops else 0.0
        return trained + (self.forwards * costs[self.asked].forward if self.forwards else 0.0)


def work_of(profile: Profile, recipe: Recipe, objects: Mapping[str, int]) -> Work:
    """The crops of one training.

    Args:
        objects: to learn, by initial set and scene, as ``requirements.OBJECTS`` has them.
    """
    if recipe.kind == "initial":
        return Work(OURS, objects[recipe.name] * profile.initial.epochs)
    if recipe.kind == "refiner":
        epochs = max(1, profile.initial.epochs // 4)
        return Work(REFINEMENT, objects["voc+sbd"] * epochs)
    if recipe.kind == "peer":
        return _peer_work(profile, recipe.name, objects)
    n = objects[recipe.scene] / (recipe.part[1] if recipe.part else 1)
    epochs = profile.evolving(recipe.scene).train.epochs
    if recipe.kind == "fine-tuned":
        return Work(OURS, n * epochs)
    if recipe.kind == "fine-tuned peer":
        return Work(recipe.lineage()[0].name, n * epochs)
    if recipe.kind == "re-estimated":
        return Work(PAIRS, 0, n + 2 * n * epochs)
    return Work(PAIRS, 2 * n * epochs, n * _labellings(profile, recipe))


def _peer_work(profile: Profile, name: str, objects: Mapping[str, int]) -> Work:
    peer = peer_of(profile, name)
    crops = objects["voc+sbd"] * peer.train.epochs
    asked = N_ERRORS * (crops - objects["voc+sbd"]) if peer.clicks.iterative else 0
    return Work(name, crops, asked, name)


def _labellings(profile: Profile, recipe: Recipe) -> int:
    """Forward passes over the scene for its pseudo masks: once, from six views, or each epoch."""
    config = evolution_config(profile, recipe.scene, recipe.variant, recipe.user)
    views = N_VIEWS if config.teacher is not None and config.teacher.tta == "six views" else 1
    return views * (1 if config.ema_decay is None else config.train.epochs)


def scoring_of(
    profile: Profile, question: Evaluation, objects: Mapping[str, int]
) -> tuple[Work, ...]:
    """The forward passes of one answer; pasting and counting pixels are left out."""
    n, n_clicks = objects[f"val {question.where}"], profile.n_clicks
    first = question.recipe.lineage()[0].name
    if question.kind != "clicks":
        network = first if first in PEERS else OURS
        return (Work(network, 0, n * (N_VIEWS if question.views else 1), network),)
    if first == "DEXTR":
        return (Work(first, 0, n, first),)
    if first in PEERS:
        swept = SWEPT * len(THRESHOLDS) if question.where == SOURCE else 0
        return (Work(first, 0, n * (n_clicks + swept), first),)
    return Work(OURS, 0, n), Work(REFINEMENT, 0, n * (n_clicks - 1), REFINEMENT)


def counted(profile: Profile, networks: Sequence[str] = NETWORKS) -> dict[str, Cost]:
    """Floating-point operations per crop of networks, without building one in memory.

    Ours: convolutions and matrix products, a product with its sum as two operations.
    """
    return {name: _operations_of(profile, name) for name in networks}


def _operations_of(profile: Profile, name: str) -> Cost:
    if name in PEERS:
        return _peer_operations(profile, name)
    size = profile.crop.size
    with torch.device("meta"):
        network = OpenSceneNet(profile.network)
        seen = torch.empty(2, INPUT_CHANNELS, size, size)
        clicks = torch.empty(2, CLICK_CHANNELS, size, size)
        if name == REFINEMENT:
            return _refinement_operations(RefinableIOG(network, profile.clicks), seen, clicks)
        return _operations(network, seen)


def _peer_operations(profile: Profile, name: str) -> Cost:
    peer, size = peer_of(profile, name), profile.crop.size
    with torch.device("meta"):
        network: Any = peer.build()
    images = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    return _operations(network, network.inputs(images, torch.zeros(2, 4, 3), None).to("meta"))


def _operations(network: nn.Module, *inputs: Tensor) -> Cost:
    """Of one crop out of a batch of two."""
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        network(*inputs)
    with FlopCounterMode(display=False) as both:
        outputs = [tensor for tensor in _tensors(network(*inputs)) if tensor.requires_grad]
        torch.stack([tensor.sum() for tensor in outputs]).sum().backward()
    return Cost(both.get_total_flops() / 2, forward.get_total_flops() / 2)


def _refinement_operations(network: RefinableIOG, seen: Tensor, clicks: Tensor) -> Cost:
    """A step answers, corrects twice on average, and learns; an answer later is a correction."""
    network.trainable_for_refinement()
    with FlopCounterMode(display=False) as shown, torch.no_grad():
        stages = network.encode(seen)
        network.first(stages)
    with FlopCounterMode(display=False) as corrected, torch.no_grad():
        network.refined(stages, clicks)
    once = corrected.get_total_flops() / 2
    learned = _operations(network, seen, clicks).training
    return Cost(shown.get_total_flops() / 2 + 2 * once + learned, once)


def _tensors(found: Any) -> Iterator[Tensor]:
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, tuple):
        for part in found:
            yield from _tensors(part)
