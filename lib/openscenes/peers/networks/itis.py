"""ITIS: DeepLabv3+ that sees clicks and its own last mask (Mahadevan et al., BMVC 2018)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP, ASPPPooling

from openscenes.data.interactions import REFERENCE_PX, gaussian_maps
from openscenes.masks import distance_to_outside
from openscenes.networks.backbones import ResNet, SmallResNet, residual_stage
from openscenes.networks.click_output import ClickOutput
from openscenes.networks.enlargement import grid, resize
from openscenes.networks.openscene import (
    check_inputs,
    initialise_weights,
    materialise,
    register_input_scale,
)
from openscenes.networks.weights import copy_tensors, imagenet_state, stem_kernel
from openscenes.seeding import torch_generator
from openscenes.settings import require_between, require_one_of, setting

FWHM_PER_DEVIATION = 2.0 * math.sqrt(2.0 * math.log(2.0))
OUTPUT_STRIDE = 16


@dataclass(frozen=True)
class ITISConfig:
    """The network of Mahadevan et al.; the defaults are the published ones where they exist.

    Attributes:
        backbone: which convolutional net gives the features.
        guidance: a sixth channel shows the previous mask.
        aspp_width, aspp_rates: channels of each branch and dilations of the pyramid.
        skip_width, decoder_width: channels that layer1 gives to the decoder, and of its two 3x3.
        click_deviation_px: standard deviation of a click's Gaussian, on a crop of 512 pixels.
        click_limit_px: beyond this distance the Gaussian stays as it is here.
        click_gain: by how much the Gaussian's density is multiplied.
        guidance_limit_px: where distances to the previous mask are cut off, on a crop of 512.
        normalise: feed ImageNet-standardised colours and maps in 0..1, not raw 0..255.
    """

    backbone: Literal["resnet101", "small_resnet"] = setting(
        "resnet101", "Ours: torchvision has no Xception-65, the published backbone"
    )
    guidance: bool = setting(True, "Mahadevan et al. 2018: optional distances to the last mask")
    aspp_width: int = setting(256, "Mahadevan et al. 2018: DeepLabv3+")
    aspp_rates: tuple[int, ...] = setting((6, 12, 18), "Mahadevan et al. 2018: output stride 16")
    skip_width: int = setting(48, "Mahadevan et al. 2018: DeepLabv3+")
    decoder_width: int = setting(256, "Mahadevan et al. 2018: DeepLabv3+")
    click_deviation_px: float = setting(10.0, "Mahadevan et al. 2018; Ours: of a crop of 512")
    click_limit_px: float = setting(20.0, "Mahadevan et al. 2018; Ours: of a crop of 512")
    click_gain: float = setting(25.0, "Mahadevan et al. 2018")
    guidance_limit_px: float = setting(20.0, "Ours: where a click's Gaussian reaches its floor")
    normalise: bool = setting(False, "Mahadevan et al. 2018: 0..255 inside")

    def __post_init__(self) -> None:
        """Refuse what no network can be built from."""
        require_one_of(self, "backbone", ("resnet101", "small_resnet"))
        require_between(self, 1, 1000, "click_deviation_px", "click_limit_px", "guidance_limit_px")

    @property
    def input_channels(self) -> int:
        """Colours, two click maps, and perhaps the previous mask."""
        return 5 + int(self.guidance)


class ITIS(nn.Module):
    """Backbone, atrous pyramid, and DeepLabv3+'s decoder on layer1's grid.

    Ours: ResNet-101 at output stride 16 with DeepLabv3's multi-grid instead of Xception-65, and
    plain 3x3 convolutions where that has separable ones.
    Ours: one logit instead of two classes whose softmax is the same function.
    Ours: torchvision's pyramid would draw a dropout from the global generator; it is left out.
    Ours: published, all of it starts from a DeepLab checkpoint, whose BatchNorm statistics stay;
    ImageNet has the backbone alone, so that those of pyramid and decoder learn.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, config: ITISConfig, *, generator: Generator | None = None) -> None:
        """Initial weights come from ``generator``; without one, from a seed that config fixes."""
        super().__init__()
        self.config = config
        with torch.device("meta"):
            self.backbone = _backbone(config)
            self.pyramid = _pyramid(self.backbone.widths[-1], config)
            self.decoder = Decoder(self.backbone.widths[0], config)
        materialise(self, initialise_weights, generator or torch_generator("itis", config))
        register_input_scale(self, config.input_channels, standardise=config.normalise)

    @torch.no_grad()
    def inputs(self, images: Tensor, clicks: Tensor, previous: Tensor | None) -> Tensor:
        """Image, positive and negative click map, distance to the previous mask.

        Args:
            images: (B, 3, S, S) uint8 RGB.
            clicks: (B, K, 3) float32 (row, col, sign) in pixels of the crop.
            previous: (B, 1, S, S) bool, the last mask; without one the channel is that of an
                empty mask, and without ``guidance`` there is no such channel.
        Returns:
            (B, 6 or 5, S, S) float32 in 0..255.
        """
        channels = [images.float(), 255.0 * click_maps(clicks, images.shape[-1], self.config)]
        if self.config.guidance:
            mask = torch.zeros_like(images[:, :1], dtype=torch.bool)
            mask = mask if previous is None else previous
            channels.append(255.0 * guidance_map(mask, self.config))
        return torch.cat(channels, dim=1)

    def forward(self, inputs: Tensor) -> ClickOutput:
        """One logit map on layer1's grid, supervised and shown.

        Args:
            inputs: (B, 6 or 5, S, S) float in 0..255, as ``inputs`` makes them.
        Raises:
            InputError: if the shape is another, or one crop comes alone in training mode.
        """
        meaning = "colours, two click maps" + ", the previous mask" * self.config.guidance
        check_inputs(inputs, self.config.input_channels, meaning, alone_fails=self.training)
        stages = self.backbone(inputs * self.scale + self.shift)
        logits = self.decoder(self.pyramid(stages.layer4), stages.layer1)
        return ClickOutput(logits, (logits,))

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        """The pretrained part; everything else counts as heads."""
        return self.backbone.parameters()

    def frozen_parameters(self) -> Iterator[nn.Parameter]:
        """None: everything trains."""
        return iter(())


