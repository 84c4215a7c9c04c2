"""Scores of a task sequence, R[i][j]: accuracy, backward and forward transfer, forgetting.

R[i][j] is the score on set j after step i. Step 0 is the initial model, which knows set 0; step i
learns set i. Below the diagonal a set was learned earlier, above it the model has not seen it yet.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from openscenes.errors import InputError
from openscenes.seeding import numpy_generator
from openscenes.study.pages.markdown import grid
from openscenes.study.scores.results import change, mean
from openscenes.study.scores.statistics import LEVEL, N_RESAMPLES, Estimate, by_image, estimate

SEQUENCE = ("VOC", "Cityscapes", "COCO")
METRICS = {
    "accuracy": "ACC", "backward": "backward transfer", "forward": "forward transfer",
    "forgetting": "forgetting",
}  # fmt: skip

Values = NDArray[np.float64]
Cell = tuple[int, int]  # (step, set)
Means = Mapping[Any, Values]
Images = Mapping[Any, Sequence[str]]  # set -> image of each of its objects
Name = TypeVar("Name", bound=Hashable)
Statistic = Callable[[Means], Values]


@dataclass(frozen=True)
class Continual:
    """How one method fares along the sequence, everything in points.

    Attributes:
        cells: R, (step, set) -> mean IoU.
        accuracy: ACC, the mean over all sets after the last step.
        backward: what the steps after a set was learned did to it; below 0 where it suffered.
        forward: what earlier steps gave a set before it was learned.
        forgetting: what is lost to the best score that was ever had; 0 where nothing is.
    """

    cells: Mapping[Cell, Estimate]
    accuracy: Estimate
    backward: Estimate
    forward: Estimate
    forgetting: Estimate

    @property
    def n_steps(self) -> int:
        """T: steps with the initial one, and as many sets."""
        return 1 + max(step for step, _ in self.cells)


def learned(step: int, number: int) -> bool:
    """Whether the model of a step has learned a set; otherwise its score there is zero-shot."""
    return number <= step


def continual(scores: Mapping[Cell, Values], images: Images | None = None) -> Continual:
    """The matrix R of one method with its summaries.

    Paper: Sec. 4.2, Table 2 has some cells of R for the sequence VOC, Cityscapes, COCO.
    All cells, and the summaries of Lopez-Paz and Ranzato (2017) and Chaudhry et al. (2018).

    Args:
        scores: (step, set) -> (n_seeds, n_objects of that set) IoU in 0-1; every pair of T steps
            and T sets, the objects of a set always in the same order.
        images: as for ``bootstrap``.
    Raises:
        InputError: if a cell is missing or a set's cells differ in shape.
    """
    n_steps = _checked(scores)
    summaries = bootstrap(scores, _statistics(n_steps), images)
    of_set = images or {}
    cells = {cell: estimate(scores[cell], of_set.get(cell[-1])) for cell in sorted(scores)}
    return Continual(cells, **summaries)


def difference(
    ours: Mapping[Cell, Values], theirs: Mapping[Cell, Values], images: Images | None = None
) -> dict[str, Estimate]:
    """Each summary of one method minus that of another, on the same seeds and objects.

    Args:
        ours, theirs: as for ``continual``, alike in shape.
        images: as for ``bootstrap``.
    Returns:
        The names of ``METRICS`` -> difference in points.
    """
    if set(ours) != set(theirs):
        raise InputError(
            f"two methods can only be compared on the same cells, got {len(ours)} and "
            f"{len(theirs)}; score both after every step"
        )
    both = {(0, *cell): values for cell, values in ours.items()}
    both |= {(1, *cell): values for cell, values in theirs.items()}
    named = _statistics(_checked(ours))
    return bootstrap(both, {name: partial(_subtracted, named[name]) for name in named}, images)


def _subtracted(statistic: Statistic, means: Means) -> Values:
    first, second = ({k[1:]: v for k, v in means.items() if k[0] == method} for method in (0, 1))
    return statistic(first) - statistic(second)


def accuracy(means: Means, n_steps: int) -> Values:
    """ACC = mean_j R[T-1][j].

    Lopez-Paz and Ranzato 2017, with steps and sets counted from 0.

    Args:
        means: (step, set) -> mean scores, each (...), one value per run.
        n_steps: T.
    Returns:
        (...), in the unit of the means.
    """
    return _mean([means[n_steps - 1, j] for j in range(n_steps)])


def backward_transfer(means: Means, n_steps: int) -> Values:
    """BWT = mean_{j<T-1} (R[T-1][j] - R[j][j]).

    Lopez-Paz and Ranzato 2017; arguments as for ``accuracy``.
    """
    return _mean([means[n_steps - 1, j] - means[j, j] for j in range(n_steps - 1)])


def forward_transfer(means: Means, n_steps: int) -> Values:
    """FWT = mean_{j>0} (R[j-1][j] - b_j), b_j = R[0][j].

    Lopez-Paz and Ranzato take an untrained network for b_j, which here would only tell that
    the initial model can segment at all. b_j is the initial model's zero-shot score, so FWT is
    what evolution itself adds. The first term is then 0 by definition and halves FWT for T = 3.
    Arguments as for ``accuracy``.
    """
    return _mean([means[j - 1, j] - means[0, j] for j in range(1, n_steps)])


def forgetting(means: Means, n_steps: int) -> Values:
    """mean_{j<T-1} (max_{i<T-1} R[i][j] - R[T-1][j]).

    Chaudhry et al. 2018, per run. The maximum of noisy means is too high on average, so
    small values, and their intervals, lean towards forgetting; BWT does not. Arguments as for
    ``accuracy``.
    """
    last = n_steps - 1
    best = [np.maximum.reduce([means[i, j] for i in range(last)]) for j in range(last)]
    return _mean([best[j] - means[last, j] for j in range(last)])


def _mean(terms: Sequence[Values]) -> Values:
    return np.mean(np.stack(terms), axis=0)


def _statistics(n_steps: int) -> dict[str, Statistic]:
    functions = (accuracy, backward_transfer, forward_transfer, forgetting)
    return {
        name: partial(function, n_steps=n_steps)
        for name, function in zip(METRICS, functions, strict=True)
    }


def bootstrap(
    scores: Means, statistics: Mapping[Name, Statistic], images: Images | None = None
) -> dict[Name, Estimate]:
    """Statistics of several mean scores, each with a percentile interval.

    A resample draws seeds once for all sets, since a run's scores belong together, and images,
    each with all its objects, with replacement within each set, one draw for all scores of a set. A
    statistic is taken for each run and averaged over runs.

    Args:
        scores: key -> (n_seeds, n_objects) values in 0-1. A key is a tuple whose last part names
            the set: keys that share it share their objects, in the same order.
        statistics: name -> function of {key: (...) mean points, one per run} to (...) points.
        images: set -> image of each of its objects; of a set without, objects are drawn.
    Returns:
        name -> Estimate; its std is over seeds, its n_objects the objects of all sets together.
    Raises:
        InputError: if scores of a set, or numbers of seeds, differ.
    """
    sets = _objects_of(scores)
    n_seeds = next(iter(scores.values())).shape[0]
    observed = {key: 100.0 * values.mean(axis=1) for key, values in scores.items()}
    resampled = _resampled(scores, sets, n_seeds, images or {})
    return {
        name: _estimate(statistic(observed), statistic(resampled), sum(sets.values()))
        for name, statistic in statistics.items()
    }


def _estimate(by_seed: Values, resampled: Values, n_objects: int) -> Estimate:
    """From (n_seeds,) values and (N_RESAMPLES, n_seeds) resampled ones."""
    quantiles = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low, high = (float(value) for value in np.quantile(resampled.mean(axis=-1), quantiles))
    std = float(by_seed.std(ddof=1)) if len(by_seed) > 1 else float("nan")
    return Estimate(float(by_seed.mean()), std, low, high, len(by_seed), n_objects)


def _resampled(
    scores: Means, sets: Mapping[Hashable, int], n_seeds: int, images: Images
) -> dict[Any, Values]:
    """key -> (N_RESAMPLES, n_seeds) mean points of drawn runs over drawn images' objects."""
    names = sorted(sets, key=str)
    keys = {name: [key for key in scores if key[-1] == name] for name in names}
    stacks = {
        name: by_image(100.0 * np.concatenate([scores[k] for k in keys[name]]), images.get(name))
        for name in names
    }
    sizes = [len(stacks[name][1]) for name in names]
    generator = numpy_generator("bootstrap", n_seeds, *sizes)
    means = {name: np.empty((N_RESAMPLES, len(keys[name]), n_seeds)) for name in names}
    for i in range(N_RESAMPLES):
        seeds = generator.integers(n_seeds, size=n_seeds)
        for name, (stack, size) in stacks.items():
            drawn = generator.integers(len(size), size=len(size))
            weights = np.bincount(drawn, minlength=len(size))
            means[name][i] = (stack @ weights / (size @ weights)).reshape(-1, n_seeds)[:, seeds]
    return {key: means[name][:, k] for name in names for k, key in enumerate(keys[name])}


