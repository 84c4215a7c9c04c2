"""The pixels of a picture file as 8-bit RGB, whatever it keeps them as."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_PERCENTILES = (0.5, 99.5)
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # tags of a TIFF file


def rgb_of(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an open picture as (H, W, 3) uint8 RGB, writable.

    Ours: what is transparent is composed on white. Grey values of 12 or 16 bits keep their upper
    8 bits, as Pillow does for colours. Grey values of 32 bits and floating-point numbers, which
    name no range, are stretched from their 0.5 to their 99.5 percentile; what is no number is
    black.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return np.repeat(_grey(image)[:, :, None], 3, axis=2)
    if image.mode == "LAB":  # Pillow keeps a and b from -128, OpenCV from 0
        moved = np.asarray(image) ^ np.array([0, 128, 128], np.uint8)
        return np.asarray(cv2.cvtColor(moved, cv2.COLOR_LAB2RGB), np.uint8)
    if not image.has_transparency_data:  # of RGB to RGB, Pillow would make a copy
        return np.array(image if image.mode == "RGB" else image.convert("RGB"))
    visible = image.convert("LA") if image.mode == "La" else image
    visible = visible.convert("RGBA")
    ground = Image.new("RGB", visible.size, "white")
    ground.paste(visible, mask=visible)
    return np.array(ground)


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    """(H, W) uint8 of one channel of more than 8 bits."""
    values, tags = np.asarray(image), getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16") or image.format == "PNG":  # Pillow < 11 opens these as I
        bits = 12 if tags.get(_BITS_PER_SAMPLE) in (12, (12,)) else 16
        grey = (values >> (bits - 8)).astype(np.uint8)
    else:
        grey = _stretched(values)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):  # the one grey value that a PNG makes transparent
        grey[values == transparent] = 255
    return grey


def _stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Low to high percentile -> 0 to 255; the whole range where both percentiles are equal."""
    finite = values[np.isfinite(values)]
    if finite.size == 0 or finite.min() == finite.max():
        return np.zeros(values.shape, np.uint8)
    low, high = (float(one) for one in np.percentile(finite, _PERCENTILES))
    if low == high:
        low, high = float(finite.min()), float(finite.max())
    grey = np.empty(values.shape, np.uint8)
    with np.errstate(invalid="ignore"):  # what is no number
        for row, line in zip(grey, values, strict=True):  # by rows: float64 takes 8 bytes each
            shares = np.nan_to_num((line.astype(np.float64) - low) / (high - low), nan=0.0)
            row[:] = np.rint(255 * np.clip(shares, 0.0, 1.0))
    return grey
