"""The bootstrap and simulated studies, on the real scores of single objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from openscenes.errors import InputError
from openscenes.seeding import numpy_generator
from openscenes.study.pages.tables import shown_folder
from openscenes.study.profiles import PROFILES, Profile
from openscenes.study.scores.statistics import LEVEL, Estimate, images_of
from openscenes.study.status.reading import read_objects
from openscenes.widgets.controls import control

Values = NDArray[np.float64]
N_STUDIES, N_RESAMPLES = 40, 400
MOST_BY_HAND = 6
SIZES = (10, 20, 50, 100, 200, 500, 1000, 2000)


def scores_file(number: str, profile: Profile, folder: Path | None = None) -> Path:
    """Where a table's scores lie: the profile's reports, or the demo's where it has none."""
    folders = [folder] if folder else [shown_folder(profile), shown_folder(PROFILES["demo"])]
    paths = [place / "tables" / f"table_{number}_objects.csv" for place in folders]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise InputError(
            f"no scores of table {number} lie at {paths[0]}; make them with `make table-{number}`"
        )
    return found


def report_scores(
    number: str, profile: Profile, folder: Path | None = None, *, n_seeds: int = 1
) -> pd.DataFrame:
    """The scores in ``scores_file``: block, seed, object_id, class_name, area, the table's rows.

    Raises:
        InputError: if they are of fewer than ``n_seeds`` trainings.
    """
    path = scores_file(number, profile, folder)
    frame = read_objects(path, ())
    found = frame["seed"].nunique()
    if found < n_seeds:
        raise InputError(
            f"{n_seeds} trainings are compared here, and {path} has {found}; make reports "
            f"SEEDS={n_seeds} ABLATIONS=1 writes them"
        )
    return frame


def scores_in(frame: pd.DataFrame, block: str, row: str) -> Values:
    """(n_seeds, n_objects) IoU in 0-1 of one row of the block whose title begins so."""
    mine = frame[frame["block"].str.startswith(block)]
    if mine.empty or row not in mine or mine[row].isna().any():
        blocks = ", ".join(frame["block"].unique())
        raise InputError(
            f'there is no row "{row}" in a block that begins with "{block}"; rows are '
            f"{', '.join(map(str, frame.columns[5:]))}, blocks are {blocks}"
        )
    table = mine.pivot(index="seed", columns="object_id", values=row)
    return table.to_numpy(dtype=np.float64)


def images_in(frame: pd.DataFrame, block: str) -> list[str]:
    """The image of each object of ``scores_in``, in the same order."""
    mine = frame[frame["block"].str.startswith(block)]
    return images_of(sorted(mine["object_id"].unique()))


def differences_in(frame: pd.DataFrame, block: str, better: str, worse: str) -> Values:
    """(n_seeds, n_objects) differences of two rows on the same seeds and objects, in points."""
    return 100.0 * (scores_in(frame, block, better) - scores_in(frame, block, worse))


def every_resample(values: Sequence[float]) -> Values:
    """The mean of each of the n^n ways to draw n of n values with replacement."""
    n = len(values)
    if not 1 <= n <= MOST_BY_HAND:
        raise InputError(
            f"all resamples of {n} values are {n}^{n}; give between 1 and {MOST_BY_HAND} values"
        )
    return np.array([np.mean(drawn) for drawn in product(values, repeat=n)])


def percentiles(means: Values) -> tuple[float, float]:
    """The 2.5 % and the 97.5 % quantile of resampled means: a 95 % interval."""
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def unpaired(better: Values, worse: Values) -> Estimate:
    """A difference of means whose interval draws each row's objects apart from the other's.

    Args:
        better, worse: (n_seeds, n_objects) IoU in 0-1.
    """
    a, b = (100.0 * scores.mean(axis=0) for scores in (better, worse))
    generator = numpy_generator("unpaired", len(a), len(b))
    first, second = (_drawn(generator, 4000, len(x)) @ x / len(x) for x in (a, b))
    low, high = percentiles(first - second)
    std = float((100.0 * (better.mean(axis=1) - worse.mean(axis=1))).std(ddof=1))
    return Estimate(float(a.mean() - b.mean()), std, low, high, *better.shape)


