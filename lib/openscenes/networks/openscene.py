"""IOG with the paper's two additions on F: the pixel predictor and the class head (Sec. 3.2, 3.3).

Ours: the paper gives neither kernel; both are 1x1 convolutions on F's grid.
Ours: one network also answers further clicks, and learns and evolves with them; the paper's has
three clicks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple, TypeVar

import torch
from torch import Generator, Tensor, nn

from openscenes.data.told import Told
from openscenes.errors import InputError
from openscenes.networks.backbones import INPUT_CHANNELS, Stages
from openscenes.networks.batch_norm import statistics_are_shared
from openscenes.networks.config import NetworkConfig
from openscenes.networks.corrector import CLICK_CHANNELS, Corrector, Seen
from openscenes.networks.iog import IOG
from openscenes.networks.iog_refinement import Refiner
from openscenes.seeding import torch_generator

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
Network = TypeVar("Network", bound=nn.Module)
Simulate = Callable[[Seen, "NetworkOutput"], tuple[Told, Tensor]]
HEAD_STD = 0.01
INPUT_MEANING = "colours, foreground click, background clicks"


class NetworkOutput(NamedTuple):
    """IOG's output and the two heads on F.

    Symbols: features = F, sigmoid of predictor = M'_b.

    Attributes:
        coarse: four logit maps (B, 1, h2, w2); empty with ``fine_only``.
        fine: (B, 1, h2, w2) logits on layer1's grid; ``enlarge`` brings them to the crop.
        features: (B, C, h, w), layer4 before pyramid pooling.
        fine_features: (B, C', h2, w2), the decoder's map that feeds the last 3x3 convolution.
        predictor: (B, 1, h, w) foreground logits of each cell of F; (B, 1, h2, w2) where the
            predictor reads the decoder.
        classes: (B, n or n + 1, h, w) class logits of each cell; the unknown class is last.
        corrected: (B, 1, h2, w2) logits after further clicks; None where none are simulated.
    """

    coarse: tuple[Tensor, ...]
    fine: Tensor
    features: Tensor
    fine_features: Tensor
    predictor: Tensor
    classes: Tensor
    corrected: Tensor | None = None


class OpenSceneNet(nn.Module):
    """The interactive network that the framework evolves.

    Paper: Sec. 3.2 (pixel prediction layer after the fourth ResNet block), Sec. 3.3 (classifier).
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, config: NetworkConfig, *, generator: Generator | None = None) -> None:
        """Initial weights come from ``generator``; without one, from a seed that config fixes."""
        super().__init__()
        self.config = config
        with torch.device("meta"):
            self.iog = IOG(config)
            width = self.iog.backbone.widths[-1]
            seen = width if config.predictor == "layer4" else config.head_width
            self.predictor = nn.Conv2d(seen, 1, 1)
            self.classifier = nn.Conv2d(width, config.class_channels, 1)
            self.corrector: Corrector | Refiner = (
                Refiner(config, width)
                if config.corrector == "iog"
                else Corrector(config, self.iog.backbone.widths)
            )
        materialise(self, initialise_weights, generator or torch_generator("network", config))
        if isinstance(self.corrector, Refiner):
            self.corrector.silence()
        register_input_scale(self, INPUT_CHANNELS, standardise=config.normalise)

    def forward(
        self,
        inputs: Tensor,
        simulate: Simulate | None = None,
        *,
        fine_only: bool = False,
        joint: bool = True,
    ) -> NetworkOutput:
        """Logits and features of a batch of crops.

        Args:
            inputs: (B, 5, S, S) float in 0..255: red, green, blue, foreground click,
                background clicks.
            simulate: gives clicks on the first answer; their answer is ``corrected``.
            fine_only: leave the four coarse heads out.
            joint: whether what corrections learn reaches the backbone and the first answer.
        Raises:
            InputError: if the shape is another, or one crop comes alone in training mode.
        """
        stages = self.encode(inputs)
        output = self.first(stages, fine_only=fine_only)
        if simulate is None:
            return output
        decoder = output.fine_features
        if not joint:
            stages, decoder = Stages(*(one.detach() for one in stages)), decoder.detach()
        seen = self.see(stages, decoder)
        return output._replace(corrected=self.correct(seen, *simulate(seen, output)))

    def encode(self, inputs: Tensor) -> Stages:
        """Run the backbone, once per crop.

        Args and Raises: as ``forward``.
        """
        alone_fails = self.training and self.iog.psp4.training
        check_inputs(inputs, INPUT_CHANNELS, INPUT_MEANING, alone_fails=alone_fails)
        return self.iog.backbone(inputs * self.scale + self.shift)

    def first(self, stages: Stages, *, fine_only: bool = False) -> NetworkOutput:
        """The answer to box and point.

        Args:
            fine_only: leave the four coarse heads out.
        """
        output = self.iog.decode(self.iog.psp4(stages.layer4), stages, fine_only=fine_only)
        decoder = self.config.predictor == "decoder"
        predictor = self.predictor(output.fine_features if decoder else output.features)
        classes = self.classifier(output.features)
        return NetworkOutput(**output._asdict(), predictor=predictor, classes=classes)

    def see(self, stages: Stages, decoder: Tensor) -> Seen:
        """What every correction needs of a crop, once per crop.

        Args:
            decoder: the first answer's ``fine_features``.
        """
        return (
            stages if isinstance(self.corrector, Refiner) else self.corrector.see(stages, decoder)
        )

    def correct(self, seen: Seen, told: Told, previous: Tensor) -> Tensor:
        """The answer to further clicks; neither the backbone nor the first answer runs again.

        Args:
            seen: from ``see``.
            told: all clicks, the first three too.
            previous: (B, 1, h, w) float32 probability before the last click, on any grid.
        Returns:
            (B, 1, h2, w2) logits on layer1's grid.
        """
        if not isinstance(self.corrector, Refiner):
            return self.corrector(seen, told, previous)
        stages = Stages(*seen)
        scaled = told.maps * self.scale[:, -CLICK_CHANNELS:]  # no click stays zero
        pooled = self.corrector(self.iog.psp4, stages.layer4, scaled)
        return self.iog.decode(pooled, stages, fine_only=True).fine

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        """What starts from ImageNet; everything else counts as heads."""
        return self.iog.backbone.parameters()

    def frozen_parameters(self) -> Iterator[nn.Parameter]:
        """The unused parameters, which no output depends on."""
        return self.iog.Coarse_net.upsamples[0].parameters()

    def with_unknown_class(self, *, generator: Generator) -> OpenSceneNet:
        """A copy whose class head has one more channel, the unknown class (Sec. 3.3).

        The first n channels are carried over; the new one is drawn from ``generator``.

        Raises:
            InputError: if the head has grown before; it grows once (Sec. 3.4).
        """
        if self.config.unknown_class:
            raise InputError(
                "The class head already has its unknown class; it grows once, so use the "
                "network as it is."
            )
        grown = copy.deepcopy(self)
        grown.config = replace(self.config, unknown_class=True)
        grown.classifier = _with_one_more(self.classifier, generator)
        return grown


