"""The interaction: a box and one inside point, as maps; the users who are simulated.

Paper: Sec. 3.1 (two diagonal background points and one foreground point, as IOG has them).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openscenes import masks
from openscenes.data import crops
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError
from openscenes.settings import require_between, require_one_of, setting


def gaussian_maps(clicks: Tensor, size: int, fwhm_px: float) -> Tensor:
    """The pixelwise maximum of one Gaussian per click, for each of the two kinds of click.

    Ours: a click counts at its nearest pixel in all three encodings, as in ``heat_maps``.

    Args:
        clicks: (B, K, 3) float, (row, col, sign) in crop pixels; sign 0 is no click.
        size: side of the crop.
        fwhm_px: full width at half maximum, in pixels of this crop.
    Returns:
        (B, 2, size, size) float32 in [0, 1] on the clicks' device; channel 0 holds the positive
        clicks, channel 1 the negative ones; 0 everywhere where there is none of a kind.
    Raises:
        InputError: if the clicks are no (B, K, 3) tensor.
    """
    return torch.exp(-4.0 * math.log(2.0) / fwhm_px**2 * _nearest_squared(clicks, size))


def disk_maps(clicks: Tensor, size: int, radius_px: float) -> Tensor:
    """1 where a click of this kind is at most ``radius_px`` away, else 0.

    Args and Raises: as ``gaussian_maps``; the radius is in pixels of this crop.

    Returns:
        (B, 2, size, size) float32 in {0, 1}; channel 0 positive, channel 1 negative clicks.
    """
    return (_nearest_squared(clicks, size) <= radius_px**2).float()


def distance_maps(clicks: Tensor, size: int, limit_px: float) -> Tensor:
    """The Euclidean distance to the nearest click of this kind, cut off at ``limit_px``.

    Args and Raises: as ``gaussian_maps``; the limit is in pixels of this crop.

    Returns:
        (B, 2, size, size) float32 in [0, limit_px]; channel 0 positive, channel 1 negative
        clicks; ``limit_px`` everywhere where there is no click of a kind.
    """
    return _nearest_squared(clicks, size).clamp(max=limit_px**2).sqrt().clamp(max=limit_px)


def _nearest_squared(clicks: Tensor, size: int) -> Tensor:
    """(B, 2, size, size) squared distance to the nearest click of each sign; inf without any."""
    if clicks.dim() != 3 or clicks.shape[-1] != 3:
        raise InputError(
            f"clicks must be a (B, K, 3) tensor of (row, col, sign), got shape "
            f"{tuple(clicks.shape)}: stack one (K, 3) list per crop, padded with sign 0"
        )
    grid = torch.arange(size, device=clicks.device, dtype=torch.float32)
    rows, cols, signs = clicks.float().unbind(-1)
    kinds = torch.stack([signs > 0, signs < 0], dim=1)  # (B, 2, K)
    across = (grid - cols.round()[:, :, None]).square()[:, None]
    down = (grid - rows.round()[:, :, None]).square()[:, None]
    down = down.masked_fill(~kinds[..., None], math.inf)
    nearest = torch.full((len(clicks), 2, size, size), math.inf, device=clicks.device)
    for k in range(clicks.shape[1]):  # click by click: K maps at once would not fit in memory
        nearest = torch.minimum(nearest, down[:, :, k, :, None] + across[:, :, k, None, :])
    return nearest


def heat_maps(points: Tensor, boxes: Tensor, size: int, config: ClickConfig) -> Tensor:
    """The foreground and the background click channel, 0-255.

    Paper: Sec. 3.1, 4.1.2.  A Gaussian of full width at half maximum ``heat_map_width_px`` at the
    inside point; the pixelwise maximum of four such at the corners of the box, moved outwards by
    ``corner_offset_px``. Row and column factors of that maximum separate exactly, because the
    four corners are all pairs of two rows and two columns.

    Args:
        points: (B, 2) float, (row, col) in crop pixels.
        boxes: (B, 4) float, half-open (row0, col0, row1, col1) in crop pixels.
        size: side of the crop.
    Returns:
        (B, 2, size, size) float32 in [0, 255]; channel 0 is the foreground click.
    """
    corners = corner_clicks(boxes, size, config)
    width = config.heat_map_width_px * size / REFERENCE_PX
    foreground = _outer(points[:, :1].round(), points[:, 1:].round(), size, width)
    background = _outer(corners[:, 0::2], corners[:, 1::2], size, width)
    return 255.0 * torch.stack([foreground, background], dim=1)


def corner_clicks(boxes: Tensor, size: int, config: ClickConfig) -> Tensor:
    """Where the corners of (B, 4) boxes are clicked: (B, 4) whole (row0, col0, row1, col1)."""
    offset = boxes.new_tensor([-1.0, -1.0, 1.0, 1.0]) * config.corner_offset_px
    last = boxes.new_tensor([0.0, 0.0, 1.0, 1.0])  # a half-open end names the pixel before it
    return (boxes - last + offset * (size / REFERENCE_PX)).round().clamp(0, size)


def _outer(rows: Tensor, cols: Tensor, size: int, width: float) -> Tensor:
    """Maximum over all pairs of (B, K) rows and (B, K) columns of a Gaussian: (B, size, size)."""
    return _profile(rows, size, width)[:, :, None] * _profile(cols, size, width)[:, None, :]


def _profile(centres: Tensor, size: int, width: float) -> Tensor:
    """(B, K) centres -> (B, size): the larger of K one-dimensional Gaussians."""
    grid = torch.arange(size, device=centres.device, dtype=torch.float32)
    squared = (grid - centres.float()[:, :, None]).square()
    return torch.exp(-4.0 * math.log(2.0) * squared / width**2).amax(dim=1)


REFERENCE_PX = 512  # every pixel setting of the paper is meant on a crop of this size


@dataclass(frozen=True)
class ClickConfig:
    """How clicks are made and how the network sees them; pixels are those of a 512 crop."""

    user: Literal["iog", "human"] = setting("iog", "IOG: one deterministic simulated user")
    heat_map_width_px: float = setting(10.0, "Sec. 4.1.2: radius of Gaussian maps = 10 (FWHM)")
    corner_offset_px: float = setting(10.0, "IOG: corners 10 px outside the tight box")
    box_jitter: float = setting(0.04, "Ours: a human's corner misses by ~4 % of the box's side")
    core: float = setting(0.5, "Ours: a human clicks where depth is over half the deepest")

    def __post_init__(self) -> None:
        require_one_of(self, "user", ("iog", "human"))
        require_between(self, 1e-3, 1e5, "heat_map_width_px")
        require_between(self, 0.0, 1e5, "corner_offset_px", "box_jitter")
        require_between(self, 0.0, 1.0, "core")


def simulate(
    mask: masks.BoolMask,
    config: ClickConfig,
    crop: crops.CropConfig,
    generator: np.random.Generator,
) -> Interaction:
    """What the simulated user gives for a (H, W) bool mask.

    Paper: Sec. 3.1.
    Ours: each object is clicked once; the click then moves with every augmentation, whereas IOG
    clicks anew on each warped mask, which a scene without masks cannot do.

    Raises:
        InputError: if the mask is empty.
    """
    tight = masks.tight_box(mask)
    if tight is None:
        raise InputError("no click fits into an empty mask: give a mask with at least one pixel")
    box = Box(*map(float, tight))
    if config.user == "human":
        point = core_point(mask, config.core, generator)
        return Interaction(_within(jittered(box, config.box_jitter, generator), mask.shape), point)
    return Interaction(box, _deepest_in_crop(mask, box, crop))


def depth(mask: masks.BoolMask) -> NDArray[np.float32]:
    """Euclidean distance of each (H, W) pixel to the outside, to which the border counts."""
    return masks.distance_to_outside(np.pad(mask, 1))[1:-1, 1:-1]


def _deepest_in_crop(mask: masks.BoolMask, box: Box, crop: crops.CropConfig) -> Point:
    """IOG's click: the deepest pixel of the stretched crop, first in raster order."""
    affine = crops.window_affine(box, crop)
    warped = crops.warp_mask(mask, affine, crop.size)
    if not warped.any():  # thinner than a crop pixel
        row, col = np.unravel_index(int(depth(mask).argmax()), mask.shape)
        return Point(float(row), float(col))
    row, col = np.unravel_index(int(depth(warped).argmax()), warped.shape)
    return crops.move_point(crops.invert(affine), Point(float(row), float(col)))


