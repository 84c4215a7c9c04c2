"""Backbones: five input channels, four stages, F last."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torchvision.models import mobilenet_v2
from torchvision.models.resnet import Bottleneck

from openscenes.errors import InputError
from openscenes.networks.config import NetworkConfig

INPUT_CHANNELS = 5


class Stages(NamedTuple):
    """The four stage outputs, (B, C_i, h_i, w_i) each; ``layer4`` is F."""

    layer1: Tensor
    layer2: Tensor
    layer3: Tensor
    layer4: Tensor


def build_backbone(config: NetworkConfig) -> ResNet | SmallResNet | MobileNetV2:
    """The backbone that ``config`` names; its ``widths`` are the stages' channels."""
    if config.backbone == "mobilenet_v2":
        return MobileNetV2(config.output_stride)
    if config.backbone == "small_resnet":
        return SmallResNet()
    return ResNet(23 if config.backbone == "resnet101" else 6, config.output_stride)


def residual_stage(
    inputs: int, outputs: int, *, stride: int = 1, dilations: tuple[int, ...]
) -> nn.Sequential:
    """Bottlenecks with an inner width of a quarter, one per dilation; the first one projects."""
    planes = outputs // Bottleneck.expansion
    shortcut = nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
    )
    first = Bottleneck(inputs, planes, stride, shortcut, dilation=dilations[0])
    rest = (Bottleneck(outputs, planes, dilation=dilation) for dilation in dilations[1:])
    return nn.Sequential(first, *rest)


class ResNet(nn.Module):
    """IOG's bottleneck ResNet, with torchvision's parameter names.

    Paper: Sec. 4.1.3 (ResNet-101, as in IOG).  IOG: multi-grid 1, 2, 4 times the base dilation in
    the fourth stage, so 2, 4, 8 at output stride 16 and 4, 8, 16 at 8.
    """

    widths = (256, 512, 1024, 2048)
    stem_name = "conv1.weight"

    def __init__(self, third_stage_blocks: int, output_stride: int) -> None:
        """23 third-stage blocks make ResNet-101, 6 make ResNet-50."""
        super().__init__()
        stride, dilation = (2, 1) if output_stride == 16 else (1, 2)
        self.conv1 = nn.Conv2d(INPUT_CHANNELS, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = residual_stage(64, 256, dilations=(1,) * 3)
        self.layer2 = residual_stage(256, 512, stride=2, dilations=(1,) * 4)
        third = (dilation,) * third_stage_blocks
        self.layer3 = residual_stage(512, 1024, stride=stride, dilations=third)
        fourth = tuple(2 * dilation * grid for grid in (1, 2, 4))
        self.layer4 = residual_stage(1024, 2048, dilations=fourth)

    def forward(self, inputs: Tensor) -> Stages:
        """(B, 5, S, S) to grids of S/4, S/8, S/16, S/16 (output stride 16)."""
        layer1 = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(inputs)))))
        layer2 = self.layer2(layer1)
        layer3 = self.layer3(layer2)
        return Stages(layer1, layer2, layer3, self.layer4(layer3))

    def first_stages(self) -> tuple[nn.Module, ...]:
        """Return the modules up to the second stage, in order."""
        return self.conv1, self.bn1, self.layer1, self.layer2


