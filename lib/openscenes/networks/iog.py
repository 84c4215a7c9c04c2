"""Inside-Outside Guidance: the interactive network that the framework evolves (Sec. 3.1)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from openscenes.networks.backbones import Stages, build_backbone
from openscenes.networks.config import NetworkConfig
from openscenes.networks.enlargement import Size, fuse, grid, resize

POOLS = (1, 2, 3, 6)
LEVELS = 4


def conv_norm(inputs: int, outputs: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A 1x1 convolution without bias and its normalisation."""
    return nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)


class PyramidPooling(nn.Module):
    """PSP: pools of 1, 2, 3, 6 cells, then F itself, fused by a 1x1 convolution."""

    def __init__(self, inputs: int, width: int) -> None:
        """(B, inputs, h, w) to (B, width, h, w)."""
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(pool), *conv_norm(inputs, width), nn.ReLU())
            for pool in POOLS
        )
        fused = inputs + len(POOLS) * width
        self.bottleneck = nn.Sequential(*conv_norm(fused, width), nn.ReLU())

    def forward(self, features: Tensor) -> Tensor:
        """Fuse F with its pooled summaries."""
        convolution, norm, relu = self.bottleneck
        pools = zip(self.stages, averages(features, POOLS), strict=True)
        maps = [*(cast(nn.Sequential, stage)[1:](pool) for stage, pool in pools), features]
        return relu(norm(fuse(maps, _kernel(convolution), grid(features))))


def averages(maps: Tensor, sides: Sequence[int]) -> list[Tensor]:
    """``nn.AdaptiveAvgPool2d`` of each side, (B, C, side, side), by one product for all sides."""
    batch, channels = maps.shape[:2]
    flat = maps.permute(0, 2, 3, 1).reshape(batch, -1, channels)
    weights = _averaging(tuple(sides), grid(maps), flat.dtype, flat.device)
    cells = (weights @ flat).transpose(1, 2)
    parts = cells.split([side * side for side in sides], dim=2)
    return [p.reshape(batch, channels, s, s) for p, s in zip(parts, sides, strict=True)]


