"""Confidence maps to a mask: thresholds (Eq. 4), votes (Eq. 5-6), weighted sums (Table 3)."""

from collections.abc import Sequence

import torch
from torch import Tensor

HALF = 0.5


def mean_confidence(confidence: Tensor, mask: Tensor) -> Tensor:
    """Mean of each map over the object's pixels.

    Paper: Eq. 4, k = sum_i P_i M_pi / sum_i M_pi.  Symbols: confidence = P, mask = M_p.
    Ours: infinite for an empty mask, so that no confidence exceeds a part of it.

    Args:
        confidence: (B, K, H, W) float.
        mask: (B, 1, H, W) bool.
    Returns:
        (B, K).
    """
    weights = mask.flatten(2).to(confidence.dtype)
    n_pixels = weights.sum(2)
    sums = (confidence.flatten(2) @ weights.transpose(1, 2)).squeeze(2)
    return torch.where(n_pixels > 0, sums / n_pixels.clamp(min=1), torch.inf)


def majority(ballots: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Foreground where at least two label maps say so.

    Paper: Eq. 5-6 with p = M_p + M_c + M_m: M_i = 1 where p_i >= 2, otherwise 0.

    Args:
        ballots: bool maps of one shape; two of them must agree.
    Returns:
        the majority (bool) and p (uint8).
    """
    votes = torch.stack([ballot.view(torch.uint8) for ballot in ballots]).sum(0, dtype=torch.uint8)
    return votes >= 2, votes


def soft_majority(ballots: Sequence[tuple[Tensor, Tensor | float]]) -> Tensor:
    """Foreground where the mean of the maps, each stretched about its threshold, is over 1/2.

    Ours: every map is stretched in two straight pieces that keep 0 and 1 and carry its threshold
    to 1/2, so that a map's vote weighs as much as its confidence. Maps of zeros and ones give the
    majority.

    Args:
        ballots: (map (B, 1, H, W) in [0, 1], threshold in [0, 1) as a number or (B,)).
    Returns:
        (B, 1, H, W) bool.
    """
    strengths = [_stretched(confidence, threshold) for confidence, threshold in ballots]
    return torch.stack(strengths).mean(0) > HALF


def _stretched(confidence: Tensor, threshold: Tensor | float) -> Tensor:
    level = torch.as_tensor(threshold, dtype=confidence.dtype, device=confidence.device)
    level = level.reshape(-1, 1, 1, 1)
    tiny = torch.finfo(confidence.dtype).tiny
    below = HALF * confidence / level.clamp(min=tiny)
    above = HALF + HALF * (confidence - level) / (1 - level).clamp(min=tiny)
    return torch.where(confidence > level, above, below)


def weighted_sum(coarse: Tensor, confidences: Sequence[Tensor], coarse_weight: float) -> Tensor:
    """Foreground where the weighted sum of the coarse map and the confidence maps is over 1/2.

    Paper: Sec. 4.3.1, "weighted sum, with the weight of 0.8 for coarse pseudo masks and 0.2 for
    the rest of the maps equally".

    Args:
        coarse: (B, 1, H, W) in [0, 1]; a hard 0/1 mask makes the sum a no-op.
        confidences: one or more maps of that shape.
        coarse_weight: share of the coarse map.
    Returns:
        (B, 1, H, W) bool.
    """
    mean = torch.stack(list(confidences)).mean(0)
    return coarse_weight * coarse + (1 - coarse_weight) * mean > HALF
