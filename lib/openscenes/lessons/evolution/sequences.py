"""Task sequences over the three scenes, and the scores of every single object."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from openscenes.errors import InputError
from openscenes.settings import count_parameter
from openscenes.study.experiments import table_2
from openscenes.study.experiments.rows import TITLES
from openscenes.study.pages.markdown import grid
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import Recipe, evolved, in_order, initial
from openscenes.study.scores.continual import METRICS, Images, continual, difference
from openscenes.study.scores.evaluation import Evaluation, score
from openscenes.study.scores.results import change, long
from openscenes.study.scores.statistics import Estimate, estimate, images_of

Scores = NDArray[np.float64]  # (n_times, n_objects) IoU in 0-1
Cells = Mapping[tuple[int, int], Scores]  # (step, set) -> (n_seeds, n_objects)
TaskSequence = tuple[Recipe, ...]  # the models after t = 0, 1, ...

TIMES = ("VOC+SBD", "Cityscapes", "COCO")  # what was learned last at t = 0, 1, 2
OURS, FINE_TUNED = "ours: +ST +IPT +FA", "fine-tuned with ground truth"
ALONE, REFINED, ALIGNED = "+ST alone, one step", "+ST +IPT, one step", "+ST +FA, one step"
ONE_STEP = {ALONE: "st", REFINED: "st+ipt", ALIGNED: "st+fa"}

FORGOTTEN, GAINED = "most forgotten first", "most gained first"
AHEAD, LISTED = "left ahead of right first", "as the scene lists them"
ORDERS = (FORGOTTEN, GAINED, AHEAD, LISTED)


def task_sequences(seed: int = 0) -> dict[str, TaskSequence]:
    """Every task sequence that the study trains from one initial model, by its name in menus.

    Paper: Table 2 has the two whole sequences, Table 4 the single steps.
    """
    first = initial("voc+sbd", seed)
    short = {name: (first, evolved(first, "cityscapes", v)) for name, v in ONE_STEP.items()}
    whole = {OURS: table_2.SEQUENCES["Ours"], FINE_TUNED: table_2.SEQUENCES["IOG"]}
    return {n: tuple(step.with_seed(seed) for step in s) for n, s in whole.items()} | short


def needed(seeds: int = 1) -> tuple[Recipe, ...]:
    """Every model of every sequence, parents before children."""
    return in_order(
        step
        for seed in range(count_parameter("seeds", seeds))
        for sequence in task_sequences(seed).values()
        for step in sequence
    )


def scores_of(study: Study, sequence: TaskSequence, where: str) -> Scores:
    """(n_times, n_objects) IoU in 0-1 on a validation set after every step of a sequence."""
    return np.stack([score(study, Evaluation(step, where))["iou"].to_numpy() for step in sequence])


def cells_of(study: Study, name: str, seeds: int = 1) -> Cells:
    """R before the mean: (step, set) -> (n_seeds, n_objects), for ``continual.continual``."""
    if name in ONE_STEP:
        raise InputError(
            f'the sequence "{name}" has no second step; choose "{OURS}" or "{FINE_TUNED}"'
        )
    by_set = [
        np.stack([scores_of(study, task_sequences(seed)[name], where) for seed in range(seeds)])
        for where in table_2.WHERE
    ]
    steps, sets = range(len(TIMES)), range(len(by_set))
    return {(step, place): by_set[place][:, step] for step in steps for place in sets}


def images_on(study: Study, where: str) -> list[str]:
    """The image of each object of a validation set, in the order of ``scores_of``."""
    return images_of(score(study, Evaluation(initial("voc+sbd", 0), where))["object_id"])


def images_of_cells(study: Study) -> Images:
    """Set -> image of each of its objects, beside ``cells_of``."""
    return {place: images_on(study, where) for place, where in enumerate(table_2.WHERE)}


def objects_over_time(study: Study, name: str, where: str, seeds: int = 1) -> pd.DataFrame:
    """A sequence's scores on one set as the long table of ``breakdown``; rows are the times."""
    found = np.stack([scores_of(study, task_sequences(seed)[name], where) for seed in range(seeds)])
    rows = {f"after {time}": found[:, step] for step, time in enumerate(TIMES[: found.shape[1]])}
    first = score(study, Evaluation(initial("voc+sbd", 0), where))
    return long(f"{name}, on {TITLES[where]}", rows, first)


def forgetting(scores: Scores) -> NDArray[np.float64]:
    """What each object lost to its best score before, in points (Chaudhry et al. 2018)."""
    return 100.0 * (scores[:-1].max(axis=0) - scores[-1])


def ranking(order: str, left: Scores, right: Scores) -> NDArray[np.intp]:
    """Positions of objects in one of ``ORDERS``; ties stay as listed.

    Args:
        left, right: (n_times, n_objects) scores; ``AHEAD`` compares them at the last common time.
    """
    last = min(len(left), len(right)) - 1
    keys = {
        FORGOTTEN: forgetting(left),
        GAINED: left[-1] - left[0],
        AHEAD: left[last] - right[last],
        LISTED: np.zeros(left.shape[1]),
    }
    if order not in keys:
        raise InputError(f'there is no order "{order}"; choose one of {", ".join(ORDERS)}')
    return np.argsort(-keys[order], kind="stable")


def one_step_changes(study: Study, seeds: int = 1) -> list[tuple[str, str, Estimate]]:
    """What one step onto Cityscapes changes on each set in each way: (set, way, paired difference).

    Paper: Table 4 has the first of these sets for four of the ways.
    """
    ways = {ALONE: "+ST alone", REFINED: "+ST +IPT", ALIGNED: "+ST +FA", OURS: "+ST +IPT +FA",
            FINE_TUNED: "ground truth alone"}  # fmt: skip
    rows = []
    for where in ("cityscapes", "voc", "coco"):
        images = images_on(study, where)
        for name, label in ways.items():
            by_seed = np.stack(
                [scores_of(study, task_sequences(s)[name][:2], where) for s in range(seeds)]
            )
            change_of = estimate(by_seed[:, 1] - by_seed[:, 0], images)
            rows.append((f"on {TITLES[where]}", label, change_of))
    return rows


def mean_matrix(cells: Cells) -> pd.DataFrame:
    """R[i][j] in points: a row after every step, a column on every set."""
    n = 1 + max(step for step, _ in cells)
    means = [[100.0 * float(cells[step, place].mean()) for place in range(n)] for step in range(n)]
    rows = [f"after {time}" for time in TIMES[:n]]
    columns = [f"on {TITLES[where]}" for where in table_2.WHERE[:n]]
    return pd.DataFrame(means, index=rows, columns=columns)


def compared_markdown(first: Cells, second: Cells, names: tuple[str, str], images: Images) -> str:
    """The summaries of two sequences and their paired difference, first less second, as a table.

    Args:
        images: of both, as ``images_of_cells`` names them.
    """
    one, other = continual(first, images), continual(second, images)
    between = difference(first, second, images)
    lines = [
        (words, change(getattr(one, metric)), change(getattr(other, metric)),
         change(between[metric]))
        for metric, words in METRICS.items()
    ]  # fmt: skip
    return grid(("points", *names, "difference"), lines)
