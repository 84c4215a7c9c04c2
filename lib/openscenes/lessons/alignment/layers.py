"""The alignment explorer's pictures of a pair's new object: which map, on which scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from openscenes.lessons.alignment.pairs import Pairing
from openscenes.lessons.alignment.state import FloatMap, Layers
from openscenes.study.figures.palette import PALETTE
from openscenes.widgets import overlays
from openscenes.widgets.overlays import Layer


@dataclass(frozen=True)
class Drawn:
    """What is drawn of one pair.

    Attributes:
        pairing: the pair alone.
        maps: its layers under the model and the settings that are looked at.
        floor: the settings' least M'_b.
        farthest: distance that the scale of distances ends with; of the model before evolution,
            so that models can be compared.
        n_classes: channels of the class head.
    """

    pairing: Pairing
    maps: Layers
    floor: float
    farthest: float
    n_classes: int

    @property
    def known(self) -> bool:
        """Whether Eq. 7 and 9 hold for this pair, not Eq. 8 and 10."""
        return bool(self.pairing.known[0])


@dataclass(frozen=True)
class Picture:
    """One layer: its name for people, how to read its colours, its cells in [0, 1] or a mask."""

    title: str
    legend: Callable[[Drawn], str]
    values: Callable[[Drawn], FloatMap] | None


def draw(name: str, drawn: Drawn) -> Layer:
    """A layer over the new object's crop, (S, S, 4) RGBA.

    Args:
        name: a key of ``LAYERS``.
        drawn: the pair.
    """
    values = LAYERS[name].values
    if values is None:
        return overlays.tint(drawn.pairing.new.masks[0, 0].numpy(), PALETTE["mask"], 0.4)
    size = drawn.pairing.new.masks.shape[-2:]
    cells = cv2.resize(values(drawn), (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    return overlays.heat(cells)


def draw_old(drawn: Drawn) -> Layer:
    """The ground truth over the old object's crop."""
    return overlays.tint(drawn.pairing.old.masks[0, 0].numpy(), PALETTE["truth"], 0.4)


def _distance(drawn: Drawn) -> FloatMap:
    return drawn.maps.distance / max(drawn.farthest, 1e-12)


def _weight(drawn: Drawn) -> FloatMap:
    """On a logarithmic scale from 1 to 1 / floor."""
    span = max(-np.log(max(drawn.floor, 1e-6)), 1e-6)
    return (np.log(np.maximum(drawn.maps.weight, 1.0)) / span).astype(np.float32)


def _pixel(drawn: Drawn) -> FloatMap:
    return drawn.maps.pixel / max(largest(drawn.maps.pixel), 1e-12)


def _square(drawn: Drawn) -> FloatMap:
    """From 0, decided, to 1, undecided."""
    low, high = _square_range(drawn)
    return (drawn.maps.square - low) / (high - low)


def _square_range(drawn: Drawn) -> tuple[float, float]:
    """Least and largest value of a cell in Eq. 9 or Eq. 10."""
    return (-0.5, -0.5 / drawn.n_classes) if drawn.known else (-1.0, -0.5)


def largest(values: FloatMap) -> float:
    """The largest number of a map, 0 where there is none."""
    return float(np.nanmax(values)) if np.isfinite(values).any() else 0.0


def _square_legend(drawn: Drawn) -> str:
    low, high = _square_range(drawn)
    equation = "Eq. 9, classes" if drawn.known else "Eq. 10, foreground"
    return f"{equation}: {low:g} decided (dark) to {high:.2g} undecided (yellow)"


LAYERS: dict[str, Picture] = {
    "mask": Picture("pseudo mask M", lambda drawn: "the cells that term B sums over", None),
    "probability": Picture(
        "predictor M'_b", lambda drawn: "0 (dark) to 1 (yellow)",
        lambda drawn: drawn.maps.probability,
    ),
    "distance": Picture(
        "distance ||F_b - c_a||²",
        lambda drawn: f"0 (dark) to {drawn.farthest:.0f} (yellow), the farthest before evolution",
        _distance,
    ),
    "weight": Picture(
        "weight 1 / M'_b",
        lambda drawn: f"1 (dark) to {1 / max(drawn.floor, 1e-6):.0f} (yellow), logarithmic",
        _weight,
    ),
    "pixel": Picture(
        "pixel term, weight × distance",
        lambda drawn: f"0 (dark) to {largest(drawn.maps.pixel):.0f} (yellow), this pair's largest",
        _pixel,
    ),
    "square": Picture("maximum squares", _square_legend, _square),
}  # fmt: skip
