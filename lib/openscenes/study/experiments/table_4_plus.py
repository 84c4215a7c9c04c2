"""Table 4+, ours: weak supervision from the same three clicks, at inference and in training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from openscenes.study.experiments.rows import BlockSpec, RowSpec, data_and_seeds, table_of
from openscenes.study.experiments.table_4 import CONTROL
from openscenes.study.pages.markdown import grid
from openscenes.study.profiles import SCENE_NAMES, Profile, Scene, User
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import ALL_BEYOND, BN_ONLY, LITERAL_IPT, evolved, initial
from openscenes.study.scores.continual import Means, Values, bootstrap
from openscenes.study.scores.evaluation import Evaluation
from openscenes.study.scores.results import SCENES, Block, Table, change
from openscenes.study.scores.statistics import Estimate

BASELINE, PLAIN_STUDENT = "Baseline", "+ST"
CLIPPED, TTA = "clipped to the box", "TTA (6 views)"
BOTH = f"{CLIPPED}, {TTA}"
INFERENCE = {  # row -> whether its masks are clipped, whether they are averaged over views
    BASELINE: (False, False), CLIPPED: (True, False), TTA: (False, True), BOTH: (True, True),
}  # fmt: skip
# Variant -> the row of the inference setting that its student's pseudo masks were made with.
TEACHERS = {"clipped to the box": CLIPPED, "TTA": TTA, ALL_BEYOND: BOTH}
BN_FIRST, PRINTED = "+ST, BN re-estimation first", "+ST, IPT as printed"
# Row -> the steps of evolution behind it.
_EXACT: dict[str, tuple[str, ...]] = {
    CONTROL: (BN_ONLY,),
    PLAIN_STUDENT: ("st",),
    BN_FIRST: (BN_ONLY, "st"),
    "+ST, masks clipped to the box": ("clipped to the box",),
    "+ST, masks with TTA (6 views)": ("TTA",),
    "+ST, IPT as a sum with the coarse probability": ("st+ipt",),
    PRINTED: (LITERAL_IPT,),
    "+ST, box-projection and point losses": ("box-projection and point losses",),
    "+ST, EMA teacher": ("EMA teacher",),
    "+ST +FA, clipped, TTA, box and point losses": (ALL_BEYOND,),
}
# Every option with both kinds of boxes; what is none of them with exact ones alone.
_JITTERED = {row: steps for row, steps in _EXACT.items() if row not in (BN_FIRST, PRINTED)}
TRAINED: dict[User, dict[str, tuple[str, ...]]] = {"iog": _EXACT, "human": _JITTERED}
BOXES: dict[User, str] = {"iog": "exact boxes", "human": "jittered boxes"}
ALL_ROW = list(_EXACT)[-1]


def blocks(_profile: Profile) -> list[BlockSpec]:
    """A block for each scene and kind of user.

    Below the rows without training stand the students; those whose predictions are clipped to
    the box, too, show what is left of the gain once both teacher and student use it.
    """
    return [
        BlockSpec(f"{SCENE_NAMES[scene]}, {BOXES[user]}", _rows(scene, user), _claims(user))
        for scene in SCENES
        for user in BOXES
    ]


def _rows(scene: Scene, user: User) -> tuple[RowSpec, ...]:
    first = initial("voc+sbd", 0)
    untrained = [
        RowSpec(label, Evaluation(first, scene, "masks", user, clipped, tta))
        for label, (clipped, tta) in INFERENCE.items()
    ]
    models = {
        label: Evaluation(evolved(first, scene, *steps, user=user), scene, user=user)
        for label, steps in TRAINED[user].items()
    }
    trained = [RowSpec(label, model, source=True) for label, model in models.items()]
    clipped = [
        RowSpec(f"{label}; {CLIPPED}", replace(models[label], clipped=True), source=True)
        for label in (CONTROL, PLAIN_STUDENT, ALL_ROW)
    ]
    return (*untrained, *trained, *clipped)


def _claims(user: User) -> tuple[tuple[str, str], ...]:
    """Other inference against the baseline, other training against plain +ST.

    What was learned is also compared with the control, which learns nothing.
    """
    taught = [label for label in TRAINED[user] if label not in (CONTROL, PLAIN_STUDENT)]
    alike = [f"{label}; {CLIPPED}" for label in (CONTROL, PLAIN_STUDENT, ALL_ROW)]
    return (
        *((label, BASELINE) for label in (CLIPPED, TTA, BOTH, CONTROL, PLAIN_STUDENT)),
        *((label, PLAIN_STUDENT) for label in taught),
        *((label, CONTROL) for label in (PLAIN_STUDENT, *taught)),
        *((label, CLIPPED) for label in alike),
        (alike[2], alike[1]),
        (alike[2], alike[0]),
    )


def table(study: Study, seeds: int) -> Table:
    """Weak supervision: no object outside the box, some at each side, the same in every view.

    All of it is beyond the paper. A first step that only re-estimates the BN statistics gives
    the second a better teacher.
    """
    specs = blocks(study.profile)
    caption = (
        f"mIoU with what box and click still tell, on {data_and_seeds(study, specs, seeds)}. "
        "Students are scored in the plain inference setting, unless the row says otherwise."
    )
    return table_of(study, "4_plus", caption, specs, seeds)


@dataclass(frozen=True)
class Transfer:
    """One student beside the teacher, the initial model in another inference setting.

    Attributes:
        block: title of the block.
        student, teacher: their rows.
        teacher_gain: the teacher over the same model's plain masks, in points.
        student_gain: the student's plain masks over the initial model's, in points.
        beyond_plain: over the student of plain pseudo masks, in points.
        share: student gain by teacher gain, in %; None where the teacher's gain is not
            significant, since nothing can then be shared.
    """

    block: str
    student: str
    teacher: str
    teacher_gain: Estimate
    student_gain: Estimate
    beyond_plain: Estimate
    share: Estimate | None


def transfers(table: Table) -> list[Transfer]:
    """Every student of Table 4+ that learned from another inference setting than the plain one.

    Measured on the validation set, so that the teacher's masks stand for those that it gave on
    the training images, whose ground truth is withheld.
    """
    students = {steps[0]: label for label, steps in TRAINED["iog"].items() if len(steps) == 1}
    pairs = [(students[variant], teacher) for variant, teacher in TEACHERS.items()]
    return [_transfer(table, block, *pair) for block in table.blocks for pair in pairs]


def _transfer(table: Table, block: Block, student: str, teacher: str) -> Transfer:
    rows = (BASELINE, PLAIN_STUDENT, teacher, student)
    gain = partial(_gain, title=block.title)
    found = bootstrap(
        {(row, block.title): table.scores(block.title, row) for row in rows},
        {
            "teacher": partial(gain, row=teacher, over=BASELINE),
            "student": partial(gain, row=student, over=BASELINE),
            "plain": partial(gain, row=student, over=PLAIN_STUDENT),
            "share": partial(_share, title=block.title, student=student, teacher=teacher),
        },
    )
    # One share over all runs has no spread over them.
    share = replace(found["share"], std=float("nan")) if found["teacher"].low > 0 else None
    gains = found["teacher"], found["student"], found["plain"]
    return Transfer(block.title, student, teacher, *gains, share)


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
    head = ("", "student", "teacher's gain", "student's gain", "share", "over plain +ST")
    lines = [
        (
            one.block, one.student, change(one.teacher_gain), change(one.student_gain),
            _percent(one.share), change(one.beyond_plain),
        )
        for one in found
    ]  # fmt: skip
    n_told = sum(one.share is not None for one in found)
    about = (
        "The teacher is the model before the step in another inference setting; its student "
        "learned from masks made in that setting and is scored in the plain one. Gains are over "
        f"the model before the step, on the validation set. A share stands in {n_told} of "
        f"{len(found)} lines: in the others the teacher's own gain is not significant. "
        "Self-training gains without a better teacher, too, so that the last column tells what "
        "the better masks alone gave."
    )
    return f"## How much of the teacher reaches the student\n\n{about}\n\n{grid(head, lines)}"


def _percent(share: Estimate | None) -> str:
    return "" if share is None else f"{share.mean:.0f} % [{share.low:.0f}, {share.high:.0f}]"
