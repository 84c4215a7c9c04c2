"""What the lessons share: a study by its name, trained models, and objects to look at."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from openscenes.study.plan.costs import SUSTAINED_FLOPS, Work, counted, measured, work_of
from openscenes.study.profiles import profile_named, with_literal_clicks
from openscenes.study.runs.data import Study, new_scene, open_study, source
from openscenes.study.runs.models import Model
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.runs import find, train

Item = TypeVar("Item")


def lesson_study(profile: str, data: str = "", device: str = "auto") -> Study:
    """The study of a lesson's parameters.

    Ours: the library's word on its precision, in red above every widget, is left out.

    Args:
        profile: its name.
        data: folder of the four data sets; empty for the synthetic scenes.
        device: "auto", "cpu" or "cuda".
    """
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    return open_study(profile_named(profile), Path(data) if data else None, device)


def literal_study(study: Study) -> Study:
    """The same study with the paper's clicks; its models are others.

    Paper: Sec. 3.1, 4.1.2.  See ``profiles.with_literal_clicks``.
    """
    return replace(study, profile=with_literal_clicks(study.profile), memory={})


def trained(study: Study, recipes: Sequence[Recipe]) -> list[Model]:
    """The models of these recipes, in their order, out of the cache that all notebooks share.

    What is missing is trained, after saying what it is and about how long it takes.
    """
    missing = untrained(study, recipes)
    if missing:
        print(announcement(study, missing), flush=True)
    for number, recipe in enumerate(missing, start=1):
        made = train(study, recipe)
        took = made.facts()["wall_s"]
        print(f"{number} of {len(missing)}: {made.label}, {took:.0f} s", flush=True)
    return [find(study, recipe) for recipe in recipes]


def untrained(study: Study, recipes: Iterable[Recipe]) -> list[Recipe]:
    """Those recipes, and those that they start from, whose models do not exist; parents first."""
    lives = dict.fromkeys(step for recipe in recipes for step in recipe.lineage())
    return [step for step in lives if not find(study, step).is_trained]


def announcement(study: Study, recipes: Sequence[Recipe]) -> str:
    """Which models will be trained and about how long that takes, measured here and now."""
    names = "\n".join(f"  {recipe.words()}, seed {recipe.seed}" for recipe in recipes)
    plural = "model is" if len(recipes) == 1 else "models are"
    duration = _duration(_seconds(study, recipes))
    return f"{len(recipes)} {plural} not trained yet; training takes {duration}, once:\n{names}"


def n_objects_evenly(items: Sequence[Item], n: int) -> list[Item]:
    """At most n of the items, evenly from the first to the last."""
    if len(items) <= n:
        return list(items)
    return [items[round(float(place))] for place in np.linspace(0, len(items) - 1, n)]


def _seconds(study: Study, recipes: Sequence[Recipe]) -> float:
    objects = _objects(study, recipes)
    works = [work_of(study.profile, recipe, objects) for recipe in recipes]
    costs = _costs(study, works)
    return sum(work.cost(costs) for work in works)


def _costs(study: Study, works: Iterable[Work]) -> dict:
    """Seconds per crop; of the paper's size on a GPU, since a step of it takes minutes here."""
    networks = sorted({name for work in works for name in (work.network, work.asked)})
    if study.profile.name == "paper":
        operations = counted(study.profile, networks)
        return {name: cost.times(1 / SUSTAINED_FLOPS) for name, cost in operations.items()}
    return measured(study, networks)


def _objects(study: Study, recipes: Iterable[Recipe]) -> dict[str, int]:
    """How many objects each of the recipes' sets holds."""
    counts = {"voc+sbd": len(source(study, "voc+sbd").examples)}
    for recipe in recipes:
        if recipe.name == "voc":
            counts["voc"] = len(source(study, "voc").examples)
        elif recipe.name in ("cityscapes", "coco"):
            counts[recipe.name] = len(new_scene(study, recipe.scene).clicked)
    return counts


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
