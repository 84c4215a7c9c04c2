"""The paper's tables, computed: which models, which scores, which paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from openscenes.method.ipt import IPTConfig
from openscenes.method.pseudo import Feature
from openscenes.paths import PROJECT
from openscenes.study.evaluation import IPTVariant, ipt_iou, object_iou
from openscenes.study.material import SOURCE, Study, validation
from openscenes.study.profiles import SCENE_NAMES, InitialSet, Scene
from openscenes.study.runs import Model, Variant, evolved_model, initial_model
from openscenes.study.statistics import Estimate, estimate, paired_difference

PAPER_VALUES = PROJECT / "tests" / "paper_values.csv"
N_PAPER_ROWS = 6  # in Tables 3 and 4 alike; rows below them are readings of the sixth
SCENES: tuple[Scene, ...] = ("cityscapes", "coco")
Scores = NDArray[np.float64]  # (n_seeds, n_objects) IoU in 0-1

TABLE_4_ROWS: dict[str, Variant | None] = {
    "Baseline": None,
    "+ST": "st",
    "+ST +IPT": "st+ipt",
    "+ST +FA": "st+fa",
    "+ST +IPT +FA": "st+ipt+fa",
    "Upperbound": "upper bound",
}


@dataclass(frozen=True)
class Row:
    """One row of one block.

    Attributes:
        label: the paper's words.
        paper: the paper's mIoU in points, None where it has none.
        ours: our mIoU.
        to_above, to_first: paired differences to the row above (for readings below the paper's
            rows: to the last of these) and to the first row.
        source: mIoU on the source's validation set, where the row is a model.
    """

    label: str
    paper: float | None
    ours: Estimate
    to_above: Estimate | None
    to_first: Estimate | None
    source: Estimate | None = None


@dataclass(frozen=True)
class Block:
    """One column of the paper's table with everything that belongs beside it."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A table of the paper beside ours, with the scores of every object behind it.

    Attributes:
        number: in the paper.
        caption: what is measured, on what, with how many seeds.
        blocks: one for each scene and initial set.
        objects: long per-object table: block, row, seed, object_id, class_name, area, iou.
        models: every model behind a number.
        like_the_paper: whether data and network are the paper's.
    """

    number: int
    caption: str
    blocks: tuple[Block, ...]
    objects: pd.DataFrame
    models: tuple[Model, ...]
    like_the_paper: bool = False

    def block(self, word: str) -> Block:
        """The first block whose title holds a word."""
        return next(block for block in self.blocks if word in block.title)


def table_3_variants(profile_ipt: IPTConfig, feature: Feature) -> dict[str, IPTVariant]:
    """Rows of Table 3, then readings that it leaves open, then what Table 4 uses.

    Paper: Table 3, Sec. 4.3.1.
    Ours: the last row of the paper leaves Center unticked although merging needs it: a misprint.
    """
    literal = IPTConfig()
    summed = replace(literal, fusion="weighted_sum")
    outside = replace(literal, background="outside_coarse")
    soft = replace(literal, vote="weighted_sum")
    both = replace(outside, vote="weighted_sum")
    return {
        "global": IPTVariant("layer4", replace(summed, prototypes=("global",))),
        "center": IPTVariant("layer4", replace(summed, prototypes=("center",))),
        "edge": IPTVariant("layer4", replace(summed, prototypes=("edge",))),
        "all three": IPTVariant("layer4", summed),
        "merge and vote": IPTVariant("layer4", literal),
        "F from the decoder": IPTVariant("decoder", literal),
        "c̄ outside the coarse mask": IPTVariant("layer4", outside),
        "soft vote": IPTVariant("layer4", soft),
        "decoder, c̄ outside": IPTVariant("decoder", outside),
        "decoder, c̄ outside, soft vote": IPTVariant("decoder", both),
        "decoder, c̄ outside, weighted sum": IPTVariant(
            "decoder", replace(outside, fusion="weighted_sum")
        ),
        "as in Table 4 here": IPTVariant(feature, profile_ipt),
    }


def table_3(study: Study, seeds: int) -> Table:
    """Each prototype alone, all three, merge and vote: mIoU of pseudo masks.

    Paper: Table 3.  Ours: as post-processing on validation objects, on both new scenes; the
    paper has Cityscapes only.
    """
    initial_set = study.profile.initial_sets[0]
    variants = table_3_variants(study.profile.ipt, study.profile.inference.feature)
    models = [initial_model(study, initial_set, seed) for seed in range(seeds)]
    blocks, frames = [], []
    for scene in SCENES:
        labelled = validation(study, scene)
        scored = [ipt_iou(study, model, labelled, variants) for model in models]
        scores = {"coarse mask": np.stack([frame["iou"] for frame in scored])}
        scores |= {name: np.stack([frame[name] for frame in scored]) for name in variants}
        title = f"{SCENE_NAMES[scene]}, initial model on {initial_set.upper()}"
        blocks.append(Block(title, _rows(3, scene, scores, {})))
        frames.append(_long(title, scores, scored[0]))
    caption = f"Pseudo mask mIoU on {study.profile.data}, {_seeds(seeds)}."
    return Table(3, caption, tuple(blocks), pd.concat(frames), tuple(models), _is_paper(study))


def table_4(study: Study, seeds: int) -> Table:
    """Self-training, IPT, feature alignment, both, and the bound of ground truth.

    Paper: Table 4.  Ours: beside each row also the source's validation set, which shows what is
    forgotten, and a block for each initial set of the profile.
    """
    blocks, frames, models = [], [], []
    for initial_set in study.profile.initial_sets:
        for scene in SCENES:
            block, frame, used = _table_4_block(study, scene, initial_set, seeds)
            blocks.append(block)
            frames.append(frame)
            models += used
    caption = f"mIoU after one step of evolution on {study.profile.data}, {_seeds(seeds)}."
    unique = {model.digest: model for model in models}
    used_models = tuple(unique.values())
    return Table(4, caption, tuple(blocks), pd.concat(frames), used_models, _is_paper(study))


def _table_4_block(
    study: Study, scene: Scene, initial_set: InitialSet, seeds: int
) -> tuple[Block, pd.DataFrame, list[Model]]:
    target, home = validation(study, scene), validation(study, SOURCE)
    scores: dict[str, Scores] = {}
    sources: dict[str, Scores] = {}
    models: list[Model] = []
    for label, variant in TABLE_4_ROWS.items():
        row = [
            initial_model(study, initial_set, seed)
            if variant is None
            else evolved_model(study, initial_set, scene, variant, seed)
            for seed in range(seeds)
        ]
        scored = [object_iou(study, model, target) for model in row]
        scores[label] = np.stack([frame["iou"] for frame in scored])
        sources[label] = np.stack([object_iou(study, model, home)["iou"] for model in row])
        models += row
    title = f"{SCENE_NAMES[scene]}, initial model on {initial_set.upper()}"
    rows = _rows(4, f"{scene} {initial_set}", scores, sources)
    return Block(title, rows), _long(title, scores, scored[0]), models


def _rows(
    number: int, column: str, scores: Mapping[str, Scores], sources: Mapping[str, Scores]
) -> tuple[Row, ...]:
    rows: list[Row] = []
    labels = list(scores)
    for position, label in enumerate(labels):
        before = labels[position - 1] if position < N_PAPER_ROWS else labels[N_PAPER_ROWS - 1]
        above = paired_difference(scores[label], scores[before]) if position else None
        first = paired_difference(scores[label], scores[labels[0]]) if position else None
        source = estimate(sources[label]) if label in sources else None
        rows.append(
            Row(label, paper_value(number, label, column), estimate(scores[label]), above, first,
                source)
        )  # fmt: skip
    return tuple(rows)


def _long(title: str, scores: Mapping[str, Scores], objects: pd.DataFrame) -> pd.DataFrame:
    """One line per block, row, seed and object."""
    pieces = [
        objects[["object_id", "class_name", "area"]].assign(
            block=title, row=label, seed=seed, iou=values.round(4)
        )
        for label, by_seed in scores.items()
        for seed, values in enumerate(by_seed)
    ]
    return pd.concat(pieces)[["block", "row", "seed", "object_id", "class_name", "area", "iou"]]


@lru_cache
def _paper_values() -> dict[tuple[int, str, str], float]:
    frame = pd.read_csv(PAPER_VALUES)
    keys = zip(frame["table"], frame["row"], frame["column"], strict=True)
    return dict(zip(keys, frame["value"], strict=True))


def paper_value(number: int, row: str, column: str) -> float | None:
    """The published value in points; Table 6 fills what Table 4 has for one initial set only."""
    numbers = (4, 6) if number == 4 else (number,)
    found = [_paper_values().get((n, row, column)) for n in numbers]
    return next((value for value in found if value is not None), None)


def _is_paper(study: Study) -> bool:
    return study.profile.name == "paper"


def _seeds(seeds: int) -> str:
    return "1 seed" if seeds == 1 else f"{seeds} seeds"
