"""From specifications of rows to blocks of a table: scores, differences, published values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from openscenes.study.profiles import SCENE_NAMES
from openscenes.study.runs.data import (
    SOURCE,
    Study,
    is_synthetic,
    source,
    training_index,
    validation,
)
from openscenes.study.runs.published import sentences
from openscenes.study.runs.recipes import source_set
from openscenes.study.runs.runs import find
from openscenes.study.scores.evaluation import Evaluation, recipes_of, score
from openscenes.study.scores.results import (
    SCENES,
    Block,
    Row,
    Scores,
    Table,
    claims_of,
    long,
    paper_value,
)
from openscenes.study.scores.statistics import estimate, images_of, paired_difference

TITLES = {SOURCE: "VOC", **SCENE_NAMES}


@dataclass(frozen=True)
class RowSpec:
    """One row before anything was computed.

    Attributes:
        label: the paper's words.
        evaluation: the model with seed 0, and how it is scored; other seeds follow from it.
        source: whether the model is scored on the source's validation set as well.
        column: under which column of the published values the row stands.
        values: which column of the scores it shows.
        above: label of the row that it is compared with; the row before it if empty.
    """

    label: str
    evaluation: Evaluation
    source: bool = False
    column: str = ""
    values: str = "iou"
    above: str = ""

    def evaluations(self) -> tuple[Evaluation, ...]:
        """Its own evaluation, then that on the source if there is one; with seed 0."""
        on_source = Evaluation(self.evaluation.recipe, SOURCE)
        return (self.evaluation, on_source) if self.source else (self.evaluation,)


@dataclass(frozen=True)
class BlockSpec:
    """A block before anything was computed.

    Attributes:
        claims: (better, worse) labels of rows that the sentences below the table compare; each
            row with the first if there are none.
    """

    title: str
    rows: tuple[RowSpec, ...]
    claims: tuple[tuple[str, str], ...] = ()


def evaluations_of(blocks: Iterable[BlockSpec], seeds: int) -> list[Evaluation]:
    """Every evaluation behind the blocks, each once."""
    rows = (row for block in blocks for row in block.rows)
    found = (e.with_seed(seed) for row in rows for seed in range(seeds) for e in row.evaluations())
    return list(dict.fromkeys(found))


def table_of(
    study: Study, key: str, caption: str, blocks: Sequence[BlockSpec], seeds: int
) -> Table:
    """Score all rows of the blocks and put them beside the paper's values."""
    made = [block_of(study, key, block, seeds) for block in blocks]
    recipes = recipes_of(evaluations_of(blocks, seeds))
    return Table(
        key,
        f"{caption} {sentences(study.profile, recipes)}".rstrip(),
        tuple(block for block, _ in made),
        pd.concat([frame for _, frame in made]),
        tuple(find(study, recipe) for recipe in recipes),
        study.profile.kind == "paper",
    )


def block_of(study: Study, key: str, spec: BlockSpec, seeds: int) -> tuple[Block, pd.DataFrame]:
    """One block and its scores per object."""

    @cache
    def frames(evaluation: Evaluation) -> list[pd.DataFrame]:
        return [score(study, evaluation.with_seed(seed)) for seed in range(seeds)]

    def scores_of(evaluation: Evaluation, column: str = "iou") -> Scores:
        return np.stack([frame[column].to_numpy() for frame in frames(evaluation)])

    def images(evaluation: Evaluation) -> list[str]:
        return images_of(frames(evaluation)[0]["object_id"])

    scores = {row.label: scores_of(row.evaluation, row.values) for row in spec.rows}
    shown = images(spec.rows[0].evaluation)
    first, *others = scores
    rows = []
    for row, before in zip(spec.rows, ("", first, *others), strict=False):
        own, on_source = scores[row.label], row.evaluations()[1:]
        rows.append(
            Row(
                row.label,
                paper_value(key, row.label, row.column),
                estimate(own, shown),
                paired_difference(own, scores[row.above or before], shown) if before else None,
                paired_difference(own, scores[first], shown) if before else None,
                estimate(scores_of(on_source[0]), images(on_source[0])) if on_source else None,
                paper_value(key, row.label, f"{row.column} source"),
            )
        )
    pairs = spec.claims or [(label, first) for label in others]
    objects = long(spec.title, scores, frames(spec.rows[0].evaluation)[0])
    return Block(spec.title, tuple(rows), claims_of(rows, scores, pairs, shown)), objects


def data_and_seeds(study: Study, blocks: Iterable[BlockSpec], seeds: int) -> str:
    """What the images are and how many trainings stand behind a number, for captions.

    Where a folder was given, each set that was read with the first digits of its digest.
    """
    sets = ""
    if not is_synthetic(study):
        digests = sets_read(study, evaluations_of(blocks, 1)).items()
        sets = f" (digests: {', '.join(f'{name} {digest[:8]}' for name, digest in digests)})"
    return f"{study.profile.data}{sets}, {'1 seed' if seeds == 1 else f'{seeds} seeds'}"


def sets_read(study: Study, evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """Each set of objects that these evaluations and their trainings read -> its digest."""
    steps = recipes_of(evaluations)
    sources = dict.fromkeys(source_set(step) for step in steps)
    scenes = [s for s in SCENES if any(s == step.name for step in steps)]
    tested = [w for w in TITLES if any(w == one.where for one in evaluations)]
    return {
        **{name.upper(): source(study, name).digest for name in sources},
        **{TITLES[name]: training_index(study, name).digest for name in scenes},
        **{f"{TITLES[name]} val": validation(study, name).digest for name in tested},
    }
