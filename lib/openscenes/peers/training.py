"""Training the systems of Table 1 with the one loop of ``method.training``.

Ours: all of this; the paper takes its peers' numbers from their papers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from openscenes.data import crops
from openscenes.data.examples import Example
from openscenes.data.interactions import REFERENCE_PX
from openscenes.data.loading import Clicks
from openscenes.data.samples import Batch, Sample
from openscenes.method.inference import RunContext
from openscenes.method.training import Objective, TrainConfig, train
from openscenes.networks.click_output import ClickOutput
from openscenes.networks.enlargement import enlarge
from openscenes.peers.click_sampling import (
    SamplingConfig,
    add_error_clicks,
    extreme_points,
    sample_slots,
)
from openscenes.settings import setting

ClickLoss = Callable[[ClickOutput, Tensor, Tensor, Tensor], dict[str, Tensor]]
MOST_CLICKS = 24


@dataclass(frozen=True)
class ClickSimulation:
    """How the clicks are simulated that a peer is trained with.

    Attributes:
        sampling: the random strategies of systems with free clicks.
    """

    kind: Literal["extremes", "free"] = setting("free", "iFCN and all that follow it")
    sampling: SamplingConfig = SamplingConfig()
    slack_px: float = setting(5.0, "DEXTR: extremes within 5 px, at 512")
    iterative: bool = setting(False, "ITIS: clicks where the network errs")
    restart: float = setting(0.3, "ITIS: an object's clicks are forgotten with this probability")
    most_errors: int = setting(3, "Ours: clicks put on errors in one step; ITIS adds 1 per epoch")


def learn_clicks(
    network: nn.Module,
    examples: Sequence[Example],
    config: TrainConfig,
    augmentation: crops.Augmentation,
    simulation: ClickSimulation,
    loss: ClickLoss,
    context: RunContext,
    *,
    folder: Path | None = None,
    label: str = "peer",
) -> list[dict[str, float]]:
    """Train a peer on labelled objects, in place.

    Ours: ITIS keeps each object's clicks from epoch to epoch; here a step itself predicts up to
    three times and clicks on the largest error, so that an interrupted run loses nothing.
    """
    peer = cast(Any, network)

    def objective(module: nn.Module, batches: Sequence[Batch], epoch: int) -> dict[str, Tensor]:
        (batch,) = batches
        clicks, previous = batch.clicks, None
        if simulation.iterative and epoch > 0:
            clicks, previous = _on_errors(peer, batch, context.fabric)
        output = module(peer.inputs(batch.images, clicks, previous))
        return loss(output, batch.masks, batch.void, clicks)

    clicks = partial(_simulated, simulation)
    return _fit(network, examples, objective, config, augmentation, clicks, context, folder, label)


def _fit(
    network: nn.Module, examples: Sequence[Example], objective: Objective, config: TrainConfig,
    augmentation: crops.Augmentation, clicks: Clicks, context: RunContext, folder: Path | None,
    label: str,
) -> list[dict[str, float]]:  # fmt: skip
    """The one loop, over objects one by one."""
    groups = [(example,) for example in examples]
    return train(
        network, lambda _epoch: groups, objective, config, (augmentation,), context,
        clicks=clicks, folder=folder, label=label,
    )  # fmt: skip


def _simulated(simulation: ClickSimulation, sample: Sample, epoch: int) -> Sample:
    """The sample with the clicks of one step, as far as they need no network.

    ITIS, from the second epoch on: of some objects the first click alone, and how many clicks on
    errors are still to come.
    """
    if simulation.kind == "extremes":
        slack = simulation.slack_px * len(sample.mask) / REFERENCE_PX
        drawn, masks = torch.Generator().manual_seed(sample.draw), torch.from_numpy(sample.mask)
        clicks = extreme_points(masks[None, None], slack_px=slack, generators=[drawn])
        return replace(sample, clicks=clicks[0].numpy())
    rng = np.random.default_rng(sample.draw)
    free = sample_slots(sample.mask, sample.others, simulation.sampling, rng, MOST_CLICKS)
    if not simulation.iterative or epoch == 0:
        return replace(sample, clicks=free)
    if rng.random() < simulation.restart:
        free[1:] = 0
    return replace(sample, clicks=free, rounds=int(rng.integers(simulation.most_errors + 1)))


def _on_errors(peer: Any, batch: Batch, fabric: Fabric) -> tuple[Tensor, Tensor]:
    """ITIS: from the given clicks on, click on the largest error as often as each object's rounds.

    A round waits for the device once, since nobody can click on an error before it is known.
    """
    clicks, mask = batch.clicks.cpu(), torch.zeros_like(batch.masks)
    truths, void = batch.masks.cpu(), batch.void.cpu()
    for done in range(max(batch.rounds)):
        again = [rounds > done for rounds in batch.rounds]
        predicted = _predicted(peer, batch, clicks.to(mask.device), mask, fabric)
        asked = torch.tensor(again, device=mask.device)
        mask = torch.where(asked[:, None, None, None], predicted, mask)
        clicks = add_error_clicks(clicks, mask, truths, void, again)
    return clicks.to(mask.device), mask


def _predicted(peer: Any, batch: Batch, clicks: Tensor, previous: Tensor, fabric: Fabric) -> Tensor:
    """The peer's mask in its present state, (B, 1, S, S) bool."""
    size, frozen = batch.images.shape[-1], [part for part in peer.modules() if not part.training]
    peer.eval()
    with torch.no_grad(), fabric.autocast():
        logits = peer(peer.inputs(batch.images, clicks, previous)).logits
    peer.train()
    for part in frozen:
        part.eval()
    return enlarge(logits, (size, size)) > 0
