"""Procedural texture: multi-octave noise and the patterns that parts of objects carry."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Field = NDArray[np.float32]
Rng = np.random.Generator
Shape = tuple[int, int]  # (height, width)
Position = tuple[float, float]  # (row, col)
Pattern = Literal["plain", "stripes", "checks", "spots", "cloud", "fur", "gradient"]
PRINTS: tuple[Pattern, ...] = ("stripes", "checks", "spots", "cloud")
_TILE = 512


def as_field(values: ArrayLike) -> Field:
    """``values`` as float32; a float32 array is passed through, not copied."""
    return np.asarray(values, np.float32)


def octaves(rng: Rng, stretch: tuple[int, int], decay: float) -> Field:
    """A (512, 512) noise field of about [-1, 1]; octave k weighs ``decay ** k``.

    Args:
        stretch: how many times coarser than square the grain is along (row, col).
        decay: below 1 the coarse octaves dominate (clouds), above 1 the fine (grain).
    """
    total = np.zeros((_TILE, _TILE), np.float32)
    for k in range(7):
        cells = 4 << k
        grid = rng.standard_normal((max(cells // stretch[0], 2), max(cells // stretch[1], 2)))
        layer = cv2.resize(grid.astype(np.float32), (_TILE, _TILE), interpolation=cv2.INTER_CUBIC)
        total += decay**k * layer
    return np.clip((total - total.mean()) / (2.2 * total.std()), -1, 1).astype(np.float32)


class Textures:
    """A few noise tiles, made once per split, cut at random for every use."""

    def __init__(self, rng: Rng) -> None:
        self._tiles = {
            "cloud": octaves(rng, (1, 1), 0.62),
            "grain": octaves(rng, (1, 1), 1.15),
            "fur": octaves(rng, (6, 1), 1.0),
            "wood": octaves(rng, (1, 12), 0.85),
        }

    def field(self, kind: str, shape: Shape, rng: Rng, zoom: float = 1.0) -> Field:
        """A random (H, W) cut of tile ``kind`` in about [-1, 1], enlarged ``zoom`` times."""
        tile = self._tiles[kind]
        rows, cols = (min(max(int(side / zoom), 2), _TILE) for side in shape)
        row, col = (int(rng.integers(0, _TILE - side + 1)) for side in (rows, cols))
        cut = tile[row : row + rows, col : col + cols]
        if cut.shape == shape:
            return cut
        return as_field(cv2.resize(cut, shape[::-1], interpolation=cv2.INTER_LINEAR))

    def pattern(
        self,
        kind: Pattern,
        grid: tuple[Field, Field],
        period: float,
        angle: float,
        rng: Rng,
    ) -> Field:
        """How much of the second colour shows, (H, W) in [0, 1].

        Args:
            grid: row and column coordinates, broadcastable to (H, W), in the unit of ``period``.
            period: repeat length.
            angle: direction in radians.
        """
        rows, cols = grid
        along = (cols * np.cos(angle) + rows * np.sin(angle)) * (2 * np.pi / period)
        across = (rows * np.cos(angle) - cols * np.sin(angle)) * (2 * np.pi / period)
        shape = np.broadcast_shapes(rows.shape, cols.shape)
        match kind:
            case "plain":
                return np.zeros(shape, np.float32)
            case "stripes":
                wave = np.sin(along)
            case "checks":
                wave = np.sin(along) * np.sin(across) * 3
            case "spots":
                wave = 2 * (np.cos(along) + np.cos(across)) - 1.4
            case "gradient":
                wave = (rows - rows.mean()) / max(float(np.ptp(rows)), 1.0)
            case "cloud" | "fur":
                wave = 1.2 * self.field(kind, (shape[0], shape[1]), rng, max(period / 24, 0.5))
        sharp = 0.5 if kind in ("gradient", "cloud", "fur") else 1.6
        return np.clip(0.5 + sharp * wave, 0, 1).astype(np.float32)
