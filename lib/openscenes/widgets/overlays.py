"""Layers over an image, (H, W, 4) uint8 RGBA with straight alpha, encoded for a browser."""

import io
from functools import cache

import cv2
import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from openscenes.errors import InputError
from openscenes.masks import BoolMask
from openscenes.study.figures.palette import PALETTE

Layer = NDArray[np.uint8]
HEAT_ALPHA = 0.8

JPEG = (cv2.IMWRITE_JPEG_QUALITY, 92)
PNG: tuple[int, ...] = (cv2.IMWRITE_PNG_COMPRESSION, 1)
if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # newer than the oldest OpenCV that will do
    PNG += (cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE)  # half the time for a heat map
VOTE_COLOURS = (PALETTE["neutral"], PALETTE["right"], PALETTE["ours"])  # one, two, three votes


def tint(mask: BoolMask, colour: str, alpha: float = 0.5, *, outline: bool = True) -> Layer:
    """A mask in one colour, its rim (inside the mask) opaque so that it stands out."""
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
    """Pixels with one, two and three votes, (H, W) of 0 to 3; those with none stay clear."""
    regions = [(counts == n, colour) for n, colour in enumerate(VOTE_COLOURS, start=1)]
    return _painted(counts.shape, regions, alpha, outline=False)


def heat(values: NDArray[np.floating], alpha: float = HEAT_ALPHA) -> Layer:
    """An (H, W) map of [0, 1] in cividis, dark blue to yellow; not-a-number stays clear."""
    known = np.isfinite(values)
    layer = _cividis(round(255 * alpha))[_steps(np.where(known, values, 0))]
    if not known.all():
        layer[~known] = 0
    return layer


def encode_png(layer: Layer) -> bytes:
    """A layer as PNG, pressed lightly: it is sent once and not kept."""
    return _encoded(".png", cv2.cvtColor(layer, cv2.COLOR_RGBA2BGRA), PNG)


def encode_heat(values: NDArray[np.floating], alpha: float = HEAT_ALPHA) -> bytes:
    """The pixels of ``encode_png(heat(values, alpha))`` as a smaller PNG with a table of colours.

    Clear pixels would be a colour too many: a map with not-a-number is written as any other layer.
    """
    if not np.isfinite(values).all():
        return encode_png(heat(values, alpha))
    drawn = Image.fromarray(_steps(values))
    table, written = _cividis(round(255 * alpha)), io.BytesIO()
    drawn.putpalette(table[:, :3].tobytes())
    opacities = table[:, 3].tobytes()
    drawn.save(written, "PNG", compress_level=1, transparency=opacities)
    return written.getvalue()


def encode_jpeg(image: NDArray[np.uint8]) -> bytes:
    """An (H, W, 3) uint8 RGB image as JPEG."""
    return _encoded(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), JPEG)


def _steps(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Numbers of [0, 1] as places in the table, 0 to 255."""
    return cv2.convertScaleAbs(values.clip(0, 1), alpha=255)


def _encoded(kind: str, image: NDArray[np.uint8], options: tuple[int, ...]) -> bytes:
    done, encoded = cv2.imencode(kind, image, options)
    if not done:
        raise InputError(f"An image of shape {image.shape} cannot be written as {kind}.")
    return bytes(encoded)


def _painted(
    shape: tuple[int, ...], regions: list[tuple[BoolMask, str]], alpha: float, outline: bool
) -> Layer:
    """Look every pixel up in a table of two rows per region: inside and rim."""
    table, labels = np.zeros((1 + 2 * len(regions), 4), np.uint8), np.zeros(shape, np.uint8)
    for number, (region, colour) in enumerate(regions):
        inside, rim = 1 + 2 * number, 2 + 2 * number
        table[inside], table[rim] = (*rgb(colour), round(255 * alpha)), (*rgb(colour), 255)
        labels |= region.view(np.uint8) * np.uint8(rim if outline else inside)
        if outline:
            labels[_inside(region)] = inside
    return table[labels]


def _inside(mask: BoolMask) -> BoolMask:
    """The mask without its rim, which is wider in an image that will be shown smaller."""
    rim_px = max(1, round(max(mask.shape) / 400))
    kernel = np.ones((3, 3), np.uint8)
    eroded = cv2.erode(mask.astype(np.uint8), kernel, iterations=rim_px, borderValue=0)
    return eroded.astype(bool)


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of "#rrggbb", 0 to 255."""
    red, green, blue = (round(255 * part) for part in to_rgb(colour))
    return red, green, blue


@cache
def _cividis(opacity: int) -> Layer:
    table = matplotlib.colormaps["cividis"](np.arange(256), bytes=True)
    table[:, 3] = opacity
    return np.ascontiguousarray(table, np.uint8)
