"""Feature alignment of an old and a new object: Eq. 7-8; maximum squares: Eq. 9-10 (Sec. 3.3).

Everything is computed on the feature's grid, in float32 whatever the precision of the network, and
weighs as on the crop's pixels. Each loss is one number per pair: callers weigh and average.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from openscenes.errors import InputError
from openscenes.method.prototypes import as_full_precision, full_precision, mean_features
from openscenes.settings import require_between, require_one_of, setting


@dataclass(frozen=True)
class AlignmentConfig:
    """Settings of the alignment losses; the paper gives no numbers, only the equations."""

    probability_floor: float = setting(
        0.05, "Ours: 1 / M'_b is unbounded in Eq. 7; 0 is literal and may overflow"
    )
    detach_weight: bool = setting(
        True, "Ours: with a gradient in 1 / M'_b, raising M'_b anywhere lowers Eq. 7"
    )
    detach_partner_in_pixels: bool = setting(
        True, "Ours: pixels of b move to c_a, not c_a to the pixels of b"
    )
    detach_partner_in_prototypes: bool = setting(
        False, "Ours: both prototypes move in ||c_a - c_b||^2, as Eq. 7 is written"
    )
    proto_term: bool = setting(True, "Eq. 7, 8: ||c_a - c_b||^2")
    pixel_term: bool = setting(True, "Eq. 7: second term")
    class_agnostic_proto_term: bool = setting(True, "Eq. 8; Table 5, row 2 leaves it out")
    class_agnostic_pixel_term: bool = setting(False, "Eq. 8; Table 5, row 1 has it")
    feature_weight: float = setting(1.0, "Eq. 11")
    max_square_weight: float = setting(1.0, "Eq. 11")
    consistent_max_square: bool = setting(
        False, "Ours: Eq. 10 for every object; Eq. 9 with two classes is half of Eq. 10"
    )
    common_size: bool = setting(
        True,
        "Eq. 7-10: one H x W for F, p and masks; Ours: A and L_max count for each pixel of a crop, "
        "B for each cell of F, which feature_weight fits; False: L_max for each cell, A once",
    )
    reduction: Literal["sum", "mean"] = setting(
        "sum", "Eq. 7, 9, 10; Ours: mean divides by pixels, and distances by channels too"
    )

    def __post_init__(self) -> None:
        """Refuse settings that no run can mean."""
        require_between(self, 0.0, 1.0, "probability_floor")
        require_between(self, 0.0, 1e9, "feature_weight", "max_square_weight")
        require_one_of(self, "reduction", ("sum", "mean"))


def feature_alignment_loss(
    features_a: Tensor,
    selection_a: Tensor,
    features_b: Tensor,
    selection_b: Tensor,
    foreground_b: Tensor,
    probability_b: Tensor,
    known: Tensor,
    config: AlignmentConfig,
) -> Tensor:
    """Draw the features of a new object b to an old object a.

    Paper: Eq. 7, ||c_a - c_b||^2 + sum_i 1/M'_bi ||F_bi - c_a||^2, where b's class is known;
    Eq. 8, its first term, where it is not.
    Symbols: features = F, selection = Q of Eq. 1, foreground_b = M, probability_b = M'_b.
    Ours: masks are averaged over the cells of the feature's grid, a cell counts by its share of
    foreground, and an empty selection on either side gives a loss of zero. With ``common_size`` the
    first term counts H x W / (h x w) times, to stand beside sums over the crop's pixels.

    Args:
        features_a, features_b: (B, C, h, w) float.
        selection_a, selection_b: (B, 1, H, W) bool or weights >= 0, at any H x W.
        foreground_b: (B, 1, H, W) bool or weights; the pixels of b's mask.
        probability_b: (B, 1, h, w) in [0, 1]; predictor output, not binarised.
        known: (B,) bool; b's class is one of the old ones.
    Returns:
        (B,) float32 (float64 for float64 features), times ``feature_weight``.
    Raises:
        InputError: if batches, channels or grids differ.
    """
    _check_pairs(features_a, features_b, probability_b, known)
    with full_precision(features_a):
        features_a, features_b = as_full_precision(features_a), as_full_precision(features_b)
        on_a, on_b = on_grid(selection_a, features_a), on_grid(selection_b, features_b)
        partner = mean_features(features_a, on_a).squeeze(1)
        own = mean_features(features_b, on_b).squeeze(1)
        proto = _prototype_term(partner, own, config)
        proto = proto * _pixels_per_cell(foreground_b[0].numel(), features_b, config)
        pixel = _pixel_term(features_b, partner, foreground_b, probability_b, config)
        with_proto = _where_known(known, config.proto_term, config.class_agnostic_proto_term)
        with_pixel = _where_known(known, config.pixel_term, config.class_agnostic_pixel_term)
        total = torch.where(with_proto, proto, 0) + torch.where(with_pixel, pixel, 0)
        selected = on_a.flatten(1).any(1) & on_b.flatten(1).any(1)
        total = total / (features_b.shape[1] if config.reduction == "mean" else 1)
        return config.feature_weight * torch.where(selected, total, 0)


def maximum_squares_loss(
    foreground_probability: Tensor,
    class_probability: Tensor | None,
    known: Tensor,
    config: AlignmentConfig,
    n_pixels: float | None = None,
) -> Tensor:
    """Make predictions more confident, with a gradient that is linear in the probability.

    Paper: Eq. 9, -1/2 sum_i sum_c (p^{i,c})^2, on the class map where b's class is known;
    Eq. 10, sum_i (-p_i^2 - (1 - p_i)^2), on the foreground map where it is not.
    Ours: without a class map, Eq. 9 takes background and foreground as its two classes, which
    makes it half of Eq. 10.

    Args:
        foreground_probability: (B, 1, h, w) in [0, 1]; predictor output, M'_b.
        class_probability: (B, K, h, w) summing to one over K, or None.
        known: (B,) bool.
        n_pixels: of the crop, over which the sum runs with ``common_size``; None: h x w.
    Returns:
        (B,) float32 (float64 for float64 maps), times ``max_square_weight``; never positive.
    Raises:
        InputError: if shapes do not fit.
    """
    foreground = as_full_precision(foreground_probability)
    fits = foreground.ndim == 4 and foreground.shape[1] == 1
    _require(fits, "The foreground probability", foreground, "(B, 1, h, w)")
    _check_known(known, len(foreground))
    binary = (-foreground.square() - (1 - foreground).square()).sum((1, 2, 3))
    by_class = binary / 2
    if class_probability is not None:
        fits = class_probability.ndim == 4 and len(class_probability) == len(foreground)
        wanted = f"(B, K, h, w) with B = {len(foreground)}"
        _require(fits, "The class probability", class_probability, wanted)
        by_class = -as_full_precision(class_probability).square().sum((1, 2, 3)) / 2
    summed = binary if config.consistent_max_square else torch.where(known, by_class, binary)
    n_cells = foreground.shape[2] * foreground.shape[3]
    if config.reduction == "mean":
        return config.max_square_weight * summed / n_cells
    return (
        config.max_square_weight
        * summed
        * _pixels_per_cell(n_pixels or n_cells, foreground, config)
    )


def on_grid(mask: Tensor, features: Tensor) -> Tensor:
    """Share of each of the feature's cells that a (B, 1, H, W) mask covers, (B, 1, h, w).

    Ours: the paper has both at one size. Cells are adaptive averages; the mask's size need not
    be a multiple of the grid's.
    """
    fits = mask.ndim == 4 and mask.shape[:2] == (len(features), 1)
    _require(fits, "A mask", mask, f"({len(features)}, 1, H, W), one for each object")
    return F.adaptive_avg_pool2d(mask.to(features.dtype), (features.shape[2], features.shape[3]))


def _prototype_term(partner: Tensor, own: Tensor, config: AlignmentConfig) -> Tensor:
    """||c_a - c_b||^2, (B,)."""
    partner = partner.detach() if config.detach_partner_in_prototypes else partner
    return (partner - own).square().sum(1)


def _pixels_per_cell(n_pixels: float, on_grid: Tensor, config: AlignmentConfig) -> float:
    """How many pixels of the crop a cell stands for; 1 where sums run over cells, or means."""
    if config.reduction == "mean" or not config.common_size:
        return 1.0
    return n_pixels / (on_grid.shape[-2] * on_grid.shape[-1])


def _pixel_term(
    features: Tensor,
    partner: Tensor,
    foreground: Tensor,
    probability: Tensor,
    config: AlignmentConfig,
) -> Tensor:
    """sum_i 1/M'_bi ||F_bi - c_a||^2 over the foreground, (B,)."""
    share = on_grid(foreground, features)
    weights = share / _floored(probability, share, config)
    partner = partner.detach() if config.detach_partner_in_pixels else partner
    distances = (features - partner[:, :, None, None]).square().sum(1, keepdim=True)
    total = (weights * distances).sum((1, 2, 3))
    if config.reduction == "sum":
        return total
    n_pixels = share.sum((1, 2, 3))
    return total / torch.where(n_pixels > 0, n_pixels, 1)