def core_point(mask: masks.BoolMask, core: float, generator: np.random.Generator) -> Point:
    """Any pixel of a (H, W) mask that is at least ``core`` times as deep as the deepest.

    Ours: people click somewhere in the middle; the paper's user clicks the deepest pixel.
    """
    depths = depth(mask)
    candidates = np.argwhere(depths >= core * depths.max())
    row, col = candidates[generator.integers(len(candidates))]
    return Point(float(row), float(col))


def jittered(box: Box, jitter: float, generator: np.random.Generator) -> Box:
    """Move each side by a normal error of ``jitter`` times the box's length across it.

    Ours: the paper's boxes are tight. Opposite sides stay at least one pixel apart.
    """
    sides = np.array([box.row1 - box.row0, box.col1 - box.col0] * 2)
    row0, col0, row1, col1 = np.array(box) + generator.normal(size=4) * jitter * sides
    return Box(float(row0), float(col0), float(max(row1, row0 + 1)), float(max(col1, col0 + 1)))


def _within(box: Box, shape: tuple[int, ...]) -> Box:
    """The part of a box inside an image of (height, width), of at least one pixel."""
    row0, col0 = (float(np.clip(box[i], 0, shape[i] - 1)) for i in (0, 1))
    row1 = float(np.clip(box.row1, row0 + 1, shape[0]))
    col1 = float(np.clip(box.col1, col0 + 1, shape[1]))
    return Box(row0, col0, row1, col1)


