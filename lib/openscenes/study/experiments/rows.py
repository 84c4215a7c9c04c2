"""From lines of questions to blocks of a table: scores, differences, published values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from openscenes.study.profiles import SCENE_NAMES
from openscenes.study.runs.data import SOURCE, Study
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.runs import find
from openscenes.study.scores.evaluation import Evaluation, recipes_of, score
from openscenes.study.scores.results import Block, Row, Scores, Table, claims_of, long, paper_value
from openscenes.study.scores.statistics import Estimate, estimate, paired_difference

Asking = Callable[[int], Evaluation]  # seed -> question
TITLES = {SOURCE: "VOC", **SCENE_NAMES}


@dataclass(frozen=True)
class Line:
    """One row: what is asked of each seed's model, and where else that model is tested.

    Attributes:
        label: the paper's words.
        asking: seed -> the question whose scores the row shows.
        source: seed -> the same model's question on the source's validation set, or None.
        column: under which column of the published values the row stands.
    """

    label: str
    asking: Asking
    source: Asking | None = None
    column: str = ""


@dataclass(frozen=True)
class Plan:
    """A block before anything was computed.

    Attributes:
        claims: (better, worse) labels of rows that the sentences below the table compare; each
            row with the first if there are none.
    """

    title: str
    lines: tuple[Line, ...]
    claims: tuple[tuple[str, str], ...] = ()


def questions_of(plans: Iterable[Plan], seeds: int) -> list[Evaluation]:
    """Everything that the blocks ask, each question once."""
    asked: dict[Evaluation, None] = {}
    for plan in plans:
        for line in plan.lines:
            for seed in range(seeds):
                asked[line.asking(seed)] = None
                if line.source is not None:
                    asked[line.source(seed)] = None
    return list(asked)


def table_of(study: Study, key: str, caption: str, plans: Sequence[Plan], seeds: int) -> Table:
    """Answer all questions of the blocks and put them beside the paper's values."""
    made = [block_of(study, key, plan, seeds) for plan in plans]
    recipes = recipes_of(questions_of(plans, seeds))
    return Table(
        key,
        caption,
        tuple(block for block, _ in made),
        pd.concat([frame for _, frame in made]),
        tuple(find(study, recipe) for recipe in recipes),
        study.profile.name == "paper",
    )


def block_of(study: Study, key: str, plan: Plan, seeds: int) -> tuple[Block, pd.DataFrame]:
    """One block and its scores per object."""
    scores, objects = {}, pd.DataFrame()
    rows: list[Row] = []
    for position, line in enumerate(plan.lines):
        scores[line.label], objects = _scores(study, line.asking, seeds)
        labels = list(scores)
        before = labels[position - 1] if position else ""
        source = None if line.source is None else _scores(study, line.source, seeds)[0]
        rows.append(
            Row(
                line.label,
                paper_value(key, line.label, line.column),
                estimate(scores[line.label]),
                _difference(scores, line.label, before),
                _difference(scores, line.label, labels[0] if position else ""),
                None if source is None else estimate(source),
                paper_value(key, line.label, f"{line.column} source"),
            )
        )
    first = plan.lines[0].label
    pairs = plan.claims or tuple((line.label, first) for line in plan.lines[1:])
    block = Block(plan.title, tuple(rows), claims_of(rows, scores, pairs))
    return block, long(plan.title, scores, objects)


def _scores(study: Study, asking: Asking, seeds: int) -> tuple[Scores, pd.DataFrame]:
    frames = [score(study, asking(seed)) for seed in range(seeds)]
    return np.stack([frame["iou"].to_numpy() for frame in frames]), frames[0]


def _difference(scores: dict[str, Scores], label: str, other: str) -> Estimate | None:
    return paired_difference(scores[label], scores[other]) if other else None


def asks(recipe: Callable[[int], Recipe], where: str, **how: bool | str) -> Asking:
    """Seed -> the question about that seed's model."""
    return lambda seed: Evaluation(recipe(seed), where, **how)  # type: ignore[arg-type]


def in_words(study: Study, seeds: int) -> str:
    """What the pictures are and how many trainings stand behind a number, for captions."""
    return f"{study.profile.data}, {'1 seed' if seeds == 1 else f'{seeds} seeds'}"
