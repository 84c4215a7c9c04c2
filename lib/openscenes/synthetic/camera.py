"""The camera: what lens, sensor and developing do to a finished scene."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.synthetic.look import Look
from openscenes.synthetic.texture import Field, as_field


def photograph(light: Field, look: Look, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Develop (H, W, 3) float light in about [0, 1] into a uint8 RGB photograph."""
    developed = _develop(_lens(light, look), look)
    shape = developed.shape
    luminance = rng.standard_normal((*shape[:2], 1), dtype=np.float32)
    chroma = rng.standard_normal(shape, dtype=np.float32)
    picture = developed + look.noise * (0.8 * luminance + 0.6 * chroma)
    return np.clip(np.round(255 * picture), 0, 255).astype(np.uint8)


def _lens(light: Field, look: Look) -> Field:
    picture = light
    if look.motion_px >= 1:
        picture = cv2.blur(picture, (round(look.motion_px), 1))
    if look.blur_px > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), look.blur_px)
    height, width = light.shape[:2]
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    cols = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return as_field(picture * (1 - look.vignette * (rows**2 + cols**2) / 2)[..., None])


def _develop(picture: Field, look: Look) -> Field:
    """Saturation, exposure, cast and contrast are affine in RGB: one 3x4 matrix."""
    mix = np.full((3, 3), (1 - look.saturation) / 3) + look.saturation * np.eye(3)
    gain = look.contrast * look.exposure * np.asarray(look.cast)
    middle = np.full((3, 1), (1 - look.contrast) * 0.5 * look.exposure)
    return as_field(cv2.transform(picture, np.hstack([gain[:, None] * mix, middle])))
