"""IPT, the interactive-prototype module (Sec. 3.2): Eq. 1-3 by prototypes, Eq. 4-6 by voting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from openscenes.errors import InputError
from openscenes.method import selections, voting
from openscenes.method.checks import check_maps, check_points, generators_of
from openscenes.method.prototypes import confidence_maps, full_precision
from openscenes.settings import (
    require_between,
    require_kind,
    require_one_of,
    require_whole,
    setting,
)

Prototype = Literal["global", "center", "edge"]
PROTOTYPES: tuple[Prototype, ...] = ("global", "center", "edge")


@dataclass(frozen=True)
class IPTConfig:
    """Settings of the interactive-prototype module; the defaults are the paper's.

    Pixels are meant on a crop of ``reference_px`` and scale with the height of the masks.
    """

    alpha: float = setting(0.3, "Sec. 4.1.2: weight of the center map")
    beta: float = setting(0.7, "Sec. 4.1.2: weight of the edge map")
    m: float = setting(0.70, "Sec. 4.1.2: threshold of the global map = m * k")
    n: float = setting(0.75, "Sec. 4.1.2: threshold of the merged map = n * k")
    center_points: int = setting(3, "Sec. 4.1.2: x points besides the click")
    center_radius_px: float = setting(
        10.0, "Ours: the radius of the Gaussian maps; the paper says 'around'"
    )
    kernel_px: int = setting(5, "Sec. 4.1.2: kernel 5 x 5")
    iterations: int = setting(3, "Sec. 4.1.2")
    temperature: float = setting(1.0, "Eq. 3")
    reference_px: int = setting(512, "Sec. 4.1.3: crops of 512 x 512")
    background: Literal["complement", "outside_coarse"] = setting(
        "complement", "Eq. 3: 1 - Q; Ours: outside_coarse averages 1 - M_p"
    )
    edge: Literal["boundary", "inner"] = setting(
        "boundary", "Ours: M_p - erode(M_p); inner is the eroded mask itself"
    )
    soft_predictor: bool = setting(
        False, "Sec. 3.2: M_b is a binary 0-1 mask; Ours: True weighs by its probability"
    )
    prototypes: tuple[Prototype, ...] = setting(PROTOTYPES, "Table 3: which maps take part")
    fusion: Literal["vote", "weighted_sum"] = setting(
        "vote", "Eq. 5-6; weighted_sum: the rows of Table 3 without voting"
    )
    vote: Literal["majority", "weighted_sum"] = setting(
        "majority", "Eq. 6; Ours: weighted_sum weighs a map by its confidence"
    )
    coarse_weight: float = setting(0.8, "Sec. 4.3.1: share of the coarse map in weighted sums")
    hard_coarse: bool = setting(
        False, "Ours: weighted sums take the coarse probability; a hard mask changes nothing"
    )
    clip_to_box: bool = setting(False, "Ours: the paper lets a refined mask leave the user's box")

    def __post_init__(self) -> None:
        require_between(self, 0.0, 1.0, "alpha", "beta", "m", "n", "coarse_weight")
        require_between(self, 0.0, 1e4, "center_radius_px")
        require_whole(self, 0, 10_000, "center_points", "iterations")
        require_whole(self, 1, 10_000, "kernel_px", "reference_px")
        require_between(self, 1e-6, 1e9, "temperature")
        for name in ("soft_predictor", "hard_coarse", "clip_to_box"):
            require_kind(getattr(self, name), bool, f"IPTConfig.{name}")
        require_one_of(self, "background", ("complement", "outside_coarse"))
        require_one_of(self, "edge", ("boundary", "inner"))
        require_one_of(self, "fusion", ("vote", "weighted_sum"))
        require_one_of(self, "vote", ("majority", "weighted_sum"))
        chosen = self.prototypes
        known = isinstance(chosen, tuple | list) and all(one in PROTOTYPES for one in chosen)
        if not known or not chosen or len(set(chosen)) < len(chosen):
            raise InputError(
                f"IPTConfig.prototypes is {chosen!r}; choose one or more of "
                f"{', '.join(PROTOTYPES)}, each once."
            )
        if self.kernel_px % 2 == 0:
            raise InputError(f"IPTConfig.kernel_px is {self.kernel_px}; give an odd number.")
        if not 0 < self.alpha + self.beta < 1 + 1e-6:
            raise InputError(
                f"IPTConfig.alpha + beta is {self.alpha + self.beta:g}; give weights whose sum is "
                "above 0 and at most 1, so that the merged map stays a confidence."
            )

    def erosion_radius(self, height: int) -> int:
        """Radius in pixels of one erosion that equals all iterations, at least 1."""
        full = self.iterations * (self.kernel_px // 2)
        return max(1, round(full * height / self.reference_px))

    def center_radius(self, height: int) -> float:
        """Radius in pixels around the click, at least 1."""
        return max(1.0, self.center_radius_px * height / self.reference_px)


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
        region: (B, 1, H, W) bool; what ``config.clip_to_box`` clips the mask to.
    Returns:
        Refinement; every map lies on the features' device.
    Raises:
        InputError: if shapes do not fit, a click is outside the image, or an option lacks its map.
    """
    config = IPTConfig() if config is None else require_kind(config, IPTConfig, "config")
    maps = {"coarse_mask": coarse_mask, "predicted_mask": predicted_mask}
    optional = {"coarse_probability": coarse_probability, "region": region}
    check_maps(features, maps | {name: v for name, v in optional.items() if v is not None})
    check_points(points, coarse_mask)
    _check_options(config, optional)
    generators = generators_of(generator, len(features))
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
        coarse, points, n_points=config.center_points, radius=config.center_radius(height),
        generators=generators,
    )  # fmt: skip
    rows, cols = points.to(coarse.device).long().unbind(1)
    inside = coarse[torch.arange(len(coarse), device=coarse.device), 0, rows, cols]
    flags = {
        "empty_coarse": ~selections.occupied(coarse), "predictor_disagrees": disagrees,
        "thin": thin, "click_outside": ~inside,
    }  # fmt: skip
    return {"global": whole, "center": center, "edge": edge}, flags


