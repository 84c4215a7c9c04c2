"""What the colours around clicks say of a mask, for ``click_cut``.

Ours: all of this; the paper takes no corrections. A network that is told of the gap in a wheel
often gives up the wheel, too: what it changes needs the consent of the colours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.method.random_walk import FloatMap

CORE_WEIGHT = 4.0  # of a pixel that certainly has a click's label, beside one that only seems to
CLICK_WEIGHT = 20.0  # of the nine pixels at a click
SHADES, CELLS = 8, 6  # colours are one of SHADES^3, places one of CELLS^2


def likely_inside(
    inside: masks.BoolMask, core: masks.BoolMask, denied: masks.BoolMask,
    places: NDArray[np.int64], signs: NDArray[np.int64], image: NDArray[np.uint8],
) -> FloatMap:  # fmt: skip
    """(H, W) how much likelier such a colour is inside than outside, there and everywhere.

    Paper: none. Histograms of both labels, each of sum 1, over colours and places, blurred by
    (1 2 1) / 4 from place to place; the same without places is added.

    Args:
        inside: (H, W), the mask before the network's change, with the click's surroundings.
        core: (H, W), those surroundings, which count ``CORE_WEIGHT`` times.
        denied: (H, W), what may be as wrong as the clicked pixel, and does not count.
        places, signs: (N, 2) pixels and (N,) signs of all clicks.
        image: (H, W, 3).
    """
    weight = (~denied).astype(np.float32)
    inside = inside.copy()
    for (row, col), sign in zip(places.tolist(), signs.tolist(), strict=True):
        nine = slice(max(row - 1, 0), row + 2), slice(max(col - 1, 0), col + 2)
        weight[nine], inside[nine] = CLICK_WEIGHT, sign > 0
    weight[core] *= CORE_WEIGHT
    down, across = (np.arange(side) * CELLS // side for side in inside.shape)
    bins = ((down * CELLS)[:, None] + across) * SHADES**3 + _colours(image)
    said = []
    for one in (inside, ~inside):
        counts = np.bincount(bins[one], weight[one], CELLS**2 * SHADES**3).astype(np.float32)
        share = counts.reshape(CELLS, CELLS, -1) / max(float(counts.sum()), 1.0)
        here = _blurred(_blurred(share.swapaxes(0, 1)).swapaxes(0, 1))
        said.append((CELLS**2 * here + share.sum((0, 1)) + 1e-3).ravel())
    likely: FloatMap = (said[0] / (said[0] + said[1])).astype(np.float32)[bins]
    return likely


def _blurred(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half of each value and a quarter of both neighbours along the first axis; 0 beyond."""
    blurred = values * np.float32(0.5)
    blurred[1:] += values[:-1] / 4
    blurred[:-1] += values[1:] / 4
    return blurred


def _colours(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(h, w), each pixel's colour as one of SHADES^3."""
    return (image // (256 // SHADES)).astype(int) @ np.array([SHADES**2, SHADES, 1])


def with_colours(
    prior: FloatMap, image: NDArray[np.uint8], core: masks.BoolMask, share: float
) -> FloatMap:
    """The prior, (h, w), a share of it replaced by what the window's own colours say.

    Paper: none. Clicked surroundings count ``CORE_WEIGHT`` times.
    """
    colour = _colours(image)
    weight = np.where(core, CORE_WEIGHT, 1.0)
    seen = (prior > 0.5, prior <= 0.5)
    counts = [np.bincount(colour[one], weight[one], SHADES**3) for one in seen]
    inside, outside = (count / max(count.sum(), 1.0) + 1e-3 for count in counts)
    likely = (inside / (inside + outside))[colour]
    return ((1 - share) * prior + share * likely).astype(np.float32)
