"""The interactive-prototype module: coarse masks voted against two label maps (Sec. 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from openscenes.errors import InputError
from openscenes.method import selections, voting
from openscenes.method.ipt_config import PROTOTYPES, IPTConfig
from openscenes.method.prototypes import confidence_maps, full_precision

__all__ = ["IPTConfig", "Refinement", "refine"]


@dataclass(frozen=True)
class Refinement:
    """A refined mask and all that led to it.

    Attributes:
        mask: (B, 1, H, W) bool, M.
        edge_mask, center_mask, global_mask: (B, 1, H, W), Q of each prototype; bool, except that
            a soft predictor leaves probabilities in global_mask.
        label_global, label_merged: (B, 1, H, W) bool, M_c and M_m; empty where not chosen.
        votes: (B, 1, H, W) uint8, p = M_p + M_c + M_m.
        confidence: "global", "center", "edge", "merged" -> (B, 1, H, W) in [0, 1].
        threshold_global, threshold_merged: (B,), m * k and n * k.
        flags: (B,) bool each. "empty_coarse": nothing to refine, the mask is returned unchanged;
            "predictor_disagrees": M_p and M_b share no pixel, Q of the global prototype is M_p;
            "thin": the edge mask is the whole of M_p; "click_outside": the click is not in M_p.
    """

    mask: Tensor
    edge_mask: Tensor
    center_mask: Tensor
    global_mask: Tensor
    label_global: Tensor
    label_merged: Tensor
    votes: Tensor
    confidence: dict[str, Tensor]
    threshold_global: Tensor
    threshold_merged: Tensor
    flags: dict[str, Tensor]


def refine(
    features: Tensor,
    coarse_mask: Tensor,
    predicted_mask: Tensor,
    points: Tensor,
    config: IPTConfig | None = None,
    *,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    coarse_probability: Tensor | None = None,
    region: Tensor | None = None,
) -> Refinement:
    """Vote the coarse mask against two label maps made from prototypes.

    Paper: Sec. 3.2, Eq. 1-6.  Symbols: features = F, coarse_mask = M_p, predicted_mask = M_b.
    Ours: an empty coarse mask is returned unchanged and flagged; with one label map left out,
    both remaining voters must agree (p_i >= 2); no gradient flows.

    Args:
        features: (B, C, h, w) float; counts as bilinearly enlarged to H x W (align_corners).
        coarse_mask: (B, 1, H, W) bool.
        predicted_mask: (B, 1, H, W) bool or probability (> 0.5, if the predictor is not soft).
        points: (B, 2) integers (row, col), the user's click inside the object.
        config: None: the paper's.
        generator: draws the center points; a sequence holds one per object, so that an object's
            result does not depend on its batch; None: one with seed 0.
        coarse_probability: (B, 1, H, W) in [0, 1]; for weighted sums.
        region: (B, 1, H, W) bool; what ``config.clip_to_box`` confines the mask to.
    Returns:
        Refinement; every map lies on the features' device.
    Raises:
        InputError: if shapes do not fit, a click is outside the image, or an option lacks its map.
    """
    config = config or IPTConfig()
    maps = {"coarse_mask": coarse_mask, "predicted_mask": predicted_mask}
    optional = {"coarse_probability": coarse_probability, "region": region}
    _check_maps(features, maps | {name: v for name, v in optional.items() if v is not None})
    _check_points(points, coarse_mask)
    _check_options(config, optional)
    generators = _one_each(generator or torch.Generator().manual_seed(0), len(features))
    with torch.no_grad(), full_precision(features):
        chosen, flags = _select(coarse_mask, predicted_mask, points, config, generators)
        confidence = _confidence(features, coarse_mask, chosen, config)
        return decide(coarse_mask, chosen, flags, confidence, config, coarse_probability, region)


def _select(
    coarse: Tensor,
    predicted: Tensor,
    points: Tensor,
    config: IPTConfig,
    generators: Sequence[torch.Generator],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Q of each prototype, and what was unusual about it."""
    height = coarse.shape[2]
    soft = config.soft_predictor or predicted.dtype == torch.bool
    whole, disagrees = selections.global_selection(coarse, predicted if soft else predicted > 0.5)
    edge, thin = selections.edge_selection(
        coarse, config.erosion_radius(height), inner=config.edge == "inner"
    )
    center = selections.center_selection(
        coarse,
        points,
        n_points=config.center_points,
        radius=config.center_radius(height),
        generators=generators,
    )
    rows, cols = points.to(coarse.device).long().unbind(1)
    inside = coarse[torch.arange(len(coarse), device=coarse.device), 0, rows, cols]
    flags = {
        "empty_coarse": ~selections.occupied(coarse),
        "predictor_disagrees": disagrees,
        "thin": thin,
        "click_outside": ~inside,
    }
    return {"global": whole, "center": center, "edge": edge}, flags


