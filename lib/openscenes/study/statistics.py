"""Means over objects and seeds, and what they can tell: standard deviations and intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openscenes.seeding import numpy_generator

N_RESAMPLES = 4000
LEVEL = 0.95


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
    generator = numpy_generator("bootstrap", n_seeds, n_objects)
    means = np.empty(N_RESAMPLES)
    for i in range(N_RESAMPLES):
        weights = np.bincount(generator.integers(n_objects, size=n_objects), minlength=n_objects)
        seeds = generator.integers(n_seeds, size=n_seeds)
        means[i] = (points[seeds] @ weights).mean() / n_objects
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