@lru_cache(maxsize=8)
def _averaging(
    sides: tuple[int, ...], size: Size, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """(cells of all sides, h * w): each row holds the weights of one cell."""
    with torch.inference_mode(False), torch.no_grad():
        lines = [torch.eye(length, dtype=torch.float64)[:, None] for length in size]
        by_side = [[F.adaptive_avg_pool1d(line, s)[:, 0].T for line in lines] for s in sides]
        return torch.cat([torch.kron(*both) for both in by_side]).to(device, dtype)


class CoarseNet(nn.Module):
    """Lateral pyramid from the PSP map up to layer1, one logit map per level.

    ``upsamples.0`` is unused in the published weights too; it is kept so that they load strictly.
    Ours: the enlargement on the way from level 1 to 2 to 3 goes to the next level's grid, whatever
    that is, so the same head serves backbones that keep several stages on one grid.
    """

    def __init__(self, inputs: Sequence[int], width: int) -> None:
        """``inputs``: channels of (PSP, layer3, layer2, layer1)."""
        super().__init__()
        self.laterals = nn.ModuleList(
            nn.Sequential(*conv_norm(channels, width), nn.ReLU()) for channels in inputs
        )
        self.upsamples = nn.ModuleList(
            nn.Sequential(nn.Identity(), *conv_norm(width, width)) for _ in range(LEVELS - 1)
        )
        self.predict = nn.ModuleList(_logit_head(width) for _ in range(LEVELS))
        self.upsamples[0].requires_grad_(False)

    def forward(self, pyramid: Sequence[Tensor]) -> list[Tensor]:
        """(PSP, layer3, layer2, layer1) to four levels (B, width, h_i, w_i), coarsest first."""
        laterals = [lateral(maps) for lateral, maps in zip(self.laterals, pyramid, strict=True)]
        levels = [laterals[0], laterals[1] + laterals[0]]
        for upsample, lateral in zip(self.upsamples[1:], laterals[2:], strict=True):
            levels.append(lateral + _raised(upsample, levels[-1], grid(lateral)))
        return levels

    def logits(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Four (B, 1, h2, w2) logit maps, all on the finest level's grid."""
        size = grid(levels[-1])
        return tuple(
            _scored(head, level, size) for head, level in zip(self.predict, levels, strict=True)
        )


def _raised(upsample: nn.Module, level: Tensor, size: Size) -> Tensor:
    _, convolution, norm = cast(nn.Sequential, upsample)
    return norm(resize(convolution(level), size))


def _scored(head: nn.Module, level: Tensor, size: Size) -> Tensor:
    reduction, norm, relu, score, _, calibration = cast(nn.Sequential, head)
    return calibration(resize(score(relu(norm(reduction(level)))), size))


def _kernel(convolution: nn.Module) -> Tensor:
    return cast(nn.Conv2d, convolution).weight


def _logit_head(width: int) -> nn.Sequential:
    score = nn.Conv2d(width, 1, 3, padding=1, bias=False)
    return nn.Sequential(
        *conv_norm(width, width), nn.ReLU(), score, nn.Identity(), nn.BatchNorm2d(1)
    )


class FineNet(nn.Module):
    """Level i passes 3 - i bottlenecks; all are enlarged, fused by a bottleneck, and scored."""

    def __init__(self, width: int) -> None:
        """``width``: channels of every level and of the fused map."""
        super().__init__()
        self.cascade = nn.ModuleList(
            nn.Sequential(*(_bottleneck(width, width) for _ in range(LEVELS - 1 - index)))
            for index in range(LEVELS)
        )
        score = nn.Conv2d(width, 1, 3, padding=1, bias=False)
        fusion = _bottleneck(LEVELS * width, width)
        self.final_predict = nn.Sequential(fusion, score, nn.BatchNorm2d(1))

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Four levels to logits (B, 1, h2, w2) and the map (B, width, h2, w2) behind them."""
        branches = [block(level) for block, level in zip(self.cascade, levels, strict=True)]
        fusion, score, calibration = self.final_predict
        features = _fused(fusion, branches, grid(levels[-1]))
        return calibration(score(features)), features


def _bottleneck(inputs: int, outputs: int) -> Bottleneck:
    """Inputs to half the outputs, 3x3, to the outputs; the shortcut always projects."""
    planes = outputs // Bottleneck.expansion
    shortcut = nn.Sequential(*conv_norm(inputs, outputs))
    return Bottleneck(inputs, planes, downsample=shortcut, base_width=128)


def _fused(fusion: Bottleneck, branches: Sequence[Tensor], size: Size) -> Tensor:
    """``fusion`` of the enlarged, concatenated branches; both entrance convolutions come first."""
    entrance, shortcut_norm = cast(nn.Sequential, fusion.downsample)
    # One convolution for both entrances would be split into views, on which the backward pass of
    # a normalisation is fifteen times slower.
    hidden = fusion.bn1(fuse(branches, fusion.conv1.weight, size))
    shortcut = shortcut_norm(fuse(branches, _kernel(entrance), size))
    hidden = fusion.bn2(fusion.conv2(fusion.relu(hidden)))
    return fusion.relu(fusion.bn3(fusion.conv3(fusion.relu(hidden))) + shortcut)


class IOGOutput(NamedTuple):
    """IOG's part of ``openscene.NetworkOutput``, which says the shapes."""

    coarse: tuple[Tensor, ...]
    fine: Tensor
    features: Tensor
    fine_features: Tensor


class IOG(nn.Module):
    """Backbone, pyramid pooling, CoarseNet, FineNet, under the published parameter names.

    Paper: Sec. 3.1, 4.1.3 and IOG (Zhang et al., CVPR 2020).
    Ours: the heads' 1x1 convolutions stand before the enlargements, which changes no value.
    Ours: logits stay on layer1's grid; a loss or a prediction enlarges those that it uses.
    """

    def __init__(self, config: NetworkConfig) -> None:
        """Built with PyTorch's own initial values; ``OpenSceneNet`` draws them from a generator."""
        super().__init__()
        self.backbone = build_backbone(config)
        first, second, third, fourth = self.backbone.widths
        self.psp4 = PyramidPooling(fourth, config.psp_width)
        self.Coarse_net = CoarseNet((config.psp_width, third, second, first), config.head_width)
        self.Fine_net = FineNet(config.head_width)

    def forward(self, inputs: Tensor, *, fine_only: bool = False) -> IOGOutput:
        """(B, 5, S, S), scaled as the backbone expects, to logits and features.

        Args:
            inputs: red, green, blue, foreground click, background clicks.
            fine_only: leave the four coarse heads out.
        """
        stages = self.backbone(inputs)
        return self.decode(self.psp4(stages.layer4), stages, fine_only=fine_only)

    def decode(self, pooled: Tensor, stages: Stages, *, fine_only: bool = False) -> IOGOutput:
        """What the pooled F, (B, psp_width, h, w), and the stages below it give."""
        levels = self.Coarse_net((pooled, stages.layer3, stages.layer2, stages.layer1))
        coarse = () if fine_only else self.Coarse_net.logits(levels)
        fine, fine_features = self.Fine_net(levels)
        return IOGOutput(coarse, fine, stages.layer4, fine_features)
