"""Bilinear enlargement, and 1x1 convolutions moved before it, where they are cheap.

A 1x1 convolution without bias acts on channels and an enlargement on positions, so they commute
exactly; what IOG computes on the finest grid is computed here on each map's own grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]


def enlarge(logits: Tensor, size: Size) -> Tensor:
    """(B, K, h, w) maps of any precision on a grid of ``size``, (B, K, *size) float32.

    Bilinear with ``align_corners=True``, as all enlargements of IOG.
    """
    return resize(logits.float(), size)


def resize(maps: Tensor, size: Size) -> Tensor:
    """As ``enlarge``, in the precision of ``maps``; nothing happens on the same grid."""
    if grid(maps) == tuple(size):
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=True)


def grid(maps: Tensor) -> Size:
    """(height, width) of (B, C, h, w) maps."""
    return maps.shape[-2], maps.shape[-1]


def fuse(maps: Sequence[Tensor], weight: Tensor, size: Size) -> Tensor:
    """A 1x1 convolution of the enlarged, concatenated maps, without making their concatenation.

    Args:
        maps: (B, C_i, h_i, w_i) each.
        weight: (K, sum of C_i, 1, 1), the convolution's kernel.
        size: the grid on which they would be concatenated.
    Returns:
        (B, K, *size).
    """
    kernels = weight.split([part.shape[1] for part in maps], dim=1)
    by_grid: dict[Size, Tensor] = {}
    for part, kernel in zip(maps, kernels, strict=True):
        score = F.conv2d(part, kernel)
        known = by_grid.get(grid(part))
        by_grid[grid(part)] = score if known is None else known + score
    total, *others = (resize(score, size) for score in by_grid.values())
    for score in others:
        total = total + score
    return total
