"""BN re-estimation (AdaBN): the batch statistics of a new scene, no weight trained.

Ours: all of it; the paper has no such control.
"""

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
    label: str = "BN re-estimation",
    pseudo: Path | None = None,
) -> OpenSceneNet:
    """Re-estimate the BatchNorm statistics on the crops of a step of evolution, without learning.

    The result is the network that ``evolve`` returns at a learning rate of zero, for a third of
    the time: the control that separates the effect of pseudo masks from that of the statistics.
    ``freeze_batchnorm`` freezes the backbone's normalisations only.

    Args:
        config: of the step under control, with old data; its learning rate and losses are unused.
        folder: where the run's resume file lies; None keeps nothing.
        pseudo: file of the predicted classes, those of +ST; None keeps none.
    Returns:
        A grown copy, or the given network if it has grown before, as ``evolve`` does.
    Raises:
        InputError: if the scene holds no object, or ``old_data`` is off.
    """
    if not scene or not config.old_data:
        raise InputError(
            "statistics are re-estimated on pairs of an old and a new object, but there are "
            f"{len(scene)} new ones and old_data is {config.old_data}; give a scene with clicked "
            "objects and leave old_data on"
        )
    predicted = pseudo_examples(  # the class of an object decides its partner
        network, [from_clicks(clicked) for clicked in scene], context, None, config.teacher,
        file=pseudo, label=f"{label}: classes", labelled=pool.examples, gate=config.gate,
    )  # fmt: skip
    grown = network
    if not network.config.unknown_class:
        grown = network.with_unknown_class(generator=torch_generator("unknown class", context.seed))

    def pairs_of_epoch(epoch: int) -> list[tuple[Example, ...]]:
        return [(pool.partner(example, context.seed, epoch), example) for example in predicted]

    def forward_only(module: nn.Module, batches: Sequence[Batch], _epoch: int) -> dict[str, Tensor]:
        with torch.no_grad():
            module(torch.cat([batch.inputs(context.clicks) for batch in batches]))
        return {"nothing": _no_loss(grown, len(batches[-1]))}

    train(
        grown, pairs_of_epoch, forward_only, replace(config.train, learning_rate=0.0),
        (config.augmentation_old, config.augmentation_new), context, folder=folder, label=label,
    )  # fmt: skip
    return grown


def _no_loss(network: nn.Module, n_objects: int) -> Tensor:
    """(n_objects,) differentiable zeros."""
    learning = (parameter for parameter in network.parameters() if parameter.requires_grad)
    smallest = min(learning, key=torch.Tensor.numel)
    return smallest.sum() * torch.zeros(n_objects, device=smallest.device)
