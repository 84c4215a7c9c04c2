"""What a user's hand gives, as the log has it: clicks and strokes, read from a line."""

from collections.abc import Sequence
from math import nan
from typing import Any, NamedTuple

import numpy as np

from openscenes.files import number

_NUMBER = int | float | np.number


class Click(NamedTuple):
    """A click in image pixels; sign +1 = inside, -1 = outside; seconds since the first action."""

    row: float
    col: float
    sign: int
    seconds: float


class Stroke(NamedTuple):
    """What a brush (sign +1) or an eraser (-1) passed over: radius and (row, col) points."""

    radius: float
    sign: int
    points: tuple[tuple[float, float], ...]


def listed(value: object) -> Sequence[Any]:
    """A list as it is; nothing in place of what is none."""
    return value if isinstance(value, list | tuple) else ()


def numbers(values: object) -> list[float]:
    """Four floats; nan in place of what is none."""
    four = listed(values)
    if len(four) != 4:
        return [nan] * 4
    return [value if type(value) is float else _number(value) for value in four]


def _number(value: object) -> float:
    found = number(value)
    return nan if found is None else found


def click_of(values: object) -> Click:
    """A click that may be none: nan, and 0 for its sign, in place of what is wrong."""
    row, col, sign, seconds = numbers(values)
    return Click(row, col, int(sign) if sign in (1, -1) else 0, seconds)


def stroke_of(value: object) -> Stroke:
    """The same of a stroke."""
    radius, sign, points = (*listed(value), None, None, None)[:3]
    pairs = ((*listed(point), nan, nan)[:2] for point in listed(points))
    return Stroke(
        _number(radius), int(sign) if sign in (1, -1) else 0,
        tuple((_number(row), _number(col)) for row, col in pairs),
    )  # fmt: skip


def is_stroke(stroke: Stroke, reach: float) -> bool:
    """Whether nothing is wrong with a stroke on an image of that reach."""
    places = [at for point in stroke.points for at in point]
    sized = all_within([stroke.radius], 0, reach) and stroke.sign in (1, -1)
    return bool(places) and sized and all_within(places, -reach, reach)


def all_within(values: Sequence[float], low: float, high: float) -> bool:
    """Whether all are numbers in [low, high]; nan is in no range."""
    return all(isinstance(value, _NUMBER) and low <= value <= high for value in values)
