"""The same objects by varied user inputs: other clicks, boxes, heat maps, fewer channels."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from openscenes.data.examples import Example
from openscenes.data.interactions import depth
from openscenes.data.records import Point
from openscenes.lessons.interactions.segmentation import Segmentation, Training, segment_all
from openscenes.lessons.interactions.user_inputs import (
    BoolMask,
    Part,
    Subject,
    UserInput,
    inside,
    read_subject,
    shown_box,
    usual_input,
    with_point,
)
from openscenes.masks import distance_to_outside
from openscenes.seeding import numpy_generator
from openscenes.study.scores.statistics import Estimate, images_of, paired_difference

Ways = Mapping[Any, Callable[[Subject, UserInput], UserInput]]  # name -> how the input is varied

PLACES = ("deepest", "anywhere inside", "near the border", "just outside", "corner of the box")
WITHOUT: Mapping[str, tuple[Part, ...]] = {
    "all five": (),
    "no click (channel 4 is 0)": ("foreground",),
    "no corners (channel 5 is 0)": ("background",),
    "neither": ("foreground", "background"),
    "no colours (their mean)": ("colours",),
}


def place(subject: Subject, user_input: UserInput, name: str) -> Point:
    """A click of one of the kinds in ``PLACES``; what is drawn depends on the object alone.

    "near the border" is within a tenth of the greatest depth (2 px at least), "just outside"
    within as much on the other side. Where there is no such pixel, the click stays.
    """
    depths = depth(subject.truth)
    reach = max(2.0, 0.1 * float(depths.max()))
    row0, col0, _, _ = shown_box(user_input, subject.shape)
    if name == "deepest":
        return user_input.interaction.point
    if name == "corner of the box":
        return inside(Point(row0 + 2.0, col0 + 2.0), subject.shape)
    outside = distance_to_outside(~subject.truth)
    regions = {
        "anywhere inside": subject.truth,
        "near the border": subject.truth & (depths <= reach),
        "just outside": (outside > 0) & (outside <= reach),
    }
    if not regions[name].any():
        return user_input.interaction.point
    return _drawn(regions[name], subject.example.object_id, name)


def _drawn(region: BoolMask, *parts: object) -> Point:
    pixels = np.argwhere(region)
    row, col = pixels[numpy_generator("explorer place", *parts).integers(len(pixels))]
    return Point(float(row), float(col))


def at_places() -> Ways:
    """One click of each kind in ``PLACES``, all else as it was."""
    return {name: partial(_moved_to, name) for name in PLACES}


def _moved_to(name: str, subject: Subject, user_input: UserInput) -> UserInput:
    return with_point(user_input, place(subject, user_input, name))


def varied(field: str, values: Iterable[Any]) -> Ways:
    """Each value of one field of ``UserInput``, such as ``widened`` or ``heat_map_width_px``."""
    return {value: partial(_with, {field: value}) for value in values}


def _with(changes: dict[str, Any], _subject: Subject, user_input: UserInput) -> UserInput:
    return replace(user_input, **changes)


def without_channels() -> Ways:
    """Without some of the five channels (``WITHOUT``)."""
    ways = varied("without", WITHOUT.values())
    return {name: ways[parts] for name, parts in WITHOUT.items()}


def segment_ways(
    training: Training, subject: Subject, user_input: UserInput, ways: Ways
) -> dict[Any, Segmentation]:
    """One object by each way to vary a user input."""
    inputs = [way(subject, user_input) for way in ways.values()]
    return dict(zip(ways, segment_all(training, subject, inputs), strict=True))


def scores(
    trainings: Mapping[str, Training], examples: Sequence[Example], ways: Ways
) -> pd.DataFrame:
    """Segment every object in every way with every training, from its own study's usual input.

    Returns:
        Columns network, object_id, scene, class_name, way, iou (0-1), object by object.
    """
    rows: list[dict[str, object]] = []
    for name, training in trainings.items():
        for example in examples:
            subject = read_subject(training.study, example)
            found = segment_ways(training, subject, usual_input(training.study, example), ways)
            about = {"network": name, "object_id": example.object_id, "class_name": subject.name,
                     "scene": example.object_id.partition("/")[0]}  # fmt: skip
            rows += [about | {"way": way, "iou": one.iou} for way, one in found.items()]
    return pd.DataFrame(rows)


def usual_inputs(trainings: Mapping[str, Training], example: Example) -> dict[str, UserInput]:
    """The user input of an object in each training's own study."""
    return {name: usual_input(training.study, example) for name, training in trainings.items()}


def means(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean IoU (0-100): a row for each network and way, a column for each scene and for all."""
    rows = ["network", "way"]
    table = frame.pivot_table(index=rows, columns="scene", values="iou", sort=False)
    table["all"] = frame.groupby(rows, sort=False)["iou"].mean()
    return (100 * table).round(1)


def changes(frame: pd.DataFrame, usual: object) -> dict[str, dict[Any, Estimate]]:
    """For each network, by how much each way differs from the usual one, object by object.

    Intervals draw images, each with all its objects.
    """
    found: dict[str, dict[Any, Estimate]] = {}
    for name in dict.fromkeys(frame["network"]):
        table = _by_object(frame, name)
        first, images = table[usual].to_numpy()[None], images_of(table.index)
        found[name] = {
            way: paired_difference(table[way].to_numpy()[None], first, images) for way in table
        }
    return found


def _by_object(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """One row per object, one column per way, both in their order in the frame."""
    own = frame[frame["network"] == name]
    table = own.pivot_table(index="object_id", columns="way", values="iou", sort=False)
    return table[list(dict.fromkeys(own["way"]))].loc[list(dict.fromkeys(own["object_id"]))]


def by_click_sensitivity(frame: pd.DataFrame) -> list[str]:
    """Networks in scores ``at_places``, most click-sensitive first: a click outside costs most."""
    lost = {name: float(_lost(frame, name).mean()) for name in dict.fromkeys(frame["network"])}
    return sorted(lost, key=lambda name: -lost[name])


def _lost(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """IoU that each object loses when the click falls just outside."""
    table = _by_object(frame, name)
    return (table["deepest"] - table["just outside"]).to_numpy()


def by_rank(frame: pd.DataFrame, examples: Sequence[Example], name: str, share: float) -> Example:
    """The object at a share of the ranks of what is lost by a click just outside: 0 loses least."""
    order = np.argsort(_lost(frame, name), kind="stable")
    return examples[int(order[round(share * (len(order) - 1))])]
