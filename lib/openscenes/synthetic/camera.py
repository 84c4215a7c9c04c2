"""The camera: what lens, sensor and developing do to a finished scene."""

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.synthetic.look import Look
from openscenes.synthetic.texture import Field, Rng, as_field


def capture(light: Field, look: Look, rng: Rng) -> NDArray[np.uint8]:
    """Capture (H, W, 3) float light in about [0, 1] as a uint8 RGB image."""
    developed = _develop(_lens(light, look), look)
    shape = developed.shape
    luminance = rng.standard_normal((*shape[:2], 1), dtype=np.float32)
    chroma = rng.standard_normal(shape, dtype=np.float32)
    image = developed + look.noise * (0.8 * luminance + 0.6 * chroma)
    return np.clip(np.round(255 * image), 0, 255).astype(np.uint8)


def _lens(light: Field, look: Look) -> Field:
    image = light
    if look.motion_px >= 1:
        image = cv2.blur(image, (round(look.motion_px), 1))
    if look.blur_px > 0.2:
        image = cv2.GaussianBlur(image, (0, 0), look.blur_px)
    height, width = light.shape[:2]
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    cols = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    return as_field(image * (1 - look.vignette * (rows**2 + cols**2) / 2)[..., None])


def _develop(image: Field, look: Look) -> Field:
    """Saturation, exposure, cast and contrast are affine in RGB: one 3x4 matrix."""
    mix = np.full((3, 3), (1 - look.saturation) / 3) + look.saturation * np.eye(3)
    gain = look.contrast * look.exposure * np.asarray(look.cast)
    middle = np.full((3, 1), (1 - look.contrast) * 0.5 * look.exposure)
    return as_field(cv2.transform(image, np.hstack([gain[:, None] * mix, middle])))
