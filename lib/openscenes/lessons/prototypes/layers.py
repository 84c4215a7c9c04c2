"""Layers over the crop: every map between the coarse mask and the refined one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from openscenes.lessons.prototypes.objects import PredictedObject
from openscenes.lessons.prototypes.refinement import Measures, RefinedObject
from openscenes.study.figures.palette import PALETTE
from openscenes.widgets import overlays
from openscenes.widgets.overlays import Layer


@dataclass(frozen=True)
class CropLayer:
    """A layer over the crop: title, meaning of colours, drawing; ``heat`` is its confidence map."""

    title: str
    legend: str
    draw: Callable[[RefinedObject], Layer]
    heat: str = ""


def _array(values: Tensor) -> NDArray[Any]:
    return values[0, 0].cpu().numpy()


def _mask(
    pick: Callable[[RefinedObject], Tensor], colour: str = PALETTE["mask"]
) -> Callable[[RefinedObject], Layer]:
    return lambda refined: overlays.tint(_array(pick(refined)) > 0, colour)


def _confidence(name: str, refined: RefinedObject) -> NDArray[np.floating]:
    return _array(refined.refinement.confidence[name].float())


def _heat(name: str) -> CropLayer:
    return CropLayer(
        f"confidence: {name}",
        "dark blue: 0, yellow: 1",
        lambda refined: overlays.heat(_confidence(name, refined)),
        name,
    )


def _against_truth(pick: Callable[[RefinedObject], Tensor]) -> Callable[[RefinedObject], Layer]:
    return lambda refined: overlays.comparison(
        _array(pick(refined)) > 0, refined.predicted.crop_truth, refined.predicted.crop_void
    )


def _points(refined: RefinedObject) -> Layer:
    """The center selection, single pixels made large enough to be seen."""
    chosen = _array(refined.refinement.center_mask).astype(np.uint8)
    side = 1 + 2 * max(1, chosen.shape[0] // 170)
    larger = cv2.dilate(chosen, np.ones((side, side), np.uint8))
    return overlays.tint(larger > 0, PALETTE["click"], alpha=1.0, outline=False)


def _changed(refined: RefinedObject) -> Layer:
    mask = _array(refined.refinement.mask) > 0
    coarse = _array(refined.predicted.prediction.coarse_mask) > 0
    added = overlays.tint(mask & ~coarse, PALETTE["ours"], alpha=0.9, outline=False)
    taken = overlays.tint(coarse & ~mask, PALETTE["missed"], alpha=0.9, outline=False)
    return np.where((coarse & ~mask)[..., None], taken, added)


_ERRORS = "light blue: right, red-orange: too much, yellow: missed"
_OBJECT = "blue: labelled object"
LAYERS: dict[str, CropLayer] = {
    "coarse": CropLayer(
        "coarse mask M_p", "orange: the network's mask",
        _mask(lambda refined: refined.predicted.prediction.coarse_mask),
    ),
    "predictor": CropLayer(
        "predictor mask M_b", "orange: the pixel head's mask",
        _mask(lambda refined: refined.predicted.prediction.predicted_mask),
    ),
    "selection global": CropLayer(
        "Q of the global prototype", "orange: averaged pixels, M_p and M_b",
        _mask(lambda refined: refined.refinement.global_mask),
    ),
    "selection center": CropLayer(
        "Q of the center prototype", "pink: the click and its points", _points,
    ),
    "selection edge": CropLayer(
        "eroded edge, Q of the edge prototype", "orange: averaged pixels, the edge of M_p",
        _mask(lambda refined: refined.refinement.edge_mask),
    ),
    **{name: _heat(name) for name in ("global", "center", "edge", "merged")},
    "label coarse": CropLayer(
        "label map 1: M_p itself", _OBJECT,
        _mask(lambda refined: refined.predicted.prediction.coarse_mask, PALETTE["ours"]),
    ),
    "label global": CropLayer(
        "label map 2: global > m k", _OBJECT,
        _mask(lambda refined: refined.refinement.label_global, PALETTE["ours"]),
    ),
    "label merged": CropLayer(
        "label map 3: merged > n k", _OBJECT,
        _mask(lambda refined: refined.refinement.label_merged, PALETTE["ours"]),
    ),
    "votes": CropLayer(
        "votes of the three label maps", "grey: 1, light blue: 2, dark blue: 3",
        lambda refined: overlays.votes(_array(refined.refinement.votes)),
    ),
    "refined": CropLayer(
        "refined mask", "orange: the result", _mask(lambda refined: refined.refinement.mask)
    ),
    "changed": CropLayer("pixels changed", "dark blue: added, yellow: taken away", _changed),
    "coarse errors": CropLayer(
        "coarse mask against the truth", _ERRORS,
        _against_truth(lambda refined: refined.predicted.prediction.coarse_mask),
    ),
    "errors": CropLayer(
        "refined mask against the truth", _ERRORS,
        _against_truth(lambda refined: refined.refinement.mask),
    ),
}  # fmt: skip


def draw(name: str, refined: RefinedObject) -> Layer:
    """(S, S, 4) uint8: a layer by its key in ``LAYERS``; without truth, errors show the mask."""
    if refined.predicted.truth is None and name in ("errors", "coarse errors"):
        name = "refined" if name == "errors" else "coarse"
    return LAYERS[name].draw(refined)


def encoded(name: str, refined: RefinedObject) -> bytes:
    """A layer as PNG; a heat map is written as such, which takes half the time."""
    if LAYERS[name].heat:
        return overlays.encode_heat(_confidence(LAYERS[name].heat, refined))
    return overlays.encode_png(draw(name, refined))


def on_image(layer: Layer, predicted: PredictedObject) -> Layer:
    """A layer of the crop over the whole image, clear outside the crop: (H, W, 4)."""
    height, width = predicted.image.shape[:2]
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(layer, predicted.affine, (width, height), flags=flags)


def words(name: str, refined: RefinedObject, measures: Measures) -> str:
    """The text alternative: what a layer shows, and the numbers beside it."""
    layer, parts = LAYERS[name], []
    if measures.iou_before is not None and measures.iou_after is not None:
        parts.append(f"IoU {measures.iou_before:.3f} before and {measures.iou_after:.3f} after")
    parts.append(f"{measures.changed} pixels of the crop changed")
    return f"{layer.title} ({layer.legend}) over {refined.predicted.name}; {', '.join(parts)}."
