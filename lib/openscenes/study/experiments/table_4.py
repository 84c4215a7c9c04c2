"""Table 4: self-training, IPT, feature alignment, both, and the bound of ground truth."""

from dataclasses import replace

from openscenes.study.experiments.known import known_note
from openscenes.study.experiments.rows import BlockSpec, RowSpec, data_and_seeds, table_of
from openscenes.study.profiles import SCENE_NAMES, InitialSet, Profile, Scene
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import BN_ONLY, FULL, Recipe, evolved, finetuned, initial
from openscenes.study.scores.evaluation import Evaluation
from openscenes.study.scores.results import SCENES, Table

CONTROL = f"{BN_ONLY} (control)"
ROWS = {
    "Baseline": "",
    CONTROL: BN_ONLY,
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
    ("Upperbound", "+ST +IPT +FA"), (CONTROL, "Baseline"), ("+ST", CONTROL),
    ("+ST +IPT +FA", CONTROL), ("Upperbound", CONTROL),
)  # fmt: skip


def after(initial_set: InitialSet, scene: Scene, variant: str, seed: int) -> Recipe:
    """The model of a row: before evolution, after it, or after ground truth."""
    first = initial(initial_set, seed)
    if not variant:
        return first
    if variant == "ground truth":
        return finetuned(first, scene)
    return evolved(first, scene, variant)


def row(
    label: str, initial_set: InitialSet, scene: Scene, variant: str, column: str = ""
) -> RowSpec:
    """A row that also says what is left on the source's validation set."""
    scored = Evaluation(after(initial_set, scene, variant, 0), scene)
    return RowSpec(label, scored, source=True, column=column or f"{scene} {initial_set}")


def blocks(profile: Profile) -> list[BlockSpec]:
    """A block for each initial set that Table 4 is made for, and each scene."""
    return [
        BlockSpec(
            f"{SCENE_NAMES[scene]}, initial model on {initial_set.upper()}",
            tuple(row(label, initial_set, scene, variant) for label, variant in ROWS.items()),
            CLAIMS,
        )
        for initial_set in profile.initial_sets
        for scene in SCENES
    ]


def table(study: Study, seeds: int) -> Table:
    """Module by module.

    Paper: Table 4; beside each row also the source's validation set, which shows what is
    forgotten, and a control, since +ST also re-estimates the BN statistics of the heads.
    """
    specs = blocks(study.profile)
    caption = f"mIoU after one step of evolution on {data_and_seeds(study, specs, seeds)}."
    made = table_of(study, "4", caption, specs, seeds)
    return replace(made, notes=(known_note(study, specs, seeds),))
