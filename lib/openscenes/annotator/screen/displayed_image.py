"""An image as the canvas shows it, and how its own pixels and the shown ones correspond."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.data.records import Box, Point

LONGEST_DISPLAYED_PX = 1024  # a canvas is at most 640 px wide, screens have up to twice that


@dataclass(frozen=True)
class DisplayedImage:
    """An image as the canvas has it, and the way between both grids.

    An image of more than 1024 px is shown smaller; the model gets its own pixels all the same,
    and what is kept is in its own pixels.

    Attributes:
        pixels: (h, w, 3) uint8 RGB, what is painted.
        shape: (height, width) of the image itself.
    """

    pixels: NDArray[np.uint8]
    shape: tuple[int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """Image pixels per shown pixel, down and across."""
        return self.shape[0] / self.pixels.shape[0], self.shape[1] / self.pixels.shape[1]

    def point_in_image(self, row: float, col: float) -> Point:
        """A shown point in the image's pixels; pixel centres lie at integers on both."""
        down, across = self.scale
        return Point((row + 0.5) * down - 0.5, (col + 0.5) * across - 0.5)

    def point_displayed(self, row: float, col: float) -> Point:
        """The inverse of ``point_in_image``."""
        down, across = self.scale
        return Point((row + 0.5) / down - 0.5, (col + 0.5) / across - 0.5)

    def box_in_image(self, row0: float, col0: float, row1: float, col1: float) -> Box:
        """A shown half-open box in the image's pixels, cut off at its border."""
        sides = np.array([row0, col0, row1, col1]) * (self.scale * 2)
        return Box(*map(float, np.clip(sides, 0.0, self.shape * 2)))

    def box_displayed(self, box: Box) -> Box:
        """The inverse of ``box_in_image``."""
        return Box(*map(float, np.array(box) / (self.scale * 2)))

    def mask_displayed(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A (H, W) mask of the image on the shown grid: the pixel at each centre."""
        height, width = self.pixels.shape[:2]
        if mask.shape == (height, width):
            return mask
        down, across = self.scale
        rows = ((np.arange(height) + 0.5) * down).astype(np.intp)
        cols = ((np.arange(width) + 0.5) * across).astype(np.intp)
        return np.ascontiguousarray(mask[np.ix_(rows, cols)])


def displayed(image: NDArray[np.uint8], longest_px: int = LONGEST_DISPLAYED_PX) -> DisplayedImage:
    """Make an image, (H, W, 3) uint8 RGB, small enough to be sent to a browser."""
    height, width = image.shape[:2]
    share = longest_px / max(height, width)
    if share >= 1.0:
        return DisplayedImage(image, (height, width))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return DisplayedImage(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (height, width))
