"""Further clicks change a mask without running the backbone again.

Ours: IOG's branch (``iog_refinement``) sees the clicks alone and runs pyramid pooling and heads
again; here a small network also sees the image's features, fine ones too, and the last mask, as
RITM, FocalClick and SimpleClick have it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, normalize, relu

from openscenes.data.told import Told
from openscenes.networks.backbones import Stages
from openscenes.networks.config import NetworkConfig
from openscenes.networks.enlargement import grid, resize

CLICK_CHANNELS = 2
DILATIONS = (1, 2, 4, 8)  # on the grid of F: what a click tells reaches its whole region
KEYS = 16  # channels by which cells are compared with clicked ones
GROUP = 8  # channels that are normalised together
Seen = tuple[Tensor, ...]  # what a crop's image tells of all corrections, (B, C_i, h_i, w_i)


class Corrector(nn.Module):
    """All clicks and the last mask on layer1's grid, down to F's, and up again to logits.

    RITM: clicks of both signs and the last mask come in together.
    Ours: cells that look like a clicked one are told so, wherever they lie.
    Ours: normalised in groups of channels within each crop, so that one crop is enough, and
    neither frozen statistics nor two scenes in a batch matter.
    """

    def __init__(self, config: NetworkConfig, widths: Sequence[int]) -> None:
        """``widths``: channels of the four stages."""
        super().__init__()
        coarse, fine = config.head_width, config.head_width // 2
        stride = config.output_stride // config.layer1_stride
        told = CLICK_CHANNELS + int(config.previous_mask)
        self.previous_mask = config.previous_mask
        self.fine = nn.Conv2d(widths[0] + config.head_width, fine, 1, bias=False)
        self.coarse = nn.Conv2d(sum(widths[1:]), coarse, 1, bias=False)
        self.told = nn.Conv2d(told, fine, 5, padding=2, bias=False)
        self.met = _norm(fine)
        self.down = nn.Conv2d(
            fine, coarse, 2 * stride - 1, stride=stride, padding=stride - 1, bias=False
        )
        self.key = nn.Conv2d(sum(widths[1:]), KEYS, 1, bias=False)
        self.alike = nn.Conv2d(CLICK_CHANNELS, coarse, 1, bias=False)
        self.gathered = _norm(coarse)
        self.blocks = nn.Sequential(*(_Block(coarse, dilation) for dilation in DILATIONS))
        self.up = nn.Conv2d(coarse, fine, 1, bias=False)
        self.joined = _norm(fine)
        self.last = _Block(fine, 1)
        self.score = nn.Conv2d(fine, 1, 3, padding=1)

    def see(self, stages: Stages, decoder: Tensor) -> Seen:
        """What every correction of a crop needs of its image, on layer1's grid and on F's.

        Args:
            decoder: (B, C', h2, w2), the map behind the first answer, on layer1's grid.
        """
        size = grid(stages.layer4)
        coarse = torch.cat([resize(stage, size) for stage in stages[1:]], dim=1)
        fine = torch.cat((stages.layer1, decoder), dim=1)
        return self.fine(fine), self.coarse(coarse), normalize(self.key(coarse).float(), dim=1)

    def forward(self, seen: Seen, told: Told, previous: Tensor) -> Tensor:
        """The mask after all clicks.

        Args:
            told: all clicks so far, those of the first answer too.
            previous: (B, 1, h, w) in [0, 1], the mask before the last click, on any grid.
        Returns:
            (B, 1, h2, w2) logits on layer1's grid.
        """
        fine, coarse, keys = seen
        given = [told.maps / 255.0, previous] if self.previous_mask else [told.maps / 255.0]
        pooled = torch.cat([adaptive_avg_pool2d(maps, grid(fine)) for maps in given], dim=1)
        maps = pooled.contiguous(memory_format=torch.channels_last)
        fine = relu(self.met(self.told(maps) + fine))
        likeness = self.alike(alike(keys, told))
        coarse = relu(self.gathered(resize(self.down(fine), grid(coarse)) + coarse + likeness))
        raised = resize(self.up(self.blocks(coarse)), grid(fine))
        return self.score(self.last(relu(self.joined(fine + raised))))


def alike(keys: Tensor, told: Told) -> Tensor:
    """How much each cell looks like the clicked cell that it resembles most, for both signs.

    Args:
        keys: (B, C, h, w) float32 of length 1.
    Returns:
        (B, 2, h, w) float32 cosine; channel 0 for clicks inside; -1 without any.
    """
    height, width = grid(keys)
    flat, size = keys.flatten(2), told.maps.shape[-1]
    places = told.clicks[..., :2] / size * keys.new_tensor([height, width])
    rows, cols = places.long().unbind(-1)
    cells = rows.clamp(0, height - 1) * width + cols.clamp(0, width - 1)
    clicked = flat.gather(2, cells[:, None].expand(-1, keys.shape[1], -1))
    likeness = (clicked.transpose(1, 2) @ flat).float()
    signs = told.clicks[..., 2, None]
    kinds = [likeness.masked_fill(signs * sign <= 0, -1.0).amax(dim=1) for sign in (1, -1)]
    return torch.stack(kinds, dim=1).unflatten(2, (height, width))


class _Block(nn.Module):
    """A 3x3 convolution beside the identity."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(
            width, width, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.norm = _norm(width)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, width, h, w) to the same."""
        return maps + relu(self.norm(self.convolution(maps)))


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(1 if width % GROUP else width // GROUP, width)
