"""The share of the headroom that each student of Table 4+ wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from openscenes.study.experiments.table_4_plus import (
    ACCEPTED_TOO,
    BASELINE,
    BOUND,
    BOXES,
    ONE_ROUND,
    STUDENTS,
)
from openscenes.study.pages.markdown import grid
from openscenes.study.scores.continual import Means, Values, bootstrap
from openscenes.study.scores.results import Block, Table, change
from openscenes.study.scores.statistics import Estimate


@dataclass(frozen=True)
class Share:
    """What a student wins of all that ground truth wins, in one block.

    Attributes:
        gain: over the initial model, in points.
        share: of the bound's gain, in %; None where the bound gains nothing for certain.
    """

    block: str
    student: str
    gain: Estimate
    share: Estimate | None


def shares(table: Table) -> list[Share]:
    """The share of the headroom of every student, all in the plain inference setting."""
    return [
        _one_share(table, block, row.label)
        for block in table.blocks
        if block.title.endswith((*BOXES.values(), ACCEPTED_TOO))
        for row in block.rows
        if row.label in STUDENTS
        if not (block.title.endswith(ACCEPTED_TOO) and row.label == ONE_ROUND)
    ]


def _one_share(table: Table, block: Block, student: str) -> Share:
    rows = (BASELINE, student, BOUND)
    gain = partial(_gain, title=block.title)
    found = bootstrap(
        {(row, block.title): table.scores(block.title, row) for row in rows},
        {
            "bound": partial(gain, row=BOUND),
            "student": partial(gain, row=student),
            "share": partial(_share, title=block.title, student=student),
        },
        {block.title: table.images(block.title)},
    )
    # One share over all runs has no spread over them.
    share = replace(found["share"], std=float("nan")) if found["bound"].low > 0 else None
    return Share(block.title, student, found["student"], share)


def _gain(means: Means, *, title: str, row: str) -> Values:
    return means[row, title] - means[BASELINE, title]


def _share(means: Means, *, title: str, student: str) -> Values:
    """In %, one ratio of mean gains for all runs: a mean of ratios would follow its worst one."""
    learned, bound = (_gain(means, title=title, row=row) for row in (student, BOUND))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 100.0 * learned.mean(-1, keepdims=True) / bound.mean(-1, keepdims=True)
    return np.broadcast_to(ratio, learned.shape)


def shares_markdown(found: Sequence[Share]) -> str:
    """A section for below the table: each student's gain and its share of the bound's."""
    head = ("", "student", "gain", "share of the headroom")
    lines = [(one.block, one.student, change(one.gain), _percent(one.share)) for one in found]
    about = (
        "The headroom is what the bound, which learned the scene's ground truth from exact boxes, "
        "gains over the initial model; a student saw boxes and clicks alone, or so many accepted "
        "masks. Both answer in the plain setting. No share stands where the bound's own gain is "
        "not significant."
    )
    return f"## The share of what ground truth wins\n\n{about}\n\n{grid(head, lines)}"


def _percent(share: Estimate | None) -> str:
    return "" if share is None else f"{share.mean:.0f} % [{share.low:.0f}, {share.high:.0f}]"
