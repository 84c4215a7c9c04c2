"""The same objects asked in many ways: other clicks, other boxes, other heat maps, less input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from openscenes.data.examples import Example
from openscenes.data.interactions import depth
from openscenes.data.records import Point
from openscenes.lessons.interactions.answers import Answer, Training, answers
from openscenes.lessons.interactions.state import (
    BoolMask,
    Part,
    Question,
    Subject,
    asked_box,
    inside,
    read_subject,
    usual_question,
    with_point,
)
from openscenes.masks import distance_to_outside
from openscenes.networks.openscene import OpenSceneNet
from openscenes.seeding import numpy_generator
from openscenes.study.runs.data import Study
from openscenes.study.scores.statistics import Estimate, paired_difference

Way = Callable[[Subject, Question], Question]
Networks = Mapping[str, OpenSceneNet]

PLACES = ("deepest", "anywhere inside", "near the border", "just outside", "corner of the box")
WITHOUT: Mapping[str, tuple[Part, ...]] = {
    "all five": (),
    "no click (channel 4 is 0)": ("foreground",),
    "no corners (channel 5 is 0)": ("background",),
    "neither": ("foreground", "background"),
    "no colours (their mean)": ("colours",),
}


def place(subject: Subject, question: Question, name: str) -> Point:
    """A click of one of the kinds in ``PLACES``; what is drawn depends on the object alone.

    Ours: "near the border" is within a tenth of the greatest depth (2 px at least), "just outside"
    within as much of the object on its other side. Where there is no such pixel, the click stays.
    """
    depths = depth(subject.truth)
    reach = max(2.0, 0.1 * float(depths.max()))
    row0, col0, _, _ = asked_box(question, subject.shape)
    if name == "deepest":
        return question.interaction.point
    if name == "corner of the box":
        return inside(Point(row0 + 2.0, col0 + 2.0), subject.shape)
    outside = distance_to_outside(~subject.truth)
    regions = {
        "anywhere inside": subject.truth,
        "near the border": subject.truth & (depths <= reach),
        "just outside": (outside > 0) & (outside <= reach),
    }
    if not regions[name].any():
        return question.interaction.point
    return _drawn(regions[name], subject.example.object_id, name)


def _drawn(region: BoolMask, *parts: object) -> Point:
    """One pixel of a region."""
    pixels = np.argwhere(region)
    row, col = pixels[numpy_generator("explorer place", *parts).integers(len(pixels))]
    return Point(float(row), float(col))


def clicks_elsewhere(
    study: Study, network: OpenSceneNet, subject: Subject, question: Question
) -> dict[str, Answer]:
    """The answer to one click of each kind in ``PLACES``, all else as in the question."""
    questions = [with_point(question, place(subject, question, name)) for name in PLACES]
    return dict(zip(PLACES, answers(study, network, subject, questions), strict=True))


def widened_boxes(
    study: Study,
    network: OpenSceneNet,
    subject: Subject,
    question: Question,
    shares: Sequence[float],
) -> dict[float, Answer]:
    """The answer to the box widened by each share of its sides (below 0: shrunk)."""
    questions = [replace(question, widened=share) for share in shares]
    return dict(zip(shares, answers(study, network, subject, questions), strict=True))


def by_place(study: Study, networks: Networks, examples: Sequence[Example]) -> pd.DataFrame:
    """Scores of each object for one click of each kind in ``PLACES``."""
    return over_objects(study, networks, examples, {name: _at(name) for name in PLACES})


def _at(name: str) -> Way:
    return lambda subject, question: with_point(question, place(subject, question, name))


def by_box(
    study: Study, networks: Networks, examples: Sequence[Example], shares: Sequence[float]
) -> pd.DataFrame:
    """Scores of each object for boxes widened by each share of their sides (below 0: shrunk)."""
    ways = {share: _setting(widened=share) for share in shares}
    return over_objects(study, networks, examples, ways)


def by_jitter(
    study: Study, networks: Networks, examples: Sequence[Example], deviations: Sequence[float]
) -> pd.DataFrame:
    """Scores of each object for boxes whose sides miss by errors of each standard deviation."""
    ways = {part: _setting(jitter=part) for part in deviations}
    return over_objects(study, networks, examples, ways)


def by_width(
    study: Study, networks: Networks, examples: Sequence[Example], widths_px: Sequence[float]
) -> pd.DataFrame:
    """Scores of each object for heat maps of each width, in pixels of a 512 crop."""
    ways = {width: _setting(heat_map_width_px=width) for width in widths_px}
    return over_objects(study, networks, examples, ways)


def by_margin(
    study: Study, networks: Networks, examples: Sequence[Example], margins_px: Sequence[float]
) -> pd.DataFrame:
    """Scores of each object for crops that are wider than the box by each margin."""
    ways = {margin: _setting(margin_px=margin) for margin in margins_px}
    return over_objects(study, networks, examples, ways)


def by_channels(study: Study, networks: Networks, examples: Sequence[Example]) -> pd.DataFrame:
    """Scores of each object without some of the five channels (``WITHOUT``)."""
    ways = {name: _setting(without=parts) for name, parts in WITHOUT.items()}
    return over_objects(study, networks, examples, ways)


def _setting(**changes: Any) -> Way:
    return lambda subject, question: replace(question, **changes)


def over_objects(
    study: Study, networks: Networks, examples: Sequence[Example], ways: Mapping[Any, Way]
) -> pd.DataFrame:
    """Ask every network about every object in every way.

    Returns:
        Columns network, object_id, scene, class_name, way, iou (0-1), object by object.
    """
    rows: list[dict[str, object]] = []
    for example in examples:
        subject, usual = read_subject(study, example), usual_question(study, example)
        questions = [way(subject, usual) for way in ways.values()]
        about = {"object_id": example.object_id, "class_name": subject.name}
        about["scene"] = example.object_id.partition("/")[0]
        for name, network in networks.items():
            found = answers(study, network, subject, questions)
            scores = zip(ways, found, strict=True)
            rows += [about | {"network": name, "way": way, "iou": a.iou} for way, a in scores]
    return pd.DataFrame(rows)


def usual_of_each(trainings: Mapping[str, Training], example: Example) -> dict[str, Question]:
    """The question that each training's own study asks about an object."""
    return {name: usual_question(study, example) for name, (study, _) in trainings.items()}


