"""A photograph on the canvas: a large one is shown small, without losing its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.data.records import Box, Point

LONGEST_SHOWN_PX = 1024  # a canvas is at most 640 px wide, and screens have up to twice the pixels


@dataclass(frozen=True)
class Shown:
    """A photograph as the canvas has it, and the way between both grids.

    Ours: a photograph of more than 1024 px is shown smaller; the model is asked for its own
    pixels all the same, and what is kept is in its own pixels.

    Attributes:
        picture: (h, w, 3) uint8 RGB, what is painted.
        shape: (height, width) of the photograph itself.
    """

    picture: NDArray[np.uint8]
    shape: tuple[int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """Photograph pixels per shown pixel, down and across."""
        return self.shape[0] / self.picture.shape[0], self.shape[1] / self.picture.shape[1]

    def point_in_image(self, row: float, col: float) -> Point:
        """A shown point in the photograph's pixels; pixel centres lie at integers on both."""
        down, across = self.scale
        return Point((row + 0.5) * down - 0.5, (col + 0.5) * across - 0.5)

    def point_shown(self, row: float, col: float) -> Point:
        """The inverse of ``point_in_image``."""
        down, across = self.scale
        return Point((row + 0.5) / down - 0.5, (col + 0.5) / across - 0.5)

    def box_in_image(self, row0: float, col0: float, row1: float, col1: float) -> Box:
        """A shown half-open box in the photograph's pixels, cut off at its border."""
        (down, across), (height, width) = self.scale, self.shape
        rows = [min(max(row * down, 0.0), float(height)) for row in (row0, row1)]
        cols = [min(max(col * across, 0.0), float(width)) for col in (col0, col1)]
        return Box(rows[0], cols[0], rows[1], cols[1])

    def box_shown(self, box: Box) -> Box:
        """The inverse of ``box_in_image``."""
        down, across = self.scale
        return Box(box.row0 / down, box.col0 / across, box.row1 / down, box.col1 / across)

    def mask_shown(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A (H, W) mask of the photograph on the shown grid: the pixel at each centre."""
        height, width = self.picture.shape[:2]
        if mask.shape == (height, width):
            return mask
        down, across = self.scale
        rows = ((np.arange(height) + 0.5) * down).astype(np.intp)
        cols = ((np.arange(width) + 0.5) * across).astype(np.intp)
        return np.ascontiguousarray(mask[np.ix_(rows, cols)])


def shown(image: NDArray[np.uint8], longest_px: int = LONGEST_SHOWN_PX) -> Shown:
    """Make a photograph, (H, W, 3) uint8 RGB, small enough to be sent to a browser."""
    height, width = image.shape[:2]
    share = longest_px / max(height, width)
    if share >= 1.0:
        return Shown(image, (height, width))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return Shown(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (height, width))
