"""Table 4+, ours: what the same three clicks still tell, at inference and in training."""

from __future__ import annotations

from openscenes.study.experiments.lines import Line, Plan, in_words, table_of
from openscenes.study.material import SOURCE, Study, User
from openscenes.study.profiles import SCENE_NAMES, Profile, Scene
from openscenes.study.questions import Question
from openscenes.study.recipes import LITERAL_IPT, STATISTICS, TOGETHER, Recipe, evolved, initial
from openscenes.study.tables import SCENES, Table

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
    STATISTICS: (STATISTICS,),
    "+ST": ("st",),
    RENEWED_FIRST: (STATISTICS, "st"),
    "+ST, masks in the box": ("confined",),
    "+ST, masks from six views": ("six views",),
    "+ST, IPT as a sum with the coarse probability": ("st+ipt",),
    PRINTED: (LITERAL_IPT,),
    "+ST, sides and click": ("side and click losses",),
    "+ST, moving average labels": ("average",),
    "+ST, box, views, sides and click, +FA": (TOGETHER,),
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
    taught = [label for label in TRAINED[user] if label not in (STATISTICS, "+ST")]
    together = taught[-1]
    return (
        *((label, "Baseline") for label in (*ASKED_ONLY, STATISTICS, "+ST") if label != "Baseline"),
        *((label, "+ST") for label in taught),
        *((label, STATISTICS) for label in ("+ST", *taught)),
        *((f"{label}; {BOXED}", BOXED) for label in (STATISTICS, "+ST", together)),
        (f"{together}; {BOXED}", f"+ST; {BOXED}"),
        (f"{together}; {BOXED}", f"{STATISTICS}; {BOXED}"),
    )


def _lines(scene: Scene, user: User) -> tuple[Line, ...]:
    asked = [
        _line(label, scene, user, (), confined, views)
        for label, (confined, views) in ASKED_ONLY.items()
    ]
    trained = [
        _line(label, scene, user, steps, False, False) for label, steps in TRAINED[user].items()
    ]
    boxed = [
        _line(f"{label}; {BOXED}", scene, user, steps, True, False)
        for label, steps in TRAINED[user].items()
        if steps in ((STATISTICS,), ("st",), (TOGETHER,))
    ]
    return (*asked, *trained, *boxed)


def _line(
    label: str, scene: Scene, user: User, steps: tuple[str, ...], confined: bool, views: bool
) -> Line:
    def recipe(seed: int) -> Recipe:
        return evolved(initial("voc+sbd", seed), scene, *steps, user=user)

    return Line(
        label,
        lambda seed: Question(recipe(seed), scene, "masks", user, confined, views),
        (lambda seed: Question(recipe(seed), SOURCE)) if steps else None,
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
