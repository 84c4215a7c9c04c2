"""What training costs: times recorded in the cache, else counted work at this machine's speed.

The paper reports no cost. Work is counted in crops, a crop in floating-point operations.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass, field, replace
from statistics import mean

from openscenes.kept import kept
from openscenes.method.evolution import initialise
from openscenes.networks.openscene import OpenSceneNet
from openscenes.paths import cache_dir
from openscenes.peers.zoo import PEERS
from openscenes.seeding import torch_generator
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import SOURCE, Study, source
from openscenes.study.runs.models import run_context
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.shapes import OURS, REFINEMENT
from openscenes.study.runs.work import N_VIEWS, Cost, Work, counted, work_of
from openscenes.study.scores.clicks import SWEPT
from openscenes.study.scores.evaluation import Evaluation

TERAFLOP_PER_CROP = 0.426  # forward and backward of IOG with ResNet-101 at 512 px, as published
SUSTAINED_FLOPS = 0.4 * 989e12  # 40 % of what one H200 can multiply in bfloat16
N_CROPS = 8  # of the short training that tells this machine's speed


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
        n_swept = 1 + (SWEPT - 1) * len(profile.thresholds)
        swept = n_swept if evaluation.where == SOURCE else 0
        return (Work(first, 0, n * (n_clicks + swept), first),)
    return Work(OURS, 0, n), Work(REFINEMENT, 0, n * (n_clicks - 1), REFINEMENT)
