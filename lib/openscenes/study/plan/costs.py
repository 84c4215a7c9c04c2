"""What training costs: times recorded in the cache, else counted work at this machine's speed.

The paper reports no cost. Work is counted in crops, a crop in floating-point operations.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field, replace
from statistics import mean

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from openscenes.kept import kept
from openscenes.method.evolution import initialise
from openscenes.networks.iog_refinement import RefinableIOG
from openscenes.networks.openscene import OpenSceneNet
from openscenes.paths import cache_dir
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.seeding import torch_generator
from openscenes.study.plan.shapes import NETWORKS, OURS, PAIRS, REFINEMENT, shape_of, tensors_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import SOURCE, Study, source
from openscenes.study.runs.models import run_context
from openscenes.study.runs.recipes import Recipe, evolution_config
from openscenes.study.scores.clicks import SWEPT, THRESHOLDS
from openscenes.study.scores.evaluation import Evaluation

TERAFLOP_PER_CROP = 0.426  # forward and backward of IOG with ResNet-101 at 512 px, as published
SUSTAINED_FLOPS = 0.4 * 989e12  # 40 % of what one H200 can multiply in bfloat16
N_CROPS = 8  # of the short training that tells this machine's speed
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


@dataclass(frozen=True)
class Times:
    """What trainings take, in seconds of one process.

    Attributes:
        objects: to learn and to test on, as ``requirements.OBJECTS``; empty where unknown.
        costs: seconds per crop by network; empty where there is nothing to measure on.
        recorded: seconds by ``step_of`` a recipe's words.
        source: where the seconds come from, one sentence.
    """

    objects: Mapping[str, int] = field(default_factory=dict)
    costs: Mapping[str, Cost] = field(default_factory=dict)
    recorded: Mapping[str, float] = field(default_factory=dict)
    source: str = "No estimate: it needs the data."

    def training(self, profile: Profile, recipes: Iterable[Recipe]) -> float:
        """How long these take, one after the other: as recorded, else by their work."""
        return sum(
            self.recorded[step]
            if (step := step_of(recipe.words())) in self.recorded
            else work_of(profile, recipe, self.objects).cost(self.costs)
            for recipe in recipes
        )


def step_of(words: str) -> str:
    """The last step of a recipe's words, which costs the same whatever it starts from."""
    return words if words.startswith("peer") else words.rpartition(" > ")[2]


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, rounded."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def recorded(study: Study) -> dict[str, float]:
    """Mean seconds of the profile's trainings in the cache, on this kind of device, by step."""
    found: dict[str, list[float]] = {}
    for path in (cache_dir() / "runs").glob("*/run.json"):
        if (facts := kept(path)) is None:
            continue
        profile, _, seed_and_words = facts["label"].partition(" seed ")
        same_device = facts["made_of"].get("device") == study.fabric.device.type
        if profile == study.profile.name and same_device:
            step = step_of(seed_and_words.partition(" ")[2])
            found.setdefault(step, []).append(facts["wall_s"])
    return {step: mean(seconds) for step, seconds in found.items()}


def measured(study: Study) -> dict[str, Cost]:
    """Seconds per crop of every network: counted operations at the speed of a short training."""
    profile = study.profile
    operations, examples = counted(profile), source(study, "voc+sbd").examples[:N_CROPS]
    network = OpenSceneNet(profile.network, generator=torch_generator("timing"))
    train = replace(profile.initial, epochs=1, batch_size=N_CROPS)
    seconds = []
    for _ in range(2):  # the first warms up
        began = time.perf_counter()
        with redirect_stderr(io.StringIO()):
            initialise(network, examples, train, profile.augmentation, run_context(study, 0))
        seconds.append(time.perf_counter() - began)
    speed = len(examples) * operations[OURS].training / seconds[-1]
    return {name: cost.times(1 / speed) for name, cost in operations.items()}


def on_a_gpu(profile: Profile) -> dict[str, Cost]:
    """Seconds per crop of every network by what an H200 can sustain, where nothing is measured."""
    return {name: cost.times(1 / SUSTAINED_FLOPS) for name, cost in counted(profile).items()}


def work_of(profile: Profile, recipe: Recipe, objects: Mapping[str, int]) -> Work:
    """The crops of one training.

    Args:
        objects: to learn, by initial set and scene, as ``requirements.OBJECTS`` has them.
    """
    if recipe.kind == "initial":
        return Work(OURS, objects[recipe.name] * profile.initial.epochs)
    if recipe.kind == "refiner":
        return Work(REFINEMENT, objects["voc+sbd"] * max(1, profile.initial.epochs // 4))
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


def scoring_of(
    profile: Profile, evaluation: Evaluation, objects: Mapping[str, int]
) -> tuple[Work, ...]:
    """The forward passes of one score; pasting and counting pixels are left out."""
    n, n_clicks = objects[f"val {evaluation.where}"], profile.n_clicks
    first = evaluation.recipe.lineage()[0].name
    if evaluation.kind != "clicks":
        network = first if first in PEERS else OURS
        return (Work(network, 0, n * (N_VIEWS if evaluation.tta else 1), network),)
    if first == "DEXTR":
        return (Work(first, 0, n, first),)
    if first in PEERS:
        swept = SWEPT * len(THRESHOLDS) if evaluation.where == SOURCE else 0
        return (Work(first, 0, n * (n_clicks + swept), first),)
    return Work(OURS, 0, n), Work(REFINEMENT, 0, n * (n_clicks - 1), REFINEMENT)


def counted(profile: Profile, networks: Sequence[str] = NETWORKS) -> dict[str, Cost]:
    """Floating-point operations per crop of networks, without building one in memory.

    Convolutions and matrix products, a product with its sum as two operations.
    """
    return {name: _operations_of(profile, name) for name in networks}


def _operations_of(profile: Profile, name: str) -> Cost:
    network, inputs = shape_of(profile, name)
    if isinstance(network, RefinableIOG):
        return _refinement_operations(network, *inputs)
    return _operations(network, *inputs)


def _operations(network: nn.Module, *inputs: Tensor) -> Cost:
    """Of one crop out of a batch of two."""
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        network(*inputs)
    with FlopCounterMode(display=False) as both:
        outputs = [tensor for tensor in tensors_of(network(*inputs)) if tensor.requires_grad]
        torch.stack([tensor.sum() for tensor in outputs]).sum().backward()
    return Cost(both.get_total_flops() / 2, forward.get_total_flops() / 2)


def _refinement_operations(network: RefinableIOG, seen: Tensor, clicks: Tensor) -> Cost:
    """A step predicts, corrects twice on average, and learns; later, forward is a correction."""
    with FlopCounterMode(display=False) as shown, torch.no_grad():
        stages = network.encode(seen)
        network.first(stages)
    with FlopCounterMode(display=False) as corrected, torch.no_grad():
        network.refined(stages, clicks)
    once = corrected.get_total_flops() / 2
    learned = _operations(network, seen, clicks).training
    return Cost(shown.get_total_flops() / 2 + 2 * once + learned, once)
