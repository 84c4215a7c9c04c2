"""One object with its ground truth, and what a user gives for it: box, point, and their form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from openscenes.data.examples import Example
from openscenes.data.records import Box, Interaction, ObjectRecord, Point
from openscenes.errors import InputError
from openscenes.seeding import numpy_generator
from openscenes.settings import count_parameter
from openscenes.study.plan.on_demand import n_objects_evenly
from openscenes.study.runs.data import Study, validation
from openscenes.widgets.controls import control

BoolMask = NDArray[np.bool_]
Part = Literal["colours", "foreground", "background"]


@dataclass(frozen=True)
class Subject:
    """One object with ground truth: (H, W, 3) uint8 image, (H, W) bool truth and void pixels."""

    example: Example
    name: str
    image: NDArray[np.uint8]
    truth: BoolMask
    void: BoolMask

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.truth.shape[0], self.truth.shape[1]


@dataclass(frozen=True)
class UserInput:
    """A box and a point in image pixels, and how they are shown to the network.

    Attributes:
        interaction: as the user gave it.
        heat_map_width_px: full width at half maximum of the Gaussians, in pixels of a 512 crop.
        margin_px: by how much the crop is wider than the box, in image pixels.
        widened: share of its height and width by which the box grows at each side; below 0 it
            shrinks.
        jitter: standard deviation of each side's error, as a share of the box's height or width.
        draw: which errors are drawn.
        without: channels left out; colours become their mean, heat maps 0.
    """

    interaction: Interaction
    heat_map_width_px: float = control("Gaussians, px", low=1.0, high=120.0, step=1.0)
    margin_px: float = control("margin, px", low=0.0, high=90.0, step=1.0)
    widened: float = control("box widened by", 0.0, low=-0.4, high=1.0, step=0.02)
    jitter: float = control("box jitter", 0.0, low=0.0, high=0.4, step=0.02)
    draw: int = control("jitter, draw no.", 0, low=0, high=20, step=1)
    without: tuple[Part, ...] = ()


def read_subject(study: Study, example: Example) -> Subject:
    """Read image and ground truth of a labelled example."""
    record = example.supervision
    if not isinstance(record, ObjectRecord):
        raise InputError(
            f"object {example.object_id} has no ground truth to compare with; take one of "
            'validation(study, "voc").examples'
        )
    truth, void = study.cache.supervision(example)
    nothing = np.zeros_like(truth)
    image = study.cache.image(example.image)
    return Subject(example, record.class_name, image, truth, nothing if void is None else void)


def name_of(example: Example) -> str:
    """The object's class, for a menu."""
    record = example.supervision
    return record.class_name if isinstance(record, ObjectRecord) else "an object without label"


def validation_objects(study: Study, n: int) -> dict[str, list[Example]]:
    """At most n objects of each of the three validation sets, evenly from its list."""
    n_each = count_parameter("n_objects", n)
    return {
        name: n_objects_evenly(validation(study, name).examples, n_each)
        for name in ("voc", "cityscapes", "coco")
    }


def flat(objects: Mapping[str, Sequence[Example]]) -> list[Example]:
    """The objects of all sets, set by set."""
    return [example for examples in objects.values() for example in examples]


def usual_input(study: Study, example: Example) -> UserInput:
    """The simulated user's box and point, as in the study's tables."""
    profile = study.profile
    return UserInput(example.interaction, profile.clicks.heat_map_width_px, profile.crop.margin_px)


def with_point(user_input: UserInput, point: Point) -> UserInput:
    """The same input with another click."""
    return replace(user_input, interaction=Interaction(user_input.interaction.box, point))


def with_box(user_input: UserInput, box: Box) -> UserInput:
    """The same input with another, exact box; a point outside it moves to its middle."""
    point = user_input.interaction.point
    if not (box.row0 <= point.row < box.row1 and box.col0 <= point.col < box.col1):
        point = Point((box.row0 + box.row1 - 1) / 2, (box.col0 + box.col1 - 1) / 2)
    return replace(user_input, interaction=Interaction(box, point), widened=0.0, jitter=0.0)


def inside(point: Point, shape: tuple[int, ...]) -> Point:
    """The nearest point within an image of (height, width)."""
    row = float(np.clip(point.row, 0, shape[0] - 1))
    return Point(row, float(np.clip(point.col, 0, shape[1] - 1)))


def shown_box(user_input: UserInput, shape: tuple[int, int]) -> Box:
    """The box after widening and jitter: within an image of (height, width), 2 px at least."""
    box = user_input.interaction.box
    sides = np.array([box.row1 - box.row0, box.col1 - box.col0] * 2)
    outwards = np.array([-1.0, -1.0, 1.0, 1.0]) * user_input.widened
    errors = user_input.jitter * numpy_generator("explorer jitter", user_input.draw).normal(size=4)
    moved = np.array(box) + (outwards + errors) * sides
    row0, row1 = _side(moved[0], moved[2], shape[0])
    col0, col1 = _side(moved[1], moved[3], shape[1])
    return Box(row0, col0, row1, col1)


def _side(start: float, end: float, length: int) -> tuple[float, float]:
    """Start and end in order, inside 0..length, at least 2 px apart."""
    low, high = np.clip(sorted((start, end)), 0.0, length)
    low = min(low, length - 2.0)
    return float(low), float(max(high, low + 2.0))
