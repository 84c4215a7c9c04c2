"""Means over objects and seeds, and what they can tell: standard deviations and intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

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
        low, high: 95 % interval by bootstrap over objects.
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
    """The mean of (n_seeds, n_objects) values in 0-1, in points."""
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


def _bootstrap(points: NDArray[np.float64]) -> tuple[float, float]:
    """Percentile interval of the mean: seeds and objects are both drawn with replacement.

    Ours: objects are shared by the seeds, so one draw of objects serves all; drawing seeds, too,
    lets the interval know that another training would have come out differently.
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
