"""IPT on one predicted object under settings that sliders move, and its numbers."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from openscenes import masks
from openscenes.data import pasting
from openscenes.lessons.prototypes.objects import PredictedObject
from openscenes.method import voting
from openscenes.method.inference import Feature
from openscenes.method.ipt import IPTConfig, Refinement, decide, refine
from openscenes.seeding import torch_generator


@dataclass(frozen=True)
class Settings:
    """IPT's settings, and the feature that prototypes are made of."""

    ipt: IPTConfig
    feature: Feature = "layer4"


@dataclass(frozen=True, eq=False)
class RefinedObject:
    """A prediction, and its refinement by IPT under settings."""

    predicted: PredictedObject
    settings: Settings
    refinement: Refinement


QUICK = frozenset({"alpha", "beta", "m", "n", "fusion", "vote", "coarse_weight"})


def refine_object(
    predicted: PredictedObject, settings: Settings, before: RefinedObject | None = None
) -> RefinedObject:
    """Refine a prediction; where only votes change, the confidence maps of ``before`` are kept."""
    if before is not None and _same_maps(predicted, settings, before):
        made = _revoted(predicted, settings.ipt, before.refinement)
        return RefinedObject(predicted, settings, made)
    prediction = predicted.prediction
    refinement = refine(
        prediction.feature(settings.feature),
        prediction.coarse_mask,
        prediction.predicted_mask,
        predicted.point,
        settings.ipt,
        generator=torch_generator("center", 0, predicted.example.object_id),
        coarse_probability=prediction.probability,
    )
    return RefinedObject(predicted, settings, refinement)


def _same_maps(predicted: PredictedObject, settings: Settings, before: RefinedObject) -> bool:
    if predicted is not before.predicted or settings.feature != before.settings.feature:
        return False
    new, old = vars(settings.ipt), vars(before.settings.ipt)
    return {name for name in new if new[name] != old[name]} <= QUICK


def _revoted(predicted: PredictedObject, config: IPTConfig, made: Refinement) -> Refinement:
    maps, parts = made.confidence, [p for p in ("center", "edge") if p in config.prototypes]
    merged = config.alpha * maps["center"] + config.beta * maps["edge"]
    return decide(
        predicted.prediction.coarse_mask,
        {"global": made.global_mask, "center": made.center_mask, "edge": made.edge_mask},
        made.flags,
        maps | {"merged": maps[parts[0]] if len(parts) == 1 else merged},
        config,
        predicted.prediction.probability,
        None,
    )


@dataclass(frozen=True)
class Measures:
    """Numbers of a refinement.

    Attributes:
        k_global, k_merged: mean confidence over the coarse mask (Eq. 4).
        iou_before, iou_after: with the truth in image pixels; None without truth.
        changed: pixels of the crop that the refinement changed.
        radius: of the erosion, in pixels of the crop.
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


def measure(refined: RefinedObject) -> Measures:
    """The numbers of a refinement."""
    predicted, made = refined.predicted, refined.refinement
    coarse = predicted.prediction.coarse_mask
    pair = torch.cat([made.confidence["global"], made.confidence["merged"]], 1)
    k_global, k_merged = voting.mean_confidence(pair, coarse)[0].tolist()
    return Measures(
        k_global=k_global,
        k_merged=k_merged,
        threshold_global=float(made.threshold_global[0]),
        threshold_merged=float(made.threshold_merged[0]),
        iou_before=predicted.iou,
        iou_after=_iou(predicted, made.mask),
        changed=int((made.mask ^ coarse).sum()),
        radius=refined.settings.ipt.erosion_radius(coarse.shape[2]),
        flags=tuple(name for name, raised in made.flags.items() if bool(raised[0])),
    )


def _iou(predicted: PredictedObject, mask: Tensor) -> float | None:
    if predicted.truth is None:
        return None
    height, width = predicted.truth.shape
    pasted = pasting.paste(mask[0, 0].float().cpu().numpy(), predicted.affine, (height, width))
    return masks.iou(pasted > 0.5, predicted.truth, predicted.void)


def rows(measures: Measures) -> dict[str, str]:
    """The numbers as name and text."""
    found = {"IoU before → after": "no ground truth here"}
    if measures.iou_before is not None and measures.iou_after is not None:
        gain = 100 * (measures.iou_after - measures.iou_before)
        found["IoU before → after"] = (
            f"{measures.iou_before:.3f} → {measures.iou_after:.3f} ({gain:+.1f} points)"
        )
    return found | {
        "k of global, m k": f"{measures.k_global:.3f}, {measures.threshold_global:.3f}",
        "k of merged, n k": f"{measures.k_merged:.3f}, {measures.threshold_merged:.3f}",
        "pixels changed": f"{measures.changed}",
        "erosion": f"{measures.radius} px of this crop",
        "unusual": ", ".join(measures.flags).replace("_", " ") or "nothing",
    }


def with_value(settings: Settings, name: str, value: object) -> Settings:
    """The settings with one of them moved; alpha and beta keep a sum of at most 1."""
    if name == "feature":
        return replace(settings, feature=value)  # type: ignore[arg-type]
    changes: dict[str, object] = {name: value}
    if name in ("alpha", "beta") and isinstance(value, float):
        other = "beta" if name == "alpha" else "alpha"
        changes[other] = min(getattr(settings.ipt, other), round(1 - value, 6))
    return replace(settings, ipt=replace(settings.ipt, **changes))  # type: ignore[arg-type]
