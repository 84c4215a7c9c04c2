"""Life-long evolution (Sec. 3.1, 3.4): initialise on labels, then evolve scene by scene on clicks.

Paper: pairs of an old and a new object, Sec. 3.3, Eq. 11; one pool of all that was learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from openscenes.data import crops
from openscenes.data.examples import Example, from_clicks
from openscenes.data.records import ClickedObject
from openscenes.data.samples import Batch
from openscenes.errors import InputError
from openscenes.method.beyond.keeping import distilled, frozen_copy
from openscenes.method.beyond.prototype_contrast import ContrastConfig, prototype_contrast
from openscenes.method.checks import require_classes, require_objects
from openscenes.method.corrections import DEFAULT_CORRECTIONS, CorrectionConfig, answers
from openscenes.method.evolution_config import FULL_METHOD, EvolutionConfig, old_weight
from openscenes.method.gradients import GradientNorms
from openscenes.method.inference import RunContext
from openscenes.method.objective import halves, measured_terms, pair_losses, supervised_losses
from openscenes.method.pseudo import PSEUDO_MASKS, pseudo_examples
from openscenes.method.replay import Pool
from openscenes.method.training import TrainConfig, train
from openscenes.networks.batch_norm import halve_statistics, join_statistics
from openscenes.networks.openscene import OpenSceneNet
from openscenes.seeding import torch_generator
from openscenes.settings import require_kind

NO_CONTRAST = ContrastConfig()


@dataclass(frozen=True)
class Step:
    """A finished step: the evolved network and everything it has learned so far."""

    network: OpenSceneNet
    pool: Pool
    history: list[dict[str, float]]


def initialise(
    network: OpenSceneNet,
    examples: Sequence[Example],
    config: TrainConfig | None = None,
    augmentation: crops.Augmentation | None = None,
    context: RunContext | None = None,
    *,
    class_loss_weight: float = 1.0,
    corrections: CorrectionConfig | None = DEFAULT_CORRECTIONS,
    contrast: ContrastConfig = NO_CONTRAST,
    folder: Path | None = None,
    label: str = "initial model",
) -> Step:
    """Train the initial model on labelled objects, in place.

    Paper: Sec. 3.1.
    Ours: pixel predictor and class head learn here, as a sixth output and with a cross entropy
    on the true class; the paper says neither when nor how.

    Args:
        config, augmentation: None: the paper's.
        corrections: how further clicks are learned at the same time; None learns none.
        contrast: how strongly F is asked to be separable by prototypes.
        context: None: the paper's, at the network's crop size.
    Raises:
        InputError: if there are fewer than two objects, or an argument is of another kind.
    """
    context = _checked_context(network, context)
    require_classes(require_objects(examples, Example, "examples"), network.config.class_channels)

    def objective(module: nn.Module, batches: Sequence[Batch], _epoch: int) -> dict[str, Tensor]:
        return _supervised(
            network, module, batches[0], class_loss_weight, corrections, context, contrast
        )

    history = train(
        network, lambda _epoch: [(example,) for example in examples], objective,
        config or TrainConfig(), (augmentation or crops.Augmentation(),), context,
        folder=folder, label=label, still=_still(network, class_loss_weight > 0, corrections),
    )  # fmt: skip
    return Step(network, Pool(tuple(examples)), history)


def evolve(
    network: OpenSceneNet,
    pool: Pool,
    scene: Sequence[ClickedObject],
    config: EvolutionConfig = FULL_METHOD,
    context: RunContext | None = None,
    *,
    folder: Path | None = None,
    label: str = "evolution",
    pseudo: Path | None = None,
) -> Step:
    """Evolve a model onto a scene of which only images and interactions exist.

    Paper: Sec. 3.1-3.4: pseudo masks once, offline; then training on pairs; then one pool.
    Ours: the first step returns a grown copy, with a channel for the unknown class; later steps
    train the network that they are given. Another round on the same scene (Table 4+) is another
    call, with the network and the pool of the last step.

    Args:
        context: None: the paper's, at the network's crop size.
        folder: where pseudo masks and the resume file are kept; None keeps nothing.
        pseudo: file of the pseudo masks, read or written; None: in the folder.
    Raises:
        InputError: if the scene holds fewer than two objects, or an argument is of another kind.
    """
    context = _checked_context(network, context)
    require_classes(require_kind(pool, Pool, "pool").examples, network.config.class_channels)
    require_kind(config, EvolutionConfig, "config")
    require_objects(scene, ClickedObject, "scene")

    made, grown = pseudo_examples(
        network, [from_clicks(one) for one in scene], context, config.ipt, config.teacher,
        file=pseudo or (folder and folder / PSEUDO_MASKS), label=f"{label}: pseudo masks",
        labelled=pool.examples, gate=config.gate,
    ), network  # fmt: skip
    if not network.config.unknown_class:
        grown = network.with_unknown_class(generator=torch_generator("unknown class", context.seed))
    before = {name: weight.clone() for name, weight in grown.state_dict().items()}
    history = align(grown, pool, made, config, context, folder=folder, label=label)
    _go_between(grown, before, config.between)
    return Step(grown, pool.merged_with(made), history)


def align(
    network: OpenSceneNet,
    pool: Pool,
    examples: Sequence[Example],
    config: EvolutionConfig,
    context: RunContext,
    *,
    folder: Path | None = None,
    label: str = "alignment",
) -> list[dict[str, float]]:
    """Train on pairs of an old and a new object, in place.

    Paper: Sec. 3.3, Eq. 11.  The upper bound of Table 4 is the same call with ground truth as
    supervision and ``old_data=False``.

    Raises:
        InputError: if halves are to have statistics of their own and devices share the training.
    """
    if config.statistics != "shared" and context.fabric.world_size > 1:
        raise InputError(
            f'statistics is "{config.statistics}", which {context.fabric.world_size} devices '
            'cannot share; take one device, or "shared"'
        )

    def groups_of_epoch(epoch: int) -> list[tuple[Example, ...]]:
        known = [pool.restrict_class(example) for example in examples]
        if not config.old_data:
            return [(example,) for example in known]
        return [(pool.partner(example, context.seed, epoch), example) for example in known]

    both = (config.augmentation_old, config.augmentation_new)

    def objective(module: nn.Module, batches: Sequence[Batch], epoch: int) -> dict[str, Tensor]:
        if not config.old_data:
            return _supervised(network, module, batches[0], 0.0, config.corrections, context)
        return _paired(network, module, batches, config, epoch, context, norms, before)

    before = frozen_copy(network, context) if config.distillation > 0 else None
    norms = GradientNorms(network, context, folder, config.train)
    if config.statistics != "shared":
        halve_statistics(network)
    classified = config.old_data and (config.class_loss_weight > 0 or config.alignment is not None)
    history = train(
        network, groups_of_epoch, objective, config.train, both if config.old_data else both[1:],
        context, folder=folder, label=label,
        still=_still(network, classified, config.corrections),
    )  # fmt: skip
    if config.statistics != "shared":
        join_statistics(network, keep=config.statistics)
    return norms.beside(history)


@torch.no_grad()
def _go_between(network: OpenSceneNet, before: dict[str, Tensor], share: float) -> None:
    """Move all weights and statistics back, to ``share`` of the way that they came."""
    for name, weight in network.state_dict().items():
        if share < 1 and weight.is_floating_point():
            weight.lerp_(before[name].to(weight), 1 - share)


def _supervised(
    network: OpenSceneNet, module: nn.Module, batch: Batch, class_weight: float,
    corrections: CorrectionConfig | None, context: RunContext,
    contrast: ContrastConfig = NO_CONTRAST,
) -> dict[str, Tensor]:  # fmt: skip
    """Losses of objects with a supervision of their own, of both answers."""
    output, corrected = answers(network, module, (batch,), corrections, context.clicks)
    losses = supervised_losses(output, batch, class_weight) | corrected
    if contrast.weight > 0:
        losses["contrast"] = prototype_contrast(output, batch, contrast)
    return losses


def _paired(
    network: OpenSceneNet, module: nn.Module, pairs: Sequence[Batch], config: EvolutionConfig,
    epoch: int, context: RunContext, norms: GradientNorms, before: OpenSceneNet | None,
) -> dict[str, Tensor]:  # fmt: skip
    """Eq. 11 of pairs, and the losses of their corrected answers, the old ones weighted alike."""
    (old, new), weight = pairs, old_weight(config, epoch)
    output, corrected = answers(network, module, pairs, config.corrections, context.clicks)
    losses = pair_losses(
        output, old, new, config.alignment, weight, config.class_loss_weight,
        None if config.class_reaches_backbone else network.classifier,
    )  # fmt: skip
    for name, loss in corrected.items():
        loss_old, loss_new = loss.chunk(2)
        losses[name] = weight * loss_old + loss_new
    if before is not None:
        losses["kept"] = config.distillation * distilled(halves(output)[0], old, before, context)
    if config.alignment is not None and norms.wanted(epoch):
        norms.measure(measured_terms(losses, output, old, new, config.alignment), epoch)
    return losses


def _still(
    network: OpenSceneNet, classified: bool, corrections: CorrectionConfig | None
) -> tuple[nn.Module, ...]:
    """The parts that no loss reaches."""
    parts = (network.classifier, not classified), (network.corrector, corrections is None)
    return tuple(part for part, still in parts if still)


def _checked_context(network: OpenSceneNet, context: RunContext | None) -> RunContext:
    """The context, the paper's if None; InputError where it does not fit the network."""
    size = require_kind(network, OpenSceneNet, "network").config.crop_size
    context = RunContext(crop=crops.CropConfig(size=size)) if context is None else context
    if require_kind(context, RunContext, "context").crop.size != size:
        raise InputError(
            f"The crop has {context.crop.size} px and the network is built for {size}; take one."
        )
    return context
