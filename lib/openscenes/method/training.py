"""The training loop (Sec. 4.1.3): an objective maps batches to named losses per object.

A run that was interrupted anywhere ends with the same numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from openscenes.data import crops
from openscenes.data.loading import Clicks, CropSet, Group, Item, Loader, order, plan_of_epoch
from openscenes.data.samples import Batch
from openscenes.errors import InputError
from openscenes.method.finite import Watch
from openscenes.method.inference import RunContext
from openscenes.networks import checkpoints
from openscenes.networks.batch_norm import share_statistics
from openscenes.networks.devices import Precision
from openscenes.networks.freezing import (
    freeze_batchnorm,
    freeze_first_stages,
    freeze_iog,
    require_gradients,
    thaw,
)
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import parameter_groups
from openscenes.progress import progress
from openscenes.settings import setting

Objective = Callable[[nn.Module, Sequence[Batch], int], Mapping[str, Tensor]]
UNSEEN_STEPS = 16  # before a GPU is waited for, to see whether losses are finite


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained; the defaults are the initial stage of the paper."""

    epochs: int = setting(100, "Sec. 4.1.3")
    batch_size: int = setting(16, "Sec. 4.1.3")
    learning_rate: float = setting(
        1e-8,
        "IOG; at batch 16 100 epochs are 161,500 steps, 0.31 of IOG's path of 516,700 at batch 5; "
        "with Sec. 4.1.3's 1e-9 they are 1/32 of it",
    )
    head_factor: float = setting(10.0, "IOG: heads learn 10 times faster than the backbone")
    momentum: float = setting(0.9, "Sec. 4.1.3")
    weight_decay: float = setting(5e-4, "Sec. 4.1.3")
    optimiser: Literal["sgd", "adamw"] = setting("sgd", "Sec. 4.1.3")
    schedule: Literal["constant", "one_cycle"] = setting("constant", "IOG; the paper names none")
    steps: tuple[tuple[float, float, float], ...] = setting(
        (), "Ours: (epoch, factor of the backbone's rate, of the heads') from that epoch on"
    )
    reduction: Literal["sum", "mean"] = setting("sum", "Eq. 7, 9, 10 and IOG: sums over pixels")
    clip_norm: float = setting(0.0, "Ours: 0 clips nothing; the paper names none")
    precision: Precision = setting("32-true", "Ours: the paper names none")
    freeze_batchnorm: bool = setting(False, "IOG trains BatchNorm")
    freeze_first_stages: bool = setting(False, "IOG trains every stage")
    heads_only: bool = setting(False, "Ours: True under published weights, which lack two heads")
    deterministic: bool = setting(False, "Ours: only operations that repeat to the last bit")
    micro_batch: int = setting(
        0, "Ours: crops that one pass holds, gradients summed; 0 holds the whole batch"
    )

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2:
            raise InputError(
                f"training needs at least 1 epoch and batches of at least 2 (BatchNorm after a "
                f"1x1 pooling has nothing to average over 1), got {self.epochs} and "
                f"{self.batch_size}"
            )
        if self.micro_batch < 0 or self.micro_batch == 1:
            raise InputError(
                f"micro_batch is {self.micro_batch}; give at least 2 crops, over which BatchNorm "
                "averages, or 0 for the whole batch"
            )


