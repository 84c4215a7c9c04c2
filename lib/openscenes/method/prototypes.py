"""Prototypes and their confidence maps (Sec. 3.2, Eq. 1-3), without enlarging the feature.

F counts as enlarged to the masks' H x W by bilinear interpolation with ``align_corners=True``.
That is a linear map U whose rows sum to one, and Eq. 3 is the sigmoid of an affine map of F:

    sum_i Q_i (U F)_i = sum_j (U^T Q)_j F_j                      gather the mask, not the feature
    P_i = sigmoid(d(c_bar, F_i) - d(c, F_i)) = sigmoid(w F_i + b)          ||F_i||^2 cancels
    w = 2 (c - c_bar),   b = ||c_bar||^2 - ||c||^2 = -w (c + c_bar) / 2
    w (U F)_i + b = (U (w F + b))_i                              enlarge the map, not the feature

So two products read F once each, and nothing of size C x H x W ever exists. exp(-d) underflows
for the distances of real features; the sigmoid of the difference does not.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor

from openscenes.errors import InputError
from openscenes.files import number, one_line
from openscenes.method.checks import (
    LARGEST_FEATURE,
    require_features,
    require_tensor,
    require_weights,
)
from openscenes.networks.enlargement import interpolation

# sigmoid(-+CERTAIN) is exactly 0 and 1 in float32 and float64
CERTAIN = 1e4


def confidence_maps(
    features: Tensor,
    selections: Tensor,
    *,
    backgrounds: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Confidence that each pixel is nearer to the selected pixels' prototype than to the rest's.

    Paper: Eq. 1-3.  Symbols: features = F, selections = Q, result = P.
    Ours: an empty selection has no prototype, and P = 0 everywhere; a selection that leaves no
    background has no opponent, and P = 1 everywhere.

    Args:
        features: (B, C, h, w) float; half precision is computed in float32.
        selections: (B, K, H, W) bool, or weights in [0, 1].
        backgrounds: (B, 1 or K, H, W) bool or weights >= 0 that c_bar averages; None is the
            paper's Q_bar = 1 - Q.
        temperature: divides the difference of squared distances; 1 is Eq. 3.
    Returns:
        (B, K, H, W) in [0, 1], float32 (float64 for float64 features); differentiable.
    Raises:
        InputError: if shapes do not fit or the temperature is not positive.
    """
    _check(features, selections, "selections")
    if not number(temperature, 0.0):
        raise InputError(
            f"The temperature is {one_line(repr(temperature))}; give a number above 0."
        )
    with full_precision(features):
        features = as_full_precision(features)
        grid = Grid.between(features, selections)
        if backgrounds is None:
            sides = _against_the_rest(features, selections, grid)
        else:
            _check(features, backgrounds, "backgrounds", size=selections.shape)
            sides = _against_backgrounds(features, selections, backgrounds, grid)
        return grid.enlarge(_logits(features, sides) / temperature).sigmoid_()


def prototypes(features: Tensor, selections: Tensor) -> Tensor:
    """Mean feature vector of each selection.

    Paper: Eq. 1, c = 1/Z sum_i Q_i F_i.  Symbols: features = F, selections = Q.
    Ours: the prototype of an empty selection is the zero vector.

    Args:
        features: (B, C, h, w) float; counts as enlarged to H x W.
        selections: (B, K, H, W) bool or weights >= 0.
    Returns:
        (B, K, C), float32 (float64 for float64 features); differentiable in both arguments.
    Raises:
        InputError: if shapes do not fit.
    """
    _check(features, selections, "selections")
    return mean_features(features, selections)


def mean_features(features: Tensor, selections: Tensor) -> Tensor:
    """As ``prototypes``, without a look at the values, for which a GPU would have to be waited.

    Paper: Eq. 1.
    """
    with full_precision(features):
        features = as_full_precision(features)
        weights = selections.to(features.dtype)
        sums = _weighted_sums(features, Grid.between(features, selections).gather(weights))
        return _divided(sums, weights.sum((2, 3)))


def full_precision(features: Tensor) -> AbstractContextManager[object]:
    """Context without autocast: distances of long vectors need float32.

    Ours: the paper names no precision.
    """
    return torch.autocast(features.device.type, enabled=False)


def as_full_precision(values: Tensor) -> Tensor:
    """float64 stays; every other dtype becomes float32.

    Ours: the paper names no precision.
    """
    return values if values.dtype == torch.float64 else values.float()


