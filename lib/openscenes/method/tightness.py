"""The tightness of the user's box: how well a mask fills it.

Ours: all of it; the paper uses the box as an input only. A box as a prior of masks: Lempitsky 2009.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openscenes.masks import BoolMask

LEVELS = (0.5, 0.4, 0.6, 0.3, 0.7)  # of thresholds; of equally good ones the first is taken


def tightness(
    masks: BoolMask, box: tuple[float, ...] | NDArray[np.float64], slack: float = 0.0
) -> NDArray[np.float64]:
    """How well the box of each mask is the user's: (K,) in [0, 1], 0 for an empty mask.

    Paper: none.  With b the mask's box, u the user's and s the slack,
    ``t = IoU(b, clip(b, u - s * side, u + s * side))``: the IoU of b with the box nearest to it
    that the user may have meant.

    Args:
        masks: (K, S, S) bool.
        box: half-open (row0, col0, row1, col1) in pixels of the crop.
        slack: share of the box's side by which each side may err.
    """
    rows, cols = np.any(masks, axis=2), np.any(masks, axis=1)
    first = [lines.argmax(1) for lines in (rows, cols)]
    last = [lines.shape[1] - lines[:, ::-1].argmax(1) for lines in (rows, cols)]
    own = np.stack([*first, *last], 1).astype(np.float64)
    user = np.asarray(box, np.float64)
    allowed = slack * np.tile(user[2:] - user[:2], 2)
    meant = np.clip(own, user - allowed, user + allowed)
    shared = np.minimum(own, meant)[:, 2:] - np.maximum(own, meant)[:, :2]
    both = _area(shared)
    union = _area(own[:, 2:] - own[:, :2]) + _area(meant[:, 2:] - meant[:, :2]) - both
    return np.where(np.any(rows, axis=1), both / np.maximum(union, 1e-9), 0.0)


def _area(sides: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(sides, 0.0).prod(1))


def tightest(
    q: NDArray[np.floating], box: tuple[float, ...], slack: float
) -> tuple[BoolMask, float]:
    """The (S, S) mask of q at the level where it is the tightest, and that level.

    Paper: none.  ``evidence_of`` has the rule.
    """
    above = np.stack([q > level for level in LEVELS])
    best = int(tightness(above, box, slack).argmax())
    return above[best], LEVELS[best]


def allowed_region(box: tuple[float, ...], size: int, slack: float) -> BoolMask:
    """(S, S) bool, the inside of the user's box, widened by a share of its side.

    Paper: none.
    """
    lines, user = np.arange(size), np.asarray(box, np.float64)
    wider = slack * np.tile(user[2:] - user[:2], 2) * [-1, -1, 1, 1]
    row0, col0, row1, col1 = user + wider - 0.5
    rows, cols = (row0 < lines) & (lines < row1), (col0 < lines) & (lines < col1)
    return rows[:, None] & cols
