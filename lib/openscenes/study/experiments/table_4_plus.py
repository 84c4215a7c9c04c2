"""Table 4+, ours: what the same three clicks still tell, at inference and in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from openscenes.errors import InputError
from openscenes.study.experiments.rows import Line, Plan, in_words, table_of
from openscenes.study.pages.markdown import grid
from openscenes.study.profiles import SCENE_NAMES, Profile, Scene
from openscenes.study.runs.data import SOURCE, Study, User
from openscenes.study.runs.recipes import (
    ALL_BEYOND,
    BN_ONLY,
    LITERAL_IPT,
    Recipe,
    evolved,
    initial,
)
from openscenes.study.scores.continual import Means, Values, bootstrap
from openscenes.study.scores.evaluation import Evaluation
from openscenes.study.scores.results import SCENES, Block, Table, change
from openscenes.study.scores.statistics import Estimate

BASELINE, PLAIN_STUDENT = "Baseline", "+ST"
# What a student learned from is a reading of the model before it: variant -> the reading's row.
TEACHERS = {
    "clipped to the box": "answer in the box", "TTA": "answer from six views", ALL_BEYOND: "both",
}  # fmt: skip


@dataclass(frozen=True)
class Transfer:
    """One student beside the reading of the old model that made its pseudo masks.

    Attributes:
        block: title of the block.
        student: the student's row.
        teacher: the row of the reading.
        teacher_gain: the reading over the old model's plain answer, in points.
        student_gain: the student's plain answer over the old model's, in points.
        beyond_plain: over the student of plain pseudo masks, in points.
        share: student gain by teacher gain, in %; None where the teacher's gain cannot be told
            from none, since nothing can then be shared.
    """

    block: str
    student: str
    teacher: str
    teacher_gain: Estimate
    student_gain: Estimate
    beyond_plain: Estimate
    share: Estimate | None


def transfers(table: Table) -> list[Transfer]:
    """Every student of Table 4+ that learned from another reading than the plain one.

    Ours: measured on the validation set, so that the teacher's masks stand for those that it gave
    on the training images, whose truth nobody may look at.

    Raises:
        InputError: if a block lacks a row.
    """
    students = {steps[0]: label for label, steps in TRAINED["iog"].items() if len(steps) == 1}
    pairs = [(students[variant], teacher) for variant, teacher in TEACHERS.items()]
    return [_transfer(table, block, *pair) for block in table.blocks for pair in pairs]


def _transfer(table: Table, block: Block, student: str, teacher: str) -> Transfer:
    rows = (BASELINE, PLAIN_STUDENT, teacher, student)
    scores = {(row, block.title): _scores(table.objects, block.title, row) for row in rows}
    found = bootstrap(
        scores,
        {
            "teacher": partial(_gain, title=block.title, row=teacher, over=BASELINE),
            "student": partial(_gain, title=block.title, row=student, over=BASELINE),
            "plain": partial(_gain, title=block.title, row=student, over=PLAIN_STUDENT),
            "share": partial(_share, title=block.title, student=student, teacher=teacher),
        },
    )
    tells = found["teacher"].low > 0
    # One share over all runs has no spread over them.
    share = replace(found["share"], std=float("nan")) if tells else None
    gains = found["teacher"], found["student"], found["plain"]
    return Transfer(block.title, student, teacher, *gains, share)


def _scores(objects: pd.DataFrame, block: str, row: str) -> Values:
    """(n_seeds, n_objects) IoU of one row."""
    mine = objects[(objects["block"] == block) & (objects["row"] == row)]
    if mine.empty:
        raise InputError(f'block "{block}" has no row "{row}"; give the table of experiment 4_plus')
    return mine.pivot(index="seed", columns="object_id", values="iou").to_numpy(dtype=np.float64)


def _gain(means: Means, *, title: str, row: str, over: str) -> Values:
    return means[row, title] - means[over, title]


def _share(means: Means, *, title: str, student: str, teacher: str) -> Values:
    """In %, one ratio of mean gains for all runs: a mean of ratios would follow its worst one."""
    learned = _gain(means, title=title, row=student, over=BASELINE)
    taught = _gain(means, title=title, row=teacher, over=BASELINE)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 100.0 * learned.mean(-1, keepdims=True) / taught.mean(-1, keepdims=True)
    return np.broadcast_to(ratio, learned.shape)


def transfer_markdown(found: Sequence[Transfer]) -> str:
    """A section for below the table: teacher's gain, student's gain and the share."""
    head = ["", "student", "teacher's gain", "student's gain", "share", "over plain +ST"]
    lines = [
        (
            one.block, one.student, change(one.teacher_gain), change(one.student_gain),
            _percent(one.share), change(one.beyond_plain),
        )
        for one in found
    ]  # fmt: skip
    told = [one for one in found if one.share is not None]
    about = (
        "The teacher is the model before the step, read in another way; its student learned from "
        "masks read in that way and is asked plainly. Gains are over the model before the step, "
        f"on the validation set. A share stands in {len(told)} of {len(found)} lines: in the "
        "others it is not sure that the teacher gains at all. Self-training gains without a "
        "better teacher, too, so that the last column tells what the better masks alone gave."
    )
    title = "## How much of the teacher reaches the student"
    return f"{title}\n\n{about}\n\n{grid(head, lines)}"


def _percent(share: Estimate | None) -> str:
    return "" if share is None else f"{share.mean:.0f} % [{share.low:.0f}, {share.high:.0f}]"


BOXED = "answer in the box"
RENEWED_FIRST = "+ST, statistics renewed first"
ASKED_ONLY = {
    "Baseline": (False, False),
    BOXED: (True, False),
    "answer from six views": (False, True),
    "both": (True, True),
}
PRINTED = "+ST, IPT as printed"
# Row -> the steps of evolution behind it.
_EXACT: dict[str, tuple[str, ...]] = {
    BN_ONLY: (BN_ONLY,),
    "+ST": ("st",),
    RENEWED_FIRST: (BN_ONLY, "st"),
    "+ST, masks in the box": ("clipped to the box",),
    "+ST, masks from six views": ("TTA",),
    "+ST, IPT as a sum with the coarse probability": ("st+ipt",),
    PRINTED: (LITERAL_IPT,),
    "+ST, sides and click": ("box-projection and point losses",),
    "+ST, moving average labels": ("EMA teacher",),
    "+ST, box, views, sides and click, +FA": (ALL_BEYOND,),
}
# Ours: every option with both kinds of boxes; what is none of them with exact ones alone.
_JITTERED = {row: steps for row, steps in _EXACT.items() if row not in (RENEWED_FIRST, PRINTED)}
TRAINED: dict[User, dict[str, tuple[str, ...]]] = {"iog": _EXACT, "human": _JITTERED}
BOXES: dict[User, str] = {"iog": "exact boxes", "human": "jittered boxes"}


def plans(_profile: Profile) -> list[Plan]:
    """A block for each scene and kind of user.

    Ours: below the rows of the study without training stand the students; those asked in the box,
    too, show what is left of the gain once both teacher and student use it.
    """
    return [
        Plan(f"{SCENE_NAMES[scene]}, {BOXES[user]}", _lines(scene, user), _claims(user))
        for scene in SCENES
        for user in BOXES
    ]


def _claims(user: User) -> tuple[tuple[str, str], ...]:
    """Asking differently against the baseline, learning differently against plain +ST.

    What was learned is also held against the control, which learns nothing.
    """
    taught = [label for label in TRAINED[user] if label not in (BN_ONLY, "+ST")]
    together = taught[-1]
    return (
        *((label, "Baseline") for label in (*ASKED_ONLY, BN_ONLY, "+ST") if label != "Baseline"),
        *((label, "+ST") for label in taught),
        *((label, BN_ONLY) for label in ("+ST", *taught)),
        *((f"{label}; {BOXED}", BOXED) for label in (BN_ONLY, "+ST", together)),
        (f"{together}; {BOXED}", f"+ST; {BOXED}"),
        (f"{together}; {BOXED}", f"{BN_ONLY}; {BOXED}"),
    )


def _lines(scene: Scene, user: User) -> tuple[Line, ...]:
    asked = [
        _line(label, scene, user, (), clipped, views)
        for label, (clipped, views) in ASKED_ONLY.items()
    ]
    trained = [
        _line(label, scene, user, steps, False, False) for label, steps in TRAINED[user].items()
    ]
    boxed = [
        _line(f"{label}; {BOXED}", scene, user, steps, True, False)
        for label, steps in TRAINED[user].items()
        if steps in ((BN_ONLY,), ("st",), (ALL_BEYOND,))
    ]
    return (*asked, *trained, *boxed)


def _line(
    label: str, scene: Scene, user: User, steps: tuple[str, ...], clipped: bool, views: bool
) -> Line:
    def recipe(seed: int) -> Recipe:
        return evolved(initial("voc+sbd", seed), scene, *steps, user=user)

    return Line(
        label,
        lambda seed: Evaluation(recipe(seed), scene, "masks", user, clipped, views),
        (lambda seed: Evaluation(recipe(seed), SOURCE)) if steps else None,
    )


def table(study: Study, seeds: int) -> Table:
    """Free knowledge: outside the box nothing, at each side something, the same in every view.

    Ours: all of it; the paper leaves it unused.  A first step that only renews the statistics of
    the normalisations gives the second a better teacher.
    """
    caption = (
        f"mIoU with what box and click still tell, on {in_words(study, seeds)}. "
        "Students are asked plainly, unless the row says otherwise."
    )
    return table_of(study, "4_plus", caption, plans(study.profile), seeds)