class Grid(NamedTuple):
    """The linear map U from the feature's grid (h, w) to pixels (H, W), one factor per axis.

    Attributes:
        rows: (H, h); row i holds the weights of pixel row i.
        cols: (W, w).
    """

    rows: Tensor
    cols: Tensor

    @classmethod
    def between(cls, features: Tensor, masks: Tensor) -> Grid:
        """U from (..., h, w) features to (..., H, W) masks, in the features' dtype and device."""
        sides = zip(masks.shape[-2:], features.shape[-2:], strict=True)
        return cls(*(interpolation(*s, features.dtype, features.device) for s in sides))

    def enlarge(self, maps: Tensor) -> Tensor:
        """U: (B, K, h, w) to (B, K, H, W)."""
        return self.rows @ (maps @ self.cols.T)

    def gather(self, masks: Tensor) -> Tensor:
        """U^T: (B, K, H, W) pixel weights to (B, K, h, w) weights of cells; keeps the sum."""
        return self.rows.T @ (masks @ self.cols)

    def gathered_ones(self) -> Tensor:
        """U^T of the all-ones mask, (h, w)."""
        return torch.outer(self.rows.sum(0), self.cols.sum(0))


class Sides(NamedTuple):
    """Two opposed prototypes per map.

    Attributes:
        chosen: (B, K, C) c.
        other: (B, K, C) c_bar.
        verdict: (B, K); -1 where nothing is selected, +1 where nothing is left, otherwise 0.
    """

    chosen: Tensor
    other: Tensor
    verdict: Tensor


def _weighted_sums(features: Tensor, weights: Tensor) -> Tensor:
    """sum_j weights_j F_j: (B, C, h, w), (B, R, h, w) -> (B, R, C)."""
    return weights.flatten(2) @ features.flatten(2).transpose(1, 2)


def _divided(sums: Tensor, totals: Tensor) -> Tensor:
    return sums / torch.where(totals > 0, totals, 1)[..., None]


def _against_the_rest(features: Tensor, selections: Tensor, grid: Grid) -> Sides:
    """c and c_bar of Q and 1 - Q from one pass over F.

    The side with fewer pixels is summed and subtracted from the sum over everything; the other
    way round, float32 would lose the small side's digits.
    """
    n_pixels = selections.shape[2] * selections.shape[3]
    weights = selections.to(features.dtype)
    mostly = weights.sum((2, 3)) > n_pixels / 2
    fewer = (weights - mostly[..., None, None].to(weights)).abs_()
    totals = fewer.sum((2, 3))
    ones = grid.gathered_ones().expand(len(features), 1, -1, -1)
    sums = _weighted_sums(features, torch.cat([grid.gather(fewer), ones], 1))
    fewer_sums, rest_sums = sums[:, :-1], sums[:, -1:] - sums[:, :-1]
    small, large = _divided(fewer_sums, totals), _divided(rest_sums, n_pixels - totals)
    swap = mostly[..., None]
    verdict = torch.where(totals > 0, 0, torch.where(mostly, 1, -1))
    return Sides(torch.where(swap, large, small), torch.where(swap, small, large), verdict)


def _against_backgrounds(
    features: Tensor, selections: Tensor, backgrounds: Tensor, grid: Grid
) -> Sides:
    """c of Q and c_bar of the backgrounds, again from one pass over F."""
    weights = torch.cat([selections, backgrounds], 1).to(features.dtype)
    totals = weights.sum((2, 3))
    means = _divided(_weighted_sums(features, grid.gather(weights)), totals)
    n_selections = selections.shape[1]
    n_chosen, n_other = totals[:, :n_selections], totals[:, n_selections:]
    verdict = torch.where(n_chosen > 0, torch.where(n_other > 0, 0, 1), -1)
    chosen, other = means[:, :n_selections], means[:, n_selections:]
    return Sides(chosen, other.expand_as(chosen), verdict)


def _logits(features: Tensor, sides: Sides) -> Tensor:
    """d(c_bar, F) - d(c, F) on the feature's own grid: the signed distance to the mid-plane."""
    slope = 2 * (sides.chosen - sides.other)
    offset = -(slope * (sides.chosen + sides.other)).sum(2) / 2
    logits = (slope @ features.flatten(2) + offset[..., None]).unflatten(2, features.shape[2:])
    verdict = sides.verdict[..., None, None]
    return torch.where(verdict == 0, logits, verdict * CERTAIN)


def _check(features: Tensor, masks: Tensor, name: str, size: torch.Size | None = None) -> None:
    require_tensor(features, "features")
    require_tensor(masks, name, features.device)
    if features.ndim != 4 or not features.is_floating_point():
        raise InputError(
            f"features are {features.dtype} of shape {tuple(features.shape)}; "
            "give floating point values of shape (B, C, h, w)."
        )
    require_features(features)
    if masks.ndim != 4 or len(masks) != len(features) or 0 in masks.shape:
        raise InputError(
            f"{name} have shape {tuple(masks.shape)}; give (B, K, H, W) with "
            f"B = {len(features)} as in the features."
        )
    if size is not None and (masks.shape[2:] != size[2:] or masks.shape[1] not in (1, size[1])):
        raise InputError(
            f"{name} have shape {tuple(masks.shape)}; give {size[0]} x (1 or {size[1]}) x "
            f"{size[2]} x {size[3]} as in the selections."
        )
    require_weights(masks, name, 1.0 if size is None else LARGEST_FEATURE)