class SmallResNet(nn.Module):
    """A bottleneck ResNet for crops of about 128 pixels, trained from scratch in minutes.

    Ours: the grid of F stays the paper's 32 x 32 at a crop of 128 (output stride 4), and layer1
    keeps half the crop's resolution, as the paper's networks would be blind at this size.
    """

    widths = (64, 96, 128, 192)
    stem_width = 32
    stem_name = "conv1.weight"

    def __init__(self) -> None:
        """Dilations grow where strides end, with a multi-grid in the fourth stage."""
        super().__init__()
        first, second, third, fourth = self.widths
        self.conv1 = nn.Conv2d(INPUT_CHANNELS, self.stem_width, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(self.stem_width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = residual_stage(self.stem_width, first, dilations=(1,))
        self.layer2 = residual_stage(first, second, stride=2, dilations=(1, 1))
        self.layer3 = residual_stage(second, third, dilations=(2, 2))
        self.layer4 = residual_stage(third, fourth, dilations=(4, 8))

    def forward(self, inputs: Tensor) -> Stages:
        """(B, 5, S, S) to grids of S/2, S/4, S/4, S/4."""
        layer1 = self.layer1(self.relu(self.bn1(self.conv1(inputs))))
        layer2 = self.layer2(layer1)
        layer3 = self.layer3(layer2)
        return Stages(layer1, layer2, layer3, self.layer4(layer3))

    def first_stages(self) -> tuple[nn.Module, ...]:
        """Return the modules up to the second stage, in order."""
        return self.conv1, self.bn1, self.layer1, self.layer2


class MobileNetV2(nn.Module):
    """torchvision's MobileNetV2 without its last 1x1 convolution, cut into four stages.

    Ours: strides beyond the output stride become dilations of the depthwise convolutions, and
    as in torchvision's dilated ResNets the first block after a dropped stride keeps the dilation
    before it: the pretrained kernels then see the neighbours that they were trained on.
    """

    widths = (24, 32, 96, 320)
    stem_name = "features.0.0.weight"
    ends = (4, 7, 14, 18)
    strided_blocks = (7, 14)
    side_multiple = 32

    def __init__(self, output_stride: int) -> None:
        """Take torchvision's eighteen feature blocks; widen the stem; drop strides."""
        super().__init__()
        self.features = mobilenet_v2().features[: self.ends[-1]]
        self.features[0][0] = nn.Conv2d(INPUT_CHANNELS, 32, 3, stride=2, padding=1, bias=False)
        dropped = self.strided_blocks if output_stride == 8 else self.strided_blocks[1:]
        for index in dropped:
            self.features[index].conv[1][0].stride = (1, 1)
        self.dilations = [
            2 ** sum(index > start for start in dropped) for index in range(self.ends[-1])
        ]

    def forward(self, inputs: Tensor) -> Stages:
        """(B, 5, S, S) to grids of S/4, S/8, S/8, S/8 (output stride 8)."""
        self._check(inputs)
        outputs, hidden = [], inputs
        for index, block in enumerate(self.features):
            hidden = dilated(block, hidden, self.dilations[index])
            if index + 1 in self.ends:
                outputs.append(hidden)
        return Stages(*outputs)

    def first_stages(self) -> tuple[nn.Module, ...]:
        """Return the modules up to the second stage, in order."""
        return tuple(self.features[: self.ends[1]])

    def _check(self, inputs: Tensor) -> None:
        if any(side % self.side_multiple for side in inputs.shape[-2:]):
            raise InputError(
                f"The crop is {tuple(inputs.shape[-2:])}; mobilenet_v2 needs sides that are "
                f"multiples of {self.side_multiple}, so choose another crop_size."
            )


def dilated(block: nn.Module, maps: Tensor, dilation: int) -> Tensor:
    """``block`` with its 3x3 convolutions dilated, exactly, by an undilated run on sub-grids.

    A dilated convolution never mixes the ``dilation ** 2`` interleaved sub-grids, so each can be
    an image of its own; the backward pass of a dilated depthwise convolution is up to seven times
    slower on a CPU than all this.  Batch statistics are over the same cells and do not change.

    Args:
        block: convolutions of stride 1 with same padding, and what acts on single cells.
        maps: (B, C, h, w); ``dilation`` divides h and w.
    """
    return maps_of(block(sub_grids(maps, dilation)), dilation) if dilation > 1 else block(maps)


def sub_grids(maps: Tensor, step: int) -> Tensor:
    """(B, C, h, w) to (B * step * step, C, h / step, w / step), every step-th row and column."""
    n, channels, height, width = maps.shape
    rows, cols = height // step, width // step
    cells = maps.permute(0, 2, 3, 1).reshape(n, rows, step, cols, step, channels)
    cells = cells.permute(0, 2, 4, 1, 3, 5).reshape(-1, rows, cols, channels)
    return cells.permute(0, 3, 1, 2)


def maps_of(grids: Tensor, step: int) -> Tensor:
    """Undo ``sub_grids``."""
    channels, rows, cols = grids.shape[1:]
    cells = grids.permute(0, 2, 3, 1).reshape(-1, step, step, rows, cols, channels)
    cells = cells.permute(0, 3, 1, 4, 2, 5)
    return cells.reshape(-1, rows * step, cols * step, channels).permute(0, 3, 1, 2)
