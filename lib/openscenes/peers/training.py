"""Training the systems of Table 1 with the one loop of ``method.training``.

Ours: all of this; the paper takes its peers' numbers from their papers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from openscenes.data import crops
from openscenes.data.examples import Example
from openscenes.data.interactions import REFERENCE_PX
from openscenes.data.samples import Batch
from openscenes.method.inference import RunContext
from openscenes.method.training import Objective, TrainConfig, train
from openscenes.networks.click_output import ClickOutput
from openscenes.networks.enlargement import enlarge
from openscenes.networks.iog_refinement import RefinableIOG
from openscenes.peers.click_sampling import (
    SamplingConfig,
    add_error_clicks,
    extreme_points,
    sample_batch,
)
from openscenes.peers.losses import plain_cross_entropy
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
        clicks, previous = _clicks(peer, batch, simulation, epoch, context.fabric)
        output = module(peer.inputs(batch.images, clicks, previous))
        return loss(output, batch.masks, batch.void, clicks)

    return _fit(network, examples, objective, config, augmentation, context, folder, label)


def learn_refinement(
    network: RefinableIOG,
    examples: Sequence[Example],
    config: TrainConfig,
    augmentation: crops.Augmentation,
    context: RunContext,
    *,
    most_clicks: int = 3,
    folder: Path | None = None,
    label: str = "refinement",
) -> list[dict[str, float]]:
    """Train the refinement branch on clicks after the first prediction; the rest stays frozen.

    IOG: one refinement click.  Ours: one to three, each on the largest error of the last mask.
    """

    def objective(module: nn.Module, batches: Sequence[Batch], _epoch: int) -> dict[str, Tensor]:
        (batch,) = batches
        inputs = batch.inputs(context.clicks)
        clicks = _refinement_clicks(network, inputs, batch, most_clicks, context.fabric)
        output = module(inputs, network.click_maps(inputs, clicks))
        return plain_cross_entropy(output, batch.masks, batch.void, clicks)

    return _fit(network, examples, objective, config, augmentation, context, folder, label)


def _fit(
    network: nn.Module, examples: Sequence[Example], objective: Objective, config: TrainConfig,
    augmentation: crops.Augmentation, context: RunContext, folder: Path | None, label: str,
) -> list[dict[str, float]]:  # fmt: skip
    """The one loop, over objects one by one."""
    groups = [(example,) for example in examples]
    return train(
        network, lambda _epoch: groups, objective, config, (augmentation,), context,
        folder=folder, label=label,
    )  # fmt: skip


def _clicks(
    peer: Any, batch: Batch, simulation: ClickSimulation, epoch: int, fabric: Fabric
) -> tuple[Tensor, Tensor | None]:
    """Clicks of one training step and the mask that they correct, if any."""
    if simulation.kind == "extremes":
        slack = simulation.slack_px * batch.images.shape[-1] / REFERENCE_PX
        generators = [torch.Generator().manual_seed(int(draw)) for draw in batch.draws]
        return extreme_points(batch.masks, slack_px=slack, generators=generators), None
    rngs = [np.random.default_rng(int(draw)) for draw in batch.draws]
    others = batch.others * ~batch.masks
    clicks = sample_batch(batch.masks, others, simulation.sampling, rngs, MOST_CLICKS)
    if not simulation.iterative or epoch == 0:
        return clicks, None
    return _on_errors(peer, batch, clicks, simulation, rngs, fabric)


def _on_errors(
    peer: Any, batch: Batch, clicks: Tensor, simulation: ClickSimulation,
    rngs: list[np.random.Generator], fabric: Fabric,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """ITIS: start from one click, then click on the largest error, a random number of times."""
    started = torch.zeros_like(clicks)
    started[:, 0] = clicks[:, 0]
    restarted = torch.tensor([rng.random() < simulation.restart for rng in rngs])
    rounds = torch.tensor([int(rng.integers(simulation.most_errors + 1)) for rng in rngs])
    restarted, rounds = restarted.to(clicks.device), rounds.to(clicks.device)
    current = torch.where(restarted[:, None, None], started, clicks)
    mask = torch.zeros_like(batch.masks)
    for done in range(int(rounds.max())):
        again = rounds > done
        predicted = _predicted(peer, batch, current, mask, fabric)
        mask = torch.where(again[:, None, None, None], predicted, mask)
        more = add_error_clicks(current, mask, batch.masks, batch.void)
        current = torch.where(again[:, None, None], more, current)
    return current, mask


def _predicted(peer: Any, batch: Batch, clicks: Tensor, previous: Tensor, fabric: Fabric) -> Tensor:
    """The peer's mask in its present state, (B, 1, S, S) bool."""
    size = batch.images.shape[-1]
    peer.eval()
    with torch.no_grad(), fabric.autocast():
        logits = peer(peer.inputs(batch.images, clicks, previous)).logits
    peer.train()
    return enlarge(logits, (size, size)) > 0


def _refinement_clicks(
    network: RefinableIOG, inputs: Tensor, batch: Batch, most_clicks: int, fabric: Fabric
) -> Tensor:
    """One to ``most_clicks`` clicks, each on the largest error of the mask before it."""
    size = batch.images.shape[-1]
    clicks = torch.zeros(len(batch), most_clicks, 3, device=inputs.device)
    rounds = torch.tensor(
        [1 + int(np.random.default_rng(int(draw)).integers(most_clicks)) for draw in batch.draws]
    ).to(inputs.device)
    network.eval()
    with torch.no_grad(), fabric.autocast():
        stages = network.encode(inputs)
        output = network.first(stages)
        for done in range(int(rounds.max())):
            mask = enlarge(output.logits, (size, size)) > 0
            more = add_error_clicks(clicks, mask, batch.masks, batch.void)
            clicks = torch.where((rounds > done)[:, None, None], more, clicks)
            output = network.refined(stages, network.click_maps(inputs, clicks))
    network.train()
    return clicks
