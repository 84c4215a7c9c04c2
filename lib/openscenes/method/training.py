"""The training loop (Sec. 4.1.3): an objective maps batches to named losses per object.

A run that was interrupted anywhere ends with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from openscenes.data import crops, samples
from openscenes.data.examples import Example
from openscenes.data.samples import Batch
from openscenes.errors import InputError, OpenScenesError, TrainingError
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
Groups = Sequence[tuple[Example, ...]]
Fetched = Sequence[samples.Sample] | OpenScenesError


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained; the defaults are the initial stage of the paper."""

    epochs: int = setting(100, "Sec. 4.1.3")
    batch_size: int = setting(16, "Sec. 4.1.3")
    learning_rate: float = setting(
        1e-8, "IOG; Sec. 4.1.3 gives 1e-9, with which 100 epochs are 1/32 of IOG's path"
    )
    head_factor: float = setting(10.0, "IOG: heads learn 10 times faster than the backbone")
    momentum: float = setting(0.9, "Sec. 4.1.3")
    weight_decay: float = setting(5e-4, "Sec. 4.1.3")
    optimiser: Literal["sgd", "adamw"] = setting("sgd", "Sec. 4.1.3")
    schedule: Literal["constant", "one_cycle"] = setting("constant", "IOG; the paper names none")
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


