"""VGG-16 as a fully convolutional network: its stages, the head of an FCN-8s, ImageNet's weights.

iFCN and FCTSFN are built from these parts; latent diversity reads features between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Generator, Tensor, nn
from torchvision.models.vgg import make_layers

from openscenes.errors import InputError, WeightsError
from openscenes.networks.enlargement import Size, grid, resize
from openscenes.networks.openscene import IMAGENET_MEAN, IMAGENET_STD, initialise_weights
from openscenes.networks.weights import COUNTER, State, copy_tensors, imagenet_state
from openscenes.settings import require_between, setting

STAGES = 5
COLOURS = len(IMAGENET_MEAN)
FIRST = "features.0.weight"
TAPPED = 2  # conv1_2, conv2_2, ...: the second convolution of each stage


@dataclass(frozen=True)
class FCNConfig:
    """VGG-16 as a fully convolutional network; the defaults are the published one."""

    widths: tuple[int, ...] = setting((64, 128, 256, 512, 512), "VGG-16: channels of its stages")
    convolutions: tuple[int, ...] = setting((2, 2, 3, 3, 3), "VGG-16: per stage")
    pools: tuple[bool, ...] = setting((True,) * STAGES, "VGG-16: each stage ends by halving")
    stem_stride: int = setting(1, "VGG-16")
    fc_width: int = setting(4096, "VGG-16: fc6 and fc7")
    fc_kernel: int = setting(7, "FCN: fc6 as a convolution")
    skip_scales: tuple[float, float] = setting(
        (1e-2, 1e-4), "FCN-8s at once (Shelhamer et al. 2017): of pool4 and pool3"
    )
    batch_norm: bool = setting(False, "VGG-16")
    dropout: float = setting(0.0, "Ours: FCN's 0.5 would draw from torch's global generator")
    limit_px: float = setting(255.0, "iFCN: distances are cut off here; pixels of a 512 crop")
    normalise: bool = setting(False, "FCN: colours less their mean, distances 0..255")

    def __post_init__(self) -> None:
        """Refuse what no network can be built from."""
        stages = {len(part) for part in (self.widths, self.convolutions, self.pools)}
        if stages != {STAGES} or self.fc_kernel % 2 == 0:
            raise InputError(
                f"FCNConfig got widths {self.widths}, convolutions {self.convolutions}, pools "
                f"{self.pools}, fc_kernel {self.fc_kernel}; give {STAGES} values and an odd kernel."
            )
        require_between(self, 0.0, 0.9, "dropout")
        require_between(self, 1, 1e6, "fc_width", "limit_px")

    @property
    def stride(self) -> int:
        """Crop pixels per cell of the coarsest grid; a crop must have as many."""
        return self.stem_stride * 2 ** sum(self.pools)


class StageMaps(NamedTuple):
    """What stages of VGG-16 give, each (B, C_i, h_i, w_i): before its pool, and after it."""

    convolved: tuple[Tensor, ...]
    pooled: tuple[Tensor, ...]


class VGGStages(nn.Module):
    """Consecutive stages of VGG-16: torchvision's layers, an identity where a pool is dropped."""

    def __init__(self, config: FCNConfig, inputs: int, which: range) -> None:
        """``which`` of the five stages; the first of them has ``inputs`` channels to read."""
        super().__init__()
        plan = list(zip(config.widths, config.convolutions, strict=True))
        before, own = (
            make_layers([v for width, n in part for v in [*[width] * n, "M"]], config.batch_norm)
            for part in (plan[: which.start], plan[which.start : which.stop])
        )
        stride = config.stem_stride if which.start == 0 else 1
        own[0] = nn.Conv2d(inputs, config.widths[which.start], 3, stride=stride, padding=1)
        ends = (place for place, layer in enumerate(own) if isinstance(layer, nn.MaxPool2d))
        for place, index in zip(ends, which, strict=True):
            own[place] = own[place] if config.pools[index] else nn.Identity()
        self.layers, self.offset = own, len(before)

    def forward(self, maps: Tensor) -> StageMaps:
        """(B, inputs, h, w) to the maps of every stage."""
        ends = []
        for layer in self.layers:
            before, maps = maps, layer(maps)
            if isinstance(layer, nn.MaxPool2d | nn.Identity):
                ends.append((before, maps))
        return StageMaps(*zip(*ends, strict=True))

    def imagenet_names(self) -> State:
        """Its tensors under the names that they have in torchvision's VGG."""
        return {
            f"features.{int(layer) + self.offset}.{kind}": tensor
            for name, tensor in self.layers.state_dict().items()
            for layer, kind in [name.split(".")]
            if kind != COUNTER
        }


