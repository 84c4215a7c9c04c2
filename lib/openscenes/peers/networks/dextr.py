"""DEXTR: a mask from four extreme points (Maninis et al., CVPR 2018); a peer of Table 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Generator, Tensor, nn
from torchvision.models.resnet import Bottleneck

from openscenes.data.interactions import REFERENCE_PX, gaussian_maps
from openscenes.errors import InputError
from openscenes.networks.backbones import residual_stage
from openscenes.networks.click_output import ClickOutput
from openscenes.networks.iog import PyramidPooling
from openscenes.networks.openscene import (
    check_inputs,
    initialise_weights,
    materialise,
    register_input_scale,
)
from openscenes.networks.weights import copy_tensors, imagenet_state, stem_kernel
from openscenes.seeding import torch_generator
from openscenes.settings import setting

INPUT_CHANNELS = 4
STEM = "conv1.weight"


@dataclass(frozen=True)
class DEXTRConfig:
    """The shape of one DEXTR; the defaults are the published network.

    Attributes:
        blocks, widths: bottlenecks and output channels of each of the four stages.
        stem_width, stem_kernel: channels and side, which is odd, of the stem.
        stem_pool: a max pool follows the stem; the output stride is 8 with it, 4 without.
        psp_width: channels of each pyramid pool and of their fusion.
        heat_map_width_px: full width at half maximum of a click, in pixels of a 512 crop.
        normalise: standardise colours as ImageNet does and bring clicks to 0..1.
        freeze_norms: scale and offset of the backbone's normalisations stay as they are.
    """

    blocks: tuple[int, int, int, int] = setting((3, 4, 23, 3), "DEXTR: ResNet-101")
    widths: tuple[int, int, int, int] = setting((256, 512, 1024, 2048), "DEXTR: ResNet-101")
    stem_width: int = setting(64, "DEXTR: ResNet-101")
    stem_kernel: int = setting(7, "DEXTR: ResNet-101")
    stem_pool: bool = setting(True, "DEXTR: output stride 8")
    psp_width: int = setting(512, "DEXTR")
    heat_map_width_px: float = setting(10.0, "DEXTR: Gaussians of 10 px at 512")
    normalise: bool = setting(False, "DEXTR feeds raw 0..255")
    freeze_norms: bool = setting(True, "DEXTR: the backbone's BN parameters do not train")

    def __post_init__(self) -> None:
        """Refuse what no network can be built from."""
        if min(*self.blocks, self.stem_width, self.psp_width) < 1 or self.stem_kernel % 2 == 0:
            raise InputError(
                f"DEXTR got blocks {self.blocks}, stem width {self.stem_width}, stem kernel "
                f"{self.stem_kernel} and PSP width {self.psp_width}; give numbers of at least 1 "
                "and an odd kernel."
            )
        if any(width < 4 or width % 4 for width in self.widths):
            raise InputError(
                f"DEXTR's widths are {self.widths}; choose positive multiples of four, as "
                "bottlenecks divide them."
            )


class DEXTR(nn.Module):
    """ResNet of DeepLab-v2 with a pyramid pooling head, under the published parameter names.

    Paper: Table 1 and 2 compare with it.  DEXTR: Caffe's bottlenecks (stride on the first 1x1),
    dilations 2 and 4 in the last two stages, one logit map on the grid of the fourth stage.
    Ours: initial weights are He's where DEXTR draws from N(0, 0.01^2); a normalisation follows
    each of these convolutions, so at first both networks have the same statistics.
    Ours: the published weights start from a DeepLab-v2 that knew VOC's classes; no library keeps
    that network, so training here starts from ImageNet (``load_imagenet_dextr``) or at random.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self, config: DEXTRConfig = DEXTRConfig(), *, generator: Generator | None = None
    ) -> None:
        """Initial weights come from ``generator``; without one, from a seed that config fixes."""
        super().__init__()
        self.config = config
        with torch.device("meta"):
            self._build(config)
        materialise(self, initialise_weights, generator or torch_generator("dextr", config))
        register_input_scale(self, INPUT_CHANNELS, standardise=config.normalise)
        for parameter in self.frozen_parameters():
            parameter.requires_grad_(False)

    def _build(self, config: DEXTRConfig) -> None:
        kernel, stem, widths = config.stem_kernel, config.stem_width, config.widths
        self.conv1 = nn.Conv2d(
            INPUT_CHANNELS, stem, kernel, stride=2, padding=kernel // 2, bias=False
        )
        self.bn1 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if config.stem_pool else nn.Identity()
        n_first, n_second, n_third, n_fourth = config.blocks
        self.layer1 = residual_stage(stem, widths[0], dilations=(1,) * n_first)
        self.layer2 = _strided_stage(widths[0], widths[1], n_second)
        self.layer3 = residual_stage(widths[1], widths[2], dilations=(2,) * n_third)
        self.layer4 = residual_stage(widths[2], widths[3], dilations=(4,) * n_fourth)
        self.layer5 = PyramidPooling(widths[3], config.psp_width)
        self.layer5.add_module("final", nn.Conv2d(config.psp_width, 1, 1))

    @torch.no_grad()
    def inputs(self, images: Tensor, clicks: Tensor, previous: Tensor | None = None) -> Tensor:
        """Colours and one heat map of all clicks inside the object.

        Args:
            images: (B, 3, S, S) uint8, red, green, blue.
            clicks: (B, K, 3) float32 (row, col, sign); the extreme points have sign 1, and
                clicks of another sign are not seen.
            previous: not used; DEXTR segments once.
        Returns:
            (B, 4, S, S) float32 in 0..255.
        """
        size = images.shape[-1]
        width = self.config.heat_map_width_px * size / REFERENCE_PX
        heat = 255.0 * gaussian_maps(clicks, size, width)[:, :1]
        return torch.cat((images.float(), heat), dim=1)

    def forward(self, inputs: Tensor) -> ClickOutput:
        """Logits of a batch of crops.

        Args:
            inputs: (B, 4, S, S) float in 0..255, from ``inputs``.
        Returns:
            ClickOutput with one map (B, 1, h, w) on the grid of the fourth stage.
        Raises:
            InputError: if the shape is another, or one crop comes alone in training mode.
        """
        meaning = "colours and extreme points, as inputs() makes them"
        alone_fails = self.training and self.layer5.training
        check_inputs(inputs, INPUT_CHANNELS, meaning, alone_fails=alone_fails)
        stem = self.relu(self.bn1(self.conv1(inputs * self.scale + self.shift)))
        features = self.layer4(self.layer3(self.layer2(self.layer1(self.maxpool(stem)))))
        logits = self.layer5.get_submodule("final")(self.layer5(features))
        return ClickOutput(logits, (logits,))

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        """All parameters before the pyramid pooling; DEXTR trains the rest ten times faster."""
        for name, parameter in self.named_parameters():
            if not name.startswith("layer5."):
                yield parameter

    def frozen_parameters(self) -> Iterator[nn.Parameter]:
        """With ``freeze_norms``, scale and offset of the backbone's normalisations."""
        for name, module in self.named_modules():
            inside = isinstance(module, nn.BatchNorm2d) and not name.startswith("layer5.")
            if inside and self.config.freeze_norms:
                yield from module.parameters()


