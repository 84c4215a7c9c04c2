"""IOG's refinement branch: the fourth and later clicks, without running the backbone again.

The pyramid pooling is widened by the branch's channels.  It is stored as two parts: the trained
columns stay in the network, the new rows and columns lie here.  As 1x1 convolutions add up over
columns, and normalisations act on rows, both together are exactly the published wider layer.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import torch
from torch import Generator, Tensor, nn

from openscenes.data.interactions import REFERENCE_PX, ClickConfig, gaussian_maps
from openscenes.errors import InputError
from openscenes.networks.backbones import INPUT_CHANNELS, Stages
from openscenes.networks.batch_norm import statistics_are_shared
from openscenes.networks.click_output import ClickOutput
from openscenes.networks.config import NetworkConfig
from openscenes.networks.enlargement import fuse, grid
from openscenes.networks.iog import POOLS, PyramidPooling, averages, conv_norm
from openscenes.networks.openscene import (
    INPUT_MEANING,
    OpenSceneNet,
    check_inputs,
    initialise_weights,
)
from openscenes.seeding import torch_generator

CLICK_CHANNELS = 2
PUBLISHED_CLICKS = ClickConfig()
# IOG's branch: a quarter, half, once and once the heads' width of 256, then a quarter of it.
BRANCH_SHARES = (4, 2, 1, 1)
OUTPUT_SHARE = 4


class Refiner(nn.Module):
    """The click branch, and what the pyramid pooling gains by its channels.

    IOG: four 3x3 convolutions of stride 2 (64, 128, 256, 256), 1x1 to 64; pyramid pools of
    2048 + 64 inputs with 528 channels each; a fusion of 4224 channels to 512.
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


