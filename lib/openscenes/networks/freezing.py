"""Frozen parameters and BatchNorm statistics."""

from __future__ import annotations

from torch import nn

from openscenes.networks.openscene import OpenSceneNet


def thaw(network: nn.Module) -> None:
    """Let every parameter train again, except those that never do."""
    network.requires_grad_(True)
    for parameter in network.frozen_parameters():  # type: ignore[operator]
        parameter.requires_grad_(False)


def freeze_batchnorm(network: OpenSceneNet) -> None:
    """Freeze the running statistics of the backbone's normalisations, until ``network.train()``.

    Their scale and offset still train.
    Ours: IOG trains all normalisations; small batches of a new scene would bias the statistics.
    """
    for module in network.iog.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def freeze_first_stages(network: OpenSceneNet) -> None:
    """Freeze the stem and the first two stages of the backbone, which makes a step cheaper.

    Ours: a choice for small machines; the paper trains everything.
    """
    for module in network.iog.backbone.first_stages():
        module.requires_grad_(False)