def load_imagenet_dextr(network: DEXTR, source: Path | None = None) -> None:
    """Start the backbone from ImageNet's ResNet-101, in torchvision's names.

    DEXTR: the kernels of the fourth channel are those of the last colour.
    Ours: torchvision's second stage learned to halve the grid in its 3x3, and does so here in the
    1x1 before it.

    Args:
        network: its pyramid pooling stays as it is.
        source: a local .safetensors or .pth file; without one, torchvision fetches its own.
    Raises:
        WeightsError: if the weights cannot be had, or do not fit.
    """
    state = imagenet_state("resnet101", source)
    kernel = stem_kernel(state, STEM)
    state[STEM] = torch.cat((kernel, kernel[:, -1:]), dim=1)
    backbone = {k: v for k, v in network.state_dict().items() if not k.startswith("layer5.")}
    copy_tensors(state, backbone, "ResNet-101")


def _strided_stage(inputs: int, outputs: int, n_blocks: int) -> nn.Sequential:
    """A stage that halves the grid in the first 1x1 convolution, as Caffe's ResNets do."""
    stage = residual_stage(inputs, outputs, stride=2, dilations=(1,) * n_blocks)
    first = cast(Bottleneck, stage[0])
    first.conv1.stride, first.conv2.stride = first.conv2.stride, first.conv1.stride
    return stage
