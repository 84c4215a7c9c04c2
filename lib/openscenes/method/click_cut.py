"""A click is obeyed: its pixel has the user's label, and so has what looks like it around it.

Ours: all of this; the paper takes no corrections. The cut is a random walk with priors (Grady 2005)
in a window around the click: clicks are seeds, the network's probability and what colours say are
the prior, and a walker rarely crosses an edge of the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.errors import InputError
from openscenes.method import click_colours
from openscenes.method.random_walk import FloatMap, WalkConfig, walked
from openscenes.settings import require_between, setting

LEAST_SPREAD = 4.0  # of colours, in units of CIELAB: in fog, noise is no difference


@dataclass(frozen=True)
class CutConfig:
    """How far a click reaches; lengths are shares of its distance to the mask's border.

    A user who clicks in the middle of an error says by that distance how large it is at most.
    """

    core: float = setting(0.5, "Ours: radius that certainly has the click's label")
    window: float = setting(2.5, "Ours: radius of the window that the cut may change")
    least_px: float = setting(14.0, "Ours: radius of the window at least, in pixels of the crop")
    longest: float = setting(0.25, "Ours: the distance is at most this share of the crop's side")
    unsure: float = setting(0.5, "Ours: a label that the click denies counts from this trust on")
    colours: float = setting(0.5, "Ours: share of the colours in what the network says")
    unlike: float = setting(
        0.22,
        "Ours: shares of the crop's side that one deviation of its colours counts",
    )
    walk: WalkConfig = WalkConfig()

    def __post_init__(self) -> None:
        require_between(self, 0.0, 1e3, "core", "window", "longest", "least_px", "unlike")
        require_between(self, 0.0, 1.0, "unsure", "colours")


def obey(
    probability: FloatMap,
    image: NDArray[np.uint8],
    previous: FloatMap,
    clicks: NDArray[np.float32],
    *,
    n_new: int = 1,
    taken: masks.BoolMask | None = None,
    threshold: float = 0.5,
    config: CutConfig = CutConfig(),
) -> FloatMap:
    """The answer in which every click is obeyed, given the network's and the one before.

    Paper: none. With x the answer in the window, p the network's probability and w a weight that
    falls with the difference of two neighbours' colours,
    ``min_x sum_ij w_ij (x_i - x_j)^2 + sum_i t_i (x_i - p_i)^2``, x fixed around the new click and
    beyond its window; trust t grows from 0 at the click.
    Half of p is how often such a colour is inside near such a place (``click_colours``).
    Ours: each pixel belongs to its nearest click, by place and colour. A new one changes its own
    pixels alone, and only to its label; so no correction undoes an earlier one, whatever the
    network says. Beyond the window what network and colours change counts where it hangs together
    with the click (FocalClick).

    Args:
        probability: (H, W) in [0, 1], the network's, from all clicks.
        image: (H, W, 3), the same crop.
        previous: (H, W) in [0, 1], the answer before the new clicks; it is returned as it is if
            all new clicks agree with its mask.
        clicks: (K, 3) row, col and sign (+1 inside, -1 outside) in pixels of the crop, the oldest
            first. Of two on one pixel the later one counts.
        n_new: so many of the last are new; a scribble is several at once, in any order.
        taken: (H, W) bool, masks of neighbours; background, but for each connected part that a
            positive click lies in.
        threshold: the mask is where the answer exceeds it.
    Returns:
        (H, W) float32.
    Raises:
        InputError: if the shapes differ or there is no new click.
    """
    _check(probability, image, previous, clicks, n_new)
    places, signs, new = _seeds(clicks, n_new, probability.shape)
    inside = previous > threshold
    new &= inside[places[:, 0], places[:, 1]] != (signs > 0)
    if not new.any():
        return previous
    add, remove = _own(places, signs, new, image, config)
    if taken is not None:
        taken = still_taken(taken, places[signs > 0])
        remove, add = remove | taken, add & ~taken
    low, high = np.where(remove, 0.0, previous), np.where(add, 1.0, previous)
    reach = _reach(inside, places, signs, config)[new]
    core, trust = _around(places[new], reach, inside.shape, config)
    denied = (trust < config.unsure) & np.where(inside, remove, add) & ~core
    likely = click_colours.likely_inside(
        np.where(core, add, inside), core, denied, places, signs, image
    )
    scale = ((0.0, threshold, 1.0), (0.0, 0.5, 1.0))  # the cut's own border lies at one half
    said = probability + config.colours * (np.interp(likely, *scale[::-1]) - probability)
    answer = np.clip(np.where(core, add, said), low, high).astype(np.float32)
    apart = _apart((answer > threshold) != inside, places[new])
    answer[apart] = previous[apart]
    held = core | (trust >= 1) | ~(add | remove)
    if taken is not None:
        answer[taken], held = 0.0, held | taken
    area = _area(~held)
    prior = np.interp(answer[area], *scale).astype(np.float32)
    prior = np.where(
        held[area],
        prior,
        click_colours.with_colours(prior, image[area], core[area], config.colours),
    )
    found = np.interp(
        walked(prior, image[area], trust[area], held[area], config.walk), *scale[::-1]
    )
    answer[area] = np.where(held[area], answer[area], np.clip(found, low[area], high[area]))
    for (row, col), sign in zip(places.tolist(), signs.tolist(), strict=True):
        _put(answer, row, col, sign > 0, add if sign > 0 else remove, threshold)
    return answer


def _put(
    answer: FloatMap, row: int, col: int, inside: bool, own: masks.BoolMask, threshold: float
) -> None:
    """Give a click's pixel its label where it lacks it, and the eight around it that it may change.

    Nine pixels are what is left of a click for certain where the crop is pasted into its image.
    """
    area = slice(max(row - 1, 0), row + 2), slice(max(col - 1, 0), col + 2)
    here = own[area]
    answer[area][here] = inside
    if (answer[row, col] > threshold) != inside:
        answer[row, col] = inside


def mark(
    mask: masks.BoolMask, clicks: NDArray[np.floating] | None, row0: int = 0, col0: int = 0
) -> None:
    """Give the pixels that were clicked their labels, in place; the later click counts.

    Paper: none. A crop of fewer pixels than its image cannot tell two close clicks apart.

    Args:
        mask: (h, w), a window of an image from its pixel (row0, col0) on.
        clicks: (K, 3) row, col, sign in pixels of the image; None for none.
    """
    for row, col, sign in () if clicks is None else clicks.tolist():
        place = round(row) - row0, round(col) - col0
        if 0 <= place[0] < mask.shape[0] and 0 <= place[1] < mask.shape[1]:
            mask[place] = sign > 0


def _check(
    probability: FloatMap, image: NDArray[np.uint8], previous: FloatMap,
    clicks: NDArray[np.float32], n_new: int,
) -> None:  # fmt: skip
    shape = probability.shape
    if image.shape != (*shape, 3) or previous.shape != shape:
        raise InputError(
            f"the probability is {shape}, the image {image.shape} and the answer before "
            f"{previous.shape}; give (H, W), (H, W, 3) and (H, W) of one crop"
        )
    if clicks.ndim != 2 or clicks.shape[1] != 3 or not 1 <= n_new <= len(clicks):
        raise InputError(
            f"the clicks have shape {clicks.shape} and {n_new} are new; give (K, 3) of row, col "
            "and sign, of which 1 to K are new"
        )


def _seeds(
    clicks: NDArray[np.float32], n_new: int, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Pixels (N, 2), signs (N,) and which are new; of several on one pixel the last."""
    last = {}
    rounded = np.clip(np.rint(clicks[:, :2]), 0, np.array(shape) - 1).astype(int)
    for number, (place, sign) in enumerate(zip(rounded.tolist(), clicks[:, 2], strict=True)):
        last[tuple(place)] = (1 if sign > 0 else -1, number >= len(clicks) - n_new)
    signs, new = zip(*last.values(), strict=True)
    return np.array(list(last)), np.array(signs), np.array(new)


