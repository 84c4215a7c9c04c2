"""Table 4+, ours: what the same three clicks still tell, at inference and in training."""

from __future__ import annotations

from openscenes.study.experiments.lines import Line, Plan, in_words, table_of
from openscenes.study.material import SOURCE, Study, User
from openscenes.study.profiles import SCENE_NAMES, Profile, Scene
from openscenes.study.questions import Question
from openscenes.study.recipes import LITERAL_IPT, TOGETHER, Recipe, evolved, initial
from openscenes.study.tables import SCENES, Table

BOXED = "answer in the box"
ASKED_ONLY = {
    "Baseline": (False, False),
    BOXED: (True, False),
    "answer from six views": (False, True),
    "both": (True, True),
}
TRAINED: dict[User, dict[str, str]] = {
    "iog": {
        "+ST": "st",
        "+ST, masks in the box": "confined",
        "+ST, masks from six views": "six views",
        "+ST, IPT as a sum with the coarse probability": "st+ipt",
        "+ST, IPT as printed": LITERAL_IPT,
        "+ST, sides and click": "side and click losses",
        "+ST, moving average labels": "average",
        "+ST, box, views, sides and click, +FA": TOGETHER,
    },
    "human": {
        "+ST": "st",
        "+ST, masks in the box": "confined",
        "+ST, masks from six views": "six views",
        "+ST, box, views, sides and click, +FA": TOGETHER,
    },
}
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
    """Asking differently against the baseline, learning differently against plain +ST."""
    taught = [label for label in TRAINED[user] if label != "+ST"]
    together = taught[-1]
    return (
        *((label, "Baseline") for label in (*ASKED_ONLY, "+ST") if label != "Baseline"),
        *((label, "+ST") for label in taught),
        (f"+ST; {BOXED}", BOXED),
        (f"{together}; {BOXED}", BOXED),
        (f"{together}; {BOXED}", f"+ST; {BOXED}"),
    )


def _lines(scene: Scene, user: User) -> tuple[Line, ...]:
    asked = [
        _line(label, scene, user, "", confined, views)
        for label, (confined, views) in ASKED_ONLY.items()
    ]
    trained = [
        _line(label, scene, user, variant, False, False) for label, variant in TRAINED[user].items()
    ]
    boxed = [
        _line(f"{label}; {BOXED}", scene, user, variant, True, False)
        for label, variant in TRAINED[user].items()
        if variant in ("st", TOGETHER)
    ]
    return (*asked, *trained, *boxed)


def _line(label: str, scene: Scene, user: User, variant: str, confined: bool, views: bool) -> Line:
    def recipe(seed: int) -> Recipe:
        first = initial("voc+sbd", seed)
        return evolved(first, scene, variant, user=user) if variant else first

    return Line(
        label,
        lambda seed: Question(recipe(seed), scene, "masks", user, confined, views),
        (lambda seed: Question(recipe(seed), SOURCE)) if variant else None,
    )


def table(study: Study, seeds: int) -> Table:
    """Free knowledge: outside the box nothing, at each side something, the same in every view.

    Ours: all of it; the paper leaves it unused.
    """
    caption = (
        f"mIoU with what box and click still tell, on {in_words(study, seeds)}. "
        "Students are asked plainly, unless the row says otherwise."
    )
    return table_of(study, "4_plus", caption, plans(study.profile), seeds)
