"""What the lessons share: a study by its name, trained models, and objects to look at."""

import logging
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from openscenes.settings import folder_parameter, text_parameter
from openscenes.study.options import profile_named, with_literal_clicks
from openscenes.study.pages import PAGE_RUN
from openscenes.study.plan.costs import duration, load_words, with_masks
from openscenes.study.plan.machines import here
from openscenes.study.profiles import PAPER, InitialSet
from openscenes.study.runs.data import Study, new_scene, open_study, source
from openscenes.study.runs.models import Model
from openscenes.study.runs.recipes import Recipe, in_order, source_set
from openscenes.study.runs.runs import find, train

Item = TypeVar("Item")


def lesson_study(profile: str, data: str = "", device: str = "auto") -> Study:
    """The study of a lesson's parameters; from here on nothing of a live notebook is red.

    Progress goes to standard output there: Jupyter shows standard error in red, and keeps the line
    of a bar that has ended.

    Args:
        profile: its name.
        data: folder of the four data sets; empty for the synthetic scenes.
        device: "auto", "cpu" or "cuda".
    Raises:
        InputError: if one is no text, or there is no such profile or device.
    """
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if hasattr(shell, "kernel") and not os.environ.get(PAGE_RUN):
        sys.stderr = sys.stdout
    root = folder_parameter("data", data)
    chosen = profile_named(text_parameter("profile", profile))
    return open_study(chosen, Path(root) if root else None, text_parameter("device", device))


def literal_study(study: Study) -> Study:
    """The same study with the paper's clicks (``options.with_literal_clicks``)."""
    return replace(study, profile=with_literal_clicks(study.profile), memory={})


def trained(study: Study, recipes: Sequence[Recipe]) -> list[Model]:
    """The models of these recipes, in their order, out of the cache that all notebooks share.

    What is missing is announced with the time that it takes, then trained.
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
    return [step for step in in_order(recipes) if not find(study, step).is_trained]


def announcement(study: Study, recipes: Sequence[Recipe]) -> str:
    """Which models will be trained, why, and about how long that takes where it was measured."""
    literal = study.profile.kind != "paper" and study.profile.clicks == PAPER.clicks
    how = ", trained with the paper's clicks, to compare" if literal else ""
    names = "\n".join(f"  {recipe.words()}, seed {recipe.seed}{how}" for recipe in recipes)
    plural = "model is" if len(recipes) == 1 else "models are"
    head = (
        f"{len(recipes)} {plural} not trained yet: neither the cache nor the repository has what "
        "this page shows, made by this code with these settings"
    )
    if study.profile.kind == "paper":  # any time would be a guess; `make plan` states its machine
        return f"{head}:\n{names}"
    took = duration(with_masks(study.profile, recipes, _objects(study, recipes), here(study)))
    return f"{head}; training takes about {took}, once{load_words()}:\n{names}"


def _objects(study: Study, recipes: Sequence[Recipe]) -> dict[str, int]:
    """Of these recipes alone."""
    sets: set[InitialSet] = {"voc+sbd", *map(source_set, recipes)}
    objects: dict[str, int] = {name: len(source(study, name).examples) for name in sets}
    for recipe in recipes:
        if recipe.name in ("cityscapes", "coco"):
            objects[recipe.name] = len(new_scene(study, recipe.scene).clicked)
    return objects


def n_objects_evenly(items: Sequence[Item], n: int) -> list[Item]:
    """At most n of the items, evenly from the first to the last."""
    if len(items) <= n:
        return list(items)
    return [items[round(float(place))] for place in np.linspace(0, len(items) - 1, n)]
