"""Table 3: which prototypes refine a pseudo mask, and how sure the paper's settings are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from openscenes.study.experiments.rows import in_words
from openscenes.study.profiles import SCENE_NAMES, Profile
from openscenes.study.runs.data import SOURCE, Study
from openscenes.study.runs.recipes import initial
from openscenes.study.runs.runs import find
from openscenes.study.scores.evaluation import Evaluation, score
from openscenes.study.scores.masks import CHOSEN, PAPER_ROWS, ipt_variants
from openscenes.study.scores.results import (
    SCENES,
    Block,
    Row,
    Scores,
    Table,
    claims_of,
    long,
    paper_value,
)
from openscenes.study.scores.statistics import Estimate, estimate, paired_difference

N_PAPER_ROWS = 1 + len(PAPER_ROWS)
Sensitivity = list[tuple[str, str, Estimate]]


def questions(profile: Profile, seeds: int) -> list[Evaluation]:
    """One question per scene and seed answers all rows; the source's set chose the reading."""
    initial_set = profile.initial_sets[0]
    return [
        Evaluation(initial(initial_set, seed), where, "ipt")
        for seed in range(seeds)
        for where in (*SCENES, SOURCE)
    ]


def table(study: Study, seeds: int) -> Table:
    """Each prototype alone, all three, merge and vote: mIoU of pseudo masks.

    Paper: Table 3.  Ours: as post-processing on validation objects, on both new scenes; the
    paper has Cityscapes only.  The source's set stands below, where labels exist and where the
    reading of the other tables was chosen.
    """
    initial_set = study.profile.initial_sets[0]
    blocks, frames = [], []
    for where in (*SCENES, SOURCE):
        scores, objects = _scores(study, where, seeds)
        shown = {name: values for name, values in scores.items() if ": " not in name}
        title = f"{SCENE_NAMES.get(where, 'VOC')}, initial model on {initial_set.upper()}"
        rows = _rows(where, shown)
        blocks.append(Block(title, rows, claims_of(rows, shown, _pairs(rows))))
        frames.append(long(title, shown, objects))
    models = [find(study, initial(initial_set, seed)) for seed in range(seeds)]
    caption = f"Pseudo mask mIoU on {in_words(study, seeds)}."
    made = Table("3", caption, tuple(blocks), pd.concat(frames), tuple(models))
    return replace(made, like_the_paper=study.profile.name == "paper")


def sensitivity(study: Study, seeds: int, where: str) -> Sensitivity:
    """What each setting changes against the paper's own module (merge and vote), in points.

    Returns:
        (group, label, paired difference), the grid of F and the reading of Table 4 last.
    """
    scores, _ = _scores(study, where, seeds)
    literal = scores[PAPER_ROWS[-1]]
    named = {name: values for name, values in scores.items() if ": " in name}
    named["grid of F: the decoder's"] = scores["F from the decoder"]
    named[f"together: {CHOSEN}"] = scores[CHOSEN]
    rows: Sensitivity = []
    for name, values in named.items():
        group, label = name.split(": ", 1)
        rows.append((group, label, paired_difference(values, literal)))
    return rows


def _scores(study: Study, where: str, seeds: int) -> tuple[dict[str, Scores], pd.DataFrame]:
    initial_set = study.profile.initial_sets[0]
    frames = [
        score(study, Evaluation(initial(initial_set, seed), where, "ipt")) for seed in range(seeds)
    ]
    scores = {"coarse mask": np.stack([frame["iou"] for frame in frames])}
    for name in ipt_variants(study.profile):
        scores[name] = np.stack([frame[name] for frame in frames])
    return scores, frames[0]


def _pairs(rows: tuple[Row, ...]) -> list[tuple[str, str]]:
    """Each row against the coarse mask, and the vote against the sum that it follows."""
    pairs = [(row.label, "coarse mask") for row in rows[1:]]
    return [*pairs, (PAPER_ROWS[-1], PAPER_ROWS[-2])]


def _rows(where: str, scores: dict[str, Scores]) -> tuple[Row, ...]:
    labels = list(scores)
    rows = []
    for position, label in enumerate(labels):
        before = labels[position - 1] if position < N_PAPER_ROWS else labels[N_PAPER_ROWS - 1]
        above = paired_difference(scores[label], scores[before]) if position else None
        first = paired_difference(scores[label], scores[labels[0]]) if position else None
        published = paper_value("3", label, where)
        rows.append(Row(label, published, estimate(scores[label]), above, first))
    return tuple(rows)


def sensitivity_frame(scenes: Mapping[str, Sequence[tuple[str, str, Estimate]]]) -> pd.DataFrame:
    """What each reading of the paper changes, one line per scene, reading and option.

    Args:
        scenes: name -> (reading, option, difference in points), as for ``sensitivity_figure``.
    Returns:
        Columns scene, reading, option and, in points, change, std (over seeds; empty for one),
        low, high (95 % interval), n_seeds, n_objects.
    """
    return pd.DataFrame(
        [
            (scene, inference, option, value.mean, value.std, value.low, value.high,
             value.n_seeds, value.n_objects)
            for scene, rows in scenes.items()
            for inference, option, value in rows
        ],
        columns=["scene", "reading", "option", "change", "std", "low", "high", "n_seeds",
                 "n_objects"],
    )  # fmt: skip