def _drawn(generator: np.random.Generator, n_resamples: int, n: int) -> Values:
    return generator.multinomial(n, np.full(n, 1 / n), n_resamples).astype(float)


@dataclass(frozen=True)
class StudyDesign:
    """A study that might be done, and the true difference in points."""

    n_objects: int = control("objects", 200, choices=SIZES, step=1)
    n_seeds: int = control("seeds", 3, low=1, high=10, step=1)
    difference: float = control("true difference", 1.0, low=-3.0, high=3.0, step=0.25)


@dataclass(frozen=True)
class SimulatedStudies:
    """Mean and interval (n_studies,) of a design carried out many times, in points."""

    design: StudyDesign
    mean: Values
    low: Values
    high: Values

    @property
    def power(self) -> float:
        """Share of studies whose interval leaves out zero."""
        return float(np.mean((self.low > 0) | (self.high < 0)))

    @property
    def coverage(self) -> float:
        """Share of studies whose interval holds what is really there."""
        truth = self.design.difference
        return float(np.mean((self.low <= truth) & (truth <= self.high)))

    @property
    def width(self) -> float:
        """Mean width of an interval, in points."""
        return float(np.mean(self.high - self.low))


def simulate_studies(
    differences: Values, design: StudyDesign, n_studies: int = N_STUDIES
) -> SimulatedStudies:
    """Carry a design out many times, on objects and seeds drawn from real differences in points.

    The differences are shifted so that their mean is the design's; what is drawn does not depend
    on the shift. More seeds than were trained are drawn again from those.
    """
    world = differences - differences.mean() + design.difference
    generator = numpy_generator("imagined studies", design.n_objects, design.n_seeds, n_studies)
    seeds = generator.integers(world.shape[0], size=(n_studies, design.n_seeds))
    objects = generator.integers(world.shape[1], size=(n_studies, design.n_objects))
    samples = world[seeds[:, :, None], objects[:, None, :]]
    return SimulatedStudies(design, samples.mean(axis=(1, 2)), *_intervals(samples))


def _intervals(samples: Values) -> tuple[Values, Values]:
    """Percentile intervals of (n_studies, n_seeds, n_objects), seeds and objects both drawn."""
    n_studies, n_seeds, n_objects = samples.shape
    objects, seeds = _draws(n_seeds, n_objects)
    means = (objects @ samples.reshape(-1, n_objects).T) / n_objects
    means = means.reshape(len(objects), n_studies, n_seeds)
    resampled = np.einsum("rts,rs->rt", means, seeds) / n_seeds
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


@lru_cache(maxsize=16)
def _draws(n_seeds: int, n_objects: int) -> tuple[Values, Values]:
    generator = numpy_generator("bootstrap of imagined studies", n_seeds, n_objects)
    return _drawn(generator, N_RESAMPLES, n_objects), _drawn(generator, N_RESAMPLES, n_seeds)


def studies_by_size(
    differences: Values, difference: float, n_seeds: int, sizes: Sequence[int] = SIZES
) -> list[SimulatedStudies]:
    """200 simulated studies of each number of objects: power, and coverage of the intervals."""
    return [
        simulate_studies(differences, StudyDesign(n, n_seeds, difference), n_studies=200)
        for n in sizes
    ]


@dataclass(frozen=True)
class Spread:
    """Standard deviation of a difference in points, over objects and over seeds (nan for one)."""

    objects: float
    seeds: float

    def objects_needed(self, difference: float) -> float:
        """Objects for 80 % power at 95 %, seeds ignored: n = ((1.96 + 0.84) s / d)^2."""
        return (2.8 * self.objects / difference) ** 2


def spread(differences: Values) -> Spread:
    """Spread of (n_seeds, n_objects) differences over objects, and over seeds."""
    by_seed = differences.mean(axis=1)
    over_seeds = float(by_seed.std(ddof=1)) if len(by_seed) > 1 else float("nan")
    return Spread(float(differences.mean(axis=0).std(ddof=1)), over_seeds)
