"""Table 4: self-training, IPT, feature alignment, both, and the bound of ground truth."""

from __future__ import annotations

from openscenes.study.experiments.rows import Line, Plan, asks, in_words, table_of
from openscenes.study.profiles import SCENE_NAMES, InitialSet, Profile, Scene
from openscenes.study.runs.data import SOURCE, Study
from openscenes.study.runs.recipes import BN_ONLY, FULL, Recipe, evolved, finetuned, initial
from openscenes.study.scores.results import SCENES, Table

ROWS = {
    "Baseline": "",
    BN_ONLY: BN_ONLY,
    "+ST": "st",
    "+ST +IPT": "st+ipt",
    "+ST +FA": "st+fa",
    "+ST +IPT +FA": FULL,
    "Upperbound": "ground truth",
}
CLAIMS = (
    ("+ST", "Baseline"), ("+ST +IPT", "Baseline"), ("+ST +FA", "Baseline"),
    ("+ST +IPT +FA", "Baseline"), ("+ST +IPT", "+ST"), ("+ST +FA", "+ST"),
    ("+ST +IPT +FA", "+ST"), ("+ST +IPT +FA", "+ST +IPT"), ("+ST +IPT +FA", "+ST +FA"),
    ("Upperbound", "+ST +IPT +FA"), (BN_ONLY, "Baseline"), ("+ST", BN_ONLY),
    ("+ST +IPT +FA", BN_ONLY), ("Upperbound", BN_ONLY),
)  # fmt: skip


def after(initial_set: InitialSet, scene: Scene, variant: str, seed: int) -> Recipe:
    """The model of a row: before evolution, after it, or after ground truth."""
    first = initial(initial_set, seed)
    if not variant:
        return first
    if variant == "ground truth":
        return finetuned(first, scene)
    return evolved(first, scene, variant)


def line(initial_set: InitialSet, scene: Scene, label: str, variant: str) -> Line:
    """A row that also says what is left on the source's validation set."""
    return Line(
        label,
        asks(lambda seed: after(initial_set, scene, variant, seed), scene),
        asks(lambda seed: after(initial_set, scene, variant, seed), SOURCE),
        f"{scene} {initial_set}",
    )


def plans(profile: Profile) -> list[Plan]:
    """A block for each initial set that Table 4 is made for, and each scene."""
    return [
        Plan(
            f"{SCENE_NAMES[scene]}, initial model on {initial_set.upper()}",
            tuple(line(initial_set, scene, label, variant) for label, variant in ROWS.items()),
            CLAIMS,
        )
        for initial_set in profile.initial_sets
        for scene in SCENES
    ]


def table(study: Study, seeds: int) -> Table:
    """Module by module.

    Paper: Table 4.  Ours: beside each row also the source's validation set, which shows what is
    forgotten; and a control, for +ST also renews the statistics of the heads' normalisations.
    """
    caption = f"mIoU after one step of evolution on {in_words(study, seeds)}."
    return table_of(study, "4", caption, plans(study.profile), seeds)