def train(
    network: nn.Module,
    groups_of_epoch: Callable[[int], Sequence[Group]],
    objective: Objective,
    config: TrainConfig,
    augmentations: tuple[crops.Augmentation | None, ...],
    context: RunContext,
    *,
    clicks: Clicks | None = None,
    folder: Path | None = None,
    label: str = "training",
    still: Sequence[nn.Module] = (),
) -> list[dict[str, float]]:
    """Minimise an objective in place.

    Paper: Sec. 4.1.3.
    Ours: with ``reduction="mean"`` everything is divided by the crop's pixels, so that one
    learning rate serves every crop size; the direction of each step is that of the sum.
    Ours: with ``micro_batch`` a batch passes in parts and its gradients are summed; where
    BatchNorm is not frozen, it averages over each part, not over the batch.

    Args:
        network: changed in place, moved to the fabric's device; a module that also says its
            ``backbone_parameters`` and ``frozen_parameters``.
        groups_of_epoch: epoch -> tuples of examples; one tuple is one item of a batch.
        objective: (network, one Batch per slot of the tuples, epoch) -> name -> (B,) losses.
        augmentations: one per slot of the tuples; None draws nothing.
        clicks: adds simulated clicks to a sample, beside the crops; None adds none.
        folder: where the run's resume file lies; None keeps nothing.
        still: parts that the objective gives no gradient; devices that share a training wait
            for each other's gradient of every parameter that wants one.
    Returns:
        One row of mean losses per epoch.
    Raises:
        InputError: before anything is trained, if there is no batch that the devices can share.
        TrainingError: naming epoch, step and objects where a loss is not finite.
    """
    network.to(memory_format=torch.channels_last)  # 1.4 to 2 times faster on CPUs
    _set_modes(network, config)
    for part in still:
        part.requires_grad_(False)
    fabric, seed = context.fabric, context.seed
    groups = parameter_groups(network, config.learning_rate, config.head_factor)
    optimiser = _optimiser(groups, config)
    base_rates = [group["lr"] for group in optimiser.param_groups]
    if fabric.world_size > 1:
        share_statistics(network)
    wrapped, wrapped_optimiser = fabric.setup(network, optimiser)
    resume = None if folder is None else folder / "resume.safetensors"
    state = checkpoints.restore(resume, network, optimiser)
    keeper = checkpoints.Keeper(resume if fabric.is_global_zero else None, network, optimiser)
    watch = Watch(1 if fabric.device.type == "cpu" else UNSEEN_STEPS)
    crop_set = CropSet(context.crop, augmentations, context.cache, seed, clicks)
    loader = Loader(crop_set, context.workers, pinned=fabric.device.type == "cuda")

    with closing(loader):
        for epoch in range(state.epoch, config.epochs):
            items = groups_of_epoch(epoch)
            drawn = [(epoch, items[index]) for index in order(items, seed, epoch)]
            plan = plan_of_epoch(
                drawn, len(augmentations), config.batch_size, config.micro_batch, fabric.world_size
            )
            shares = [_share(parts, fabric) for parts in plan]
            steps = loader.epoch([list(chain(*parts)) for parts in shares[state.step :]])
            bar = progress(f"{label} {epoch + 1}/{config.epochs}", len(plan), state.step)
            for step, batches in enumerate(steps, start=state.step):
                _set_rates(optimiser, base_rates, config, epoch + step / len(plan))
                optimiser.zero_grad(set_to_none=True)
                scale = fabric.world_size / sum(map(len, plan[step]))
                losses, per_object = _gradients(
                    wrapped, objective, batches, shares[step], scale, config, fabric
                )
                if fabric.world_size > 1 and config.learning_rate > 0:
                    require_gradients(network)
                norm = None
                if config.clip_norm > 0:
                    norm = fabric.clip_gradients(
                        wrapped, wrapped_optimiser, max_norm=config.clip_norm,
                        error_if_nonfinite=False,
                    )  # fmt: skip
                means = _means(losses, len(per_object) * scale, fabric)
                if watch.add((per_object, *means.values(), norm), step, shares[step]):
                    watch.look()
                    bar.set_postfix(loss=f"{float(per_object.mean()):.3f}", refresh=False)
                if config.steps:
                    _rest(optimiser)
                wrapped_optimiser.step()
                state.add(means)
                bar.update()
                if keeper.due():
                    watch.look()
                    keeper.keep(state.at(epoch, step + 1))
            bar.close()
            watch.look()
            state.finish_epoch(epoch)
    keeper.forget()
    return state.history