def _confidence(
    features: Tensor, coarse: Tensor, chosen: dict[str, Tensor], config: IPTConfig
) -> dict[str, Tensor]:
    """P^(g), P^(c), P^(e), and P^(m) = alpha P^(c) + beta P^(e).

    Ours: with one of the two left out, P^(m) is the other.
    """
    outside = ~coarse if config.background == "outside_coarse" else None
    stacked = torch.cat([chosen[name] for name in PROTOTYPES], 1)
    maps = confidence_maps(features, stacked, backgrounds=outside, temperature=config.temperature)
    confidence = dict(zip(PROTOTYPES, maps.split(1, 1), strict=True))
    parts = [name for name in ("center", "edge") if name in config.prototypes]
    if len(parts) == 1:
        return {**confidence, "merged": confidence[parts[0]]}
    merged = config.alpha * confidence["center"] + config.beta * confidence["edge"]
    return {**confidence, "merged": merged}


def decide(
    coarse: Tensor,
    chosen: dict[str, Tensor],
    flags: dict[str, Tensor],
    confidence: dict[str, Tensor],
    config: IPTConfig,
    probability: Tensor | None,
    region: Tensor | None,
) -> Refinement:
    """Refine by confidence maps that are already there.

    Paper: Eq. 4-6, or the weighted sum of Sec. 4.3.1.

    Args:
        chosen, flags, confidence: as in ``Refinement``; the others as in ``refine``.
    """
    pair = torch.cat([confidence["global"], confidence["merged"]], 1)
    thresholds = voting.mean_confidence(pair, coarse) * pair.new_tensor([config.m, config.n])
    voters = torch.tensor(_voters(config), device=pair.device)
    labels = (pair > thresholds[:, :, None, None]) & voters[:, None, None]
    majority, votes = voting.majority([coarse, labels[:, :1], labels[:, 1:]])
    mask = _fused(majority, coarse, confidence, thresholds, config, probability)
    mask = mask & ~flags["empty_coarse"][:, None, None, None]
    return Refinement(
        mask=mask & region if config.clip_to_box and region is not None else mask,
        edge_mask=chosen["edge"],
        center_mask=chosen["center"],
        global_mask=chosen["global"],
        label_global=labels[:, :1],
        label_merged=labels[:, 1:],
        votes=votes,
        confidence=confidence,
        threshold_global=thresholds[:, 0],
        threshold_merged=thresholds[:, 1],
        flags=flags,
    )


def _voters(config: IPTConfig) -> list[bool]:
    """Whether the global and the merged label map vote."""
    return ["global" in config.prototypes, bool({"center", "edge"} & set(config.prototypes))]


def _fused(
    majority: Tensor,
    coarse: Tensor,
    confidence: dict[str, Tensor],
    thresholds: Tensor,
    config: IPTConfig,
    probability: Tensor | None,
) -> Tensor:
    if config.fusion == "vote" and config.vote == "majority":
        return majority
    taken = coarse if config.hard_coarse or probability is None else probability
    coarse_map = taken.to(confidence["global"])
    if config.fusion == "weighted_sum":
        maps = [confidence[name] for name in config.prototypes]
        return voting.weighted_sum(coarse_map, maps, config.coarse_weight)
    names = [
        name for name, votes in zip(("global", "merged"), _voters(config), strict=True) if votes
    ]
    levels = dict(zip(("global", "merged"), thresholds.unbind(1), strict=True))
    return voting.soft_majority(
        [(coarse_map, voting.HALF), *((confidence[name], levels[name]) for name in names)]
    )


def _check_maps(features: Tensor, maps: dict[str, Tensor]) -> None:
    coarse = maps["coarse_mask"]
    wanted = (len(features), 1, *coarse.shape[-2:])
    for name, values in maps.items():
        if tuple(values.shape) != wanted:
            raise InputError(
                f"{name} has shape {tuple(values.shape)}; give {wanted}, one map for each of the "
                f"{len(features)} features and as large as the coarse mask."
            )
        if name in ("coarse_mask", "region") and values.dtype != torch.bool:
            raise InputError(f"{name} is {values.dtype}; give a bool mask.")


def _check_points(points: Tensor, coarse: Tensor) -> None:
    batch, _, height, width = coarse.shape
    if points.shape != (batch, 2) or points.is_floating_point():
        raise InputError(
            f"points are {points.dtype} of shape {tuple(points.shape)}; give integers of shape "
            f"({batch}, 2), one (row, col) for each object."
        )
    for row, col in points.tolist():
        if not (0 <= row < height and 0 <= col < width):
            raise InputError(
                f"The click (row {row}, col {col}) lies outside the {height} x {width} image; "
                "give a pixel inside it."
            )


def _check_options(config: IPTConfig, optional: dict[str, Tensor | None]) -> None:
    weighs = "weighted_sum" in (config.fusion, config.vote)
    if weighs and not config.hard_coarse and optional["coarse_probability"] is None:
        raise InputError(
            "A weighted sum needs coarse_probability and got None; pass the probability behind "
            "the coarse mask, or set IPTConfig.hard_coarse."
        )
    if config.clip_to_box and optional["region"] is None:
        raise InputError(
            "IPTConfig.clip_to_box is set and region is None; pass the (B, 1, H, W) region, such "
            "as the inside of the user's box."
        )


def _one_each(
    generator: torch.Generator | Sequence[torch.Generator], n_objects: int
) -> Sequence[torch.Generator]:
    if isinstance(generator, torch.Generator):
        return [generator] * n_objects
    if len(generator) != n_objects:
        raise InputError(
            f"Got {len(generator)} generators for {n_objects} objects; give one for each, or one "
            "for all."
        )
    return generator