class FCNHead(nn.Module):
    """fc6, fc7 and the three scores of an FCN-8s.

    Ours: one logit instead of two classes, as a softmax of two is a sigmoid of their difference.
    Ours: bilinear enlargement is fixed; published deconvolutions start so, FCTSFN's stay so.
    Ours: "same" padding in fc6 instead of 100 px around the image; crops lose no border.
    """

    def __init__(self, config: FCNConfig, third: int, fourth: int) -> None:
        """``third`` and ``fourth``: channels of the maps after the third and fourth stage."""
        super().__init__()
        self.skip_scales = config.skip_scales
        self.fc6 = _dense(config, config.widths[-1], config.fc_kernel)
        self.fc7 = _dense(config, config.fc_width, 1)
        self.score_fc = nn.Conv2d(config.fc_width, 1, 1)
        self.score_pool4 = nn.Conv2d(fourth, 1, 1)
        self.score_pool3 = nn.Conv2d(third, 1, 1)

    def forward(self, third: Tensor, fourth: Tensor, fifth: Tensor) -> tuple[Tensor, ...]:
        """Logits (B, 1, h_i, w_i) float32 of FCN-8s, -16s and -32s, each on its own grid."""
        fourth, third = (
            s * maps for s, maps in zip(self.skip_scales, (fourth, third), strict=True)
        )
        coarse = self.score_fc(self.fc7(self.fc6(fifth))).float()
        middle = self.score_pool4(fourth) + bilinear(coarse, grid(fourth))
        fine = self.score_pool3(third) + bilinear(middle, grid(third))
        return fine, middle, coarse

    def imagenet_names(self) -> State:
        """The tensors of fc6 and fc7 under the names that they have in torchvision's VGG."""
        return {
            f"classifier.{place}.{kind}": tensor
            for place, layer in ((0, self.fc6), (3, self.fc7))
            for kind, tensor in layer[0].state_dict().items()
        }


def tapped(features: nn.Sequential, maps: Tensor) -> list[Tensor]:
    """What follows the second convolution of each stage of a VGG, after the ReLU."""
    taken, depth = [], 0
    for layer in features:
        maps = layer(maps)
        depth = 0 if isinstance(layer, nn.MaxPool2d) else depth + isinstance(layer, nn.ReLU)
        if depth == TAPPED and isinstance(layer, nn.ReLU):
            taken.append(maps)
    return taken


def bilinear(maps: Tensor, size: Size) -> Tensor:
    """(B, C, h, w) enlarged to ``size`` with cells as areas, as bilinear deconvolutions do it."""
    return resize(maps, size, align_corners=False)


def initialise_vgg(network: nn.Module, generator: Generator) -> None:
    """Draw all weights of ``network`` in place from ``generator``.

    Ours: as ``initialise_weights``, but convolutions with a bias count as heads there; those that
    feed a ReLU get N(0, 2 / fan-out), as torchvision draws VGG, or the signal dies in 16 layers.
    """
    initialise_weights(network, generator)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None and module.out_channels > 1:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", generator=generator)


def imagenet_vgg(config: FCNConfig, source: Path | None) -> State:
    """The tensors of torchvision's VGG-16, for colours as ``ifcn.encode`` gives them.

    Ours: torchvision's first kernels read colours over their deviation; without ``normalise``
    they are divided by it, and respond to plain grey levels as they did.
    """
    kind = "vgg16" + "_bn" * config.batch_norm
    state = imagenet_state(kind, source)
    if FIRST not in state or state[FIRST].shape[1:] != (COLOURS, 3, 3):
        raise WeightsError(f"{source} holds no VGG; take the state dict of torchvision's {kind}.")
    if config.normalise:
        return state
    deviation = state[FIRST].new_tensor(IMAGENET_STD).view(1, -1, 1, 1)
    return state | {FIRST: state[FIRST] / (255.0 * deviation)}


def copy_vgg(state: State, *parts: VGGStages | FCNHead) -> None:
    """Write over all that ``parts`` share with torchvision's VGG; dense layers become kernels.

    Raises a WeightsError that names the first tensor which is missing or of another size.
    """
    targets = {name: own for part in parts for name, own in part.imagenet_names().items()}
    copy_tensors(state, targets, "VGG")


def _dense(config: FCNConfig, inputs: int, kernel: int) -> nn.Sequential:
    """A dense layer of VGG-16 as a convolution that keeps its grid."""
    norms = [nn.BatchNorm2d(config.fc_width)] if config.batch_norm else []
    convolution = nn.Conv2d(inputs, config.fc_width, kernel, padding=kernel // 2)
    return nn.Sequential(convolution, *norms, nn.ReLU(inplace=True), nn.Dropout(config.dropout))
