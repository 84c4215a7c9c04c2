"""What stays as it is while the rest of a network trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import nn

from openscenes.networks.openscene import OpenSceneNet


class Trainable(Protocol):
    """What the training loop asks of a network beside being a module."""

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        """Return what was trained before and learns at the lower rate."""

    def frozen_parameters(self) -> Iterator[nn.Parameter]:
        """Return what never trains."""


def thaw(network: nn.Module) -> None:
    """Let every parameter train again, but those that the network says rest."""
    network.requires_grad_(True)
    for parameter in network.frozen_parameters():  # type: ignore[operator]
        parameter.requires_grad_(False)


def freeze_batchnorm(network: OpenSceneNet) -> None:
    """Let the backbone's normalisations use their running statistics, and leave these alone.

    Call it after each ``network.train()``, which undoes it.  Their scale and offset still train.
    Ours: IOG trains all normalisations; small batches of a new scene would drag the statistics.
    """
    for module in network.iog.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def freeze_first_stages(network: OpenSceneNet) -> None:
    """Let the stem and the first two stages of the backbone train no more.

    Nothing before the third stage then keeps values for a backward pass, which makes a step
    cheaper.  Ours: a choice for small machines; the paper trains everything.
    """
    for module in network.iog.backbone.first_stages():
        module.requires_grad_(False)
