"""Table 4+, ours: what the image and the user's box still tell, in training and at inference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from openscenes.study.experiments import separable
from openscenes.study.experiments.rows import BlockSpec, RowSpec, data_and_seeds, table_of
from openscenes.study.experiments.table_4 import CONTROL
from openscenes.study.pages.markdown import grid
from openscenes.study.profiles import SCENE_NAMES, Profile, Scene, User
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import (
    ACCEPTED,
    BN_ONLY,
    CAUTIOUS,
    CLIPPED_VIEWS,
    DISTILLED,
    EVIDENCE,
    KEPT,
    ON_EVIDENCE,
    OURS,
    OWN_STATISTICS,
    ROUNDS,
    Recipe,
    evolved,
    finetuned,
    initial,
)
from openscenes.study.runs.runs import find
from openscenes.study.scores.evaluation import Evaluation, score, score_seeds
from openscenes.study.scores.evidence_masks import fallen_back, fallen_back_words, mask_iou
from openscenes.study.scores.results import SCENES, Table, change
from openscenes.study.scores.statistics import estimate, images_of, paired_difference

BASELINE, PLAIN_STUDENT, BOUND = "Baseline", "+ST", "Upperbound"
VIEWS, SEEN = "clipped to the box, TTA (6 views)", "evidence masks"
ON_MASKS, KEPT_ROW = "+ST on evidence masks", "and the old data keep their weight"
ONE_ROUND, OUR_ROW = "Ours, one round", f"Ours, {ROUNDS} rounds"
_ACCEPTED = {f"One round, users accepted {100 * n:.0f} %": v for v, n in ACCEPTED.items()}
Students = Mapping[str, tuple[str, ...]]  # row -> variant of each round of evolution
_EXACT: Students = {
    CONTROL: (BN_ONLY,),
    PLAIN_STUDENT: ("st",),
    f"+ST on masks {VIEWS}": (CLIPPED_VIEWS,),
    ON_MASKS: (EVIDENCE,),
    KEPT_ROW: (KEPT,),
    ONE_ROUND: (OURS,),
    OUR_ROW: (OURS,) * ROUNDS,
    "One round, old answers are distilled": (DISTILLED,),
    "One round, each half has its BN statistics": (OWN_STATISTICS,),
    "One round, mean with clipped views": (CAUTIOUS,),
    "One round, +IPT": (ON_EVIDENCE,),
}
_USED: Students = {
    ONE_ROUND: (OURS,), **{label: (variant,) for label, variant in _ACCEPTED.items()}
}  # fmt: skip
STUDENTS: Students = {**_EXACT, **_USED}
_FEW = (CONTROL, PLAIN_STUDENT, ONE_ROUND, OUR_ROW)
_QUARTER = next(label for label, variant in _ACCEPTED.items() if ACCEPTED[variant] == 0.25)
TRAINED: dict[User, Students] = {
    "iog": _EXACT,
    "human": {one: _EXACT[one] for one in _FEW} | {_QUARTER: _USED[_QUARTER]},
}
_CORE = (CONTROL, PLAIN_STUDENT, ON_MASKS, ONE_ROUND, OUR_ROW)  # without ablations
BOXES: dict[User, str] = {"iog": "exact boxes", "human": "jittered boxes"}
ACCEPTED_TOO = "exact boxes, some masks accepted"  # ending of a block's title
_CORE_AGAIN = (BASELINE, OUR_ROW)  # also asked with evidence at inference; all with ablations


def trained(profile: Profile) -> dict[User, Students]:
    """User -> row -> variants; exact boxes and the rows of the method alone without ablations."""
    return TRAINED if profile.ablations else {"iog": {one: _EXACT[one] for one in _CORE}}


def blocks(profile: Profile) -> list[BlockSpec]:
    """A block for each scene and kind of user: inference alone, students, the bound; then what
    accepted masks add, and IPT's best chance.
    """
    own = [
        _block(scene, user, students, BOXES[user])
        for scene in SCENES
        for user, students in trained(profile).items()
    ]
    if not profile.ablations:
        return own
    used = [_block(scene, "iog", _USED, ACCEPTED_TOO) for scene in SCENES]
    return [*own, *used, *separable.blocks()]


def _block(scene: Scene, user: User, students: Students, ending: str) -> BlockSpec:
    rows = _rows(scene, user, students, views=user == "human")
    shown = {row.label for row in rows}
    claims = tuple(pair for pair in _claims(students) if set(pair) <= shown)
    return BlockSpec(f"{SCENE_NAMES[scene]}, {ending}", rows, claims)


def _models(scene: Scene, user: User, students: Students) -> dict[str, Recipe]:
    first = initial("voc+sbd", 0)
    steps = {label: evolved(first, scene, *each, user=user) for label, each in students.items()}
    return {BASELINE: first, **steps, BOUND: finetuned(first, scene)}


def _rows(scene: Scene, user: User, students: Students, *, views: bool) -> tuple[RowSpec, ...]:
    models = _models(scene, user, students)
    plain = {label: Evaluation(model, scene, user=user) for label, model in models.items()}
    first = plain.pop(BASELINE)
    other = {VIEWS: replace(first, clipped=True, tta=True)} if views else {}
    asked = {BASELINE: first, **other, SEEN: replace(first, evidence=True)}
    above = {label: ONE_ROUND for label in plain if label.startswith("One round")}
    above |= {CONTROL: BASELINE}
    above |= {BOUND: OUR_ROW} if OUR_ROW in students else {ONE_ROUND: BASELINE}
    return (
        *(RowSpec(label, one) for label, one in asked.items()),
        *(RowSpec(label, one, source=True, above=above.get(label, ""))
          for label, one in plain.items()),
    )  # fmt: skip


def _claims(students: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Other inference and students against the baseline, students against +ST and one round."""
    taught = [label for label in students if label not in (CONTROL, PLAIN_STUDENT)]
    untaught = (VIEWS, SEEN, CONTROL, PLAIN_STUDENT)
    return (
        *((label, BASELINE) for label in (*untaught, ONE_ROUND, OUR_ROW, BOUND)),
        *((label, PLAIN_STUDENT) for label in taught),
        *((label, ONE_ROUND) for label in taught if label != ONE_ROUND),
        (OUR_ROW, CONTROL),
        (BOUND, OUR_ROW),
    )


