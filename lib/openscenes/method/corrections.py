"""Clicks that correct, simulated on a network's own errors while it trains (Sec. 3.1 and after).

Ours: the paper's interaction ends with three clicks. Iterative sampling and the user are RITM's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openscenes.data.interactions import Click, ClickConfig, depth
from openscenes.data.samples import Batch
from openscenes.data.told import Told
from openscenes.masks import BoolMask
from openscenes.networks.corrector import Seen
from openscenes.networks.enlargement import enlarge, grid
from openscenes.networks.openscene import NetworkOutput, OpenSceneNet
from openscenes.settings import require_between, require_whole, setting


@dataclass(frozen=True)
class CorrectionConfig:
    """How a training simulates clicks after the first three.

    Attributes:
        most_clicks: of one object in one epoch.
        stop: probability that a click is an object's last.
        core: a click lies anywhere as deep as this share of the error's deepest pixel.
        weight: of the corrected answer's loss beside the first answer's.
        joint: whether what corrections learn reaches the backbone and the first answer's decoder.
    """

    most_clicks: int = setting(10, "Ours: simulated corrections, at most")
    stop: float = setting(0.3, "Ours: three corrections on average; RITM has at most three")
    core: float = setting(0.5, "RITM: anywhere as deep as half the deepest")
    weight: float = setting(1.0, "IOG: first and corrected answer weigh alike")
    joint: bool = setting(True, "IOG and RITM train everything together")

    def __post_init__(self) -> None:
        require_whole(self, 1, 100, "most_clicks")
        require_between(self, 0.01, 1.0, "stop")
        require_between(self, 0.0, 1.0, "core")
        require_between(self, 0.0, 1e6, "weight")

    @property
    def mean_clicks(self) -> float:
        """Of one object in one epoch.

        Paper: none.
        """
        return (1.0 - (1.0 - self.stop) ** self.most_clicks) / self.stop


DEFAULT_CORRECTIONS = CorrectionConfig()


def answers(
    network: OpenSceneNet,
    module: nn.Module,
    batches: Sequence[Batch],
    config: CorrectionConfig | None,
    clicks: ClickConfig,
) -> tuple[NetworkOutput, dict[str, Tensor]]:
    """The first answers of a network, and the losses of those that follow simulated clicks.

    Paper: Sec. 3.1, Eq. 11's cross entropy; the paper has no further clicks.

    Args:
        module: the network, or what wraps it.
        batches: one after the other in one pass.
        config: None simulates nothing and gives no loss.
    Returns:
        The output of all crops, and name -> (B,) float32 losses, summed over pixels.
    """
    inputs = torch.cat([batch.inputs(clicks) for batch in batches])
    if config is None:
        return module(inputs), {}
    masks, void = (torch.cat([getattr(b, name) for b in batches]) for name in ("masks", "void"))
    told = Told(*map(torch.cat, zip(*(batch.told(clicks) for batch in batches), strict=True)))
    draws = [draw for batch in batches for draw in batch.draws]
    simulation = Simulation(network, told, masks, void, draws, clicks, config)
    output = module(inputs, simulate=simulation.clicks_on, joint=config.joint)
    assert output.corrected is not None
    logits = enlarge(output.corrected, (masks.shape[-2], masks.shape[-1]))
    losses = F.binary_cross_entropy_with_logits(logits, masks.float(), reduction="none")
    return output, {"corrected": config.weight * (losses * ~void).sum(dim=(1, 2, 3))}


@dataclass(frozen=True)
class Simulation:
    """A user who clicks on the errors of a network's answers, one after the other.

    Paper: Sec. 3.1 ends with the first answer. RITM: no gradient but through the last answer.
    Ours: an object's number of clicks and their places come from its ``draw`` alone, so that an
    interrupted training repeats them; errors are looked for on the grid of the logits.

    Attributes:
        told: the first three clicks.
        masks, void: (B, 1, S, S) bool, the supervision, and pixels that do not count.
        draws: a seed for each object.
        clicks: how a click is drawn into the maps.
    """

    network: OpenSceneNet
    told: Told
    masks: Tensor
    void: Tensor
    draws: Sequence[int]
    clicks: ClickConfig
    config: CorrectionConfig

    @torch.no_grad()
    def clicks_on(self, seen: Seen, output: NetworkOutput) -> tuple[Told, Tensor]:
        """Click until each object has its clicks; corrections alone run.

        Paper: see the class.

        Returns:
            All clicks, and the (B, 1, h2, w2) probability before the last one, for the answer
            that learns.
        """
        rngs = [np.random.default_rng([draw, 1]) for draw in self.draws]
        rounds = [
            min(int(rng.geometric(self.config.stop)), self.config.most_clicks) for rng in rngs
        ]
        previous, told = output.fine.float().sigmoid(), self.told
        place = _Places(self.masks, self.void, grid(previous))
        with _evaluating(self.network):
            for done in range(max(rounds)):
                asked = [i for i, n in enumerate(rounds) if n > done]
                if done:
                    chosen = torch.tensor(asked, device=previous.device)
                    logits = self.network.correct(
                        tuple(one[chosen] for one in seen), told.of(chosen), previous[chosen]
                    )
                    previous[chosen] = logits.float().sigmoid()
                shown = (previous[:, 0] > 0.5).cpu().numpy()
                rows = np.zeros((len(rounds), 1, 3), np.float32)
                for i in asked:
                    rows[i, 0] = place.clicked(i, shown[i], self.config.core, rngs[i])
                told = told.and_then(torch.from_numpy(rows).to(previous.device), self.clicks)
        return told, previous


class _Places:
    """The supervision of a batch on a grid of its crops' pixels."""

    def __init__(self, masks: Tensor, void: Tensor, size: tuple[int, int]) -> None:
        sides = zip(masks.shape[-2:], size, strict=True)
        self.rows, self.cols = (
            np.linspace(0, side - 1, n).round().astype(int) for side, n in sides
        )
        self.truths, self.void = (
            maps[:, 0].cpu().numpy()[:, self.rows][:, :, self.cols] for maps in (masks, void)
        )

    def clicked(
        self, index: int, shown: BoolMask, core: float, rng: np.random.Generator
    ) -> tuple[int, int, int]:
        """(row, col, sign) in pixels of the crop; sign 0 where nothing is wrong."""
        click = error_click(shown, self.truths[index], self.void[index], core, rng)
        if click is None:
            return 0, 0, 0
        return int(self.rows[click.row]), int(self.cols[click.col]), click.sign


def error_click(
    shown: BoolMask, truth: BoolMask, void: BoolMask, core: float, rng: np.random.Generator
) -> Click | None:
    """Click somewhere in the middle of the larger error, or nowhere if there is none.

    Paper: none. RITM: of missing and superfluous pixels those count that hold the deepest one; a
    pixel that is at least ``core`` times as deep is drawn.

    Args:
        shown, truth, void: (h, w) bool.
    """
    missing, superfluous = (
        depth(error) for error in (truth & ~shown & ~void, shown & ~truth & ~void)
    )
    deepest = max(float(missing.max()), float(superfluous.max()))
    if deepest == 0:
        return None
    sign = 1 if missing.max() > superfluous.max() else -1
    candidates = np.flatnonzero((missing if sign > 0 else superfluous) >= core * deepest)
    row, col = divmod(int(candidates[rng.integers(len(candidates))]), truth.shape[1])
    return Click(row, col, sign)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Leave the statistics of a network alone for a while."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
