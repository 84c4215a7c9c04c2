"""A pen that draws one object from shaded, textured parts, supersampled, with its silhouette."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.synthetic.look import Colour
from openscenes.synthetic.texture import Field, Pattern, Rng, Textures, as_field

Outline = Sequence[tuple[float, float]]
_SUPERSAMPLING = 2
_SHIFT = 4


@dataclass(frozen=True, slots=True)
class Lighting:
    """Light of one image: unit direction towards it (right, down), strengths in [0, 1]."""

    direction: tuple[float, float]
    directional: float
    occlusion: float
    texture: float


@dataclass(frozen=True, slots=True)
class Material:
    """What a part is made of; ``period`` is in object heights, ``relief`` 0 is a flat card."""

    colour: Colour
    pattern: Pattern = "plain"
    second: Colour = (0.1, 0.1, 0.1)
    period: float = 0.1
    strength: float = 1.0
    angle: float = 0.0
    relief: float = 0.7
    gloss: float = 0.0


@dataclass(frozen=True, slots=True)
class Sprite:
    """A drawn object at image resolution.

    Attributes:
        colour: (h, w, 3) float32, multiplied by alpha.
        alpha: (h, w) float32 in [0, 1].
        anchor: (row, col) in the sprite of the middle of the object's base.
    """

    colour: Field
    alpha: Field
    anchor: tuple[float, float]


def ellipse(x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> Outline:
    """Outline of an ellipse around (x, y), turned by ``angle`` radians."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    u, v = rx * np.cos(turn), ry * np.sin(turn)
    c, s = np.cos(angle), np.sin(angle)
    return list(zip(x + c * u - s * v, y + s * u + c * v, strict=True))