def asked_again(profile: Profile, seeds: int) -> list[Evaluation]:
    """The models that are also scored with evidence at inference."""
    users = trained(profile)
    found = (e for scene in SCENES for user in users for e in _again(profile, scene, user).values())
    return [one.with_seed(seed) for one in dict.fromkeys(found) for seed in range(seeds)]


def _again(profile: Profile, scene: Scene, user: User) -> dict[str, Evaluation]:
    models = _models(scene, user, TRAINED[user])
    labels = models if profile.ablations else _CORE_AGAIN
    return {label: Evaluation(models[label], scene, user=user, evidence=True) for label in labels}


def table(study: Study, seeds: int) -> Table:
    """Masks of evidence instead of those of the network, as labels and as answers.

    All of it is beyond the paper. The user's box and click are those that the paper asks for.
    """
    specs = blocks(study.profile)
    asked = (
        " The last four blocks ask what masks add that users accepted, and whether IPT's vote "
        "adds where F was trained for it."
        if study.profile.ablations
        else ""
    )
    caption = (
        "mIoU where pseudo masks are also cut from the image's colours and edges and weighed by "
        f"how tightly they fill the user's box, on {data_and_seeds(study, specs, seeds)}. "
        "Students and the bound are scored in the plain setting." + asked
    )
    return table_of(study, "4_plus", caption, specs, seeds)


def part(table: Table, ending: str) -> Table:
    """The blocks whose titles end so, for a figure of their own."""
    return replace(table, blocks=tuple(b for b in table.blocks if b.title.endswith(ending)))


def again_markdown(study: Study, seeds: int) -> str:
    """A section: the same models with evidence at inference, too."""
    lines, ours = [], []
    for scene in SCENES:
        for user in trained(study.profile):
            asked, boxes = _again(study.profile, scene, user), BOXES[user]
            weighed = {label: score_seeds(study, one, seeds) for label, one in asked.items()}
            images = images_of(score(study, asked[BASELINE])["object_id"])
            for label, one in asked.items():
                plain = score_seeds(study, replace(one, evidence=False), seeds)
                gain, over = (
                    paired_difference(weighed[label], other, images)
                    for other in (plain, weighed[BASELINE])
                )
                means = (f"{estimate(each).mean:.1f}" for each in (plain, weighed[label]))
                last = "" if label == BASELINE else change(over)
                lines.append((f"{SCENE_NAMES[scene]}, {boxes}", label, *means, change(gain), last))
                ours += [over] if label == OUR_ROW else []
    head = ("", "model", "plain", "with evidence", "gain of evidence", "to the baseline, both with")
    about = (
        "Any model's answer can be weighed in this way, before and after evolution. One view of "
        "the crop is asked here and six for pseudo masks, with weights learned for each initial "
        "model; `predict` and the annotator ask one view with constant ones, `FOR_PEOPLE`. With "
        f"evidence on both sides {sum(one.low > 0 for one in ours)} of {len(ours)} models of ours "
        "are better for certain than the initial one and "
        f"{sum(one.high < 0 for one in ours)} worse: the rest of what evolution wins in the "
        "plain setting the image and the box say at once."
    )
    return f"## Evidence at inference, on both sides\n\n{about}\n\n{grid(head, lines)}"


def masks_markdown(study: Study, seeds: int) -> str:
    """A section: the pseudo masks themselves, one part of evidence after the other."""
    columns = [(scene, user) for scene in SCENES for user in trained(study.profile)]
    found, steps = [], list[Recipe]()
    for scene, user in columns:
        firsts = [initial("voc+sbd", seed) for seed in range(seeds)]
        steps += [evolved(one, scene, OURS, user=user) for one in firsts]
        frames = [mask_iou(study, one, find(study, one), scene, user) for one in firsts]
        rows = list(frames[0].columns[1:])
        found.append(np.stack([frame[rows].to_numpy() for frame in frames]))
    lines = []
    for k, row in enumerate(rows):
        cells = [_masks_cell(values[..., k], values[..., 0], k) for values in found]
        lines.append((row, *cells))
    head = ("masks", *(f"{SCENE_NAMES[scene]}, {BOXES[user]}" for scene, user in columns))
    about = (
        "Mean IoU, in crops of the initial model's training objects of each scene, with the truth "
        "that no student saw; in brackets what is gained over the network's own masks. From "
        "*mean of all cuts* on each line adds one part to the line before it. "
        + fallen_back_words(fallen_back(study, steps))
    ).rstrip()
    return f"## The masks themselves\n\n{about}\n\n{grid(head, lines)}"


def _masks_cell(own: NDArray[np.float64], plain: NDArray[np.float64], row: int) -> str:
    mean = f"{estimate(own).mean:.1f}"
    return mean if row == 0 else f"{mean} ({paired_difference(own, plain).mean:+.1f})"