def check_inputs(inputs: Tensor, channels: int, meaning: str, *, alone_fails: bool = False) -> None:
    """Refuse what is not (B, ``channels``, S, S), and a single crop where ``alone_fails``."""
    if inputs.dim() != 4 or inputs.shape[1] != channels:
        raise InputError(
            f"The input has shape {tuple(inputs.shape)}; give (B, {channels}, S, S): {meaning}."
        )
    if alone_fails and len(inputs) == 1 and not statistics_are_shared():
        raise InputError(
            "A training batch of one crop has no batch statistics in the 1x1 pyramid pool; "
            "give at least two crops, or call eval()."
        )


def materialise(
    network: Network, initialise: Callable[[Network, Generator], None], generator: Generator
) -> None:
    """Put a network built on "meta" on the default device and draw its weights; "meta" stays so."""
    device = torch.get_default_device()
    if device.type != "meta":
        network.to_empty(device=device)
        initialise(network, generator)


def initialise_weights(network: nn.Module, generator: Generator) -> None:
    """Draw all weights of ``network`` in place from ``generator``.

    IOG: N(0, 2 / fan-out) for convolutions, 1 and 0 for normalisations.
    Ours: N(0, 0.01^2) for the two 1x1 heads on F, whose fan-out would make huge logits.
    """
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.reset_parameters()
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d) and module.bias is not None:
            _draw_head(module, generator)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )


def _with_one_more(head: nn.Conv2d, generator: Generator) -> nn.Conv2d:
    """``head`` with a last channel more, drawn from ``generator`` (on the CPU)."""
    wider = nn.utils.skip_init(nn.Conv2d, head.in_channels, head.out_channels + 1, 1)
    _draw_head(wider, generator)
    with torch.no_grad():
        wider.weight[:-1] = head.weight
        wider.bias[:-1] = head.bias
    return wider.to(head.weight)


def _draw_head(head: nn.Conv2d, generator: Generator) -> None:
    nn.init.normal_(head.weight, std=HEAD_STD, generator=generator)
    if head.bias is not None:
        nn.init.zeros_(head.bias)


def register_input_scale(network: nn.Module, channels: int, *, standardise: bool) -> None:
    """Give ``network`` the buffers ``scale`` and ``shift`` for inputs in 0..255: (1, C, 1, 1).

    Standardised, colours are as ImageNet's classifiers read them and the other channels in 0..1.
    """
    maps = channels - len(IMAGENET_MEAN)
    deviation = torch.tensor(IMAGENET_STD + (1.0,) * maps)
    mean = torch.tensor(IMAGENET_MEAN + (0.0,) * maps)
    scale, shift = 1.0 / (255.0 * deviation), -mean / deviation
    if not standardise:
        scale, shift = torch.ones(channels), torch.zeros(channels)
    network.register_buffer("scale", scale.view(1, -1, 1, 1), persistent=False)
    network.register_buffer("shift", shift.view(1, -1, 1, 1), persistent=False)
