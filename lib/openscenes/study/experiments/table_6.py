"""Table 6: how much ground truth the initial model needs."""

from openscenes.errors import InputError
from openscenes.study.experiments.rows import BlockSpec, data_and_seeds, table_of
from openscenes.study.experiments.table_4 import row
from openscenes.study.pages.markdown import grid
from openscenes.study.profiles import SCENE_NAMES, InitialSet, Profile
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import FULL
from openscenes.study.scores.results import SCENES, Block, Row, Table, change
from openscenes.study.scores.statistics import paired_difference

ROWS = {"Baseline": "", "+ST": "st", "+ST +IPT +FA": FULL}
SETS: tuple[InitialSet, ...] = ("voc", "voc+sbd")


def blocks(_profile: Profile) -> list[BlockSpec]:
    """A block for each scene and initial set."""
    return [
        BlockSpec(
            f"{SCENE_NAMES[scene]}, initial model on {initial_set.upper()}",
            tuple(row(label, initial_set, scene, variant) for label, variant in ROWS.items()),
            (("+ST", "Baseline"), ("+ST +IPT +FA", "Baseline"), ("+ST +IPT +FA", "+ST")),
        )
        for scene in SCENES
        for initial_set in SETS
    ]


def table(study: Study, seeds: int) -> Table:
    """Initial models on VOC and on VOC+SBD.

    Paper: Table 6.
    """
    specs = blocks(study.profile)
    caption = f"mIoU by what the initial model learned, on {data_and_seeds(study, specs, seeds)}."
    return table_of(study, "6", caption, specs, seeds)


def gap_markdown(table: Table) -> str:
    """How far the model of the smaller initial set stays behind, before and after evolution.

    Paper: Sec. 4.3.2 says that the gap is reduced to a comparable situation; Table 6 shows both
    columns. Here stands the difference itself, paired over the same objects and seeds.
    """
    lines = []
    for scene in SCENE_NAMES.values():
        smaller, larger = _pair(table, scene)
        for few, many in zip(smaller.rows, larger.rows, strict=True):
            with_many = table.scores(larger.title, many.label)
            with_few, images = table.scores(smaller.title, few.label), table.images(larger.title)
            ours = paired_difference(with_many, with_few, images)
            lines.append((scene, few.label, _published(few, many), change(ours)))
    about = (
        "The same row with the larger initial set, less that with the smaller one, in points of "
        "mIoU; brackets hold the 95 % bootstrap interval."
    )
    gaps = grid(("", "row", "gap, paper", "gap, ours"), lines)
    return f"## What more ground truth is worth\n\n{about}\n\n{gaps}"


def _pair(table: Table, scene: str) -> tuple[Block, Block]:
    """A scene's blocks, the smaller initial set first, as the table has them."""
    found = [block for block in table.blocks if block.title.startswith(scene)]
    if len(found) != 2:
        raise InputError(
            f"a gap needs two blocks of {scene}, got {len(found)}; give the table of experiment 6"
        )
    return found[0], found[1]


def _published(few: Row, many: Row) -> str:
    return "" if few.paper is None or many.paper is None else f"{many.paper - few.paper:+.1f}"
