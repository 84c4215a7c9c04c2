"""The losses of the peers of Table 1: one function per peer, one value per object.

Every loss is a sum over the pixels of the crop, or scaled to stand beside such sums; the training
loop divides by the crop's pixels where it wants means.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from openscenes.errors import InputError
from openscenes.networks.click_output import ClickOutput
from openscenes.networks.enlargement import enlarge
from openscenes.settings import require_between, setting

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class LossConfig:
    """Constants of the peers' losses; the defaults are the published ones.

    Attributes:
        balanced_skips_void: ``balanced_cross_entropy`` leaves void pixels out.
        hardest_share: of an object's counted pixels that ``bootstrapped_cross_entropy`` counts.
        order_weight: of the terms that put the candidates of ``diverse_loss`` in order.
    """

    balanced_skips_void: bool = setting(False, "DEXTR: void counts as background")
    hardest_share: float = setting(0.25, "Mahadevan et al. 2018")
    order_weight: float = setting(0.0025, "Li et al. 2018")

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        require_between(self, 0.0, 1.0, "hardest_share")


PUBLISHED = LossConfig()


def plain_cross_entropy(
    output: ClickOutput, masks: Tensor, void: Tensor, clicks: Tensor, config: LossConfig = PUBLISHED
) -> Losses:
    """Binary cross entropy of all supervised maps.

    Ours: what iFCN, FCTSFN and IOG train with, each map with weight 1; void counts nowhere.

    Args:
        output: of B crops.
        masks: (B, 1, S, S) bool, the supervision.
        void: (B, 1, S, S) bool, pixels that no loss counts.
        clicks: (B, K, 3) float32 (row, col, sign) in pixels of the crop.
    Returns:
        name -> (B,) float32, summed over pixels and maps.
    """
    return {"cross_entropy": _weighted(output, masks, ~void)}


def balanced_cross_entropy(
    output: ClickOutput, masks: Tensor, void: Tensor, clicks: Tensor, config: LossConfig = PUBLISHED
) -> Losses:
    """Cross entropy in which the rarer of object and background weighs more.

    ``N- / N * (sum over the object) + N+ / N * (sum over the background)``, with the counts of
    the whole batch (DEXTR, Maninis et al. 2018).
    Ours: ``balanced_skips_void`` leaves void pixels out of sums and counts.

    Args and Returns: as ``plain_cross_entropy``.
    """
    counted = ~void if config.balanced_skips_void else torch.ones_like(void)
    inside, outside = masks & counted, ~masks & counted
    share = inside.sum() / counted.sum().clamp_min(1)
    weights = (1.0 - share) * inside + share * outside
    return {"balanced_cross_entropy": _weighted(output, masks, weights)}


def bootstrapped_cross_entropy(
    output: ClickOutput, masks: Tensor, void: Tensor, clicks: Tensor, config: LossConfig = PUBLISHED
) -> Losses:
    """Cross entropy of each object's hardest pixels alone; void excluded (Mahadevan et al. 2018).

    Ours: their number is the share of an object's counted pixels, rounded down, at least one; their
    sum is returned, not their mean.

    Args and Returns: as ``plain_cross_entropy``.
    """
    counted = (~void).flatten(1)
    n_hard = (counted.sum(dim=1) * config.hardest_share).long().clamp_min(1)
    totals = [
        _hardest(loss.flatten(1), counted, n_hard)
        for logits in output.supervised
        for loss in _cross_entropies(logits, masks).unbind(dim=1)
    ]
    return {"bootstrapped_cross_entropy": torch.stack(totals).sum(dim=0)}


def diverse_loss(
    output: ClickOutput, masks: Tensor, void: Tensor, clicks: Tensor, config: LossConfig = PUBLISHED
) -> Losses:
    """Only the best of M candidates must fit, earlier ones a little more, all at the clicks.

    Li et al. 2018: ``min_m l_m + .0025 * sum_m 2^(M - m) l_m`` with the soft-IoU loss ``l_m``, and
    the absolute error on clicked pixels, normalised by their share.
    Ours: the clicks' term is the mean over candidates, with the clicks' signs as target; the
    selection learns, by a cross entropy, which candidate has the best IoU, at the same time as
    the candidates; everything is multiplied by the crop's pixels.

    Args and Returns: as ``plain_cross_entropy``; the only supervised map holds the M candidates.

    Raises:
        InputError: if the network selects nothing.
    """
    if output.selection is None:
        raise InputError(
            "diverse_loss needs candidates with a selection, but the output's selection is None; "
            "train this network with another loss."
        )
    (candidates,) = output.supervised
    size = (masks.shape[-2], masks.shape[-1])
    probability = enlarge(candidates, size).sigmoid()
    losses = soft_iou_loss(probability, masks, void)
    ranks = torch.arange(losses.shape[1] - 1, -1, -1, device=losses.device)
    best = _iou(probability.detach() > 0.5, masks, void).argmax(dim=1)
    terms = {
        "closest_candidate": losses.amin(dim=1),
        "ordered_candidates": config.order_weight * (losses * 2.0**ranks).sum(dim=1),
        "clicked_pixels": click_error(probability, clicks),
        "selection": F.cross_entropy(output.selection.float(), best, reduction="none"),
    }
    return {name: term * masks[0].numel() for name, term in terms.items()}


def soft_iou_loss(probability: Tensor, masks: Tensor, void: Tensor) -> Tensor:
    """One minus the mean of ``p * y`` over the mean of ``max(p, y)`` (Li et al. 2018).

    Ours: void pixels count as empty in both.

    Args:
        probability: (B, M, S, S) in [0, 1].
        masks: (B, 1, S, S) bool.
        void: (B, 1, S, S) bool.
    Returns:
        (B, M) float32 in [0, 1]; 1 where nothing counts.
    """
    counted = probability * ~void
    target = (masks & ~void).float()
    shared = (counted * target).mean(dim=(2, 3))
    either = torch.maximum(counted, target).mean(dim=(2, 3))
    return 1.0 - shared / either.clamp_min(1e-12)


def click_error(probability: Tensor, clicks: Tensor) -> Tensor:
    """Mean absolute error of all candidates on the clicked pixels.

    Ours: the target is 1 at positive and 0 at negative clicks.

    Args:
        probability: (B, M, S, S) in [0, 1].
        clicks: (B, K, 3) float32 (row, col, sign); sign 0 is no click.
    Returns:
        (B,) float32; 0 without clicks.
    """
    height, width = probability.shape[-2:]
    rows = clicks[..., 0].round().long().clamp(0, height - 1)
    cols = clicks[..., 1].round().long().clamp(0, width - 1)
    where = (rows * width + cols)[:, None].expand(-1, probability.shape[1], -1)
    there = probability.flatten(2).gather(2, where)
    given = (clicks[..., 2] != 0).float()
    errors = (there - (clicks[:, None, :, 2] > 0).float()).abs().mean(dim=1)
    return (errors * given).sum(dim=1) / given.sum(dim=1).clamp_min(1.0)


def _weighted(output: ClickOutput, masks: Tensor, weights: Tensor) -> Tensor:
    """(B,) cross entropy of all supervised maps; each pixel counts by its (B, 1, S, S) weight."""
    losses = [_cross_entropies(logits, masks) * weights for logits in output.supervised]
    return torch.stack([loss.sum(dim=(1, 2, 3)) for loss in losses]).sum(dim=0)


def _cross_entropies(logits: Tensor, masks: Tensor) -> Tensor:
    """(B, M, h, w) logits and (B, 1, S, S) masks to (B, M, S, S) losses."""
    enlarged = enlarge(logits, (masks.shape[-2], masks.shape[-1]))
    target = masks.float().expand_as(enlarged)
    return F.binary_cross_entropy_with_logits(enlarged, target, reduction="none")


def _hardest(losses: Tensor, counted: Tensor, n_hard: Tensor) -> Tensor:
    """(B,) sum of the ``n_hard`` largest counted values of each row of (B, P) losses >= 0."""
    largest = (losses * counted).topk(int(n_hard.max()), dim=1).values
    ranks = torch.arange(largest.shape[1], device=losses.device)
    return (largest * (ranks < n_hard[:, None])).sum(dim=1)


def _iou(candidates: Tensor, masks: Tensor, void: Tensor) -> Tensor:
    """(B, M) IoU of (B, M, S, S) bool candidates; void counts nowhere."""
    shared = (candidates & masks & ~void).sum(dim=(2, 3))
    either = ((candidates | masks) & ~void).sum(dim=(2, 3))
    return shared / either.clamp_min(1)