def train(
    network: nn.Module,
    groups_of_epoch: Callable[[int], Groups],
    objective: Objective,
    config: TrainConfig,
    augmentations: tuple[crops.Augmentation | None, ...],
    context: RunContext,
    *,
    folder: Path | None = None,
    label: str = "training",
    ema: AveragedModel | None = None,
    still: Sequence[nn.Module] = (),
) -> list[dict[str, float]]:
    """Minimise an objective in place.

    Paper: Sec. 4.1.3.
    Ours: with ``reduction="mean"`` everything is divided by the crop's pixels, so that one
    learning rate serves every crop size; the direction of each step is that of the sum.

    Args:
        network: changed in place, moved to the fabric's device; a module that also says its
            ``backbone_parameters`` and ``frozen_parameters``.
        groups_of_epoch: epoch -> tuples of examples; one tuple is one item of a batch.
        objective: (network, one Batch per slot of the tuples, epoch) -> name -> (B,) losses.
        augmentations: one per slot of the tuples; None draws nothing.
        folder: where the run's resume file lies; None keeps nothing.
        ema: exponential moving average of the weights, updated after every step.
        still: parts that the objective gives no gradient; devices that share a training wait
            for each other's gradient of every parameter that wants one.
    Returns:
        One row of mean losses per epoch.
    Raises:
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
    kept = network
    if ema is not None:
        kept = nn.ModuleDict({"network": network, "ema": ema.to(fabric.device)})
    state = checkpoints.restore(resume, kept, optimiser)
    keeper = checkpoints.Keeper(resume if fabric.is_global_zero else None, kept, optimiser)
    pixels = context.crop.size**2 if config.reduction == "mean" else 1

    for epoch in range(state.epoch, config.epochs):
        items = groups_of_epoch(epoch)
        dataset = samples.CropSet(items, context.crop, augmentations, context.cache, seed, epoch)
        plan = _plan(samples.order(items, seed, epoch), config.batch_size, fabric.world_size)
        steps = _batches(dataset, plan, state.step, context)
        bar = progress(f"{label} {epoch + 1}/{config.epochs}", len(plan), state.step)
        for step, (batches, n_items, names) in enumerate(steps, start=state.step):
            _set_rates(optimiser, base_rates, config, epoch + step / len(plan))
            losses = objective(wrapped, batches, epoch)
            per_object = torch.stack(list(losses.values())).sum(dim=0) / pixels
            _check_finite(per_object, epoch, step, names)
            optimiser.zero_grad(set_to_none=True)
            fabric.backward(per_object.sum() * (fabric.world_size / n_items))
            if fabric.world_size > 1 and config.learning_rate > 0:
                require_gradients(network)
            if config.clip_norm > 0:
                fabric.clip_gradients(wrapped, wrapped_optimiser, max_norm=config.clip_norm)
            wrapped_optimiser.step()
            if ema is not None:
                ema.update_parameters(network)
            state.add({name: float(loss.detach().mean()) for name, loss in losses.items()})
            bar.set_postfix(loss=f"{float(per_object.detach().mean()):.3f}", refresh=False)
            bar.update()
            keeper.keep(state.at(epoch, step + 1))
        bar.close()
        state.finish_epoch(epoch)
    keeper.forget()
    return state.history


def _set_modes(network: nn.Module, config: TrainConfig) -> None:
    """Training mode, with the parts frozen that the configuration freezes."""
    network.train()
    thaw(network)
    if not (config.freeze_first_stages or config.freeze_batchnorm or config.heads_only):
        return
    if not isinstance(network, OpenSceneNet):
        raise InputError(
            f"only the box-and-point network has stages and normalisations that can be frozen, "
            f"got {type(network).__name__}; leave freeze_batchnorm and freeze_first_stages off"
        )
    if config.freeze_first_stages:
        freeze_first_stages(network)
    if config.freeze_batchnorm:
        freeze_batchnorm(network)
    if config.heads_only:
        freeze_iog(network)


def _optimiser(groups: list[dict[str, object]], config: TrainConfig) -> torch.optim.Optimizer:
    if config.optimiser == "adamw":
        return torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    return torch.optim.SGD(groups, momentum=config.momentum, weight_decay=config.weight_decay)


def _set_rates(
    optimiser: torch.optim.Optimizer, rates: Sequence[float], config: TrainConfig, epoch: float
) -> None:
    """Constant, or up over the first fifth and down along a cosine to zero."""
    factor, done = 1.0, epoch / config.epochs
    if config.schedule == "one_cycle":
        rise = 0.2
        factor = done / rise if done < rise else 0.5 + 0.5 * np.cos(np.pi * (done - rise) / 0.8)
        factor = max(float(factor), 0.01)
    for group, rate in zip(optimiser.param_groups, rates, strict=True):
        group["lr"] = rate * factor


def _plan(indices: Sequence[int], batch_size: int, world_size: int) -> list[list[int]]:
    """Batches of indices; a last batch too small for BatchNorm on every device is left out."""
    batches = [
        list(indices[start : start + batch_size]) for start in range(0, len(indices), batch_size)
    ]
    return [batch for batch in batches if len(batch) >= 2 * world_size]


def _batches(
    dataset: samples.CropSet,
    plan: Sequence[Sequence[int]],
    first: int,
    context: RunContext,
) -> Iterator[tuple[list[Batch], int, list[str]]]:
    """This device's share of each batch, the size of the whole batch, and the objects' names."""
    fabric = context.fabric
    share = [list(batch[fabric.global_rank :: fabric.world_size]) for batch in plan[first:]]
    loader = torch.utils.data.DataLoader(
        _Told(dataset), batch_sampler=share, num_workers=context.workers, collate_fn=_collate_slots,
        generator=torch.Generator(),  # otherwise it draws a seed from the global one
    )  # fmt: skip
    for whole, mine, batches in zip(plan[first:], share, loader, strict=True):
        if isinstance(batches, OpenScenesError):
            raise batches
        names = [dataset.groups[index][-1].object_id for index in mine]
        yield [batch.to(fabric.device) for batch in batches], len(whole), names


class _Told(torch.utils.data.Dataset[Fetched]):
    """Crops whose errors are values: PyTorch makes a traceback of one that a process raises."""

    def __init__(self, crops: samples.CropSet) -> None:
        self.crops = crops

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int) -> Fetched:
        try:
            return self.crops[index]
        except OpenScenesError as error:
            return error


def _collate_slots(items: Sequence[Fetched]) -> list[Batch] | OpenScenesError:
    for item in items:
        if isinstance(item, OpenScenesError):
            return item
    return [samples.collate(slot) for slot in zip(*items, strict=True)]


def _check_finite(per_object: Tensor, epoch: int, step: int, names: Sequence[str]) -> None:
    finite = torch.isfinite(per_object)
    if bool(finite.all()):
        return
    bad = [name for name, good in zip(names, finite.tolist(), strict=True) if not good]
    raise TrainingError(
        f"the loss of {', '.join(bad[:3])} is not a finite number at epoch {epoch + 1}, step "
        f"{step + 1}; lower the learning rate or look at that object's image and mask"
    )