def _floored(probability: Tensor, share: Tensor, config: AlignmentConfig) -> Tensor:
    """M'_b no smaller than the floor; 1 outside the foreground, where 1 / M'_b must not exist."""
    probability = as_full_precision(probability).to(share.dtype)
    probability = probability.detach() if config.detach_weight else probability
    return torch.where(share > 0, probability, 1).clamp(min=config.probability_floor)


def _where_known(known: Tensor, if_known: bool, if_not: bool) -> Tensor:
    return (known & if_known) | (~known & if_not)


def _check_pairs(
    features_a: Tensor, features_b: Tensor, probability_b: Tensor, known: Tensor
) -> None:
    shapes = tuple(features_a.shape), tuple(features_b.shape)
    if features_a.ndim != 4 or features_b.ndim != 4 or shapes[0][:2] != shapes[1][:2]:
        raise InputError(
            f"The features have shapes {shapes[0]} and {shapes[1]}; give (B, C, h, w) twice with "
            "the same B and C."
        )
    wanted = (len(features_b), 1, *shapes[1][2:])
    fits = tuple(probability_b.shape) == wanted
    _require(fits, "The predictor's probability", probability_b, f"{wanted}, as b's features")
    _check_known(known, len(features_b))


def _check_known(known: Tensor, batch: int) -> None:
    if known.dtype != torch.bool or known.shape != (batch,):
        raise InputError(
            f"known is {known.dtype} of shape {tuple(known.shape)}; give ({batch},) bool, one for "
            "each pair."
        )


def _require(fits: bool, name: str, values: Tensor, wanted: str) -> None:
    if not fits:
        raise InputError(f"{name} has shape {tuple(values.shape)}; give {wanted}.")
