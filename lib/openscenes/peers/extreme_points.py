"""DEXTR's interaction: four clicks on the leftmost, rightmost, top and bottom of an object."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from openscenes.errors import InputError

N_EXTREMES = 4


def extreme_points(masks: Tensor, *, slack_px: float, generators: Sequence[Generator]) -> Tensor:
    """Click once near each of the four extremes of every object.

    DEXTR: each click is drawn uniformly from the object's pixels within ``slack_px`` of the
    extreme coordinate; 5 px of a 512 crop in training, 0 (uniform among exact ties) in tests.
    Ours: one generator per object, so that an object's clicks do not depend on its batch.

    Args:
        masks: (B, 1, S, S) bool.
        slack_px: how far from the extreme, in pixels of the crop.
        generators: B generators on the CPU.
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
    clicks = [
        _of_one(mask[0], slack_px, generator)
        for mask, generator in zip(masks, generators, strict=True)
    ]
    return torch.stack(clicks) if clicks else torch.zeros(0, N_EXTREMES, 3, device=masks.device)


def _of_one(mask: Tensor, slack_px: float, generator: Generator) -> Tensor:
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
    points = torch.stack([_one_of(pixels[chosen], generator) for chosen in near])
    return torch.cat((points, torch.ones_like(points[:, :1])), dim=1).float()


def _one_of(pixels: Tensor, generator: Generator) -> Tensor:
    """One row of (N, 2), uniformly."""
    return pixels[int(torch.randint(len(pixels), (), generator=generator))]
