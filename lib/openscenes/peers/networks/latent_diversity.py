"""Latent diversity: six candidate masks, and a network that picks one (Li et al., CVPR 2018).

Ours: VGG-19 and its max pools are torchvision's (colours in RGB order); the published one is
another file of the same network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torchvision.models.vgg import make_layers

from openscenes.data.interactions import REFERENCE_PX, disk_maps, distance_maps
from openscenes.errors import InputError
from openscenes.networks.click_output import ClickOutput
from openscenes.networks.enlargement import fuse, grid
from openscenes.networks.openscene import IMAGENET_MEAN, IMAGENET_STD, check_inputs, materialise
from openscenes.networks.weights import copy_tensors, imagenet_state
from openscenes.peers.networks.vgg import tapped
from openscenes.seeding import torch_generator
from openscenes.settings import require_between, setting

INPUT_CHANNELS = 7
SLOPE = 0.2
DILATIONS = (1, 2, 4, 8, 16, 32, 64, 128, 1)


@dataclass(frozen=True)
class LatentDiversityConfig:
    """The network of Li et al.; the defaults are the published ones.

    Attributes:
        n_candidates: M, masks that are proposed for each object.
        feature_widths, feature_depths: channels and 3x3 convolutions (two or more) of VGG's stages.
        feature_norm, freeze_features: VGG has normalisations; it does not train.
        width, dilations: of the 3x3 convolutions of the aggregation network.
        selection_width, selection_dilations: of those of the selection network.
        grid_stride: pixels of the crop per cell of all maps; that many rows and columns become
            channels, so no pixel is lost.
        distance_limit_px: where distances to clicks are cut off, on a crop of 512 pixels.
        normalise: VGG reads ImageNet-standardised colours; otherwise mean-subtracted 0..255, and
            its features are divided by 255, as published.
        released: the first candidate is shown, whatever the selection says.
    """

    n_candidates: int = setting(6, "Li et al. 2018")
    feature_widths: tuple[int, ...] = setting((64, 128, 256, 512, 512), "Li et al. 2018: VGG-19")
    feature_depths: tuple[int, ...] = setting((2, 2, 4, 4, 2), "Li et al. 2018: up to conv5_2")
    feature_norm: bool = setting(False, "Li et al. 2018: VGG-19 has none")
    freeze_features: bool = setting(True, "Li et al. 2018: VGG stays ImageNet's")
    width: int = setting(64, "Li et al. 2018")
    dilations: tuple[int, ...] = setting(DILATIONS, "Li et al. 2018")
    selection_width: int = setting(64, "Li et al. 2018: the same kind of network")
    selection_dilations: tuple[int, ...] = setting(DILATIONS, "Li et al. 2018: the same kind")
    grid_stride: int = setting(1, "Li et al. 2018: full size")
    distance_limit_px: float = setting(255.0, "Li et al. 2018; Ours: of a crop of 512")
    normalise: bool = setting(True, "Ours: torchvision's VGG-19 learned on such colours")
    released: bool = setting(False, "Li et al. 2018: the paper selects, the release does not")

    def __post_init__(self) -> None:
        """Refuse what no network can be built from."""
        require_between(self, 1, 64, "n_candidates", "grid_stride")
        if len(self.feature_widths) != len(self.feature_depths) or min(self.feature_depths) < 2:
            raise InputError(
                f"feature_widths {self.feature_widths} and feature_depths {self.feature_depths} "
                "must name the same stages with at least two convolutions each; give one width "
                "and one depth per stage."
            )
        if self.feature_norm and self.freeze_features:
            raise InputError(
                "feature_norm and freeze_features are both set, but VGG-19 has normalisations "
                "here only to be trained from scratch; switch one of them off."
            )


class LatentDiversity(nn.Module):
    """VGG-19 features, an aggregation network for M candidates, a smaller one that picks.

    Ours: a published candidate is t in (-1, 1), a tanh, and its probability (t + 1) / 2 is the
    sigmoid of twice what enters the tanh; that double is the logit here.
    Ours: features are enlarged corner to corner, and after the first 1x1 convolution's product
    with them, which changes no value (see ``enlargement``).
    Ours: the selection network sees the seven input channels and the candidates, not VGG's
    features, and sends the candidates no gradient, as the two were published to be trained apart.
    Ours: a step averages over 2 objects, the fewest that the loop takes; the published one has 1.
    """

    mean: Tensor
    factor: Tensor

    def __init__(
        self, config: LatentDiversityConfig, *, generator: Generator | None = None
    ) -> None:
        """Initial weights come from ``generator``; without one, from a seed that config fixes."""
        super().__init__()
        self.config = config
        cell, n = config.grid_stride**2, config.n_candidates
        entering = INPUT_CHANNELS * cell
        with torch.device("meta"):
            self.features = _vgg(3 * cell, config)
            channels = (entering, *config.feature_widths)
            self.candidates = ContextAggregation(channels, config.width, config.dilations, n)
            width, dilations = config.selection_width, config.selection_dilations
            self.selector = ContextAggregation((entering, n), width, dilations, n)
        materialise(self, _initialise, generator or torch_generator("latent diversity", config))
        self.features.requires_grad_(not config.freeze_features)
        deviation = torch.tensor(IMAGENET_STD if config.normalise else (1.0 / 255.0,) * 3)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), False)
        self.register_buffer("factor", 1.0 / deviation.view(1, 3, 1, 1), False)

    @torch.no_grad()
    def inputs(self, images: Tensor, clicks: Tensor, previous: Tensor | None) -> Tensor:
        """Image, two distance maps, two maps that are 0 at each click and 255 elsewhere.

        Args:
            images: (B, 3, S, S) uint8 RGB.
            clicks: (B, K, 3) float32 (row, col, sign) in pixels of the crop.
            previous: not used.
        Returns:
            (B, 7, S, S) float32 in 0..255; of each pair, positive clicks come first.
        """
        size = images.shape[-1]
        limit = self.config.distance_limit_px * size / REFERENCE_PX
        distances = distance_maps(clicks, size, limit) * (255.0 / limit)
        elsewhere = 255.0 * (1.0 - disk_maps(clicks, size, 0.0))
        return torch.cat([images.float(), distances, elsewhere], dim=1)

    def image_features(self, inputs: Tensor) -> list[Tensor]:
        """VGG's maps of (B, 7, S, S) inputs, which are the same for all clicks."""
        return self._tapped(inputs[:, :3] / 255.0)

    def forward(self, inputs: Tensor, features: Sequence[Tensor] | None = None) -> ClickOutput:
        """M candidates and their scores; the candidate with the best score is shown.

        Args:
            inputs: (B, 7, S, S) float in 0..255, as ``inputs`` makes them.
            features: of the image, from ``image_features``, where they are computed already.
        Returns:
            ClickOutput with one supervised (B, M, S / stride, S / stride) map.
        Raises:
            InputError: if the shape is another, or the stride does not divide S.
        """
        check_inputs(inputs, INPUT_CHANNELS, "colours, two distance maps, two click masks")
        stride = self.config.grid_stride
        if any(side % stride for side in grid(inputs)):
            raise InputError(
                f"The crop is {grid(inputs)}, but grid_stride is {stride}; choose a crop size "
                f"that is a multiple of {stride}."
            )
        cells = F.pixel_unshuffle(inputs / 255.0, self.config.grid_stride)
        features = self.image_features(inputs) if features is None else features
        candidates = 2.0 * self.candidates([cells, *features])
        scores = self.selector([cells, candidates.detach().sigmoid()]).mean(dim=(2, 3))
        if self.config.released:
            return ClickOutput(candidates[:, :1], (candidates,), scores)
        best = scores.argmax(dim=1).view(-1, 1, 1, 1).expand(-1, 1, *grid(candidates))
        return ClickOutput(candidates.gather(1, best), (candidates,), scores)

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        """The pretrained part, VGG-19; everything else counts as heads."""
        return self.features.parameters()

    def frozen_parameters(self) -> Iterator[nn.Parameter]:
        """VGG's, where it stays as ImageNet made it."""
        return self.features.parameters() if self.config.freeze_features else iter(())

    def _tapped(self, colours: Tensor) -> list[Tensor]:
        """conv1_2 ... conv5_2 of (B, 3, S, S) colours in 0..1, after their ReLU."""
        standard = (colours - self.mean) * self.factor
        cells = F.pixel_unshuffle(standard, self.config.grid_stride)
        learns = torch.is_grad_enabled() and not self.config.freeze_features
        with torch.set_grad_enabled(learns):
            maps = tapped(self.features, cells)
        return maps if self.config.normalise else [part / 255.0 for part in maps]


