"""The prototype explorer without widgets: IPT under settings that sliders move, and its numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from openscenes import masks
from openscenes.data import crops
from openscenes.lessons.prototypes.asked import Asked
from openscenes.method import voting
from openscenes.method.inference import Feature, Prediction
from openscenes.method.ipt import IPTConfig, Refinement, refine
from openscenes.seeding import torch_generator


@dataclass(frozen=True)
class Settings:
    """What sliders and fields move: IPT's settings, and the map that prototypes are made of."""

    ipt: IPTConfig
    feature: Feature = "layer4"


@dataclass(frozen=True, eq=False)
class Look:
    """An answer under settings, and what IPT makes of it."""

    asked: Asked
    settings: Settings
    refinement: Refinement


QUICK = frozenset({"alpha", "beta", "m", "n", "fusion", "coarse_weight"})


def look(asked: Asked, settings: Settings, before: Look | None = None) -> Look:
    """Refine an answer; where only votes change, the confidence maps of ``before`` are kept.

    Args:
        before: an earlier look at any answer, for what it may spare.
    """
    if before is not None and _same_maps(asked, settings, before):
        return Look(asked, settings, revoted(asked, settings.ipt, before.refinement))
    prediction = asked.prediction
    refinement = refine(
        prediction.feature(settings.feature),
        prediction.coarse_mask,
        prediction.predicted_mask,
        asked.point,
        settings.ipt,
        generator=torch_generator("center", 0, asked.example.object_id),
        coarse_probability=prediction.probability,
    )
    return Look(asked, settings, refinement)


def _same_maps(asked: Asked, settings: Settings, before: Look) -> bool:
    if asked is not before.asked or settings.feature != before.settings.feature:
        return False
    new, old = settings.ipt, before.settings.ipt
    moved = {f.name for f in fields(IPTConfig) if getattr(new, f.name) != getattr(old, f.name)}
    return moved <= QUICK and new.vote == "majority"


def revoted(asked: Asked, config: IPTConfig, made: Refinement) -> Refinement:
    """Merge, cut and vote anew (Eq. 4-6) over confidence maps that are already there.

    Equals ``refine`` with that configuration, whose selections and maps are ``made``'s.
    """
    coarse = asked.prediction.coarse_mask
    maps = made.confidence | {"merged": _merged(made.confidence, config)}
    pair = torch.cat([maps["global"], maps["merged"]], 1)
    cuts = voting.mean_confidence(pair, coarse) * pair.new_tensor([config.m, config.n])
    edges_or_centers = {"center", "edge"} & set(config.prototypes)
    voters = torch.tensor(["global" in config.prototypes, bool(edges_or_centers)])
    labels = (pair > cuts[:, :, None, None]) & voters.to(pair.device)[:, None, None]
    majority, votes = voting.majority([coarse, labels[:, :1], labels[:, 1:]])
    summed = config.fusion == "weighted_sum"
    mask = _summed(asked.prediction, maps, config) if summed else majority
    return replace(
        made,
        mask=mask & ~made.flags["empty_coarse"][:, None, None, None],
        label_global=labels[:, :1],
        label_merged=labels[:, 1:],
        votes=votes,
        confidence=maps,
        threshold_global=cuts[:, 0],
        threshold_merged=cuts[:, 1],
    )


def _merged(maps: dict[str, Tensor], config: IPTConfig) -> Tensor:
    parts = [name for name in ("center", "edge") if name in config.prototypes]
    if len(parts) == 1:
        return maps[parts[0]]
    return config.alpha * maps["center"] + config.beta * maps["edge"]


def _summed(prediction: Prediction, maps: dict[str, Tensor], config: IPTConfig) -> Tensor:
    coarse = prediction.coarse_mask if config.hard_coarse else prediction.probability
    chosen = [maps[name] for name in config.prototypes]
    return voting.weighted_sum(coarse.to(chosen[0]), chosen, config.coarse_weight)


@dataclass(frozen=True)
class Reading:
    """The numbers beside the picture.

    Attributes:
        k_global, k_merged: mean confidence over the coarse mask (Eq. 4).
        threshold_global, threshold_merged: m * k and n * k.
        iou_before, iou_after: with the truth in picture pixels; None without truth.
        changed: pixels of the crop that the refinement switched.
        radius: of the erosion, in pixels of the crop.
        flags: what was unusual, in the words of ``Refinement.flags``.
    """

    k_global: float
    k_merged: float
    threshold_global: float
    threshold_merged: float
    iou_before: float | None
    iou_after: float | None
    changed: int
    radius: int
    flags: tuple[str, ...]


def read(seen: Look) -> Reading:
    """Measure a look."""
    asked, made = seen.asked, seen.refinement
    coarse = asked.prediction.coarse_mask
    pair = torch.cat([made.confidence["global"], made.confidence["merged"]], 1)
    k_global, k_merged = voting.mean_confidence(pair, coarse)[0].tolist()
    return Reading(
        k_global=k_global,
        k_merged=k_merged,
        threshold_global=float(made.threshold_global[0]),
        threshold_merged=float(made.threshold_merged[0]),
        iou_before=asked.iou,
        iou_after=_iou(asked, made.mask),
        changed=int((made.mask ^ coarse).sum()),
        radius=seen.settings.ipt.erosion_radius(coarse.shape[2]),
        flags=tuple(name for name, raised in made.flags.items() if bool(raised[0])),
    )


def _iou(asked: Asked, mask: Tensor) -> float | None:
    if asked.truth is None:
        return None
    shape = asked.truth.shape[0], asked.truth.shape[1]
    pasted = crops.paste(mask[0, 0].float().cpu().numpy(), asked.affine, shape)
    return masks.iou(pasted > 0.5, asked.truth, asked.void)


def rows(reading: Reading) -> dict[str, str]:
    """The numbers as name and text, for the table beside the picture."""
    found = {"IoU before → after": "no ground truth here"}
    if reading.iou_before is not None and reading.iou_after is not None:
        gain = 100 * (reading.iou_after - reading.iou_before)
        found["IoU before → after"] = (
            f"{reading.iou_before:.3f} → {reading.iou_after:.3f} ({gain:+.1f} points)"
        )
    return found | {
        "k of global, m k": f"{reading.k_global:.3f}, {reading.threshold_global:.3f}",
        "k of merged, n k": f"{reading.k_merged:.3f}, {reading.threshold_merged:.3f}",
        "pixels changed": f"{reading.changed}",
        "erosion": f"{reading.radius} px of this crop",
        "unusual": ", ".join(reading.flags).replace("_", " ") or "nothing",
    }


def with_value(settings: Settings, name: str, value: object) -> Settings:
    """The settings with one of them moved.

    Ours: alpha and beta may not exceed 1 together, so moving one takes what is too much from the
    other.

    Raises:
        InputError: if no run can mean the value.
    """
    if name == "feature":
        return replace(settings, feature=value)  # type: ignore[arg-type]
    changes: dict[str, object] = {name: value}
    if name in ("alpha", "beta") and isinstance(value, float):
        other = "beta" if name == "alpha" else "alpha"
        changes[other] = min(getattr(settings.ipt, other), round(1 - value, 6))
    return replace(settings, ipt=replace(settings.ipt, **changes))  # type: ignore[arg-type]