class RefinableIOG(nn.Module):
    """A trained network that takes more clicks: the first prediction is the network's own.

    IOG: the branch sees the first clicks and all later ones; backbone once, pooling and heads
    again for each click; everything trained together from ImageNet, batch 2, half the loss on
    the first prediction, and the polarity of a new click read with row and column swapped.
    Ours: the network is trained before and frozen, in eval mode; only the branch and the new rows
    and columns learn.  New columns into trained rows start at zero, so the refined prediction
    begins as the first one, which needs no loss, as it cannot change.
    Ours: the sign of a click is the caller's, and positive clicks go to the first channel.
    """

    def __init__(
        self,
        network: OpenSceneNet,
        clicks: ClickConfig = PUBLISHED_CLICKS,
        *,
        refiner: Refiner | None = None,
        generator: Generator | None = None,
    ) -> None:
        """Contain ``network`` itself, not a copy, and set it to eval mode.

        Args:
            network: trained; on any device.
            clicks: how wide a click is drawn; the same as for the first clicks.
            refiner: a trained one; without it, one is drawn.
            generator: draws it; without one, a seed that the network's configuration fixes.
        """
        super().__init__()
        self.clicks = clicks
        self.network = network.eval()
        generator = generator or torch_generator("refiner", network.config)
        self.refiner = refiner or _drawn(network, generator)

    def encode(self, inputs: Tensor) -> Stages:
        """Run the backbone, once per crop.

        Args:
            inputs: (B, 5, S, S) float in 0..255; another shape is an InputError.
        """
        check_inputs(inputs, INPUT_CHANNELS, INPUT_MEANING)
        return self.network.iog.backbone(inputs * self.network.scale + self.network.shift)

    @torch.no_grad()
    def click_maps(self, inputs: Tensor, clicks: Tensor) -> Tensor:
        """The first clicks' maps with all later clicks drawn into them by the maximum.

        Args:
            inputs: (B, 5, S, S) in 0..255, of which the last two channels are the first clicks.
            clicks: (B, K, 3) float32 (row, col, sign), those after the first prediction.
        Returns:
            (B, 2, S, S) float32 in 0..255; channel 0 is inside, 1 is outside the object.
        """
        size = inputs.shape[-1]
        width = self.clicks.heat_map_width_px * size / REFERENCE_PX
        later = 255.0 * gaussian_maps(clicks, size, width)
        return torch.maximum(inputs[:, -CLICK_CHANNELS:].float(), later)

    def first(self, stages: Stages) -> ClickOutput:
        """Fine logits (B, 1, h2, w2) of the network itself; the coarse ones are supervised, too."""
        return self._output(self.network.iog.psp4(stages.layer4), stages)

    def refined(self, stages: Stages, click_maps: Tensor) -> ClickOutput:
        """Predict from all clicks so far; pyramid pooling and heads run, the backbone does not.

        Args:
            stages: from ``encode``.
            click_maps: (B, 2, S, S) in 0..255, from ``click_maps``.
        Raises:
            InputError: if the shape is another, or one crop comes alone in training mode.
        """
        self._check(stages, click_maps)
        maps = click_maps * self.network.scale[:, -CLICK_CHANNELS:]  # no click stays zero
        return self._output(self.refiner(self.network.iog.psp4, stages.layer4, maps), stages)

    def forward(self, inputs: Tensor, click_maps: Tensor | None = None) -> ClickOutput:
        """``encode``, then ``refined``; without ``click_maps``, ``first``."""
        stages = self.encode(inputs)
        return self.first(stages) if click_maps is None else self.refined(stages, click_maps)

    def train(self, mode: bool = True) -> RefinableIOG:
        """Switch the refiner's mode; the network stays in eval mode."""
        super().train(mode)
        self.network.eval()
        return self

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        """The pretrained part; everything else counts as heads."""
        return self.network.iog.backbone.parameters()

    def frozen_parameters(self) -> Iterator[nn.Parameter]:
        """The whole network's: only the refiner trains."""
        return self.network.parameters()

    def trainable_for_refinement(self) -> list[nn.Parameter]:
        """Let only the branch and the new rows and columns train; these are returned.

        Ours: it is cheap, as nothing before the pooling keeps values for a backward pass, and
        the stages of a crop, encoded after this call, serve many clicks and epochs.
        """
        self.network.requires_grad_(False)
        self.refiner.requires_grad_(True)
        return list(self.refiner.parameters())

    def _output(self, pooled: Tensor, stages: Stages) -> ClickOutput:
        iog = self.network.iog
        levels = iog.Coarse_net((pooled, stages.layer3, stages.layer2, stages.layer1))
        fine, _ = iog.Fine_net(levels)
        return ClickOutput(fine, (*iog.Coarse_net.logits(levels), fine))

    def _check(self, stages: Stages, click_maps: Tensor) -> None:
        n = len(stages.layer4)
        if click_maps.dim() != 4 or click_maps.shape[:2] != (n, CLICK_CHANNELS):
            raise InputError(
                f"The click maps have shape {tuple(click_maps.shape)}; give "
                f"({n}, {CLICK_CHANNELS}, S, S), as click_maps() makes them."
            )
        if n == 1 and self.refiner.training and not statistics_are_shared():
            raise InputError(
                "A training batch of one crop has no batch statistics in the 1x1 pyramid pool; "
                "give at least two crops, or call eval()."
            )


def graft(trained: RefinableIOG, network: OpenSceneNet) -> RefinableIOG:
    """Put a trained refiner, copied, onto another network, such as an evolved one.

    Ours: the branch is learned once, on the source's masks; an evolved network brings its own
    trained columns, and its first prediction is its own.

    Raises:
        InputError: if the two networks differ in more than their class heads.
    """
    source = trained.network.config
    theirs = replace(network.config, n_classes=source.n_classes, unknown_class=source.unknown_class)
    if theirs != source:
        raise InputError(
            f"The refiner was trained for {source}, but the network is {network.config}; graft "
            "it onto a network of the same configuration."
        )
    refiner = copy.deepcopy(trained.refiner).to(network.scale.device)
    return RefinableIOG(network, trained.clicks, refiner=refiner).train(trained.training)


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


def _drawn(network: OpenSceneNet, generator: Generator) -> Refiner:
    """A refiner that does not change the network's prediction, on the network's device."""
    with torch.device("meta"):
        refiner = Refiner(network.config, network.iog.backbone.widths[-1])
    device = network.predictor.weight.device
    if device.type == "meta":
        return refiner
    refiner.to_empty(device="cpu")
    initialise_weights(refiner, generator)
    for silent in (*refiner.shared_rows, refiner.fusion):
        nn.init.zeros_(cast(nn.Conv2d, silent).weight)
    return refiner.to(device)
