"""A crop's map comes back into its image: only the window that it covers is computed."""

from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.data.crops import Affine, apply, invert
from openscenes.masks import Window


class Pasted(NamedTuple):
    """A crop's values in the window of its image that they cover; outside it they are 0.

    Attributes:
        values: (h, w) of the window's pixels.
        row0, col0: its first pixel in the image.
    """

    values: NDArray[Any]
    row0: int = 0
    col0: int = 0

    @property
    def window(self) -> Window:
        """Half-open (row0, col0, row1, col1) in pixels of the image."""
        height, width = self.values.shape
        return self.row0, self.col0, self.row0 + height, self.col0 + width

    def within(self, window: Window, order: Literal["C", "F"] = "C") -> NDArray[Any]:
        """The values in another window, (h, w); 0 where this one does not reach.

        ``order``: in memory; run-length codes go column by column, "F".
        """
        row0, col0, row1, col1 = window
        shown = np.zeros((row1 - row0, col1 - col0), self.values.dtype, order)
        if (both := masks.overlap(window, self.window)) is not None:
            shown[_part(both, row0, col0)] = self.values[_part(both, self.row0, self.col0)]
        return shown

    def on(self, other: Window | None) -> Window:
        """The smallest window around this one and another."""
        if other is None or self.values.size == 0:
            return other or self.window
        (row0, col0, row1, col1), (top, left, bottom, right) = self.window, other
        return min(row0, top), min(col0, left), max(row1, bottom), max(col1, right)


def _part(window: Window, row0: int, col0: int) -> tuple[slice, slice]:
    top, left, bottom, right = window
    return slice(top - row0, bottom - row0), slice(left - col0, right - col0)


NOTHING = Pasted(np.zeros((0, 0), np.float32))
_OVERSHOOT = 0.65  # no bicubic value is over t where all 16 around it are below 0.69 t


def pasted(
    probability: NDArray[np.float32],
    affine: Affine,
    shape: tuple[int, int],
    *,
    above: float = 0.0,
) -> Pasted:
    """Bring a crop back to the window that it covers in its image.

    Bicubic as in IOG, clipped to [0, 1], in coordinates of float32: bit by bit what OpenCV's
    ``warpAffine`` gives on the whole image.  (Its answer for a window is another, in the last bits
    of a value and sometimes in a mask, as it counts coordinates from the window's corner.)

    Args:
        probability: (S, S) in [0, 1].
        affine: from the image to the crop.
        shape: (height, width) of the image.
        above: leave out where no value can reach this one.
    """
    support: Window | None = (0, 0, probability.shape[0], probability.shape[1])
    if above > 0:
        support = masks.tight_box(probability > _OVERSHOOT * above)
    if support is None:
        return NOTHING
    top, left, bottom, right = support
    corners = np.array([(x, y) for y in (top - 3.0, bottom + 2) for x in (left - 3.0, right + 2)])
    reach = apply(invert(affine), corners)
    col0, row0 = np.clip(np.floor(reach.min(axis=0)), 0, shape[::-1]).astype(int).tolist()
    col1, row1 = np.clip(np.ceil(reach.max(axis=0)) + 1, 0, shape[::-1]).astype(int).tolist()
    if row0 >= row1 or col0 >= col1:
        return NOTHING
    (xx, xy, x0), (yx, yy, y0) = affine.astype(np.float32)
    cols = np.arange(col0, col1, dtype=np.float32)[None]
    rows = np.arange(row0, row1, dtype=np.float32)[:, None]
    xs, ys = cols * xx + (rows * xy + x0), rows * yy + (cols * yx + y0)
    values = cv2.remap(probability, xs, ys, cv2.INTER_CUBIC)
    return Pasted(np.clip(values, 0.0, 1.0, out=values), row0, col0)


def paste(
    probability: NDArray[np.float32], affine: Affine, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """``pasted``, on the whole image: (height, width), zero outside the crop."""
    return pasted(probability, affine, shape).within((0, 0, *shape))
