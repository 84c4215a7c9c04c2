"""FCTSFN: two streams, one for colours and one for clicks, fused late and then refined.

Hu et al., Neural Networks 2019: TSLFN is the FCN-8s of two streams, MSRN its refinement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from openscenes.errors import InputError
from openscenes.networks.click_output import ClickOutput
from openscenes.networks.enlargement import grid
from openscenes.networks.openscene import materialise
from openscenes.peers.networks.ifcn import CLICK_MAPS, check_inputs, encode
from openscenes.peers.networks.vgg import (
    COLOURS,
    FIRST,
    STAGES,
    FCNConfig,
    FCNHead,
    StageMaps,
    VGGStages,
    bilinear,
    copy_vgg,
    imagenet_vgg,
    initialise_vgg,
)
from openscenes.seeding import torch_generator
from openscenes.settings import setting

FUSED = STAGES - 1  # the stages that each stream has for itself


@dataclass(frozen=True)
class FCTSFNConfig:
    """FCTSFN; the defaults are the published network."""

    fcn: FCNConfig = setting(FCNConfig(), "FCTSFN: both streams and what joins them are VGG-16's")
    distance_means: tuple[float, float] = setting((166.9, 147.5), "FCTSFN: of its training maps")
    scale_width: int = setting(60, "FCTSFN: channels of each of the five scales")
    refinement_width: int = setting(64, "FCTSFN: channels of the refining convolutions")
    refinement_kernels: tuple[int, ...] = setting((7, 5, 3, 3, 3), "FCTSFN")
    detach_coarse: bool = setting(
        True, "FCTSFN: TSLFN is frozen while MSRN learns; here MSRN's gradient stops before it"
    )

    def __post_init__(self) -> None:
        """Refuse what no network can be built from."""
        if not self.refinement_kernels or any(k % 2 == 0 for k in self.refinement_kernels):
            raise InputError(
                f"FCTSFNConfig.refinement_kernels is {self.refinement_kernels}; give odd numbers, "
                "as every refining convolution keeps its grid."
            )


class MSRN(nn.Module):
    """The refinement: the sum of five scales and the coarse score, then five convolutions.

    Ours: one logit in place of two classes, drawn as the difference of two of MSRA's. Near zero,
    as other heads, Adam turned all its weights negative; over ReLUs the bias was then the most it
    could answer, a probability of 0.46.
    """

    def __init__(self, config: FCTSFNConfig, channels: Sequence[int]) -> None:
        """``channels`` of the maps of the five scales, finest first."""
        super().__init__()
        self.scales = nn.ModuleList(
            _conv_norm_relu(inputs, config.scale_width, 1) for inputs in channels
        )
        self.coarse_norm = nn.BatchNorm2d(1)
        inputs, self.refine = config.scale_width + 1, nn.Sequential()
        for kernel in config.refinement_kernels:
            self.refine.append(_conv_norm_relu(inputs, config.refinement_width, kernel))
            self.refine.append(nn.Dropout(config.fcn.dropout))
            inputs = config.refinement_width
        self.score = nn.Conv2d(config.refinement_width, 1, 1)

    def forward(self, maps: Sequence[Tensor], coarse: Tensor) -> Tensor:
        """Logits on the grid of the finest maps.

        Args:
            maps: (B, C_i, h_i, w_i) of the five scales, finest first.
            coarse: (B, 1, h, w) logits.
        Returns:
            (B, 1, h_0, w_0) float32 logits.
        """
        finest = grid(maps[0])
        pairs = zip(self.scales, maps, strict=True)
        total = reduce(torch.add, (bilinear(scale(part), finest) for scale, part in pairs))
        score = self.coarse_norm(bilinear(coarse, finest)).to(total.dtype)
        return self.score(self.refine(torch.cat([total, score], dim=1))).float()


class FCTSFN(nn.Module):
    """TSLFN and MSRN.

    Ours: published, TSLFN learns as FCN-32s, 16s and 8s; here at once, as ``ifcn.IFCN``, with a
    step's loss the mean of its objects, where Caffe sums them. As published MSRN then learns above
    a resting TSLFN; small profiles teach both together. The 20 epochs and 4 are ours, since only
    the steps are published after which MSRN slows down. With ``detach_coarse`` MSRN's gradient
    does not reach TSLFN, which then learns what it would learn alone.
    """

    def __init__(self, config: FCTSFNConfig, *, generator: Generator | None = None) -> None:
        """Initial weights come from ``generator``; without one, from a seed that config fixes."""
        super().__init__()
        self.config = config
        fcn = config.fcn
        fused = [2 * width for width in fcn.widths[:FUSED]]
        with torch.device("meta"):
            self.image = VGGStages(fcn, COLOURS, range(FUSED))
            self.click = VGGStages(fcn, CLICK_MAPS, range(FUSED))
            self.joint = VGGStages(fcn, fused[-1], range(FUSED, STAGES))
            self.head = FCNHead(fcn, *fused[2:4])
            self.refinement = MSRN(config, [*fused, fcn.widths[-1]])
        materialise(self, _initialise, generator or torch_generator("fctsfn", config))

    @torch.no_grad()
    def inputs(self, images: Tensor, clicks: Tensor, previous: Tensor | None) -> Tensor:
        """What ``forward`` reads, as ``encode`` has it; the ``previous`` mask is not used."""
        return encode(images, clicks, self.config.fcn, self.config.distance_means)

    def image_features(self, inputs: Tensor) -> StageMaps:
        """Maps of the colours of (B, 5, S, S) inputs, which are the same for all clicks."""
        return self.image(inputs[:, :COLOURS])

    def forward(self, inputs: Tensor, features: StageMaps | None = None) -> ClickOutput:
        """(B, 5, S, S) float32 to MSRN's logits; they and TSLFN's are supervised, (B, 1, S, S).

        Args:
            inputs: as ``inputs`` makes them.
            features: of the image, from ``image_features``, where they are computed already.

        Raises:
            InputError: if the shape is another, or the crop is smaller than one coarse cell.
        """
        check_inputs(inputs, self.config.fcn)
        features = self.image_features(inputs) if features is None else features
        maps, coarse = self._coarse(inputs, features)
        if self.config.detach_coarse:
            refined = self.refinement([part.detach() for part in maps], coarse.detach())
        else:
            refined = self.refinement(maps, coarse)
        fine, coarse = (bilinear(logits, grid(inputs)) for logits in (refined, coarse))
        return ClickOutput(fine, (fine, coarse))

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        """TSLFN's: both streams, conv5 and the FCN's head; MSRN's have a rate of their own."""
        parts = (self.image, self.click, self.joint, self.head)
        return chain.from_iterable(part.parameters() for part in parts)

    def frozen_parameters(self) -> Iterator[nn.Parameter]:
        """What never trains: nothing."""
        return iter(())

    def _coarse(self, inputs: Tensor, image: StageMaps) -> tuple[list[Tensor], Tensor]:
        """TSLFN: the maps of five scales, finest first, and FCN-8s' logits on pool3's grid."""
        streams = (image, self.click(inputs[:, COLOURS:]))
        maps, pooled = (
            [torch.cat(pair, dim=1) for pair in zip(*parts, strict=True)]
            for parts in zip(*streams, strict=True)
        )
        joint = self.joint(pooled[-1])
        logits = self.head(pooled[-2], pooled[-1], joint.pooled[0])
        return [*maps, joint.convolved[0]], logits[0]


def load_imagenet_two_streams(network: FCTSFN, source: Path | None = None) -> None:
    """Start both streams, conv5, fc6 and fc7 from ImageNet's VGG-16, in torchvision's names.

    FCTSFN: the click stream's first kernels are the mean over colours, and conv5's first kernels
    are copied for each stream. Otherwise as ``ifcn.load_imagenet_vgg``.
    """
    state = imagenet_vgg(network.config.fcn, source)
    copy_vgg(state, network.image, network.head)
    grey = state[FIRST].mean(dim=1, keepdim=True).repeat(1, CLICK_MAPS, 1, 1)
    copy_vgg(state | {FIRST: grey}, network.click)
    joined = f"features.{network.joint.offset}.weight"
    both = {joined: state[joined].repeat(1, 2, 1, 1)} if joined in state else {}
    copy_vgg(state | both, network.joint)


def _initialise(network: FCTSFN, generator: Generator) -> None:
    """As ``initialise_vgg``; the refinement's score from N(0, 4 / fan-in)."""
    initialise_vgg(network, generator)
    score = network.refinement.score
    nn.init.normal_(score.weight, std=2.0 / math.sqrt(score.in_channels), generator=generator)


def _conv_norm_relu(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