def still_taken(taken: masks.BoolMask, inside: NDArray[np.int64]) -> masks.BoolMask:
    """The neighbours' pixels without the connected parts that a positive click lies in.

    Paper: none.

    Args:
        taken: (H, W) bool.
        inside: (N, 2) rows and columns of the positive clicks.
    """
    _, parts = cv2.connectedComponents(taken.view(np.uint8), connectivity=4)
    return taken & ~np.isin(parts, parts[inside[:, 0], inside[:, 1]])


def _reach(
    inside: masks.BoolMask, places: NDArray[np.int64], signs: NDArray[np.int64], config: CutConfig
) -> NDArray[np.float64]:
    """Distance of each click, (N,), to the nearest pixel that has its label already."""
    rows, cols = places.T
    to_mask, to_outside = (masks.distance_to_outside(one) for one in (~inside, inside))
    nearest = np.where(signs > 0, to_mask[rows, cols], to_outside[rows, cols])
    return np.minimum(nearest, config.longest * max(inside.shape))


def _own(
    places: NDArray[np.int64], signs: NDArray[np.int64], new: NDArray[np.bool_],
    image: NDArray[np.uint8], config: CutConfig,
) -> tuple[masks.BoolMask, masks.BoolMask]:  # fmt: skip
    """What the new clicks may add and remove: nearer to one than to any click of the other sign.

    Squared distances of places and of colours, in deviations of the crop's times ``unlike``, add.
    """
    height, width = image.shape[:2]
    smooth = cv2.GaussianBlur(image, (0, 0), 0.8).astype(np.float32) / 255
    colours = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB).transpose(2, 0, 1)
    spread = max(float(np.sqrt(colours.var((1, 2)).sum())), LEAST_SPREAD)
    colours *= config.unlike * max(height, width) / spread
    seen = np.concatenate((colours, np.mgrid[:height, :width].astype(np.float32)))
    add, remove = (
        _nearest(seen, places[new & (signs == sign)]) < _nearest(seen, places[signs == -sign])
        for sign in (1, -1)
    )
    return add, remove


