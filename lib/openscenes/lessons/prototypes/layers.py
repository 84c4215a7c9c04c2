"""What can be laid over the crop: every map between the coarse mask and the refined one.

The widget and the static figure take their pictures from here, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from openscenes.lessons.prototypes.asked import Asked
from openscenes.lessons.prototypes.state import Look, Reading
from openscenes.study.figures.palette import PALETTE
from openscenes.widgets import overlays

RGBA = NDArray[np.uint8]


@dataclass(frozen=True)
class Layer:
    """One picture to lay over the crop.

    Attributes:
        title: in a menu, and above a panel.
        legend: what its colours mean.
        draw: a look to (S, S, 4) uint8 RGBA.
        heat: name of the confidence map that is drawn; "" for what is no heat map.
    """

    title: str
    legend: str
    draw: Callable[[Look], RGBA]
    heat: str = ""


def _array(values: Tensor) -> NDArray[Any]:
    return values[0, 0].cpu().numpy()


def _mask(pick: Callable[[Look], Tensor], colour: str = PALETTE["mask"]) -> Callable[[Look], RGBA]:
    return lambda seen: overlays.tint(_array(pick(seen)) > 0, colour)


def _confidence(name: str, seen: Look) -> NDArray[np.floating]:
    return _array(seen.refinement.confidence[name].float())


def _heat(name: str) -> Layer:
    return Layer(
        f"confidence: {name}",
        "dark blue: 0, yellow: 1",
        lambda seen: overlays.heat(_confidence(name, seen)),
        name,
    )


def _against_truth(pick: Callable[[Look], Tensor]) -> Callable[[Look], RGBA]:
    return lambda seen: overlays.comparison(
        _array(pick(seen)) > 0, seen.asked.crop_truth, seen.asked.crop_void
    )


def _points(seen: Look) -> RGBA:
    """The center selection, single pixels made large enough to be seen."""
    chosen = _array(seen.refinement.center_mask).astype(np.uint8)
    side = 1 + 2 * max(1, chosen.shape[0] // 170)
    larger = cv2.dilate(chosen, np.ones((side, side), np.uint8))
    return overlays.tint(larger > 0, PALETTE["click"], alpha=1.0, outline=False)


def _changed(seen: Look) -> RGBA:
    """What the refinement added, and what it took away."""
    mask = _array(seen.refinement.mask) > 0
    coarse = _array(seen.asked.prediction.coarse_mask) > 0
    added = overlays.tint(mask & ~coarse, PALETTE["ours"], alpha=0.9, outline=False)
    taken = overlays.tint(coarse & ~mask, PALETTE["missed"], alpha=0.9, outline=False)
    return np.where((coarse & ~mask)[..., None], taken, added)


_ERRORS = "light blue: right, red-orange: too much, yellow: missed"
LAYERS: dict[str, Layer] = {
    "coarse": Layer(
        "coarse mask M_p", "orange: the network's mask",
        _mask(lambda seen: seen.asked.prediction.coarse_mask),
    ),
    "predictor": Layer(
        "predictor mask M_b", "orange: the pixel head's mask",
        _mask(lambda seen: seen.asked.prediction.predicted_mask),
    ),
    "selection global": Layer(
        "Q of the global prototype", "orange: averaged pixels, M_p and M_b",
        _mask(lambda seen: seen.refinement.global_mask),
    ),
    "selection center": Layer(
        "Q of the center prototype", "pink: the click and its points", _points,
    ),
    "selection edge": Layer(
        "eroded edge, Q of the edge prototype", "orange: averaged pixels, the edge of M_p",
        _mask(lambda seen: seen.refinement.edge_mask),
    ),
    "global": _heat("global"),
    "center": _heat("center"),
    "edge": _heat("edge"),
    "merged": _heat("merged"),
    "label coarse": Layer(
        "label map 1: M_p itself", "blue: says object",
        _mask(lambda seen: seen.asked.prediction.coarse_mask, PALETTE["ours"]),
    ),
    "label global": Layer(
        "label map 2: global > m k", "blue: says object",
        _mask(lambda seen: seen.refinement.label_global, PALETTE["ours"]),
    ),
    "label merged": Layer(
        "label map 3: merged > n k", "blue: says object",
        _mask(lambda seen: seen.refinement.label_merged, PALETTE["ours"]),
    ),
    "votes": Layer(
        "votes of the three label maps", "grey: 1, light blue: 2, dark blue: 3",
        lambda seen: overlays.votes(_array(seen.refinement.votes)),
    ),
    "refined": Layer(
        "refined mask", "orange: the result", _mask(lambda seen: seen.refinement.mask),
    ),
    "changed": Layer(
        "pixels changed", "dark blue: added, yellow: taken away", _changed,
    ),
    "coarse errors": Layer(
        "coarse mask against the truth", _ERRORS,
        _against_truth(lambda seen: seen.asked.prediction.coarse_mask),
    ),
    "errors": Layer(
        "refined mask against the truth", _ERRORS,
        _against_truth(lambda seen: seen.refinement.mask),
    ),
}  # fmt: skip


def draw(name: str, seen: Look) -> RGBA:
    """(S, S, 4) uint8: a layer by its key in ``LAYERS``; without truth, errors show the mask."""
    if seen.asked.truth is None and name in ("errors", "coarse errors"):
        name = "refined" if name == "errors" else "coarse"
    return LAYERS[name].draw(seen)


def encoded(name: str, seen: Look) -> bytes:
    """A layer as PNG; a heat map is written as such, which takes half the time."""
    if LAYERS[name].heat:
        return overlays.encode_heat(_confidence(LAYERS[name].heat, seen))
    return overlays.encode_png(draw(name, seen))


def on_picture(layer: RGBA, asked: Asked) -> RGBA:
    """A layer of the crop brought back to the photograph, clear outside the crop: (H, W, 4)."""
    height, width = asked.picture.shape[:2]
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(layer, asked.affine, (width, height), flags=flags)


def words(name: str, seen: Look, reading: Reading) -> str:
    """The text alternative: what a layer shows, and the numbers beside it."""
    layer, parts = LAYERS[name], []
    if reading.iou_before is not None and reading.iou_after is not None:
        parts.append(f"IoU {reading.iou_before:.3f} before and {reading.iou_after:.3f} after")
    parts.append(f"{reading.changed} pixels of the crop changed")
    return f"{layer.title} ({layer.legend}) over {seen.asked.name}; {', '.join(parts)}."
