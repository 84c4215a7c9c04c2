"""Means over objects and seeds, with standard deviations and intervals.

Objects of one image share its light, its scene and its camera: an interval draws images, each with
all its objects. Drawing objects again within it would count their spread twice (Davison and
Hinkley, Bootstrap Methods, 1997, 3.8).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from openscenes.seeding import numpy_generator

N_RESAMPLES = 4000
LEVEL = 0.95
BLOCK = 500  # resamples that are drawn at once
KEPT_IMAGES = 1000  # draws for at most so many images are kept in memory
Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds of means over objects, in points (0-100).

    Attributes:
        mean: the estimate.
        std: sample standard deviation over seeds, nan for one seed.
        low, high: 95 % interval.
        n_seeds, n_objects: how many of each.
    """

    mean: float
    std: float
    low: float
    high: float
    n_seeds: int
    n_objects: int

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def images_of(object_ids: Iterable[str]) -> list[str]:
    """The image of each object, which its id names before the last slash."""
    return [name.rpartition("/")[0] or name for name in map(str, object_ids)]


def estimate(scores: NDArray[np.float64], images: Sequence[str] | None = None) -> Estimate:
    """The mean of (n_seeds, n_objects) values in 0-1, in points, with its bootstrap interval.

    Args:
        images: of each object, as ``images_of`` names them; None, or all of one: objects are drawn.
    """
    points = 100.0 * scores
    by_seed = points.mean(axis=1)
    low, high = _bootstrap(*by_image(points, images))
    std = float(by_seed.std(ddof=1)) if len(by_seed) > 1 else float("nan")
    return Estimate(float(by_seed.mean()), std, low, high, *scores.shape)


def paired_difference(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], images: Sequence[str] | None = None
) -> Estimate:
    """ours - theirs on the same seeds and objects, in points; ``images`` as for ``estimate``."""
    if ours.shape != theirs.shape:
        raise ValueError(f"paired scores must match, got shapes {ours.shape} and {theirs.shape}")
    return estimate(ours - theirs, images)


def over_trainings(scores: NDArray[np.float64], images: Sequence[str] | None = None) -> Estimate:
    """The same mean as ``estimate``; its interval is over further trainings on further images.

    A bootstrap of three seeds underestimates the spread of further ones. Here seeds and images are
    crossed random factors and Student's t has the degrees of freedom of Hillis (Statistics in
    Medicine 26, 2007), as radiology compares systems over readers and cases. Where there is nothing
    to find it errs in 4.5 to 8 of 100 studies of three seeds, however far they part; the bootstrap
    in up to 20 (simulated with up to five times as much spread between seeds as in the mean of
    objects). Where seeds agree it may be the narrower one: the bootstrap counts what is neither
    the seed's nor the object's own with both draws.

    Args:
        scores: (n_seeds, n_objects) values in 0-1, two or more of each.
        images: as for ``estimate``; an image counts by how far its objects move the mean.
    Returns:
        In points (0-100).
    Raises:
        ValueError: with one seed or one object.
    """
    points = 100.0 * scores
    n_seeds, n_objects = points.shape
    if min(points.shape) < 2:
        raise ValueError(f"two seeds and two objects are the least, got shape {points.shape}")
    mean = points.mean()
    sums, sizes = by_image(points, images)
    n_images = len(sizes)
    values = mean + (sums - mean * sizes) * (n_images / n_objects)
    seeds, drawn = values.mean(axis=1), values.mean(axis=0)
    rest = values - seeds[:, None] - drawn + mean
    of_seeds = n_images * seeds.var(ddof=1)
    of_images = n_seeds * drawn.var(ddof=1)
    of_rest = (rest**2).sum() / ((n_seeds - 1) * (n_images - 1))
    spread = of_seeds + max(of_images - of_rest, 0.0)
    freedom = (n_seeds - 1) * (spread / of_seeds) ** 2 if of_seeds else np.inf
    half = float(stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(spread / values.size))
    std = float(seeds.std(ddof=1))
    return Estimate(float(mean), std, float(mean) - half, float(mean) + half, *points.shape)


def by_image(
    points: NDArray[np.float64], images: Sequence[str] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums over each image's objects, (n_rows, n_images), and how many it has, (n_images,).

    Args:
        points: (n_rows, n_objects).
        images: of each object; None, or all of one: every object stands alone.
    Raises:
        ValueError: if they are not as many as the objects.
    """
    if images is None or len(set(images)) < 2:
        return points, np.ones(points.shape[1])
    if len(images) != points.shape[1]:
        raise ValueError(f"{len(images)} images are named for {points.shape[1]} objects")
    order = {image: place for place, image in enumerate(dict.fromkeys(images))}
    codes = np.array([order[image] for image in images])
    sums = np.array([np.bincount(codes, row) for row in points], dtype=np.float64)
    return sums, np.bincount(codes).astype(np.float64)


def _bootstrap(sums: NDArray[np.float64], sizes: NDArray[np.float64]) -> tuple[float, float]:
    """Percentile interval of the mean: seeds and images are both drawn with replacement.

    Images are shared by the seeds, so one draw of images serves all; drawing seeds, too,
    lets the interval include that another training would have come out differently.
    """
    n_seeds, n_images = sums.shape
    draws = _kept_draws if n_images <= KEPT_IMAGES else _draws
    means = [
        ((images @ sums.T) * seeds).sum(axis=1) / (images @ sizes * n_seeds)
        for images, seeds in draws(n_seeds, n_images)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _draws(n_seeds: int, n_images: int) -> Iterator[tuple[Counts, Counts]]:
    """How often each image and each seed is drawn, (block, n_images) and (block, n_seeds).

    The same for all scores of one shape, so that two rows are compared over the same draws.
    """
    generator = numpy_generator("bootstrap", n_seeds, n_images)
    for _ in range(N_RESAMPLES // BLOCK):
        yield (
            generator.multinomial(n_images, [1 / n_images] * n_images, BLOCK).astype(float),
            generator.multinomial(n_seeds, [1 / n_seeds] * n_seeds, BLOCK).astype(float),
        )


@lru_cache(maxsize=8)
def _kept_draws(n_seeds: int, n_images: int) -> tuple[tuple[Counts, Counts], ...]:
    return tuple(_draws(n_seeds, n_images))
