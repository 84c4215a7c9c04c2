"""Frozen parameters and BatchNorm statistics."""

from torch import nn

from openscenes.errors import InputError, TrainingError
from openscenes.networks.openscene import OpenSceneNet


def thaw(network: nn.Module) -> None:
    """Let every parameter train again, except those that never do."""
    network.requires_grad_(True)
    for parameter in network.frozen_parameters():  # type: ignore[operator]
        parameter.requires_grad_(False)


def freeze_batchnorm(network: nn.Module) -> None:
    """Freeze the running statistics of the backbone's normalisations, until ``network.train()``.

    Their scale and offset still train.
    Ours: IOG trains all normalisations; small batches of a new scene would bias the statistics.

    Raises:
        InputError: if the network has no backbone of that name.
    """
    backbone = getattr(getattr(network, "iog", network), "backbone", None)
    if not isinstance(backbone, nn.Module):
        raise InputError(
            f"{type(network).__name__} has no backbone whose normalisations could be frozen; leave "
            "freeze_batchnorm off"
        )
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def freeze_iog(network: OpenSceneNet) -> None:
    """Freeze all of IOG, its statistics until ``network.train()``; both heads on F still train.

    Ours: published weights have neither head.
    """
    network.iog.requires_grad_(False).eval()


def freeze_first_stages(network: OpenSceneNet) -> None:
    """Freeze the stem and the first two stages of the backbone, which makes a step cheaper.

    Ours: a choice for small machines; the paper trains everything.
    """
    for module in network.iog.backbone.first_stages():
        module.requires_grad_(False)


def require_gradients(network: nn.Module) -> None:
    """Refuse a backward pass that left a parameter out which trains.

    Processes that share a training would wait for that gradient, and exchange none that lies in
    memory beside it.
    """
    trained = ((n, p) for n, p in network.named_parameters() if p.requires_grad)
    missing = next((name for name, parameter in trained if parameter.grad is None), None)
    if missing is not None:
        raise TrainingError(
            f"no loss reaches {missing}, so that devices cannot share the gradients; freeze that "
            "part, or train on one device"
        )
