"""A disc, and what a network might predict for it: ``run_path`` this from a test."""

from pathlib import Path

import numpy as np
import torch

from openscenes.data import crops
from openscenes.data.examples import Example
from openscenes.data.records import Box, Interaction, Point
from openscenes.lessons.prototypes.objects import PredictedObject
from openscenes.method.inference import Prediction

SIZE = 32


def predicted_disc(*, empty=False, truth=True):
    """One object as a network might predict it: a disc, its mask a little off, its features."""
    generator = torch.Generator().manual_seed(3)
    rows, cols = np.mgrid[:SIZE, :SIZE]
    disc = (rows - 16) ** 2 + (cols - 15) ** 2 < 81
    coarse = torch.from_numpy(np.roll(disc, 3, axis=1) & (not empty))[None, None]
    inside = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(disc)[None].double(), 8)
    features = torch.randn(1, 6, 8, 8, generator=generator, dtype=torch.float64) + 2 * inside
    probability = coarse.double() * 0.4 + 0.3 * torch.rand(
        1, 1, SIZE, SIZE, generator=generator, dtype=torch.float64
    )
    prediction = Prediction(
        probability, coarse, (coarse & (probability > 0.5)).double(), features, features[:, :3] * 2,
        torch.ones(1, 2), probability,
    )  # fmt: skip
    image = np.full((SIZE, SIZE, 3), 90, np.uint8)
    nothing = np.zeros_like(disc)
    example = Example("disc", Path("disc.png"), Interaction(Box(7, 6, 26, 25), Point(16, 16)), None)
    return PredictedObject(
        example, image, image, crops.identity(), torch.tensor([[16, 16]]), prediction,
        disc if truth else None, nothing, disc if truth else nothing, nothing,
        0.7 if truth else None,
    )  # fmt: skip
