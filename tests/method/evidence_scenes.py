"""Crops with an object, and networks that err about it."""

import numpy as np

from openscenes import masks
from openscenes.data.interactions import core_point
from openscenes.data.records import Box
from openscenes.data.samples import Sample
from openscenes.seeding import numpy_generator

SIZE = 48


def sample(image, truth, box=None, point=None, affine=None):
    """The crop of an image that is as large as the crop."""
    nothing = np.zeros(truth.shape, bool)
    tight = Box(*map(float, masks.tight_box(truth)))
    where = core_point(truth, 0.5, numpy_generator("click"))
    return Sample(
        image, truth, nothing, point or where, box or tight, 0, False, nothing.view(np.uint8),
        np.eye(2, 3) if affine is None else affine, truth.shape,
    )  # fmt: skip


def scene(seed, error=0.0):
    """A crop with an object, and two maps of a network that errs."""
    generator = numpy_generator("evidence", seed)
    rows, cols = np.mgrid[:SIZE, :SIZE]
    truth, seen = np.zeros((2, SIZE, SIZE), bool)
    for mask, shift in ((truth, 0), (seen, 4)):
        (row, col), (tall, wide) = generator.uniform(17, 31, 2) + shift, generator.uniform(5, 14, 2)
        mask |= ((rows - row) / tall) ** 2 + ((cols - col) / wide) ** 2 < 1
    colours = generator.integers(0, 256, (2, 3))
    image = np.where(truth[..., None], *colours) + generator.normal(0, 10, (SIZE, SIZE, 3))
    box = np.array(masks.tight_box(truth)) + generator.normal(0, 1, 4) * error * SIZE
    maps = [np.clip(seen * 0.8 + generator.uniform(0, 0.2, truth.shape), 0, 1) for _ in range(2)]
    cut = sample(np.clip(image, 0, 255).astype(np.uint8), truth, Box(*map(float, box)))
    return cut, *(one.astype(np.float32) for one in maps)


def planted():
    """Clear edges, and a network that is wrong: it sees the lower left of the object and more."""
    truth = np.zeros((SIZE, SIZE), bool)
    truth[8:30, 10:40] = True
    truth[30:40, 10:20] = True
    image = np.where(truth[..., None], (200, 60, 40), (60, 90, 160))
    noise = numpy_generator("noise").normal(0, 6, image.shape)
    wrong = np.full((SIZE, SIZE), 0.15, np.float32)
    wrong[22:46, 4:26] = 0.7
    return sample(np.clip(image + noise, 0, 255).astype(np.uint8), truth), wrong