def box(x0: float, y0: float, x1: float, y1: float) -> Outline:
    """Outline of an upright rectangle."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def soft(outline: Outline, rounds: int = 3) -> Outline:
    """The outline with its corners cut ``rounds`` times (Chaikin): a smooth closed curve."""
    points = np.asarray(outline, float)
    for _ in range(rounds):
        after = np.roll(points, -1, axis=0)
        points = np.stack([0.78 * points + 0.22 * after, 0.22 * points + 0.78 * after], 1)
        points = points.reshape(-1, 2)
    return [(float(x), float(y)) for x, y in points]


class Pen:
    """Draws in object units: x from 0 to ``aspect``, y from 0 (base) up to 1 (top).

    Args:
        height_px: height of the object in image pixels.
        aspect: width over height.
        flip: mirror left and right.
        tilt: turn in radians around the middle of the base.
    """

    def __init__(
        self,
        height_px: float,
        aspect: float,
        lighting: Lighting,
        textures: Textures,
        rng: Rng,
        *,
        flip: bool = False,
        tilt: float = 0.0,
    ) -> None:
        self.lighting, self._textures, self._rng = lighting, textures, rng
        self._unit = height_px * _SUPERSAMPLING
        sign = -1.0 if flip else 1.0
        c, s = np.cos(tilt), np.sin(tilt)
        linear = self._unit * np.array([[c * sign, -s], [-s * sign, -c]])
        corners = np.array(
            [(-0.15, -0.12), (aspect + 0.15, -0.12), (-0.15, 1.15), (aspect + 0.15, 1.15)]
        ) - (aspect / 2, 0)
        hull = corners @ linear.T
        low, high = hull.min(0), hull.max(0)
        size = np.ceil((high - low) / _SUPERSAMPLING).astype(int) + 1
        self._linear, self._origin, self._middle = linear, -low, aspect / 2
        height, width = int(size[1]) * _SUPERSAMPLING, int(size[0]) * _SUPERSAMPLING
        self._colour = np.zeros((height, width, 3), np.float32)
        self._alpha = np.zeros((height, width), np.uint8)

    def fill(self, outline: Outline, material: Material) -> None:
        """Paint the inside of a closed outline."""
        self._paint([self._to_pixels(outline)], material)

    def limb(self, path: Outline, widths: float | Sequence[float], material: Material) -> None:
        """Paint a rounded stroke along ``path`` whose thickness goes through ``widths``."""
        count = len(path)
        given = [widths] * count if isinstance(widths, int | float) else list(widths)
        thick = np.interp(np.linspace(0, 1, count), np.linspace(0, 1, len(given)), given)
        joints = [
            np.asarray(ellipse(x, y, max(t / 2, self._hair), max(t / 2, self._hair)))[::3]
            for (x, y), t in zip(path, thick, strict=True)
        ]
        pieces = []
        for first, second in pairwise(joints):
            both = self._to_pixels(np.concatenate([first, second]))
            pieces.append(cv2.convexHull(both.astype(np.int32))[:, 0].astype(np.float64))
        self._paint(pieces, material)

    def hole(self, outline: Outline) -> None:
        """Cut the inside of an outline out of what has been drawn so far."""
        mask, (rows, cols) = self._mask([self._to_pixels(outline)])
        if mask is not None:
            self._alpha[rows, cols][mask > 0] = 0

    def sprite(self) -> Sprite:
        """The object at image resolution, edges antialiased."""
        height, width = (side // _SUPERSAMPLING for side in self._alpha.shape)
        solid = (self._alpha > 0).astype(np.float32)
        colour = cv2.resize(
            self._colour * solid[..., None], (width, height), interpolation=cv2.INTER_AREA
        )
        alpha = cv2.resize(solid, (width, height), interpolation=cv2.INTER_AREA)
        return Sprite(
            as_field(colour),
            as_field(alpha),
            (self._origin[1] / _SUPERSAMPLING, self._origin[0] / _SUPERSAMPLING),
        )

    @property
    def _hair(self) -> float:
        """Half the thinnest stroke that survives downsampling, in object units."""
        return 0.8 * _SUPERSAMPLING / 2 / self._unit

    def _to_pixels(self, outline: Outline | NDArray[np.float64]) -> NDArray[np.float64]:
        points = np.asarray(outline, float) - (self._middle, 0)
        return points @ self._linear.T + self._origin

    def _mask(
        self, pieces: Sequence[NDArray[np.float64]]
    ) -> tuple[NDArray[np.uint8] | None, tuple[slice, slice]]:
        """The union of polygons as (h, w) 0/1 and the window of the canvas that it fills."""
        every = np.concatenate(pieces)
        low = np.maximum(np.floor(every.min(0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(every.max(0)).astype(int) + 2, self._alpha.shape[::-1])
        window = (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])))
        if (high - low).min() <= 0:
            return None, window
        mask = np.zeros((int(high[1] - low[1]), int(high[0] - low[0])), np.uint8)
        for piece in pieces:
            points = np.round((piece - low) * (1 << _SHIFT)).astype(np.int32)
            cv2.fillPoly(mask, [points], 1, lineType=cv2.LINE_8, shift=_SHIFT)
        return mask, window

    def _paint(self, pieces: Sequence[NDArray[np.float64]], material: Material) -> None:
        mask, (rows, cols) = self._mask(pieces)
        if mask is None:
            return
        colour = self._surface(mask.shape, (rows.start, cols.start), material)
        light = self._shading(mask, material)
        colour = np.clip(colour * light[..., None] + material.gloss * self._shine(light), 0, 1.2)
        cv2.copyTo(colour.astype(np.float32), mask, self._colour[rows, cols])
        self._alpha[rows, cols] |= mask

    def _surface(
        self, shape: tuple[int, ...], corner: tuple[int, int], material: Material
    ) -> Field:
        """Colour of the part before light: base, printed pattern, fine grain."""
        height, width = shape[0], shape[1]
        base, second = as_field(material.colour), as_field(material.second)
        grain = self._textures.field("grain", (height, width), self._rng)
        worn = 1 + np.float32(0.07 * self.lighting.texture) * grain
        if material.pattern == "plain":
            return base * worn[..., None]
        rows = np.arange(corner[0], corner[0] + height, dtype=np.float32)[:, None]
        cols = np.arange(corner[1], corner[1] + width, dtype=np.float32)[None, :]
        period = max(material.period * self._unit, 4.0)
        share = self._textures.pattern(
            material.pattern, (rows, cols), period, material.angle, self._rng
        )
        share = share * np.float32(min(material.strength * self.lighting.texture, 1.0))
        return (base + share[..., None] * (second - base)) * worn[..., None]

    def _shading(self, mask: NDArray[np.uint8], material: Material) -> Field:
        """Light on a pillow-shaped part: turned towards the light, darker in its creases."""
        if material.relief == 0:
            return np.ones(mask.shape, np.float32)
        reach = max(int(0.30 * min(mask.shape)) | 1, 3)
        padded = cv2.copyMakeBorder(
            mask.astype(np.float32), *(reach,) * 4, cv2.BORDER_CONSTANT, value=0
        )
        height = cv2.blur(cv2.blur(padded, (reach, reach)), (reach, reach))
        down, right = (cv2.Sobel(height, cv2.CV_32F, *order) for order in ((0, 1), (1, 0)))
        inner = (slice(reach, -reach), slice(reach, -reach))
        toward = -(self.lighting.direction[0] * right + self.lighting.direction[1] * down)
        slope = np.clip(toward[inner] * np.float32(reach / 8), -1, 1)
        crease = np.clip(1.1 - height[inner], 0, 1)
        shade = 1 + material.relief * (
            self.lighting.directional * slope - self.lighting.occlusion * crease
        )
        return np.clip(shade, 0.15, 1.7).astype(np.float32)

    @staticmethod
    def _shine(light: Field) -> Field:
        return np.clip(light - 1.05, 0, 1)[..., None] * np.float32(1.5)