class Click(NamedTuple):
    """One click in pixels; ``sign`` is +1 on the object and -1 outside it."""

    row: int
    col: int
    sign: int


SLIPS = 0.05  # Ours: people miss what they point at about once in twenty times


def next_click(
    prediction: masks.BoolMask,
    truth: masks.BoolMask,
    void: masks.BoolMask | None = None,
    clicked: Sequence[tuple[int, int]] = (),
    generator: np.random.Generator | None = None,
) -> Click | None:
    """Where a user clicks to correct a prediction, given the ground truth.

    The rule of RITM, f-BRS and SimpleClick: of the missing and the superfluous pixels, each taken
    without void, the user clicks the deepest one, that is the one farthest from all pixels outside
    its kind of error; the image's border counts as outside. A positive click needs the missing
    pixels to be strictly deeper. Of equally deep pixels the first in raster order is clicked. The
    first click, on an empty prediction, is the deepest pixel of the object.
    Ours: where every wrong pixel has been clicked there is no next click; RITM would click the
    corner of the image.
    Ours: with a generator a person clicks. She draws a pixel of that error with a probability in
    proportion to its depth, which of all rules without a network comes nearest to the 475,000 real
    clicks of RClicks; and one click in twenty slips, with the same sign, by a normal error of
    the error's depth.

    Args:
        prediction: (H, W) bool, what the user sees.
        truth: (H, W) bool.
        void: (H, W) bool, pixels that are not evaluated, or None.
        clicked: (row, col) of earlier clicks, which are not repeated.
        generator: of a person's choices; None for the exact user.
    Returns:
        The click, or None where nothing is left to correct.
    """
    counted = np.True_ if void is None else ~void
    missing, corner = _depths(truth & ~prediction & counted, clicked)
    superfluous, other_corner = _depths(prediction & ~truth & counted, clicked)
    sign = 1 if missing.max() > superfluous.max() else -1
    depths, (row0, col0) = (missing, corner) if sign > 0 else (superfluous, other_corner)
    if depths.max() == 0:
        return None
    if generator is None:
        row, col = divmod(int(depths.argmax()), depths.shape[1])
        return Click(row0 + row, col0 + col, sign)
    share = depths.ravel() / depths.sum(dtype=np.float64)
    row, col = divmod(int(generator.choice(share.size, p=share)), depths.shape[1])
    error = generator.normal(size=2) * depths.max() * (generator.random() < SLIPS)
    place = np.rint(error).astype(int) + np.array([row0 + row, col0 + col])
    row, col = np.clip(place, 0, np.array(truth.shape) - 1).tolist()
    return Click(row, col, sign)


def _depths(
    error: masks.BoolMask, clicked: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Depths of a (H, W) mask's pixels in its tight box, 0 where clicked; the box's first pixel.

    Only the tight box is looked at. That is exact: any pixel outside it has a nearer one on the
    frame around the box, which holds no error either.
    """
    box = masks.tight_box(error)
    if box is None:
        return np.zeros((1, 1), np.float32), (0, 0)
    row0, col0, row1, col1 = box
    depths = depth(error[row0:row1, col0:col1])
    for row, col in clicked:
        if row0 <= row < row1 and col0 <= col < col1:
            depths[row - row0, col - col0] = 0.0
    return depths, (row0, col0)
