"""Labelled source objects in other looks: as from another scene, but with their truth.

Ours: all of it. On its own training images a network hardly errs; in another look (colours,
contrast, noise) it errs about as often as on a new scene, of which nothing is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.data import interactions
from openscenes.data.examples import Example, ImageCache
from openscenes.method.inference import RunContext
from openscenes.seeding import numpy_generator

LOOK = 1.0  # strength of the other looks


def in_other_looks(
    objects: Sequence[Example], n: int, context: RunContext, box_error: float = 0.0
) -> tuple[list[Example], RunContext]:
    """``n`` objects, evenly out of all, and the context in which their images look otherwise.

    Paper: none.

    Args:
        objects: at least one.
        box_error: by how much a side of a user's box typically errs, as a share of that side.
    """
    spread = np.linspace(0, len(objects) - 1, min(n, len(objects))).round().astype(int)
    chosen = [_clicked(objects[i], box_error, context.seed) for i in spread]
    return chosen, replace(context, cache=OtherLooks(context.seed))


def _clicked(example: Example, error: float, seed: int) -> Example:
    """The example, in a box that errs as a person's does."""
    if not error:
        return example
    generator = numpy_generator("evidence box", seed, example.object_id)
    user = example.interaction
    box = interactions.jittered(user.box, error, generator)
    return replace(example, interaction=replace(user, box=box))


class OtherLooks(ImageCache):
    """Images in other colours, with another contrast, blurred and noisy, each always alike."""

    def __init__(self, seed: int) -> None:
        """Nothing is stored."""
        super().__init__()
        self.seed, self.last = seed, (Path(), np.zeros((0, 0, 3), np.uint8))

    def image(self, path: Path, *, upright: bool = False) -> NDArray[np.uint8]:
        """(H, W, 3), as ``ImageCache.image``."""
        if self.last[0] != path:  # every view of an object asks again
            image = super().image(path, upright=upright)
            self.last = path, other_look(image, LOOK, numpy_generator("look", self.seed, path.name))
        return self.last[1]


def other_look(
    image: NDArray[np.uint8], strength: float, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """An (H, W, 3) image in a random look.

    Paper: none.  Channels change places, contrast and brightness vary by up to 60 % and 50 grey
    levels, each channel by 40 %; half of the images are blurred, all are noisy.
    """
    seen = image.astype(np.float32)[..., generator.permutation(3)]
    mean = seen.mean((0, 1))
    gain = (1 + strength * generator.uniform(-0.6, 0.6)) * (
        1 + strength * generator.uniform(-0.4, 0.4, 3)
    )
    seen = (seen - mean) * gain.astype(np.float32) + mean + strength * generator.uniform(-50, 50)
    if generator.random() < 0.5:
        seen = cv2.GaussianBlur(seen, (0, 0), strength * generator.uniform(0.3, 1.5))
    noise = generator.normal(0.0, strength * generator.uniform(0, 30), (*seen.shape[:2], 1))
    return np.clip(seen + noise, 0, 255).astype(np.uint8)