def _nearest(seen: FloatMap, places: NDArray[np.int64]) -> FloatMap:
    """(H, W) squared distances of (C, H, W) values to the nearest of some pixels', or inf."""
    nearest = np.full(seen.shape[1:], np.inf, np.float32)
    for row, col in places.tolist():
        np.minimum(nearest, np.square(seen - seen[:, row, col, None, None]).sum(0), out=nearest)
    return nearest


def _around(
    places: NDArray[np.int64], reach: NDArray[np.float64], shape: tuple[int, ...], config: CutConfig
) -> tuple[masks.BoolMask, FloatMap]:
    """Around the new clicks: what has their label for certain, and the trust in the network.

    Trust is the squared distance to the click as a share of its window's radius, 1 beyond.
    """
    core, trust = np.zeros(shape, bool), np.ones(shape, np.float32)
    for (row, col), far in zip(places.tolist(), reach.tolist(), strict=True):
        radius = max(config.window * far, config.least_px)
        rows = np.arange(max(row - int(radius), 0), min(row + int(radius) + 1, shape[0]))
        cols = np.arange(max(col - int(radius), 0), min(col + int(radius) + 1, shape[1]))
        area = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
        squared = np.square(rows - float(row))[:, None] + np.square(cols - float(col))
        core[area] |= squared <= (config.core * far) ** 2
        np.minimum(trust[area], squared / radius**2, out=trust[area])
    return core, trust


def _apart(changed: masks.BoolMask, places: NDArray[np.int64]) -> masks.BoolMask:
    """The changed pixels that do not hang together with a new click."""
    _, parts = cv2.connectedComponents(changed.view(np.uint8), connectivity=4)
    return changed & ~np.isin(parts, parts[places[:, 0], places[:, 1]])


def _area(chosen: masks.BoolMask) -> tuple[slice, slice]:
    """The tight box of a mask, and a pixel around it; a corner where it is empty."""
    box = masks.tight_box(chosen) or (0, 0, 1, 1)
    row0, col0, row1, col1 = box
    return slice(max(row0 - 1, 0), row1 + 1), slice(max(col0 - 1, 0), col1 + 1)