def _confidence(
    features: Tensor, coarse: Tensor, chosen: dict[str, Tensor], config: IPTConfig
) -> dict[str, Tensor]:
    """P^(g), P^(c), P^(e), and P^(m) = alpha P^(c) + beta P^(e), or the one that is used."""
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
    votes_of = "global" in config.prototypes, bool({"center", "edge"} & set(config.prototypes))
    voters = torch.tensor(votes_of, device=pair.device)
    labels = (pair > thresholds[:, :, None, None]) & voters[:, None, None]
    mask, votes = voting.majority([coarse, labels[:, :1], labels[:, 1:]])
    coarse_map = (coarse if config.hard_coarse or probability is None else probability).to(pair)
    if config.fusion == "weighted_sum":
        maps = [confidence[name] for name in config.prototypes]
        mask = voting.weighted_sum(coarse_map, maps, config.coarse_weight)
    elif config.vote == "weighted_sum":
        taking = [i for i in (0, 1) if votes_of[i]]
        ballots = [(pair[:, i : i + 1], thresholds[:, i]) for i in taking]
        mask = voting.soft_majority([(coarse_map, voting.HALF), *ballots])
    mask = mask & ~flags["empty_coarse"][:, None, None, None]
    return Refinement(
        mask=mask & region if config.clip_to_box and region is not None else mask,
        edge_mask=chosen["edge"], center_mask=chosen["center"], global_mask=chosen["global"],
        label_global=labels[:, :1], label_merged=labels[:, 1:], votes=votes,
        confidence=confidence, threshold_global=thresholds[:, 0],
        threshold_merged=thresholds[:, 1], flags=flags,
    )  # fmt: skip


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
