"""Inside-Outside Guidance: the interactive network that the framework evolves (Sec. 3.1)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from openscenes.networks.backbones import build_backbone
from openscenes.networks.config import NetworkConfig
from openscenes.networks.enlargement import enlarge
from openscenes.networks.heads import CoarseNet, FineNet, PyramidPooling

__all__ = ["IOG", "IOGOutput", "enlarge"]


class IOGOutput(NamedTuple):
    """What IOG gives for a batch; a tuple, so that wrapped modules can walk through it.

    Symbols: features = F.

    Attributes:
        coarse: four logit maps (B, 1, h2, w2); empty when only the fine one was asked for.
        fine: (B, 1, h2, w2) logits on layer1's grid; ``enlarge`` brings them to the crop.
        features: (B, C, h, w), layer4 before pyramid pooling.
        fine_features: (B, C', h2, w2), the decoder's map that feeds the last 3x3 convolution.
    """

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
        layer1, layer2, layer3, features = self.backbone(inputs)
        levels = self.Coarse_net((self.psp4(features), layer3, layer2, layer1))
        coarse = () if fine_only else self.Coarse_net.logits(levels)
        fine, fine_features = self.Fine_net(levels)
        return IOGOutput(coarse, fine, features, fine_features)
