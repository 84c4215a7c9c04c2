"""The simulated user who corrects a mask: the next click goes to the middle of the larger error.

The rule of RITM, f-BRS and SimpleClick, one and the same in all three; the peers of Table 1 are
measured with it, and so is the refinement of IOG.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from openscenes import masks
from openscenes.data.interactions import depth


class Click(NamedTuple):
    """One click in pixels; ``sign`` is +1 on the object and -1 outside it."""

    row: int
    col: int
    sign: int


def next_click(
    prediction: masks.BoolMask,
    truth: masks.BoolMask,
    void: masks.BoolMask | None = None,
    clicked: Sequence[tuple[int, int]] = (),
) -> Click | None:
    """Where a user clicks who sees the prediction and knows the truth.

    RITM: of the missing and the superfluous pixels, each taken without void, the user clicks the
    deepest one, that is the one farthest from all pixels outside its kind of error; the image's
    border counts as outside. A positive click needs the missing pixels to be strictly deeper. Of
    equally deep pixels the first in raster order is clicked. The first click, on an empty
    prediction, is the deepest pixel of the object.
    Ours: where every wrong pixel has been clicked there is no next click; RITM would click the
    corner of the image.

    Args:
        prediction: (H, W) bool, what the user sees.
        truth: (H, W) bool.
        void: (H, W) bool, pixels that nobody judges, or None.
        clicked: (row, col) of earlier clicks, which are not repeated.
    Returns:
        The click, or None where nothing is left to correct.
    """
    counted = np.True_ if void is None else ~void
    missing, place = _deepest(truth & ~prediction & counted, clicked)
    superfluous, other_place = _deepest(prediction & ~truth & counted, clicked)
    if max(missing, superfluous) == 0:
        return None
    if missing > superfluous:
        return Click(*place, sign=1)
    return Click(*other_place, sign=-1)


def _deepest(
    error: masks.BoolMask, clicked: Sequence[tuple[int, int]]
) -> tuple[float, tuple[int, int]]:
    """Depth and place of the deepest pixel of a (H, W) mask that is not yet clicked.

    Only the tight box is looked at. That is exact: any pixel outside it has a nearer one on the
    frame around the box, which holds no error either.
    """
    box = masks.tight_box(error)
    if box is None:
        return 0.0, (0, 0)
    row0, col0, row1, col1 = box
    depths = depth(error[row0:row1, col0:col1])
    for row, col in clicked:
        if row0 <= row < row1 and col0 <= col < col1:
            depths[row - row0, col - col0] = 0.0
    row, col = divmod(int(depths.argmax()), depths.shape[1])
    return float(depths[row, col]), (row0 + row, col0 + col)
