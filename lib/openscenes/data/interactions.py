"""The interaction: a box and one inside point, and two simulated users.

Paper: Sec. 3.1 (two diagonal background points and one foreground point, as IOG has them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.data import crops
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError
from openscenes.settings import setting

REFERENCE_PX = 512  # every pixel setting of the paper is meant on a crop of this size


@dataclass(frozen=True)
class ClickConfig:
    """How clicks are made and how the network sees them; pixels are those of a 512 crop."""

    user: Literal["iog", "human"] = setting("iog", "IOG: one deterministic simulated user")
    heat_map_width_px: float = setting(10.0, "Sec. 4.1.2: radius of Gaussian maps = 10 (FWHM)")
    corner_offset_px: float = setting(10.0, "IOG: corners 10 px outside the tight box")
    box_jitter: float = setting(0.04, "Ours: a human's corner misses by ~4 % of the box's side")
    core: float = setting(0.5, "Ours: a human clicks where depth is over half the deepest")


def simulate(
    mask: masks.BoolMask,
    config: ClickConfig,
    crop: crops.CropConfig,
    generator: np.random.Generator,
) -> Interaction:
    """What the simulated user gives for a (H, W) bool mask.

    Paper: Sec. 3.1.
    Ours: the user looks at the object once; its click then moves with every augmentation,
    whereas IOG clicks anew on each warped mask, which a scene without masks cannot do.

    Raises:
        InputError: if the mask is empty.
    """
    tight = masks.tight_box(mask)
    if tight is None:
        raise InputError("nobody can click on an empty mask: give a mask with at least one pixel")
    box = Box(*map(float, tight))
    if config.user == "human":
        return _human(mask, box, config, generator)
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


def _human(
    mask: masks.BoolMask, box: Box, config: ClickConfig, generator: np.random.Generator
) -> Interaction:
    point = core_point(mask, config.core, generator)
    return Interaction(_within(jittered(box, config.box_jitter, generator), mask.shape), point)


def core_point(mask: masks.BoolMask, core: float, generator: np.random.Generator) -> Point:
    """Any pixel of a (H, W) mask that is at least ``core`` times as deep as the deepest.

    Ours: people click somewhere in the middle; the paper's user knows the deepest pixel.
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
