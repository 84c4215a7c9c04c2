"""Layers over a picture: masks, heat maps, votes and differences as RGBA, encoded for a browser.

All arrays are (H, W, 4) uint8 RGBA with straight alpha; the colours are the figures' own.
"""

from __future__ import annotations

from functools import cache

import cv2
import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from openscenes.errors import InputError
from openscenes.masks import BoolMask
from openscenes.study.figures import PALETTE

Layer = NDArray[np.uint8]

JPEG_QUALITY = 92
VOTE_COLOURS = (PALETTE["neutral"], PALETTE["right"], PALETTE["ours"])  # one, two, three votes


def tint(mask: BoolMask, colour: str, alpha: float = 0.5, *, outline: bool = True) -> Layer:
    """A mask in one colour, its rim opaque so that it stands out from any ground.

    Args:
        mask: (H, W) bool.
        colour: as "#rrggbb".
        alpha: opacity of the inside, in [0, 1].
        outline: draw the rim, which lies inside the mask.
    """
    return _painted(mask.shape, [(mask, colour)], alpha, outline)


def comparison(
    mask: BoolMask, truth: BoolMask, void: BoolMask | None = None, alpha: float = 0.6
) -> Layer:
    """Where a mask is right, where it is too much and what it missed; void pixels stay clear."""
    counted = np.ones_like(truth) if void is None else ~void
    regions = [
        (mask & truth & counted, PALETTE["right"]),
        (mask & ~truth & counted, PALETTE["too much"]),
        (~mask & truth & counted, PALETTE["missed"]),
    ]
    return _painted(truth.shape, regions, alpha, outline=False)


def votes(counts: NDArray[np.uint8], alpha: float = 0.6) -> Layer:
    """Pixels with one, two and three votes; those with none stay clear.

    Args:
        counts: (H, W), each 0 to 3.
    """
    regions = [(counts == n, colour) for n, colour in enumerate(VOTE_COLOURS, start=1)]
    return _painted(counts.shape, regions, alpha, outline=False)


def heat(values: NDArray[np.floating], alpha: float = 0.8) -> Layer:
    """A map of [0, 1] in cividis, from dark blue to yellow; what lies outside is cut off.

    Args:
        values: (H, W); not-a-number stays clear.
    """
    known = np.isfinite(values)
    steps = (np.where(known, values, 0).clip(0, 1) * 255).round().astype(np.uint8)
    layer = np.dstack([_cividis()[steps], np.full(values.shape, round(255 * alpha), np.uint8)])
    layer[~known] = 0
    return layer


def encode_png(layer: Layer) -> bytes:
    """A layer as PNG, pressed lightly: it is sent once and not kept."""
    return _encoded(
        ".png", cv2.cvtColor(layer, cv2.COLOR_RGBA2BGRA), cv2.IMWRITE_PNG_COMPRESSION, 1
    )


def encode_jpeg(image: NDArray[np.uint8]) -> bytes:
    """An (H, W, 3) uint8 RGB picture as JPEG."""
    picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return _encoded(".jpg", picture, cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)


def _encoded(kind: str, picture: NDArray[np.uint8], option: int, value: int) -> bytes:
    done, encoded = cv2.imencode(kind, picture, [option, value])
    if not done:
        raise InputError(f"A picture of shape {picture.shape} cannot be written as {kind}.")
    return bytes(encoded)


def _painted(
    shape: tuple[int, ...], regions: list[tuple[BoolMask, str]], alpha: float, outline: bool
) -> Layer:
    layer = np.zeros((*shape, 4), np.uint8)
    for region, colour in regions:
        layer[region] = (*_rgb(colour), round(255 * alpha))
        if outline:
            layer[region & ~_inside(region), 3] = 255
    return layer


def _inside(mask: BoolMask) -> BoolMask:
    """The mask without its rim, which is wider in a picture that will be shown smaller."""
    rim_px = max(1, round(max(mask.shape) / 400))
    kernel = np.ones((3, 3), np.uint8)
    eroded = cv2.erode(mask.astype(np.uint8), kernel, iterations=rim_px, borderValue=0)
    return eroded.astype(bool)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in to_rgb(colour))
    return red, green, blue


@cache
def _cividis() -> NDArray[np.uint8]:
    """Its (256, 3) table."""
    table = matplotlib.colormaps["cividis"](np.arange(256), bytes=True)[:, :3]
    return np.ascontiguousarray(table, np.uint8)