def of_each(
    trainings: Mapping[str, Training],
    measure: Callable[..., pd.DataFrame],
    examples: Sequence[Example],
    *rest: Any,
) -> pd.DataFrame:
    """One of the measurements above of several trainings, each asked in its own study's way."""
    parts = [
        measure(study, {name: network}, examples, *rest)
        for name, (study, network) in trainings.items()
    ]
    return pd.concat(parts, ignore_index=True)


def means(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean IoU (0-100): a row for each network and way, a column for each scene and for all."""
    rows = ["network", "way"]
    table = frame.pivot_table(index=rows, columns="scene", values="iou", sort=False)
    table["all"] = frame.groupby(rows, sort=False)["iou"].mean()
    return (100 * table).round(1)


def changes(frame: pd.DataFrame, usual: object) -> dict[str, dict[Any, Estimate]]:
    """For each network, by how much each way differs from the usual one, object by object."""
    found: dict[str, dict[Any, Estimate]] = {}
    for name in dict.fromkeys(frame["network"]):
        table = _by_object(frame, name)
        first = table[usual].to_numpy()[None]
        found[name] = {way: paired_difference(table[way].to_numpy()[None], first) for way in table}
    return found


def _by_object(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """One row per object, one column per way, in the order in which they were asked."""
    own = frame[frame["network"] == name]
    table = own.pivot_table(index="object_id", columns="way", values="iou", sort=False)
    return table[list(dict.fromkeys(own["way"]))].loc[list(dict.fromkeys(own["object_id"]))]


def by_attention(frame: pd.DataFrame) -> list[str]:
    """Networks in ``by_place``, first the one that a click beside the object harms most."""
    table = {name: _by_object(frame, name) for name in dict.fromkeys(frame["network"])}
    lost = {name: float(_lost(found).mean()) for name, found in table.items()}
    return sorted(lost, key=lambda name: -lost[name])


def _lost(table: pd.DataFrame) -> NDArray[np.float64]:
    """What each object's answer loses when the click falls beside it."""
    return (table["deepest"] - table["just outside"]).to_numpy()


def by_rank(frame: pd.DataFrame, examples: Sequence[Example], name: str, share: float) -> Example:
    """The object at a rank of what its answer loses when the click falls beside it.

    Ours: an object for a picture is chosen by rank, so that nobody picks the pretty one.

    Args:
        frame: of ``by_place``, with these examples.
        name: whose answers.
        share: 0 loses least, 1 most.
    """
    order = np.argsort(_lost(_by_object(frame, name)), kind="stable")
    return examples[int(order[round(share * (len(order) - 1))])]
