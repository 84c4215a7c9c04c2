"""IOG's own refinement branch, an option beside ours (``corrector``).

The pyramid pooling is widened by the branch's channels.  It is stored as two parts: the trained
columns stay in the network, the new rows and columns lie here.  As 1x1 convolutions add up over
columns, and normalisations act on rows, both together are exactly the published wider layer.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from openscenes.networks.config import NetworkConfig
from openscenes.networks.corrector import CLICK_CHANNELS
from openscenes.networks.enlargement import fuse, grid
from openscenes.networks.iog import POOLS, PyramidPooling, averages, conv_norm

# IOG's branch: a quarter, half, once and once the heads' width of 256, then a quarter of it.
BRANCH_SHARES = (4, 2, 1, 1)
OUTPUT_SHARE = 4


class Refiner(nn.Module):
    """The click branch, and what the pyramid pooling gains by its channels.

    IOG: four 3x3 convolutions of stride 2 (64, 128, 256, 256), 1x1 to 64; pyramid pools of
    2048 + 64 inputs with 528 channels each; a fusion of 4224 channels to 512.
    IOG: it sees the first clicks and all later ones, and learns together with the rest.
    Ours: all numbers of the branch follow ``head_width`` (IOG: 256), and strides are 2 until
    the grid of F is reached and 1 from there, so that small networks have a small branch.
    """

    def __init__(self, config: NetworkConfig, features: int) -> None:
        """``features``: channels of F."""
        super().__init__()
        clicks = max(1, config.head_width // OUTPUT_SHARE)
        rows = max(1, clicks // len(POOLS))
        self.branch = _click_branch(config, clicks)
        self.shared_rows = nn.ModuleList(
            nn.Conv2d(clicks, config.psp_width, 1, bias=False) for _ in POOLS
        )
        self.new_rows = nn.ModuleList(
            nn.Sequential(*conv_norm(features + clicks, rows), nn.ReLU()) for _ in POOLS
        )
        self.fusion = nn.Conv2d(len(POOLS) * rows + clicks, config.psp_width, 1, bias=False)

    def silence(self) -> None:
        """Start the new columns of trained rows at zero: the answer begins as the first one."""
        for silent in (*self.shared_rows, self.fusion):
            nn.init.zeros_(cast(nn.Conv2d, silent).weight)

    def forward(self, pyramid: PyramidPooling, features: Tensor, click_maps: Tensor) -> Tensor:
        """Pool F together with the branch's channels.

        Args:
            pyramid: the trained one, for F alone.
            features: (B, C, h, w), F.
            click_maps: (B, 2, S, S) on the scale that the network sees.
        Returns:
            (B, psp_width, h, w), in place of ``pyramid(features)``.
        """
        clicks = self.branch(click_maps)
        pools = zip(averages(features, POOLS), averages(clicks, POOLS), strict=True)
        rows = [self._rows(index, pyramid.stages[index], *p) for index, p in enumerate(pools)]
        shared, new = zip(*rows, strict=True)
        convolution, norm, relu = pyramid.bottleneck
        trained = fuse((*shared, features), cast(nn.Conv2d, convolution).weight, grid(features))
        return relu(norm(trained + fuse((*new, clicks), self.fusion.weight, grid(features))))

    def _rows(
        self, index: int, stage: nn.Module, seen: Tensor, told: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One pool's trained channels, corrected by the clicks, and its new channels."""
        _, convolution, norm, relu = cast(nn.Sequential, stage)
        shared = relu(norm(convolution(seen) + self.shared_rows[index](told)))
        return shared, self.new_rows[index](torch.cat((seen, told), dim=1))


def _click_branch(config: NetworkConfig, outputs: int) -> nn.Sequential:
    """(B, 2, S, S) to (B, outputs, h, w), on the grid of F."""
    halvings = round(math.log2(config.output_stride))
    layers: list[nn.Module] = []
    inputs = CLICK_CHANNELS
    for index, share in enumerate(BRANCH_SHARES):
        width, stride = max(1, config.head_width // share), 2 if index < halvings else 1
        layers.append(nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False))
        layers += (nn.BatchNorm2d(width), nn.ReLU())
        inputs = width
    return nn.Sequential(*layers, *conv_norm(inputs, outputs), nn.ReLU())
