"""iFCN: an FCN-8s on VGG-16 that sees clicks as distance maps (Xu et al., CVPR 2016)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from openscenes.data.interactions import REFERENCE_PX, distance_maps
from openscenes.errors import InputError
from openscenes.networks.click_output import ClickOutput
from openscenes.networks.enlargement import grid
from openscenes.networks.openscene import IMAGENET_MEAN, IMAGENET_STD, materialise
from openscenes.peers.networks.vgg import (
    COLOURS,
    FIRST,
    STAGES,
    FCNConfig,
    FCNHead,
    VGGStages,
    bilinear,
    copy_vgg,
    imagenet_vgg,
    initialise_vgg,
)
from openscenes.seeding import torch_generator

CLICK_MAPS = 2


class IFCN(nn.Module):
    """Five channels in, an FCN-8s' logit out.

    Ours: the published training makes FCN-32s, then 16s, then 8s; here all three learn at once,
    each supervised, and the finest is shown, at the rate, momentum and skip scales of the FCN-8s
    that its authors train at once (Shelhamer et al. 2017), for 20 epochs; a batch is of 2 objects,
    not of 1.
    Ours: the published masks are cut along colours by a graph cut after the network; here that
    step is left out, and the network's own mask is what is scored.
    """

    def __init__(self, config: FCNConfig, *, generator: Generator | None = None) -> None:
        """Initial weights come from ``generator``; without one, from a seed that config fixes."""
        super().__init__()
        self.config = config
        with torch.device("meta"):
            self.vgg = VGGStages(config, COLOURS + CLICK_MAPS, range(STAGES))
            self.head = FCNHead(config, *config.widths[2:4])
        materialise(self, initialise_vgg, generator or torch_generator("ifcn", config))

    @torch.no_grad()
    def inputs(self, images: Tensor, clicks: Tensor, previous: Tensor | None) -> Tensor:
        """What ``forward`` reads, as ``encode`` has it; iFCN never sees its ``previous`` mask."""
        return encode(images, clicks, self.config, means=(0.0, 0.0))

    def forward(self, inputs: Tensor) -> ClickOutput:
        """(B, 5, S, S) float32 to one shown and three supervised maps, all (B, 1, S, S).

        Raises:
            InputError: if the shape is another, or the crop is smaller than one coarse cell.
        """
        check_inputs(inputs, self.config)
        pooled = self.vgg(inputs).pooled
        logits = tuple(bilinear(score, grid(inputs)) for score in self.head(*pooled[2:]))
        return ClickOutput(logits[0], logits)

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        """What starts from ImageNet: VGG-16's convolutions, fc6 and fc7."""
        parts = (self.vgg, self.head.fc6, self.head.fc7)
        return chain.from_iterable(part.parameters() for part in parts)

    def frozen_parameters(self) -> Iterator[nn.Parameter]:
        """What never trains: nothing."""
        return iter(())


def encode(images: Tensor, clicks: Tensor, config: FCNConfig, means: Sequence[float]) -> Tensor:
    """Colours and the distances to the nearest click of each kind.

    iFCN: Euclidean, cut off at 255, which is also the map of a kind without clicks.
    Ours: every crop's distances are as on one of 512 px, so that small crops learn the same maps.

    Args:
        images: (B, 3, S, S) uint8 RGB.
        clicks: (B, K, 3) float, (row, col, sign).
        means: taken from the two distance maps.
    Returns:
        (B, 5, S, S) float32: RGB less ImageNet's mean, in grey levels; distances in 512 px.
        With ``config.normalise``, colours over ImageNet's deviation and distances over the limit.
    Raises:
        InputError: if images and clicks are not as many.
    """
    if images.dim() != 4 or images.shape[1] != COLOURS or len(images) != len(clicks):
        raise InputError(
            f"The images have shape {tuple(images.shape)} and the clicks {tuple(clicks.shape)}; "
            "give (B, 3, S, S) and (B, K, 3)."
        )
    scale = images.shape[-1] / REFERENCE_PX
    distances = distance_maps(clicks, images.shape[-1], config.limit_px * scale) / scale
    mean, deviation = (distances.new_tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    colours = images.float() - 255.0 * mean
    distances = distances - distances.new_tensor(means).view(CLICK_MAPS, 1, 1)
    if config.normalise:
        colours, distances = colours / (255.0 * deviation), distances / config.limit_px
    return torch.cat([colours, distances], dim=1)


def check_inputs(inputs: Tensor, config: FCNConfig) -> None:
    """Refuse what ``encode`` has not made, and crops without a single coarse cell."""
    channels = COLOURS + CLICK_MAPS
    if inputs.dim() != 4 or inputs.shape[1] != channels or min(grid(inputs)) < config.stride:
        raise InputError(
            f"The input has shape {tuple(inputs.shape)}; give (B, {channels}, S, S) from "
            f"inputs(), with S at least {config.stride}."
        )


def load_imagenet_vgg(network: IFCN, source: Path | None = None) -> None:
    """Start the convolutions, fc6 and fc7 from ImageNet's VGG-16, in torchvision's names.

    iFCN: the colour kernels are copied, those of the two click channels start at zero.

    Args:
        network: its scores stay as they are.
        source: a local .safetensors or .pth file; without one, torchvision fetches its own.
    Raises:
        WeightsError: if the weights cannot be had, or do not fit.
    """
    state = imagenet_vgg(network.config, source)
    with_clicks = F.pad(state[FIRST], (0, 0, 0, 0, 0, CLICK_MAPS))
    copy_vgg(state | {FIRST: with_clicks}, network.vgg, network.head)
