"""An image as the canvas has it: as large as a screen needs, with masks to fit."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST_DISPLAYED_PX = 1024  # of the whole image; of what is zoomed into the canvas asks for more


@dataclass(frozen=True)
class DisplayedImage:
    """An image as the canvas has it.

    An image of more than 1024 px is shown smaller; boxes, clicks and masks are in the image's own
    pixels all the same, and what is zoomed into comes with them, see ``Canvas.view``.

    Attributes:
        pixels: (h, w, 3) uint8 RGB, what is painted.
        shape: (height, width) of the image itself.
    """

    pixels: NDArray[np.uint8]
    shape: tuple[int, int]

    def mask_displayed(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A (H, W) mask of the image on the shown grid: the pixel at each centre."""
        height, width = self.pixels.shape[:2]
        return sampled(mask, (height, width))


def sampled(mask: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A (H, W) mask on a grid of another (height, width): the pixel at each centre."""
    if mask.shape == shape:
        return mask
    rows, cols = (
        ((np.arange(wanted) + 0.5) * there / wanted).astype(np.intp)
        for wanted, there in zip(shape, mask.shape, strict=True)
    )
    return np.ascontiguousarray(mask[np.ix_(rows, cols)])


def displayed(image: NDArray[np.uint8], longest_px: int = LONGEST_DISPLAYED_PX) -> DisplayedImage:
    """Make an image, (H, W, 3) uint8 RGB, small enough to be sent to a browser."""
    height, width = image.shape[:2]
    share = longest_px / max(height, width)
    if share >= 1.0:
        return DisplayedImage(image, (height, width))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return DisplayedImage(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (height, width))
