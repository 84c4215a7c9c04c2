"""Bilinear enlargement, and 1x1 convolutions moved before it, where they are cheap.

A 1x1 convolution without bias acts on channels and an enlargement on positions, so they commute
exactly; what IOG computes on the finest grid is computed here on each map's own grid.

On a GPU the backward pass of torch's own enlargement adds up in any order. Under
``torch.use_deterministic_algorithms`` enlargements are therefore two matrix products, which repeat
to the last bit, and differ from torch's own in the last digits.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]


def enlarge(logits: Tensor, size: Size) -> Tensor:
    """(B, K, h, w) maps of any precision on a grid of ``size``, (B, K, *size) float32.

    Bilinear with ``align_corners=True``, as all enlargements of IOG.
    """
    return resize(logits.float(), size)


def resize(maps: Tensor, size: Size, *, align_corners: bool = True) -> Tensor:
    """As ``enlarge``, in the precision of ``maps``; nothing happens on the same grid.

    Args:
        align_corners: whether the centres of the corner cells are the corners, or cells are areas.
    """
    if grid(maps) == tuple(size):
        return maps
    if not torch.are_deterministic_algorithms_enabled():
        return F.interpolate(maps, size=size, mode="bilinear", align_corners=align_corners)
    with torch.autocast(maps.device.type, enabled=False):
        wide = maps if maps.dtype == torch.float64 else maps.float()
        rows, cols = (
            interpolation(*side, wide.dtype, wide.device, align_corners)
            for side in zip(size, grid(maps), strict=True)
        )
        return (rows @ (wide @ cols.T)).to(maps.dtype)


@lru_cache(maxsize=128)
def interpolation(
    size: int, cells: int, dtype: torch.dtype, device: torch.device, align_corners: bool = True
) -> Tensor:
    """(size, cells) weights of linear interpolation; row i makes position i."""
    with torch.inference_mode(False):
        steps = torch.arange(size, dtype=torch.float64)
        if align_corners:
            positions = steps * ((cells - 1) / max(size - 1, 1))
        else:
            positions = ((steps + 0.5) * (cells / size) - 0.5).clamp(0, cells - 1)
        weights = (1 - (positions[:, None] - torch.arange(cells)).abs()).clamp(min=0)
        return weights.to(device, dtype)


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
