"""Box-projection and point losses: weak supervision by the user's box and click, without a mask.

Ours: the paper uses the interaction as input only.  But outside the user's box everything is
background, each side of the box touches the object, and the click lies on it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from openscenes.data.interactions import REFERENCE_PX
from openscenes.data.samples import Batch
from openscenes.networks.enlargement import enlarge
from openscenes.networks.openscene import NetworkOutput
from openscenes.settings import require_between, setting


@dataclass(frozen=True)
class BoxLossConfig:
    """Weights of the losses that a box and a click allow; pixels are those of a 512 crop."""

    side_weight: float = setting(0.1, "Ours: so that it stays below L_ce, which it complements")
    click_weight: float = setting(0.1, "Ours: as for the sides")
    band_px: float = setting(10.0, "Ours: how far from its side the object may be touched")

    def __post_init__(self) -> None:
        """Refuse settings that no run can mean."""
        require_between(self, 0.0, 1e6, "side_weight", "click_weight")
        require_between(self, 0.0, float(REFERENCE_PX), "band_px")


def box_and_point_losses(
    output: NetworkOutput, batch: Batch, config: BoxLossConfig
) -> dict[str, Tensor]:
    """Losses of the fine output against the box's sides and the click, (B,) each.

    Ours: scaled by the number of pixels, to stand beside sums over pixels.
    """
    size = batch.images.shape[-1]
    logits = enlarge(output.fine, (size, size))
    band = config.band_px * size / REFERENCE_PX
    pixels = float(size * size)
    return {
        "sides": config.side_weight * pixels * side_loss(logits, batch.boxes, band),
        "click": config.click_weight * pixels * click_loss(logits, batch.points),
    }


def side_loss(logits: Tensor, boxes: Tensor, band: float) -> Tensor:
    """Cross entropy of "the object is somewhere along each side of its box".

    Ours: the largest logit of a band along the side counts, as in the projection losses of weakly
    supervised segmentation; a jittered box needs a band as wide as its error.

    Args:
        logits: (B, 1, S, S).
        boxes: (B, 4) half-open (row0, col0, row1, col1) in crop pixels.
        band: how many pixels inwards and outwards from the side are looked at.
    Returns:
        (B,) float32, mean over the four sides.
    """
    rows, cols = inside_lines(boxes, logits.shape[-1], margin=band)
    near = torch.stack(_bands(boxes, logits.shape[-1], band), dim=1)
    along = torch.stack([cols, rows, cols, rows], dim=1)  # what each side runs through
    values = logits[:, 0].float()
    turned = torch.stack([values, values.mT, values, values.mT], dim=1)
    region = near[:, :, :, None] & along[:, :, None, :]
    best = turned.masked_fill(~region, -torch.inf).amax(dim=(2, 3))
    found = region.any(dim=3).any(dim=2)
    return torch.where(found, F.softplus(-best.masked_fill(~found, 0.0)), 0.0).mean(dim=1)


def click_loss(logits: Tensor, points: Tensor) -> Tensor:
    """Cross entropy of "the click lies on the object".

    Ours: at the click's pixel.

    Args:
        logits: (B, 1, S, S).
        points: (B, 2) float (row, col) in crop pixels.
    Returns:
        (B,) float32; zero where an augmentation moved the click out of the crop.
    """
    size = logits.shape[-1]
    nearest = points.round().long()
    inside = ((nearest >= 0) & (nearest < size)).all(dim=1)
    rows, cols = nearest.clamp(0, size - 1).unbind(1)
    values = logits[torch.arange(len(logits), device=logits.device), 0, rows, cols].float()
    return torch.where(inside, F.softplus(-values), 0.0)


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


def _bands(boxes: Tensor, size: int, band: float) -> list[Tensor]:
    """Lines within ``band`` of the first pixel inside the top, left, bottom and right side."""
    lines = torch.arange(size, device=boxes.device, dtype=torch.float32)
    first, last = boxes[:, :2], boxes[:, 2:] - 1.0
    edges = [first[:, 0], first[:, 1], last[:, 0], last[:, 1]]
    return [(lines - edge[:, None]).abs() <= max(band, 0.5) for edge in edges]
