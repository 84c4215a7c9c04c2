"""What a study costs: seconds of its tasks, from their units of work and a machine's rates.

The paper reports no cost. Rates are measured here or assumed of another machine (``machines``);
trainings and pages that were timed here take that long again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

from openscenes.kept import kept
from openscenes.paths import cache_dir
from openscenes.peers.zoo import PEERS
from openscenes.study.profiles import Profile
from openscenes.study.runs import work as works
from openscenes.study.runs.data import SOURCE, Study
from openscenes.study.runs.machine import cores
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.shapes import CORRECTION, OURS
from openscenes.study.runs.work import CLICK, CUT, IPT, LOAD, MASK, MODEL, N_VIEWS, Work, seen
from openscenes.study.scores.clicks import SWEPT
from openscenes.study.scores.evaluation import Evaluation
from openscenes.study.scores.masks import ipt_variants

PAGE, START = "page", "start"  # a page; a process begun
_ONCE = (LOAD, MODEL, PAGE)


@dataclass(frozen=True)
class Machine:
    """A machine, by the seconds that one process takes for each unit of work.

    Attributes:
        seconds: per unit; those of networks on its device, all others on one core.
        source: where the seconds come from, in sentences.
        recorded: seconds by ``step_of`` a recipe's words, of trainings that were timed here.
        sides: numbers of processes, or of GPUs, that a plan is made for.
        cores: beside each GPU; 0 where networks run on the CPU.
    """

    seconds: Mapping[str, float]
    source: str = ""
    recorded: Mapping[str, float] = field(default_factory=dict)
    sides: tuple[int, ...] = (1,)
    cores: float = 0


@dataclass(frozen=True)
class Time:
    """Seconds of a task: in networks, beside them (images, masks, pages), and from start to end."""

    network: float = 0.0
    beside: float = 0.0
    wall: float = 0.0

    def __add__(self, other: Time) -> Time:
        """One after the other."""
        network, beside = self.network + other.network, self.beside + other.beside
        return Time(network, beside, self.wall + other.wall)


def time_of(profile: Profile, work: Work, machine: Machine) -> Time:
    """Seconds of a task by its units.

    On a GPU images and masks are others' work, whose processes share the cores: the longer of both
    counts.
    """
    seconds = {unit: n * machine.seconds[unit] for unit, n in work.items()}
    network = sum(s for unit, s in seconds.items() if " " in unit or unit == IPT)
    beside, once = sum(seconds.values()) - network, sum(seconds.get(unit, 0.0) for unit in _ONCE)
    if not machine.cores:
        return Time(network, beside, network + beside)
    helpers = max(1, min(profile.workers, machine.cores))
    return Time(network, beside, max(network, (beside - once) / helpers) + once)


def training_time(
    profile: Profile, recipe: Recipe, objects: Mapping[str, int], machine: Machine
) -> Time:
    """Seconds of one training: as an earlier one took, else by its units."""
    time = time_of(profile, works.training_work(profile, recipe, objects), machine)
    took = machine.recorded.get(step_of(recipe.words()), time.wall)
    share = took / time.wall if time.wall else 0.0
    return Time(time.network * share, time.beside * share, took)


def with_masks(
    profile: Profile, recipes: Sequence[Recipe], objects: Mapping[str, int], machine: Machine
) -> float:
    """Seconds of trainings one after the other, each with the pseudo masks that it begins with."""
    took = [training_time(profile, recipe, objects, machine) for recipe in recipes]
    masks = [works.masks_work(profile, step, objects) for step in recipes if step.learns_masks]
    return sum(time.wall for time in [*took, *(time_of(profile, m, machine) for m in masks)])


def scoring_work(profile: Profile, evaluation: Evaluation, objects: Mapping[str, int]) -> Work:
    """The units of one score; the plain one of clicks on the source also chooses a threshold."""
    n, first = objects[f"val {evaluation.where}"], evaluation.recipe.lineage()[0].name
    if first not in PEERS and evaluation.kind != "clicks":
        views = n * (N_VIEWS if evaluation.tta else 1)
        ipt = n * len(ipt_variants(profile)) if evaluation.kind == "ipt" else 0
        return +Work({LOAD: 1, CUT: views, seen(OURS): views, MASK: n + ipt, IPT: ipt})
    n_clicks = profile.n_clicks if evaluation.kind == "clicks" else 1
    plain = Evaluation(evaluation.recipe, SOURCE, "clicks")
    sweep = n if evaluation == plain else 0
    n_thresholds = len(profile.thresholds)
    work = Work({LOAD: 1 + (sweep > 0), CUT: n + sweep})
    if first not in PEERS or first == "DEXTR":  # one prediction for all thresholds
        further = 0 if first == "DEXTR" else n * (n_clicks - 1)  # only ours is corrected
        network = OURS if first not in PEERS else first
        work += Work({seen(network): n + sweep, CLICK: n + further, MASK: sweep * n_thresholds})
        return +(work + Work({seen(CORRECTION): further}))
    asked = sweep * (1 + (SWEPT - 1) * n_thresholds)  # thresholds share the first answer
    clicked = n * (1 + n_clicks) + sweep * (1 + SWEPT * n_thresholds)
    return work + Work({seen(first): n * n_clicks + asked, CLICK: clicked})


def step_of(words: str) -> str:
    """The last step of a recipe's words, which costs the same whatever it starts from."""
    return words if words.startswith("peer") else words.rpartition(" > ")[2]


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


def load_words() -> str:
    """That an estimate is of an idle machine, where this one is not; "" where it nearly is."""
    busy, n = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, cores()
    return (
        f" on an idle machine (programs now ask for {busy:.1f} of {n} cores)"
        if busy > n / 2
        else ""
    )


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, rounded."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
