"""The life of a model: initialised on labels, then evolving from scene to scene without any.

Paper: Sec. 3.1 (framework), Sec. 3.3 (training), Sec. 3.4 (sequence), Eq. 11.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import lightning_fabric as fabric_module
import torch
from torch import Tensor, nn

from openscenes.data import crops, interactions
from openscenes.data.records import ClickedObject
from openscenes.data.samples import NO_CLASS, Batch, Example, ImageCache, from_clicks
from openscenes.errors import InputError
from openscenes.method.alignment import AlignmentConfig
from openscenes.method.ipt import IPTConfig
from openscenes.method.objective import pair_losses, supervised_losses
from openscenes.method.pool import Pool
from openscenes.method.pseudo import InferenceConfig, pseudo_examples
from openscenes.method.training import TrainConfig, train
from openscenes.networks.openscene import OpenSceneNet
from openscenes.paths import atomic
from openscenes.seeding import torch_generator
from openscenes.settings import setting


@dataclass(frozen=True)
class Setting:
    """What every stage of a life shares: crops, clicks, devices, decoded photographs, a seed."""

    crop: crops.CropConfig
    clicks: interactions.ClickConfig
    inference: InferenceConfig
    cache: ImageCache
    fabric: fabric_module.Fabric
    seed: int


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
    shared: Setting,
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
        output = module(batch.inputs(shared.clicks))
        return supervised_losses(output, batch, class_loss_weight)

    groups = [(example,) for example in examples]
    history = train(
        network, lambda _epoch: groups, objective, config, crop=shared.crop,
        augmentations=(augmentation,), cache=shared.cache, fabric=shared.fabric,
        seed=shared.seed, folder=folder, label=label,
    )  # fmt: skip
    return Step(network, Pool(tuple(examples)), history)


def evolve(
    network: OpenSceneNet,
    pool: Pool,
    scene: Sequence[ClickedObject],
    config: EvolutionConfig,
    shared: Setting,
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
    pseudo = _once(folder, lambda: pseudo_examples(
        network, examples, shared.clicks, shared.crop, shared.inference, config.ipt,
        cache=shared.cache, fabric=shared.fabric, seed=shared.seed, label=f"{label}: pseudo masks",
    ), examples)  # fmt: skip
    grown = network
    if not network.config.unknown_class:
        generator = torch_generator("unknown class", shared.seed)
        grown = network.with_unknown_class(generator=generator)
    history = align(grown, pool, pseudo, config, shared, folder=folder, label=label)
    return Step(grown, pool.merged_with(pseudo), history)


def _once(
    folder: Path | None, make: Callable[[], list[Example]], examples: Sequence[Example]
) -> list[Example]:
    """Make pseudo masks once per run folder; an interrupted run finds them again."""
    path = None if folder is None else folder / "pseudo.json"
    if path is not None and path.exists():
        kept = json.loads(path.read_text())
        return [
            replace(example, supervision=code, class_index=class_index)
            for example, (code, class_index) in zip(examples, kept, strict=True)
        ]
    made = make()
    if path is not None:
        with atomic(path) as partial:
            partial.write_text(json.dumps([[e.supervision, e.class_index] for e in made]))
    return made


def align(
    network: OpenSceneNet,
    pool: Pool,
    examples: Sequence[Example],
    config: EvolutionConfig,
    shared: Setting,
    *,
    folder: Path | None = None,
    label: str = "alignment",
) -> list[dict[str, float]]:
    """Train on pairs of an old and a new object, in place.

    Paper: Sec. 3.3, Eq. 11.  The upper bound of Table 4 is the same call with ground truth as
    supervision and ``old_data=False``.
    """

    examples = [_forget_unknown(example, pool) for example in examples]

    def groups_of_epoch(epoch: int) -> list[tuple[Example, ...]]:
        if not config.old_data:
            return [(example,) for example in examples]
        return [(pool.partner(example, shared.seed, epoch), example) for example in examples]

    augmentations: tuple[crops.Augmentation, ...] = (config.augmentation_new,)
    if config.old_data:
        augmentations = (config.augmentation_old, config.augmentation_new)

    def objective(module: nn.Module, batches: Sequence[Batch], epoch: int) -> dict[str, Tensor]:
        if not config.old_data:
            (batch,) = batches
            output = module(batch.inputs(shared.clicks))
            return supervised_losses(output, batch, 0.0)
        old, new = batches
        return pair_losses(
            module(torch.cat([old.inputs(shared.clicks), new.inputs(shared.clicks)])), old, new,
            config.alignment, old_weight(config, epoch), config.class_loss_weight,
        )  # fmt: skip

    return train(
        network, groups_of_epoch, objective, config.train, crop=shared.crop,
        augmentations=augmentations, cache=shared.cache, fabric=shared.fabric,
        seed=shared.seed, folder=folder, label=label,
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