def _objects_of(scores: Means) -> dict[Hashable, int]:
    """set -> number of objects, with every shape checked."""
    shapes: dict[Hashable, tuple[int, ...]] = {}
    for key, values in scores.items():
        first = shapes.setdefault(key[-1], values.shape)
        if values.shape != first or len(first) != 2 or 0 in first:
            raise InputError(
                f"scores {key} have shape {values.shape} beside {first} of the same set; give "
                "(n_seeds, n_objects) of the same seeds and objects"
            )
    if len({n_seeds for n_seeds, _ in shapes.values()}) != 1:
        raise InputError(
            f"sets were scored with {sorted({shape[0] for shape in shapes.values()})} seeds; "
            "score all of them with the same runs"
        )
    return {name: shape[1] for name, shape in shapes.items()}


def _checked(scores: Mapping[Cell, Values]) -> int:
    """T, if scores are the whole matrix."""
    n_steps = 1 + max((step for step, _ in scores), default=0)
    wanted = {(i, j) for i in range(n_steps) for j in range(n_steps)}
    if n_steps < 2 or set(scores) != wanted:
        raise InputError(
            f"R needs every step on every set, at least 2 of each, got {sorted(scores)}; score "
            f"the cells {sorted(wanted - set(scores)) or 'of a second step, too'}"
        )
    return n_steps


def continual_markdown(methods: Mapping[str, Continual]) -> str:
    """R of several methods, zero-shot cells in italics, and their summaries with intervals."""
    cells = [
        (
            method,
            SEQUENCE[step],
            *(_cell(found.cells[step, j], step, j) for j in range(found.n_steps)),
        )
        for method, found in methods.items()
        for step in range(found.n_steps)
    ]
    summaries = [
        (method, _interval(found.accuracy), *(change(getattr(found, m)) for m in list(METRICS)[1:]))
        for method, found in methods.items()
    ]
    matrix = grid(("", "after", *(f"on {name}" for name in SEQUENCE)), cells)
    about = "Italics: zero-shot, the model has not learned that set yet."
    return f"{matrix}\n\n{about}\n\n{grid(('', *METRICS.values()), summaries)}\n"


def _cell(value: Estimate, step: int, number: int) -> str:
    return mean(value) if learned(step, number) else f"*{mean(value)}*"


def _interval(value: Estimate) -> str:
    return f"{value.mean:.1f} [{value.low:.1f}, {value.high:.1f}]"
