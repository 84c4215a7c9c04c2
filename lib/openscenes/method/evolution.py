"""The life of a model: initialised on labels, then evolving from scene to scene without any.

Paper: Sec. 3.1 (framework), Sec. 3.3 (training), Sec. 3.4 (sequence), Eq. 11.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from openscenes.data import crops
from openscenes.data.examples import NO_CLASS, Example, from_clicks
from openscenes.data.records import ClickedObject
from openscenes.data.samples import Batch
from openscenes.errors import InputError
from openscenes.method.alignment import AlignmentConfig
from openscenes.method.beyond.box_losses import BoxLossConfig
from openscenes.method.inference import InferenceConfig, RunContext
from openscenes.method.ipt import IPTConfig
from openscenes.method.objective import pair_losses, supervised_losses
from openscenes.method.pseudo import PSEUDO_MASKS, once, pseudo_examples
from openscenes.method.training import TrainConfig, train
from openscenes.networks.openscene import OpenSceneNet
from openscenes.seeding import numpy_generator, torch_generator
from openscenes.settings import setting


@dataclass(frozen=True)
class Pool:
    """Examples learned so far; ``class_index`` is true for labelled and predicted for others.

    Paper: Sec. 3.4.
    """

    examples: tuple[Example, ...]

    def __post_init__(self) -> None:
        if not self.examples:
            raise InputError("the pool is empty: evolution needs at least one earlier object")

    @cached_property
    def by_class(self) -> dict[int, list[int]]:
        """Class channel -> positions in the pool."""
        found: dict[int, list[int]] = {}
        for position, example in enumerate(self.examples):
            found.setdefault(example.class_index, []).append(position)
        return found

    def knows(self, class_index: int) -> bool:
        """Whether an object of that class can be sampled.

        Paper: Sec. 3.3.
        """
        return class_index != NO_CLASS and class_index in self.by_class

    def partner(self, example: Example, seed: int, epoch: int) -> Example:
        """An object of the same class where there is one, any object else.

        Paper: Sec. 3.3.
        Ours: drawn uniformly over objects, anew in each epoch.
        """
        generator = numpy_generator("partner", seed, epoch, example.object_id)
        if self.knows(example.class_index):
            positions = self.by_class[example.class_index]
            return self.examples[positions[int(generator.integers(len(positions)))]]
        return self.examples[int(generator.integers(len(self.examples)))]

    def merged_with(self, examples: Sequence[Example]) -> Pool:
        """Everything learned before and now.

        Paper: Sec. 3.4.
        """
        return Pool(self.examples + tuple(examples))


@dataclass(frozen=True)
class EvolutionConfig:
    """One step of evolution; the rows of Table 4 are values of these fields.

    ``ipt=None`` trains on coarse masks, ``alignment=None`` leaves out L_feat and L_max.
    """

    train: TrainConfig
    augmentation_old: crops.Augmentation
    augmentation_new: crops.Augmentation
    ipt: IPTConfig | None = setting(None, "Table 4: +IPT")
    alignment: AlignmentConfig | None = setting(None, "Table 4: +FA")
    old_data: bool = setting(True, "Sec. 3.1: fine-tuned on images of both A and B")
    old_loss_end: float = setting(0.1, "Sec. 4.1.3: decays linearly from 1 to 0.1")
    class_loss_weight: float = setting(1.0, "Ours: Eq. 11 has no term for the class head")
    teacher: InferenceConfig | None = setting(
        None, "Ours: how pseudo masks are read; None reads them as predictions are"
    )
    box_losses: BoxLossConfig | None = setting(
        None, "Ours: losses on the box's sides and the click"
    )
    ema_decay: float | None = setting(
        None, "Ours: labels each epoch anew by a moving average of the weights; Sec. 4.1.3: offline"
    )

    def __post_init__(self) -> None:
        if self.box_losses is not None and self.augmentation_new.rotation_deg > 0:
            raise InputError(
                "losses on the box's sides need boxes that touch the object, but "
                f"augmentation_new turns them by up to {self.augmentation_new.rotation_deg:g} "
                "degrees; set its rotation_deg to 0, or box_losses to None"
            )
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise InputError(
                f"ema_decay must lie between 0 and 1, got {self.ema_decay:g}; try 0.99"
            )


@dataclass(frozen=True)
class Step:
    """A finished step: the evolved network and everything it has learned so far."""

    network: OpenSceneNet
    pool: Pool
    history: list[dict[str, float]]


def initialise(
    network: OpenSceneNet,
    examples: Sequence[Example],
    config: TrainConfig,
    augmentation: crops.Augmentation,
    context: RunContext,
    *,
    class_loss_weight: float = 1.0,
    folder: Path | None = None,
    label: str = "initial model",
) -> Step:
    """Train the initial model on labelled objects, in place.

    Paper: Sec. 3.1.
    Ours: pixel predictor and class head learn here, as a sixth output and with a cross entropy
    on the true class; the paper says neither when nor how.
    """

    def objective(module: nn.Module, batches: Sequence[Batch], _epoch: int) -> dict[str, Tensor]:
        (batch,) = batches
        output = module(batch.inputs(context.clicks))
        return supervised_losses(output, batch, class_loss_weight)

    groups = [(example,) for example in examples]
    history = train(
        network, lambda _epoch: groups, objective, config, (augmentation,), context,
        folder=folder, label=label,
    )  # fmt: skip
    return Step(network, Pool(tuple(examples)), history)


def evolve(
    network: OpenSceneNet,
    pool: Pool,
    scene: Sequence[ClickedObject],
    config: EvolutionConfig,
    context: RunContext,
    *,
    folder: Path | None = None,
    label: str = "evolution",
) -> Step:
    """Evolve a model onto a scene of which only images and interactions exist.

    Paper: Sec. 3.1-3.4: pseudo masks once, offline; then training on pairs; then one pool.
    Ours: the first step returns a grown copy, with a channel for the unknown class; later steps
    train the network that they are given.

    Raises:
        InputError: if the scene holds no object.
    """
    if not scene:
        raise InputError("there is nothing to evolve on: the new scene has no clicked object")
    examples = [from_clicks(clicked) for clicked in scene]

    def labelled_by(teacher: OpenSceneNet, name: str) -> list[Example]:
        return once(folder, name, lambda: pseudo_examples(
            teacher, examples, context, config.ipt, config.teacher, label=f"{label}: pseudo masks"
        ), examples)  # fmt: skip

    pseudo = labelled_by(network, PSEUDO_MASKS)
    grown = network
    if not network.config.unknown_class:
        generator = torch_generator("unknown class", context.seed)
        grown = network.with_unknown_class(generator=generator)
    if config.ema_decay is None:
        history = align(grown, pool, pseudo, config, context, folder=folder, label=label)
        return Step(grown, pool.merged_with(pseudo), history)
    average = AveragedModel(grown, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay))
    history = align(
        grown, pool, pseudo, config, context, folder=folder, label=label, average=average,
        relabel=lambda epoch: labelled_by(
            cast(OpenSceneNet, average.module), f"pseudo-{epoch}.json"
        ),
    )  # fmt: skip
    return Step(grown, pool.merged_with(pseudo), history)


def align(
    network: OpenSceneNet,
    pool: Pool,
    examples: Sequence[Example],
    config: EvolutionConfig,
    context: RunContext,
    *,
    folder: Path | None = None,
    label: str = "alignment",
    average: AveragedModel | None = None,
    relabel: Callable[[int], list[Example]] | None = None,
) -> list[dict[str, float]]:
    """Train on pairs of an old and a new object, in place.

    Paper: Sec. 3.3, Eq. 11.  The upper bound of Table 4 is the same call with ground truth as
    supervision and ``old_data=False``.

    Args:
        average: follows the network's weights.
        relabel: epoch, from 1 on -> the examples with new pseudo masks.
    """

    def groups_of_epoch(epoch: int) -> list[tuple[Example, ...]]:
        taken = examples if relabel is None or epoch == 0 else relabel(epoch)
        known = [_forget_unknown(example, pool) for example in taken]
        if not config.old_data:
            return [(example,) for example in known]
        return [(pool.partner(example, context.seed, epoch), example) for example in known]

    augmentations: tuple[crops.Augmentation, ...] = (config.augmentation_new,)
    if config.old_data:
        augmentations = (config.augmentation_old, config.augmentation_new)

    def objective(module: nn.Module, batches: Sequence[Batch], epoch: int) -> dict[str, Tensor]:
        if not config.old_data:
            (batch,) = batches
            output = module(batch.inputs(context.clicks))
            return supervised_losses(output, batch, 0.0)
        old, new = batches
        return pair_losses(
            module(torch.cat([old.inputs(context.clicks), new.inputs(context.clicks)])), old, new,
            config.alignment, old_weight(config, epoch), config.class_loss_weight,
            config.box_losses,
        )  # fmt: skip

    return train(
        network, groups_of_epoch, objective, config.train, augmentations, context,
        folder=folder, label=label, average=average,
    )  # fmt: skip


def _forget_unknown(example: Example, pool: Pool) -> Example:
    """A predicted class that the pool has no object of is as good as unknown."""
    if pool.knows(example.class_index):
        return example
    return replace(example, class_index=NO_CLASS)


def old_weight(config: EvolutionConfig, epoch: int) -> float:
    """Weight of the old data's cross entropy in an epoch, counted from 0.

    Paper: Sec. 4.1.3 ("linearly decreasing to 0.1 throughout the training epochs").
    """
    last = max(config.train.epochs - 1, 1)
    return 1.0 + (config.old_loss_end - 1.0) * min(epoch / last, 1.0)
