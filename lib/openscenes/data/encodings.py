"""Every way in which a network sees clicks: Gaussians, disks, truncated distances, heat maps.

A list of clicks is a (B, K, 3) tensor of (row, col, sign) in crop pixels: +1 inside the object,
-1 outside, 0 no click. Paper: Sec. 3.1, 4.1.2 for the two heat maps of box and point; the peers
of Table 1 see their clicks as disks (ITIS, RITM), Gaussians (DEXTR) or distances (iFCN).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from openscenes.data.interactions import REFERENCE_PX, ClickConfig
from openscenes.errors import InputError


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
    scale = size / REFERENCE_PX
    offset = boxes.new_tensor([-1.0, -1.0, 1.0, 1.0]) * config.corner_offset_px * scale
    last = boxes.new_tensor([0.0, 0.0, 1.0, 1.0])  # a half-open end names the pixel before it
    corners = (boxes - last + offset).round().clamp(0, size)
    width = config.heat_map_width_px * scale
    foreground = _outer(points[:, :1].round(), points[:, 1:].round(), size, width)
    background = _outer(corners[:, 0::2], corners[:, 1::2], size, width)
    return 255.0 * torch.stack([foreground, background], dim=1)


def _outer(rows: Tensor, cols: Tensor, size: int, width: float) -> Tensor:
    """Maximum over all pairs of (B, K) rows and (B, K) columns of a Gaussian: (B, size, size)."""
    return _profile(rows, size, width)[:, :, None] * _profile(cols, size, width)[:, None, :]


def _profile(centres: Tensor, size: int, width: float) -> Tensor:
    """(B, K) centres -> (B, size): the larger of K one-dimensional Gaussians."""
    grid = torch.arange(size, device=centres.device, dtype=torch.float32)
    squared = (grid - centres.float()[:, :, None]).square()
    return torch.exp(-4.0 * math.log(2.0) * squared / width**2).amax(dim=1)
