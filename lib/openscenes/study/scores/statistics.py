"""Means over objects and seeds, with standard deviations and intervals."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from openscenes.seeding import numpy_generator

N_RESAMPLES = 4000
LEVEL = 0.95
BLOCK = 500  # resamples that are drawn at once
KEPT_OBJECTS = 1000  # draws for at most so many objects are kept in memory
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


def estimate(scores: NDArray[np.float64]) -> Estimate:
    """The mean of (n_seeds, n_objects) values in 0-1, in points, with its bootstrap interval."""
    points = 100.0 * scores
    by_seed = points.mean(axis=1)
    low, high = _bootstrap(points)
    std = float(by_seed.std(ddof=1)) if len(by_seed) > 1 else float("nan")
    return Estimate(float(by_seed.mean()), std, low, high, *scores.shape)


def paired_difference(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Estimate:
    """ours - theirs on the same seeds and objects, in points."""
    if ours.shape != theirs.shape:
        raise ValueError(f"paired scores must match, got shapes {ours.shape} and {theirs.shape}")
    return estimate(ours - theirs)


def over_trainings(scores: NDArray[np.float64]) -> Estimate:
    """The same mean as ``estimate``; its interval is over further trainings on further objects.

    A bootstrap of three seeds underestimates the spread of further ones. Here seeds and objects are
    crossed random factors and Student's t has the degrees of freedom of Hillis (Statistics in
    Medicine 26, 2007), as radiology compares systems over readers and cases. Where there is nothing
    to find it errs in 4.5 to 8 of 100 studies of three seeds, however far they part; the bootstrap
    in up to 20 (simulated with up to five times as much spread between seeds as in the mean of
    objects). Where seeds agree it may be the narrower one: the bootstrap counts what is neither
    the seed's nor the object's own with both draws.

    Args:
        scores: (n_seeds, n_objects) values in 0-1, two or more of each.
    Returns:
        In points (0-100).
    Raises:
        ValueError: with one seed or one object.
    """
    points = 100.0 * scores
    n_seeds, n_objects = points.shape
    if min(points.shape) < 2:
        raise ValueError(f"two seeds and two objects are the least, got shape {points.shape}")
    seeds, objects, mean = points.mean(axis=1), points.mean(axis=0), points.mean()
    rest = points - seeds[:, None] - objects + mean
    of_seeds = n_objects * seeds.var(ddof=1)
    of_objects = n_seeds * objects.var(ddof=1)
    of_rest = (rest**2).sum() / ((n_seeds - 1) * (n_objects - 1))
    spread = of_seeds + max(of_objects - of_rest, 0.0)
    freedom = (n_seeds - 1) * (spread / of_seeds) ** 2 if of_seeds else np.inf
    half = float(stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(spread / points.size))
    std = float(seeds.std(ddof=1))
    return Estimate(float(mean), std, float(mean) - half, float(mean) + half, *points.shape)


def _bootstrap(points: NDArray[np.float64]) -> tuple[float, float]:
    """Percentile interval of the mean: seeds and objects are both drawn with replacement.

    Objects are shared by the seeds, so one draw of objects serves all; drawing seeds, too,
    lets the interval include that another training would have come out differently.
    """
    n_seeds, n_objects = points.shape
    draws = _kept_draws if n_objects <= KEPT_OBJECTS else _draws
    means = [
        ((objects @ points.T) * seeds).sum(axis=1) / (n_objects * n_seeds)
        for objects, seeds in draws(n_seeds, n_objects)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _draws(n_seeds: int, n_objects: int) -> Iterator[tuple[Counts, Counts]]:
    """How often each object and each seed is drawn, (block, n_objects) and (block, n_seeds).

    The same for all scores of one shape, so that two rows are compared over the same draws.
    """
    generator = numpy_generator("bootstrap", n_seeds, n_objects)
    for _ in range(N_RESAMPLES // BLOCK):
        yield (
            generator.multinomial(n_objects, [1 / n_objects] * n_objects, BLOCK).astype(float),
            generator.multinomial(n_seeds, [1 / n_seeds] * n_seeds, BLOCK).astype(float),
        )


@lru_cache(maxsize=8)
def _kept_draws(n_seeds: int, n_objects: int) -> tuple[tuple[Counts, Counts], ...]:
    return tuple(_draws(n_seeds, n_objects))