def _set_modes(network: nn.Module, config: TrainConfig) -> None:
    """Training mode, with the parts frozen that the configuration freezes."""
    network.train()
    thaw(network)
    if config.freeze_batchnorm:
        freeze_batchnorm(network)
    if not (config.freeze_first_stages or config.heads_only):
        return
    if not isinstance(network, OpenSceneNet):
        raise InputError(
            f"only the box-and-point network has stages that can be frozen, got "
            f"{type(network).__name__}; leave freeze_first_stages and heads_only off"
        )
    if config.freeze_first_stages:
        freeze_first_stages(network)
    if config.heads_only:
        freeze_iog(network)


def _optimiser(groups: list[dict[str, object]], config: TrainConfig) -> torch.optim.Optimizer:
    if config.optimiser == "adamw":
        return torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    return torch.optim.SGD(groups, momentum=config.momentum, weight_decay=config.weight_decay)


def _set_rates(
    optimiser: torch.optim.Optimizer, rates: Sequence[float], config: TrainConfig, epoch: float
) -> None:
    """Constant, or up over a fifth and down along a cosine to zero; ``steps`` multiply it."""
    factor, done = 1.0, epoch / config.epochs
    if config.schedule == "one_cycle":
        rise = 0.2
        factor = done / rise if done < rise else 0.5 + 0.5 * np.cos(np.pi * (done - rise) / 0.8)
        factor = max(float(factor), 0.01)
    passed = [own for start, *own in config.steps if start <= epoch]
    own = passed[-1] if passed else (1.0,) * len(rates)
    for group, rate, step in zip(optimiser.param_groups, rates, own, strict=True):
        group["lr"] = rate * factor * step


def _rest(optimiser: torch.optim.Optimizer) -> None:
    """A group whose rate is zero takes no step, so that its momentum does not grow."""
    for group in optimiser.param_groups:
        if group["lr"] == 0:
            for parameter in group["params"]:
                parameter.grad = None


def _share(parts: Sequence[Sequence[Item]], fabric: Fabric) -> list[Sequence[Item]]:
    return [part[fabric.global_rank :: fabric.world_size] for part in parts]


def _gradients(
    module: Any,
    objective: Objective,
    batches: Sequence[Batch],
    parts: Sequence[Sequence[Item]],
    scale: float,
    config: TrainConfig,
    fabric: Fabric,
) -> tuple[dict[str, Tensor], Tensor]:
    """Add up the gradients of a batch, part by part.

    Returns:
        name -> (B,) losses, and (B,) their sum as it is minimised; without gradient.
    """
    pixels = batches[0].masks[0].numel() if config.reduction == "mean" else 1
    found, sums, (epoch, _), done = [], [], parts[0][0], 0
    for part in parts:
        shown = [batch.part(done, done + len(part)).to(fabric.device) for batch in batches]
        done += len(part)
        with fabric.no_backward_sync(module, enabled=done < len(batches[0])):
            losses = objective(module, shown, epoch)
            per_object = torch.stack(list(losses.values())).sum(dim=0) / pixels
            fabric.backward(per_object.sum() * scale)
        found.append({name: loss.detach() for name, loss in losses.items()})
        sums.append(per_object.detach())
    whole = {name: torch.cat([losses[name] for losses in found]) for name in found[0]}
    return whole, torch.cat(sums)


def _means(losses: Mapping[str, Tensor], share: float, fabric: Fabric) -> dict[str, Tensor]:
    """name -> mean loss of a batch, of whose crops this device has ``share`` of the average."""
    means = {name: loss.mean() for name, loss in losses.items()}
    if fabric.world_size == 1:
        return means
    shared = fabric.all_reduce(torch.stack(list(means.values())) * share, reduce_op="mean")
    return dict(zip(means, cast(Tensor, shared), strict=True))