def load_imagenet_vgg19(network: LatentDiversity, source: Path | None = None) -> None:
    """Take the features of ImageNet's VGG-19, in torchvision's names.

    Li et al. 2018: they stay what they are; without them the network would see noise.

    Args and Raises: as ``ifcn.load_imagenet_vgg``; the aggregation networks stay as they are.
    """
    features = {f"features.{name}": own for name, own in network.features.state_dict().items()}
    copy_tensors(imagenet_state("vgg19", source), features, "VGG-19")


class ContextAggregation(nn.Module):
    """A 1x1 convolution, 3x3 convolutions with growing dilations, a 1x1 convolution.

    Li et al. 2018, after Chen, Xu, Koltun 2017: full resolution, identity initialisation.
    """

    def __init__(
        self, inputs: Sequence[int], width: int, dilations: Sequence[int], outputs: int
    ) -> None:
        """``inputs``: channels of each map that enters."""
        super().__init__()
        self.entrance = nn.Conv2d(sum(inputs), width, 1, bias=False)
        self.settled = AdaptiveNorm(width)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=rate, dilation=rate, bias=False),
                AdaptiveNorm(width),
                nn.LeakyReLU(SLOPE),
            )
            for rate in dilations
        )
        self.score = nn.Conv2d(width, outputs, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps on any grids to (B, outputs, h, w) on the first one's grid."""
        return self.score(self.context(maps))

    def context(self, maps: Sequence[Tensor]) -> Tensor:
        """(B, width, h, w), what the last convolution reads."""
        entered = fuse(maps, self.entrance.weight, grid(maps[0]))
        hidden = F.leaky_relu(self.settled(entered), SLOPE)
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden


class AdaptiveNorm(nn.Module):
    """A learned mix of a map and its normalisation; at first it is the map.

    Li et al. 2018: a batch is one object, in tests, too, whose own statistics normalise it.
    Ours: the normalised part has a weight and an offset per channel, the published one a single
    weight, so that one kernel does it all.
    """

    def __init__(self, width: int) -> None:
        """(B, width, h, w) to the same shape."""
        super().__init__()
        self.keep = nn.Parameter(torch.ones(()))
        self.norm = nn.InstanceNorm2d(width, eps=1e-3, affine=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Return keep * maps + weight * normalised maps + offset."""
        return self.keep * maps + self.norm(maps)


def _vgg(inputs: int, config: LatentDiversityConfig) -> nn.Sequential:
    """torchvision's VGG layers, under its names, up to the last one that is read."""
    plan: list[str | int] = []
    for width, depth in zip(config.feature_widths, config.feature_depths, strict=True):
        plan += [*[width] * depth, "M"]
    layers = make_layers(plan[:-1], batch_norm=config.feature_norm)
    layers[0] = nn.Conv2d(inputs, config.feature_widths[0], 3, padding=1)
    return layers


def _initialise(network: LatentDiversity, generator: Generator) -> None:
    """VGG from N(0, 2 / fan-out), aggregation networks as the identity, their scores small."""
    for layer in network.features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(
                layer.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
    for aggregation in (network.candidates, network.selector):
        _become_identity(aggregation)
        nn.init.xavier_normal_(aggregation.score.weight, generator=generator)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)


def _become_identity(aggregation: ContextAggregation) -> None:
    """Each layer hands its map on; the entrance hands on its first channels."""
    for module in aggregation.modules():
        if isinstance(module, AdaptiveNorm):
            nn.init.ones_(module.keep)
            module.norm.reset_parameters()
            nn.init.zeros_(module.norm.weight)
        elif isinstance(module, nn.Conv2d) and module is not aggregation.score:
            nn.init.dirac_(module.weight)