def load_imagenet_itis(network: ITIS, source: Path | None = None) -> None:
    """Start the backbone from ImageNet's ResNet-101, in torchvision's names.

    Ours: the kernels of clicks and guidance start at zero, as IOG's do.

    Args:
        network: its pyramid and its decoder stay as they are.
        source: a local .safetensors or .pth file; without one, torchvision fetches its own.
    Raises:
        WeightsError: if the weights cannot be had, or do not fit.
    """
    state, stem = imagenet_state("resnet101", source), network.backbone.stem_name
    kernel = stem_kernel(state, stem)
    maps = network.config.input_channels - kernel.shape[1]
    state[stem] = F.pad(kernel, (0, 0, 0, 0, 0, maps))
    copy_tensors(state, network.backbone.state_dict(), "ResNet-101")


class Decoder(nn.Module):
    """DeepLabv3+'s decoder: the pyramid's map beside a narrow layer1, two 3x3, one logit."""

    def __init__(self, skipped: int, config: ITISConfig) -> None:
        """``skipped``: channels of layer1."""
        super().__init__()
        width = config.decoder_width
        self.skip = nn.Sequential(*_conv_norm_relu(skipped, config.skip_width, 1))
        self.refine = nn.Sequential(
            *_conv_norm_relu(config.aspp_width + config.skip_width, width, 3),
            *_conv_norm_relu(width, width, 3),
        )
        self.score = nn.Conv2d(width, 1, 1)

    def forward(self, context: Tensor, layer1: Tensor) -> Tensor:
        """(B, aspp_width, h, w) and (B, C, h1, w1) to logits (B, 1, h1, w1)."""
        raised = resize(context, grid(layer1))
        return self.score(self.refine(torch.cat([raised, self.skip(layer1)], dim=1)))


def click_maps(clicks: Tensor, size: int, config: ITISConfig) -> Tensor:
    """The density of a normal distribution at the truncated distance to the nearest click.

    ``gain * N(min(d, limit); 0, deviation)``, so the maximum of one Gaussian per click, never
    less than its value at the limit: .997 at a click and .135 far from all.
    Ours: without any click of a kind its map is .135 everywhere.

    Args:
        clicks: (B, K, 3) float32 (row, col, sign) in pixels of the crop.
        size: side of the crop; settings in pixels scale with it.
    Returns:
        (B, 2, size, size) float32 in [.135, .997]; channel 0 positive, channel 1 negative.
    """
    deviation = config.click_deviation_px * size / REFERENCE_PX
    peak = config.click_gain / (config.click_deviation_px * math.sqrt(2.0 * math.pi))
    lowest = math.exp(-0.5 * (config.click_limit_px / config.click_deviation_px) ** 2)
    return peak * gaussian_maps(clicks, size, FWHM_PER_DEVIATION * deviation).clamp_min(lowest)


def guidance_map(previous: Tensor, config: ITISConfig) -> Tensor:
    """The truncated distance of each pixel to the previous mask, as a share of the limit.

    Args:
        previous: (B, 1, S, S) bool on any device.
    Returns:
        (B, 1, S, S) float32 in [0, 1]: 0 inside the mask, 1 far from it or if it is empty.
    """
    limit = config.guidance_limit_px * previous.shape[-1] / REFERENCE_PX
    outside = (~previous[:, 0]).cpu().numpy()
    distances = [distance_to_outside(part) for part in outside]
    near = torch.from_numpy(np.stack(distances)).clamp(max=limit)
    return (near / limit)[:, None].to(previous.device)


def _backbone(config: ITISConfig) -> ResNet | SmallResNet:
    """Four stages behind a stem that reads as many channels as there are."""
    backbone = _small_backbone() if config.backbone == "small_resnet" else ResNet(23, OUTPUT_STRIDE)
    stem, channels = backbone.conv1, config.input_channels
    stem.in_channels = channels
    stem.weight = nn.Parameter(torch.empty(stem.out_channels, channels, *stem.kernel_size))
    return backbone


def _small_backbone() -> SmallResNet:
    """F four times coarser than layer1, as in DeepLabv3+: strides of 2 and 8."""
    backbone = SmallResNet()
    _, second, third, fourth = backbone.widths
    backbone.layer3 = residual_stage(second, third, stride=2, dilations=(1, 1))
    backbone.layer4 = residual_stage(third, fourth, dilations=(2, 4))
    return backbone


class PooledImage(ASPPPooling):
    """torchvision's pooling over the image, enlarged as all maps are (``enlargement``)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, aspp_width, h, w), the same in every cell."""
        return resize(nn.Sequential.forward(self, x), grid(x), align_corners=False)


def _pyramid(inputs: int, config: ITISConfig) -> ASPP:
    pyramid = ASPP(inputs, config.aspp_rates, config.aspp_width)
    pyramid.convs[-1] = PooledImage(inputs, config.aspp_width)
    pyramid.project[-1] = nn.Identity()  # the dropout
    return pyramid


def _conv_norm_relu(inputs: int, outputs: int, side: int) -> Sequence[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU()
