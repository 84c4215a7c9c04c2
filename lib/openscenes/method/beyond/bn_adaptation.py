"""What a new scene does to a model before it teaches anything: statistics move, no weight does.

Ours: all of it; the paper has no such control.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from openscenes.data.examples import Example, from_clicks
from openscenes.data.records import ClickedObject
from openscenes.data.samples import Batch
from openscenes.errors import InputError
from openscenes.method.evolution import EvolutionConfig, Pool
from openscenes.method.inference import RunContext
from openscenes.method.pseudo import pseudo_examples
from openscenes.method.training import train
from openscenes.networks.openscene import OpenSceneNet
from openscenes.seeding import torch_generator


def reestimate_bn(
    network: OpenSceneNet,
    pool: Pool,
    scene: Sequence[ClickedObject],
    config: EvolutionConfig,
    context: RunContext,
    *,
    folder: Path | None = None,
    label: str = "statistics",
) -> OpenSceneNet:
    """Show a model all that a step of evolution would show it, and let it learn nothing.

    In training a normalisation that does not rest follows the crops that it sees, whatever their
    labels say, and ``freeze_batchnorm`` rests those of the backbone only.  What is left is the
    network that ``evolve`` returns at a learning rate of zero, for a third of the time: the
    control that tells what pseudo masks teach from what the mere sight of a scene changes.

    Args:
        config: of the step that this is the control of, with old data; its learning rate and
            its losses are not used.
        folder: where the run's resume file lies; None keeps nothing.
    Returns:
        A grown copy, or the given network if it has grown before, as ``evolve`` does.
    Raises:
        InputError: if the scene holds no object, or ``old_data`` is off.
    """
    if not scene or not config.old_data:
        raise InputError(
            "statistics are renewed on pairs of an old and a new object, but there are "
            f"{len(scene)} new ones and old_data is {config.old_data}; give a scene with clicked "
            "objects and leave old_data on"
        )
    seen = pseudo_examples(  # the class of an object decides whom it is paired with
        network, [from_clicks(clicked) for clicked in scene], context, None, config.teacher,
        label=f"{label}: classes",
    )  # fmt: skip
    grown = network
    if not network.config.unknown_class:
        grown = network.with_unknown_class(generator=torch_generator("unknown class", context.seed))

    def pairs_of_epoch(epoch: int) -> list[tuple[Example, ...]]:
        return [(pool.partner(example, context.seed, epoch), example) for example in seen]

    def look(module: nn.Module, batches: Sequence[Batch], _epoch: int) -> dict[str, Tensor]:
        with torch.no_grad():
            module(torch.cat([batch.inputs(context.clicks) for batch in batches]))
        return {"nothing": _no_loss(grown, len(batches[-1]))}

    train(
        grown, pairs_of_epoch, look, replace(config.train, learning_rate=0.0),
        (config.augmentation_old, config.augmentation_new), context, folder=folder, label=label,
    )  # fmt: skip
    return grown


def _no_loss(network: nn.Module, n_objects: int) -> Tensor:
    """(n_objects,) zeros that the training loop can differentiate, by the smallest parameter."""
    learning = (parameter for parameter in network.parameters() if parameter.requires_grad)
    smallest = min(learning, key=torch.Tensor.numel)
    return smallest.sum() * torch.zeros(n_objects, device=smallest.device)
