"""Layers over a pair's new object: which map, on which scale."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.data.samples import Batch
from openscenes.lessons.alignment.pair_terms import CellMaps, FloatMap
from openscenes.lessons.alignment.pairs import Pairing
from openscenes.study.figures.palette import PALETTE
from openscenes.widgets import overlays
from openscenes.widgets.overlays import Layer


@dataclass(frozen=True)
class DrawnPair:
    """What is drawn of one pair; all models' scales of distances end at ``farthest``."""

    pairing: Pairing
    maps: CellMaps
    floor: float
    farthest: float
    n_classes: int

    @property
    def known(self) -> bool:
        """Whether Eq. 7 and 9 hold for this pair, not Eq. 8 and 10."""
        return bool(self.pairing.known[0])

    @property
    def square_range(self) -> tuple[float, float]:
        """Least and largest value of a cell in Eq. 9 or Eq. 10."""
        return (-0.5, -0.5 / self.n_classes) if self.known else (-1.0, -0.5)


@dataclass(frozen=True)
class CellLayer:
    """One layer: its title, how to read its colours, its cells in [0, 1] (None: the mask)."""

    title: str
    legend: Callable[[DrawnPair], str]
    values: Callable[[DrawnPair], FloatMap] | None


def crop_of(batch: Batch) -> NDArray[np.uint8]:
    """The only crop of a batch, (S, S, 3)."""
    return batch.images[0].permute(1, 2, 0).numpy()


def draw(name: str, drawn: DrawnPair) -> Layer:
    """A layer of ``LAYERS`` over the new object's crop, (S, S, 4) RGBA."""
    values = LAYERS[name].values
    if values is None:
        return overlays.tint(drawn.pairing.new.masks[0, 0].numpy(), PALETTE["mask"], 0.4)
    height, width = drawn.pairing.new.masks.shape[-2:]
    return overlays.heat(
        cv2.resize(values(drawn), (width, height), interpolation=cv2.INTER_NEAREST)
    )


def draw_old(drawn: DrawnPair) -> Layer:
    """The ground truth over the old object's crop."""
    return overlays.tint(drawn.pairing.old.masks[0, 0].numpy(), PALETTE["truth"], 0.4)


def largest(values: FloatMap) -> float:
    """The largest number of a map, 0 where there is none."""
    return float(np.nanmax(values)) if np.isfinite(values).any() else 0.0


def _weight(drawn: DrawnPair) -> FloatMap:
    span = max(-np.log(max(drawn.floor, 1e-6)), 1e-6)
    return (np.log(np.maximum(drawn.maps.weight, 1.0)) / span).astype(np.float32)


def _square(drawn: DrawnPair) -> FloatMap:
    low, high = drawn.square_range
    return (drawn.maps.square - low) / (high - low)


def _square_legend(drawn: DrawnPair) -> str:
    equation = "Eq. 9, classes" if drawn.known else "Eq. 10, foreground"
    return "{}: {:g} certain (dark) to {:.2g} uncertain (yellow)".format(
        equation, *drawn.square_range
    )


LAYERS: dict[str, CellLayer] = {
    "mask": CellLayer("pseudo mask M", lambda drawn: "the cells that term B sums over", None),
    "probability": CellLayer(
        "predictor M'_b",
        lambda drawn: "0 (dark) to 1 (yellow)",
        lambda drawn: drawn.maps.probability,
    ),
    "distance": CellLayer(
        "distance ||F_b - c_a||²",
        lambda drawn: f"0 (dark) to {drawn.farthest:.0f} (yellow), the farthest before evolution",
        lambda drawn: drawn.maps.distance / max(drawn.farthest, 1e-12),
    ),
    "weight": CellLayer(
        "weight 1 / M'_b",
        lambda drawn: f"1 (dark) to {1 / max(drawn.floor, 1e-6):.0f} (yellow), logarithmic",
        _weight,
    ),
    "pixel": CellLayer(
        "pixel term, weight × distance",
        lambda drawn: f"0 (dark) to {largest(drawn.maps.pixel):.0f} (yellow), this pair's largest",
        lambda drawn: drawn.maps.pixel / max(largest(drawn.maps.pixel), 1e-12),
    ),
    "square": CellLayer("maximum squares", _square_legend, _square),
}
