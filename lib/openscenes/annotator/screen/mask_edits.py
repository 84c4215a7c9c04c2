"""Corrections of a mask by hand: strokes, corners of its outline, smoothing, holes, parts.

Masks are (H, W) bool; points are (row, col), pixel centres lie at whole numbers.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openscenes.masks import BoolMask

Points = Sequence[Sequence[float]]
Ring = dict[str, Any]  # {"hole": bool, "points": [[row, col], ...]}
_BITS = 4  # of a coordinate behind the point, in OpenCV
_SMOOTHING, _SIMPLER = 0.015, 0.01  # shares of the square root of a mask's area
_MOST_RINGS = 60


def stroked(shape: tuple[int, int], points: Points, radius: float) -> BoolMask:
    """What a round brush of ``radius`` pixels covers on its way along the points."""
    drawn = np.zeros(shape, np.uint8)
    way = [*points, points[-1]]  # a line of one point alone is not drawn
    line = np.round(np.array(way, float)[:, None, ::-1] * 2**_BITS).astype(np.int32)
    thickness = max(1, round(2 * radius))
    cv2.polylines(drawn, [line], False, 1, thickness, shift=_BITS)
    return drawn.astype(bool)


def smoothed(mask: BoolMask) -> BoolMask:
    """The mask without spikes and notches that are thin for its size: blurred, cut at a half."""
    sigma = max(1.0, _SMOOTHING * float(np.sqrt(mask.sum())))
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma) > 0.5


def filled(mask: BoolMask) -> BoolMask:
    """The mask without holes."""
    return np.asarray(ndimage.binary_fill_holes(mask), bool)


def largest(mask: BoolMask) -> BoolMask:
    """The largest part of a mask alone; parts that touch at a corner are one."""
    n, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return mask if n < 3 else labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()


def rings_of(mask: BoolMask) -> list[Ring]:
    """The outlines of a mask's parts and holes, with few corners, largest first.

    The points are pixels of the part, or of the hole.
    """
    tolerance = max(1.0, _SIMPLER * float(np.sqrt(mask.sum())))
    found = [(hole, ring) for hole, part in ((False, mask), (True, filled(mask) & ~mask))
             for ring in _outlines(part, tolerance)]  # fmt: skip
    found.sort(key=lambda one: -cv2.contourArea(one[1]))
    return [
        {"hole": hole, "points": ring[:, 0, ::-1].tolist()} for hole, ring in found[:_MOST_RINGS]
    ]


def reformed(mask: BoolMask, before: Points, after: Points, *, hole: bool) -> BoolMask:
    """The mask once an outline has other corners: it changes only between both outlines."""
    old, new = (inside(mask.shape, ring) for ring in (before, after))
    return np.where(old != new, new != hole, mask)


def inside(shape: tuple[int, ...], ring: Points) -> BoolMask:
    """What lies within an outline, the pixels of its line included."""
    drawn = np.zeros(shape, np.uint8)
    cv2.fillPoly(drawn, [np.round(np.array(ring, float)[:, None, ::-1]).astype(np.int32)], 1)
    return drawn.astype(bool)


def _outlines(part: BoolMask, tolerance: float) -> list[NDArray[np.int32]]:
    rings, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    simple = (cv2.approxPolyDP(ring, tolerance, True) for ring in rings)
    return [np.asarray(ring, np.int32) for ring in simple if len(ring) > 2]
