"""Where a mask may lie: inside the user's box."""

import torch
from torch import Tensor


def box_region(boxes: Tensor, size: int, margin_share: float) -> Tensor:
    """The inside of the user's boxes, (B, 1, size, size) bool.

    Ours: the paper lets a mask leave the box.

    Args:
        boxes: (B, 4) half-open (row0, col0, row1, col1) in crop pixels.
        margin_share: by how much of its side a box is widened on each side; a human's corner
            misses.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    rows, cols = inside_lines(boxes, size, margin=margin_share * sides)
    return (rows[:, :, None] & cols[:, None, :])[:, None]


def inside_lines(boxes: Tensor, size: int, margin: Tensor | float) -> tuple[Tensor, Tensor]:
    """Which rows and which columns run through the widened boxes, (B, size) bool each.

    Ours: a pixel counts by its centre; the edges of a half-open box lie at -0.5.
    """
    lines = torch.arange(size, device=boxes.device, dtype=torch.float32)
    low = (boxes[:, :2] - 0.5 - margin)[:, :, None]
    high = (boxes[:, 2:] - 0.5 + margin)[:, :, None]
    inside = (lines > low) & (lines < high)
    return inside[:, 0], inside[:, 1]
