"""IoU after each click, and what is read off it: clicks to reach a target, IoU after k clicks.

Every number about clicks comes from the same curves, an (n_objects, n_clicks) array. The peers of
the paper's Table 1 are compared by both: NoC (number of clicks) and IoU after three clicks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from openscenes.data.interactions import Click
from openscenes.errors import InputError
from openscenes.study.profiles import LIMIT
from openscenes.study.scores.continual import Values

MAX_CLICKS = 20


class Judged(NamedTuple):
    """What a user says to a prediction: its IoU, and where to click next if anything is wrong."""

    iou: float
    click: Click | None


Respond = Callable[[Sequence[Sequence[Click]], int], Sequence[Judged]]


def noc(curves: NDArray[np.float64], target: float, limit: int = LIMIT) -> NDArray[np.int64]:
    """Number of clicks until the IoU first reaches the target, for each object.

    RITM: an object that does not reach it within the curve or the limit counts ``limit``.
    Success at the last click is a success.

    Args:
        curves: (..., n_objects, n_clicks) float, IoU after 1, 2, ... clicks.
    Returns:
        (..., n_objects) int64 in [1, limit].
    Raises:
        InputError: if the curves have another form or the limit is below 1.
    """
    reached = _reached(curves, target, limit)
    return np.where(reached.any(axis=-1), 1 + reached.argmax(axis=-1), limit)


def never_reached(
    curves: NDArray[np.float64], target: float, limit: int = LIMIT
) -> NDArray[np.bool_]:
    """(..., n_objects) bool: which objects count ``limit`` in ``noc`` without having reached it."""
    return np.logical_not(_reached(curves, target, limit).any(axis=-1))


class ClickCurve(NamedTuple):
    """IoU of one system click by click on one test set.

    A box with a point counts three clicks and extreme points four, as the paper counts them.

    Attributes:
        first: clicks that its first prediction takes: 1, or 3 or 4 where a box comes first.
        iou: (n_seeds, n_objects, n_clicks) IoU in 0-1 after click first, first + 1, ...; one
            prediction only for a system that takes no further click.
        images: of each object, as ``statistics.images_of`` names them; None: objects are drawn.
    """

    first: int
    iou: Values
    images: Sequence[str] | None = None

    def noc(self, target: float, limit: int = LIMIT) -> NDArray[np.int64]:
        """(n_seeds, n_objects) clicks in all until the IoU reaches the target, else ``limit``."""
        return self.first - 1 + noc(self.iou, target, self._columns(limit))

    def never_reached(self, target: float, limit: int = LIMIT) -> NDArray[np.bool_]:
        """(n_seeds, n_objects): which do not reach the target within ``limit`` clicks."""
        return never_reached(self.iou, target, self._columns(limit))

    def upto(self, max_clicks: int) -> ClickCurve:
        """The curve without what lies after ``max_clicks`` clicks."""
        return self._replace(iou=self.iou[..., : self._columns(max_clicks)])

    def _columns(self, limit: int) -> int:
        """How many columns have cost at most ``limit`` clicks."""
        if limit < self.first:
            raise InputError(
                f"a first prediction that costs {self.first} clicks is over the limit of {limit}; "
                "raise the limit"
            )
        return limit - self.first + 1


def simulate(respond: Respond, nothing: Sequence[Judged], n_clicks: int) -> NDArray[np.float64]:
    """Let a simulated user segment a batch of objects in lockstep, from empty masks on.

    RITM: the user of ``next_click``; nothing stops early, so that NoC and IoU at k come from one
    run.

    Args:
        respond: called with the clicks of each object so far, in image pixels, and the step from
            0; returns what the user says to each new prediction.
        nothing: what the user says to an empty mask of each object.
        n_clicks: clicks to simulate.
    Returns:
        (n_objects, n_clicks) float64 IoU after each click.
    Raises:
        InputError: if an object has no pixel to click on.
    """
    for index, judged in enumerate(nothing):
        if judged.click is None:
            raise InputError(
                f"object {index} of the batch has no pixel to click on: "
                "leave out objects that are empty or lie in void"
            )
    return refine(respond, nothing, n_clicks)[:, 1:]


def refine(respond: Respond, first: Sequence[Judged], n_clicks: int) -> NDArray[np.float64]:
    """Let a simulated user correct predictions that are there already, as after a box and a point.

    An object without an error left keeps its prediction and its IoU; it is still passed to
    ``respond``, with its clicks as they were.

    Args: as ``simulate``; ``first`` is what the user says to the given predictions, and
        ``respond`` gets the corrections only.

    Returns:
        (n_objects, 1 + n_clicks) float64; column 0 is the IoU of the given predictions.
    """
    lists: list[list[Click]] = [[] for _ in first]
    last, columns = list(first), [[one.iou for one in first]]
    for step in range(n_clicks):
        for clicks, one in zip(lists, last, strict=True):
            clicks += [] if one.click is None else [one.click]
        if any(one.click is not None for one in last):
            new = respond(lists, step)
            last = [old if old.click is None else one for old, one in zip(last, new, strict=True)]
        columns.append([one.iou for one in last])
    return np.array(columns, dtype=np.float64).T


def _reached(curves: NDArray[np.float64], target: float, limit: int) -> NDArray[np.bool_]:
    if limit < 1:
        raise InputError(f"a limit of {limit} clicks leaves none to count; give at least 1")
    return _checked(curves)[..., :limit] >= target


def _checked(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    if curves.ndim < 2 or curves.shape[-1] < 1:
        raise InputError(
            f"curves must be (..., n_objects, n_clicks) with at least one click, got {curves.shape}"
        )
    return curves
