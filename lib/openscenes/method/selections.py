"""Q of Eq. 1: pixels of the global, the center and the edge prototype (Sec. 3.2).

Every mask is (B, 1, H, W) bool on one device.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def occupied(masks: Tensor) -> Tensor:
    """(B,) bool: the mask has a pixel that is not zero.

    Ours: Eq. 1 divides by Z, which an empty selection makes zero.
    """
    values = masks.view(torch.uint8) if masks.dtype == torch.bool else masks
    return values.flatten(1).amax(1) > 0


def eroded(mask: Tensor, radius: int) -> Tensor:
    """Erosion by a square of side 2 * radius + 1.

    Paper: Sec. 4.1.2.  Three erosions with 5 x 5 ones are one erosion with radius 6.
    Ours: the border of the image does not erode, which is OpenCV's default.
    """
    return ~_spread(_spread(~mask, radius, dim=-1), radius, dim=-2)


def _spread(mask: Tensor, radius: int, dim: int) -> Tensor:
    """OR over a running window of 2 * radius + 1 pixels along one axis, by doubling its length."""
    margin = (radius, radius) if dim == -1 else (0, 0, radius, radius)
    mask, length, window = F.pad(mask, margin), 1, 2 * radius + 1
    while length < window:
        step = min(length, window - length)
        kept = mask.shape[dim] - step
        mask = mask.narrow(dim, 0, kept) | mask.narrow(dim, step, kept)
        length += step
    return mask


def edge_selection(mask: Tensor, radius: int, *, inner: bool) -> tuple[Tensor, Tensor]:
    """The pixels of an object that lie near its border, or with ``inner`` those that do not.

    Paper: Sec. 3.2, "eroded in order to extract the edge mask".  Symbols: mask = M_p,
    selection = M_e = M_p - erode(M_p).
    Ours: where that leaves nothing (object thinner than the kernel for ``inner``, object that
    fills the crop otherwise), M_e is M_p.

    Returns:
        selection (B, 1, H, W) bool, and (B,) bool: the selection is the whole of a mask.
    """
    core = eroded(mask, radius)
    wanted = core if inner else mask & ~core
    selection = torch.where(occupied(wanted)[:, None, None, None], wanted, mask)
    whole = ~occupied(selection ^ mask) & occupied(mask)
    return selection, whole


def global_selection(mask: Tensor, predicted: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels that both the segmentation and the predictor call foreground.

    Paper: Sec. 3.2, Q = M_p * M_b.  Symbols: mask = M_p, predicted = M_b.
    Ours: where the two have nothing in common, Q is M_p; predicted may hold probabilities.

    Returns:
        selection (B, 1, H, W) of predicted's dtype, and (B,) bool: Q is M_p for want of overlap.
    """
    agreed = predicted & mask if predicted.dtype == torch.bool else predicted * mask
    disagrees = ~occupied(agreed) & occupied(mask)
    selection = torch.where(disagrees[:, None, None, None], mask.to(agreed.dtype), agreed)
    return selection, disagrees


def center_selection(
    mask: Tensor,
    points: Tensor,
    *,
    n_points: int,
    radius: float,
    generators: Sequence[torch.Generator],
) -> Tensor:
    """The clicked pixel and up to n_points more of the object around it.

    Paper: Sec. 3.2, "randomly sample x foreground points around the original foreground point
    [...] inside the coarse pseudo mask".  Symbols: mask = M_p, n_points = x.
    Ours: uniform without replacement within the radius; fewer where the object has fewer.

    Args:
        mask: (B, 1, H, W) bool.
        points: (B, 2) integers (row, col) inside the image.
        n_points: how many besides the click.
        radius: pixels.
        generators: one per object.
    Returns:
        (B, 1, H, W) bool.
    """
    on_cpu, clicks = mask[:, 0].cpu(), points.cpu()
    pixels = [
        torch.cat([click[None], _drawn(_around(click, near, radius), n_points, generator)])
        for near, click, generator in zip(on_cpu, clicks, generators, strict=True)
    ]
    selection = torch.zeros_like(on_cpu)
    for chosen, where in zip(selection, pixels, strict=True):
        chosen[where[:, 0], where[:, 1]] = True
    return selection[:, None].to(mask.device)


def _around(click: Tensor, mask: Tensor, radius: float) -> Tensor:
    """(n, 2) pixels of a (H, W) mask within the radius of the click, the click left out."""
    reach, (row, col) = int(radius), click.tolist()
    top, left = max(row - reach, 0), max(col - reach, 0)
    patch = mask[top : row + reach + 1, left : col + reach + 1]
    pixels = patch.nonzero() + torch.tensor([top, left])
    distances = (pixels - click).square().sum(1)
    return pixels[(distances > 0) & (distances <= radius**2)]


def _drawn(pixels: Tensor, n_points: int, generator: torch.Generator) -> Tensor:
    order = torch.randperm(len(pixels), generator=generator, device=generator.device)
    return pixels[order[:n_points].cpu()]
