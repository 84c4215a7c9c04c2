"""Clicks to train with: drawn at random from the truth, at its extremes, or where a network errs.

The random strategies are those of iFCN, as ITIS reimplements them, and of latent diversity; ITIS
then adds one click at a time (``add_error_clicks``). Settings are in pixels of a crop of 512.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from openscenes.data.interactions import REFERENCE_PX, depth
from openscenes.errors import InputError
from openscenes.masks import BoolMask, distance_to_outside
from openscenes.settings import setting

Clicks = NDArray[np.float32]  # (K, 3): row, col, sign
N_EXTREMES = 4


@dataclass(frozen=True)
class SamplingConfig:
    """How many clicks of a kind, and where; both ends of each range of counts are drawn."""

    positives: tuple[int, int] = setting((1, 5), "iFCN: 1-5 on the object")
    negatives_near: tuple[int, int] = setting((0, 10), "iFCN: 0-10 around the object")
    negatives_on_others: tuple[int, int] = setting((0, 5), "iFCN: 0-5 on each other object")
    negatives_spread: tuple[int, int] = setting((10, 10), "iFCN: 10 that cover the ring")
    margin_px: float = setting(5.0, "iFCN: no click within 5 px of the outline")
    near_px: float = setting(40.0, "iFCN: clicks around the object lie within 40 px of it")
    ring_px: float = setting(40.0, "iFCN: the ring to cover is 40 px wide")
    spacing_px: float = setting(20.0, "iFCN: no second click in the +-20 px square of a first")
    spread_spacing_px: float = setting(40.0, "iFCN: +-40 px between those that cover the ring")

    def __post_init__(self) -> None:
        for name in ("positives", "negatives_near", "negatives_on_others", "negatives_spread"):
            low, high = getattr(self, name)
            if not (name == "positives") <= low <= high:
                raise InputError(
                    f"SamplingConfig.{name} is {(low, high)}; give (fewest, most) clicks with "
                    f"fewest >= {int(name == 'positives')}"
                )


IFCN_SAMPLING = SamplingConfig()
# Latent diversity: Li et al. 2018; beyond the margin its clicks may lie anywhere.
LATENT_SAMPLING = SamplingConfig(
    positives=(1, 10), negatives_near=(1, 15), negatives_on_others=(1, 10),
    negatives_spread=(15, 15), near_px=math.inf, spacing_px=10.0, spread_spacing_px=10.0,
)  # fmt: skip


def sample_clicks(
    mask: BoolMask,
    others: NDArray[np.uint8],
    config: SamplingConfig,
    generator: np.random.Generator,
) -> Clicks:
    """Draw the clicks that a user might have given for one object.

    iFCN, latent diversity: positive clicks in the eroded object; negative ones by one of three
    strategies: at random around the object, on each other object, or spread over the ring around
    it, each the farthest point from those before.
    Ours: pixels scale with the crop. The strategy is drawn from the two others where there is no
    other object, as latent diversity has it. Where there is no room left, fewer clicks are given;
    an object without pixels has negative clicks only, anywhere.

    Args:
        mask: (S, S) bool, the object.
        others: (S, S) uint8, i on the i-th other object, 0 elsewhere; the object may cover it.
    Returns:
        (K, 3) float32 of (row, col, sign); positive clicks first.
    """
    scale = len(mask) / REFERENCE_PX
    n_positive = _between(config.positives, generator)
    core = _core(mask, config.margin_px * scale)
    positive = _spaced(core, n_positive, config.spacing_px * scale, generator)
    negative = _negatives(mask, np.where(mask, np.uint8(0), others), config, generator)
    signed = [(*place, 1) for place in positive] + [(*place, -1) for place in negative]
    return np.array(signed, dtype=np.float32).reshape(-1, 3)


def sample_slots(
    mask: BoolMask,
    others: NDArray[np.uint8],
    config: SamplingConfig,
    generator: np.random.Generator,
    n_max: int,
) -> Clicks:
    """``sample_clicks`` in ``n_max`` rows, of which those without a click are zero.

    Where there are more clicks, the first and a random choice of the others are kept.

    Raises:
        InputError: if there is no row.
    """
    if n_max < 1:
        raise InputError(f"got {n_max} rows for clicks; give at least one")
    clicks = _thinned(sample_clicks(mask, others, config, generator), n_max, generator)
    return np.pad(clicks, ((0, n_max - len(clicks)), (0, 0)))


def add_error_click(
    clicks: Clicks, prediction: BoolMask, truth: BoolMask, void: BoolMask | None = None
) -> Clicks:
    """Add the click that ITIS's user gives next: in the middle of the largest error.

    ITIS: of the connected regions where prediction and truth differ the one with the most pixels
    is taken; its deepest pixel is clicked, with the sign that the truth has there.
    Ours: pixels are connected by their sides.

    Args:
        clicks: (K, 3) float32 with a free slot (sign 0).
        prediction, truth, void: (S, S) bool; void pixels are no error.
    Returns:
        A new (K, 3) array with the first free slot filled, where there are an error and a slot.
    """
    clicks, free = clicks.copy(), np.flatnonzero(clicks[:, 2] == 0)
    error = prediction ^ truth if void is None else (prediction ^ truth) & ~void
    if len(free) and error.any():
        row, col = _middle_of_largest(error)
        clicks[free[0]] = row, col, 1 if truth[row, col] else -1
    return clicks


def add_error_clicks(
    clicks: Tensor,
    predictions: Tensor,
    truths: Tensor,
    void: Tensor | None = None,
    chosen: Sequence[bool] | None = None,
) -> Tensor:
    """``add_error_click`` for each object of a batch, or for those that are chosen.

    Args:
        clicks: (B, K, 3) float32.
        predictions, truths, void: (B, 1, S, S) bool, on any device.
    Returns:
        (B, K, 3) on the clicks' device; the given tensor is left as it is.
    """
    absent = torch.zeros_like(truths) if void is None else void
    arrays = [maps[:, 0].cpu().numpy() for maps in (predictions, truths, absent)]
    rows = clicks.cpu().numpy().copy()
    for i, row in enumerate(zip(rows, *arrays, strict=True)):
        if chosen is None or chosen[i]:
            rows[i] = add_error_click(*row)
    return torch.from_numpy(rows).to(clicks.device)


def _negatives(
    mask: BoolMask,
    others: NDArray[np.uint8],
    config: SamplingConfig,
    generator: np.random.Generator,
) -> list[tuple[int, int]]:
    """(row, col) places by one of the three strategies."""
    scale = len(mask) / REFERENCE_PX
    margin, spacing = config.margin_px * scale, config.spacing_px * scale
    numbers = np.flatnonzero(np.bincount(others.ravel())[1:]) + 1
    strategy = generator.integers(3 if len(numbers) else 2)
    if strategy == 0:
        n_clicks = _between(config.negatives_near, generator)
        return _spaced(_ring(mask, margin, config.near_px * scale), n_clicks, spacing, generator)
    if strategy == 1:
        n_clicks, apart = _between(config.negatives_spread, generator), config.spread_spacing_px
        ring = _ring(mask, margin, config.ring_px * scale)
        return _spread(ring, n_clicks, apart * scale, generator)
    n_clicks = _between(config.negatives_on_others, generator)
    cores = [_core(others == number, margin) for number in numbers]
    return [place for core in cores for place in _spaced(core, n_clicks, spacing, generator)]


def _between(counts: tuple[int, int], generator: np.random.Generator) -> int:
    return int(generator.integers(counts[0], counts[1] + 1))


def _core(mask: BoolMask, margin: float) -> BoolMask:
    """The mask eroded by a diamond of this radius, or the mask itself where nothing is left."""
    padded = np.pad(mask.view(np.uint8), 1)
    core = cv2.distanceTransform(padded, cv2.DIST_L1, 3)[1:-1, 1:-1] > margin
    return core if core.any() else mask


def _ring(mask: BoolMask, inner: float, outer: float) -> BoolMask:
    """Pixels whose distance to the mask is in (inner, outer]; all, where the mask is empty."""
    if not mask.any():
        return np.ones_like(mask)
    away = distance_to_outside(~mask)
    return (away > inner) & (away <= outer)


def _spaced(
    area: BoolMask, n_clicks: int, spacing: float, generator: np.random.Generator
) -> list[tuple[int, int]]:
    """Up to ``n_clicks`` random pixels, none within the +-spacing square of an earlier one."""
    free = area.copy()
    places: list[tuple[int, int]] = []
    while len(places) < n_clicks and free.any():
        candidates = np.flatnonzero(free)
        place = divmod(int(candidates[generator.integers(len(candidates))]), area.shape[1])
        places.append(place)
        _blank(free, place, spacing)
    return places


def _spread(
    area: BoolMask, n_clicks: int, spacing: float, generator: np.random.Generator
) -> list[tuple[int, int]]:
    """A random pixel, then each time the one farthest from those taken, spaced as ``_spaced``."""
    places = _spaced(area, min(n_clicks, 1), spacing, generator)
    free, nearest = area.copy(), np.full(area.shape, np.inf)
    rows, cols = np.ogrid[: area.shape[0], : area.shape[1]]
    while 0 < len(places) < n_clicks:
        row, col = places[-1]
        _blank(free, places[-1], spacing)
        if not free.any():
            break
        nearest = np.minimum(nearest, (rows - row) ** 2 + (cols - col) ** 2)
        places.append(divmod(int(np.where(free, nearest, -1).argmax()), area.shape[1]))
    return places


def _blank(free: BoolMask, place: tuple[int, int], spacing: float) -> None:
    """Take the square of half side ``spacing`` around a place out of a mask, in place."""
    reach, (row, col) = int(spacing), place
    free[max(row - reach, 0) : row + reach + 1, max(col - reach, 0) : col + reach + 1] = False


def _thinned(clicks: Clicks, n_max: int, generator: np.random.Generator) -> Clicks:
    """At most ``n_max`` clicks: the first and a random choice of the others, in their order."""
    if len(clicks) <= n_max:
        return clicks
    kept = generator.choice(len(clicks) - 1, n_max - 1, replace=False)
    return clicks[np.r_[0, 1 + np.sort(kept)]]


def _middle_of_largest(error: BoolMask) -> tuple[int, int]:
    """The deepest pixel of the largest region of a (S, S) mask that is not empty."""
    painted = error.astype(np.uint8)
    _, regions, statistics, _ = cv2.connectedComponentsWithStats(painted, connectivity=4)
    largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
    return divmod(int(depth(regions == largest).argmax()), error.shape[1])


def extreme_points(
    masks: Tensor, *, slack_px: float, generators: Sequence[torch.Generator]
) -> Tensor:
    """DEXTR: click once near the leftmost, rightmost, top and bottom pixel of every object.

    Each click is drawn uniformly from the object's pixels within ``slack_px`` of the
    extreme coordinate; 5 px of a 512 crop in training, 0 (uniform among exact ties) in tests.
    Ours: one generator per object, so that an object's clicks do not depend on its batch.

    Args:
        masks: (B, 1, S, S) bool.
        slack_px: how far from the extreme, in pixels of the crop.
        generators: one for each object, on the CPU.
    Returns:
        (B, 4, 3) float32 clicks (row, col, sign) of left, right, top, bottom, on the masks'
        device; sign is 1, and an empty mask has rows of zeros, which is no click.
    Raises:
        InputError: if the slack is negative, or there is not one generator per object.
    """
    if slack_px < 0 or len(generators) != len(masks):
        raise InputError(
            f"got a slack of {slack_px} px and {len(generators)} generators for {len(masks)} "
            "masks; give a slack of at least 0 and one generator per mask"
        )
    pairs = zip(masks[:, 0], generators, strict=True)
    clicks = [_extremes_of(mask, slack_px, generator) for mask, generator in pairs]
    return torch.stack(clicks) if clicks else torch.zeros(0, N_EXTREMES, 3, device=masks.device)


def _extremes_of(mask: Tensor, slack_px: float, generator: Generator) -> Tensor:
    """(S, S) bool to (4, 3)."""
    pixels = mask.nonzero()
    if not len(pixels):
        return torch.zeros(N_EXTREMES, 3, device=mask.device)
    rows, cols = pixels.unbind(dim=1)
    near = (
        cols <= cols.min() + slack_px,
        cols >= cols.max() - slack_px,
        rows <= rows.min() + slack_px,
        rows >= rows.max() - slack_px,
    )
    drawn = [pixels[chosen] for chosen in near]
    points = torch.stack([p[int(torch.randint(len(p), (), generator=generator))] for p in drawn])
    return torch.cat((points, torch.ones_like(points[:, :1])), dim=1).float()
