"""Objects on a background, far ones first: colours, shadows, haze, and who hides whom."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.synthetic.ground import Backdrop
from openscenes.synthetic.look import Look
from openscenes.synthetic.pen import Lighting, Sprite
from openscenes.synthetic.texture import Field, Position, as_field

SMALLEST_PX = 60


@dataclass(frozen=True, slots=True)
class Placed:
    """One object in an image: its number in the id map, its class, whether it is a crowd."""

    number: int
    name: str
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A finished image with its exact ground truth.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        numbers: (H, W) int32; 0 is background, else the number of the object seen there.
        objects: the objects with at least ``SMALLEST_PX`` visible pixels.
        slivers: number and class of the others, which no data set would label.
        stuff: (H, W) uint8, Cityscapes label id of the background or of what stands in front.
    """

    pixels: NDArray[np.uint8]
    numbers: NDArray[np.int32]
    objects: tuple[Placed, ...]
    slivers: tuple[Placed, ...]
    stuff: NDArray[np.uint8]


Splits = Mapping[str, Iterable[LabelledImage]]  # by the split's name


@dataclass(slots=True)
class Stage:
    """A backdrop that fills up, painter's order."""

    backdrop: Backdrop
    look: Look
    lighting: Lighting
    numbers: NDArray[np.int32] = field(init=False)
    cast: list[Placed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.numbers = np.zeros(self.backdrop.stuff.shape, np.int32)
        haze = as_field([self.haze_at(row) for row in range(len(self.numbers))])[:, None, None]
        colour = self.backdrop.colour
        colour += haze * (as_field(self.look.haze_colour) - colour)

    def haze_at(self, row: float) -> float:
        """Share of haze before what stands on the ground in ``row``."""
        horizon, bottom = self.backdrop.horizon, self.numbers.shape[0]
        near = np.clip((row - horizon) / max(bottom - horizon, 1.0), 0, 1)
        return float(self.look.haze * (1 - near) ** 1.3)

    def behind(self, row: float, col: float, height: float) -> NDArray[np.float32]:
        """Mean colour of what an object with that base and height would cover."""
        top, bottom = int(max(row - height, 0)), int(max(row, 4))
        left, right = int(max(col - height / 3, 0)), int(max(col + height / 3, 4))
        window = self.backdrop.colour[top:bottom, left:right]
        return window.mean((0, 1)) if window.size else np.full(3, 0.5, np.float32)

    def put(
        self, sprite: Sprite, base: Position, name: str, *,
        grounded: bool = True, number: int | None = None, crowd: bool = False,
    ) -> int:  # fmt: skip
        """Draw an object with its base at (row, col); returns its number."""
        if number is None:
            number = len(self.cast) + 1
            self.cast.append(Placed(number, name, crowd))
        if grounded:
            self._cast_shadow(sprite, base)
        self._blend(sprite, base, number)
        return number

    def hide(self, sprite: Sprite, base: Position, label: int) -> None:
        """Draw something unlabelled in front; it belongs to the background class ``label``."""
        window = self._blend(sprite, base, 0)
        if window is not None:
            (rows, cols), solid = window
            self.backdrop.stuff[rows, cols][solid] = label

    def finish(self, pixels: NDArray[np.uint8]) -> LabelledImage:
        """Close the stage with its camera image; name the objects that are still visible."""
        seen = np.bincount(self.numbers.ravel(), minlength=len(self.cast) + 1)
        objects = tuple(one for one in self.cast if seen[one.number] >= SMALLEST_PX)
        slivers = tuple(one for one in self.cast if 0 < seen[one.number] < SMALLEST_PX)
        return LabelledImage(pixels, self.numbers, objects, slivers, self.backdrop.stuff)

    def _window(
        self, shape: tuple[int, ...], corner: tuple[int, int]
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
        """Overlap of a patch with the image: slices of the image, slices of the patch."""
        inside, patch = [], []
        for start, size, limit in zip(corner, shape, self.numbers.shape, strict=False):
            low, high = max(start, 0), min(start + size, limit)
            if high <= low:
                return None
            inside.append(slice(low, high))
            patch.append(slice(low - start, high - start))
        return (inside[0], inside[1]), (patch[0], patch[1])

    def _blend(
        self, sprite: Sprite, base: Position, number: int
    ) -> tuple[tuple[slice, slice], NDArray[np.bool_]] | None:
        corner = (round(base[0] - sprite.anchor[0]), round(base[1] - sprite.anchor[1]))
        found = self._window(sprite.alpha.shape, corner)
        if found is None:
            return None
        window, patch = found
        alpha, haze = sprite.alpha[patch], np.float32(self.haze_at(base[0]))
        veiled = sprite.colour[patch] * (1 - haze)
        veiled += alpha[..., None] * haze * as_field(self.look.haze_colour)
        canvas = self.backdrop.colour[window]
        canvas *= 1 - alpha[..., None]
        canvas += veiled
        solid = alpha >= 0.5
        self.numbers[window][solid] = number
        return window, solid

    def _cast_shadow(self, sprite: Sprite, base: Position) -> None:
        """Lay the silhouette flat on the ground, away from the light, and blur it."""
        height, width = sprite.alpha.shape
        reach = int(0.7 * height)
        lean = -0.6 * self.lighting.direction[0]
        anchor = sprite.anchor[0]
        warp = as_field([[1, -lean, reach + lean * anchor], [0, 0.22, 0.78 * anchor]])
        size = (width + 2 * reach, height + 6)
        flat: Field = cv2.warpAffine(sprite.alpha, warp, size, flags=cv2.INTER_LINEAR)
        flat = cv2.blur(flat, (max(height // 14, 1) * 2 + 1, max(height // 30, 1) * 2 + 1))
        corner = (round(base[0] - anchor) + 1, round(base[1] - sprite.anchor[1]) - reach)
        found = self._window(flat.shape, corner)
        if found is not None:
            window, patch = found
            dark = 1 - self.look.shadow * flat[patch] * (1 - self.haze_at(base[0]))
            self.backdrop.colour[window] *= dark[..., None]
