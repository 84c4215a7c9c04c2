"""What a table is: rows beside the paper's, in blocks, with every object's score behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from openscenes.errors import InputError
from openscenes.paths import PROJECT
from openscenes.study.profiles import Scene
from openscenes.study.runs.models import Model
from openscenes.study.scores.statistics import Estimate, images_of, paired_difference


def title_of(number: str) -> str:
    """Name a table by its key: "Table 4" for 4, "Table 4+" for 4_plus."""
    return f"Table {number.replace('_plus', '+')}"


def cells(block: Block) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a block as words; bold marks intervals that leave out zero."""
    with_source = any(row.source for row in block.rows)
    with_paper_source = any(row.paper_source is not None for row in block.rows)
    first = block.rows[0].label
    more = list(dict.fromkeys(name for row in block.rows for name in row.more))
    head = ["", "paper", "ours", "to the row above", f"to {first}", *more]
    head += ["VOC val after"] if with_source else []
    head += ["VOC val, paper"] if with_paper_source else []
    rows = []
    for row in block.rows:
        line = [row.label, _published(row.paper), mean(row.ours), change(row.to_above)]
        line += [change(row.to_first), *(row.more.get(name, "") for name in more)]
        line += [mean(row.source) if row.source else ""] if with_source else []
        line += [_published(row.paper_source)] if with_paper_source else []
        rows.append(line)
    return head, rows


def _published(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def mean(value: Estimate) -> str:
    """Mean ± sample standard deviation over seeds, in points."""
    spread = "" if math.isnan(value.std) else f" ± {value.std:.1f}"
    return f"{value.mean:.1f}{spread}"


def change(value: Estimate | None) -> str:
    """A difference with its interval, bold where it leaves out zero."""
    if value is None:
        return ""
    bold = "**" if value.differs else ""
    return f"{bold}{value.mean:+.2f}{bold} [{value.low:+.2f}, {value.high:+.2f}]"


def numbers(name: str, value: Estimate | None) -> dict[str, float]:
    """An estimate as columns of a csv."""
    if value is None:
        return {}
    return {
        name: round(value.mean, 3),
        f"{name}_std": round(value.std, 3),
        f"{name}_low": round(value.low, 3),
        f"{name}_high": round(value.high, 3),
    }


PAPER_VALUES = PROJECT / "tests" / "paper_values.csv"
SCENES: tuple[Scene, ...] = ("cityscapes", "coco")
Scores = NDArray[np.float64]  # (n_seeds, n_objects) IoU in 0-1


@dataclass(frozen=True)
class Row:
    """One row of one block.

    Attributes:
        label: the paper's words.
        paper: the paper's mIoU in points, None where it has none.
        ours: our mIoU.
        to_above, to_first: paired differences to the row above (for settings below the paper's
            rows: to the last of these) and to the first row.
        source: mIoU on the source's validation set, where the row is a model.
        paper_source: the paper's, where it has one.
        more: further columns, heading -> cell.
    """

    label: str
    paper: float | None
    ours: Estimate
    to_above: Estimate | None
    to_first: Estimate | None
    source: Estimate | None = None
    paper_source: float | None = None
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """That one row is better than another, what the paper found and what we did, in points."""

    better: str
    worse: str
    paper: float | None
    ours: Estimate

    @property
    def verdict(self) -> str:
        """Holds, does not hold, cannot be told; or what we found where it claims nothing."""
        if not self.ours.differs:
            return "Cannot be told here"
        if self.paper is None:
            return "Found here, nothing published"
        if self.paper == 0:
            return "Differs here, equal in the paper"
        agrees = (self.ours.mean > 0) == (self.paper > 0)
        return "Holds here" if agrees else "Does not hold here"

    @property
    def words(self) -> str:
        """The claim with both differences."""
        return f"{self.better} against {self.worse} {self.differences}"

    @property
    def differences(self) -> str:
        """Ours and the paper's, in brackets."""
        paper = "" if self.paper is None else f", paper {self.paper:+.1f}"
        return f"({self.ours.mean:+.2f}{paper})"


@dataclass(frozen=True)
class Block:
    """One column of the paper's table with everything that belongs beside it."""

    title: str
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of the paper beside ours, with the scores of every object behind it.

    Attributes:
        number: in the paper, such as "4"; "4_plus" for ours beside it.
        caption: what is measured, on what, with how many seeds.
        blocks: one for each scene and initial set.
        objects: long per-object table: block, row, seed, object_id, class_name, area, iou.
        models: every model behind a number.
        like_the_paper: whether data and network are the paper's.
        notes: sections of markdown below the blocks.
    """

    number: str
    caption: str
    blocks: tuple[Block, ...]
    objects: pd.DataFrame
    models: tuple[Model, ...]
    like_the_paper: bool = False
    notes: tuple[str, ...] = ()

    def block(self, word: str) -> Block:
        """The first block whose title holds a word."""
        return next(block for block in self.blocks if word in block.title)

    def scores(self, block: str, row: str) -> Scores:
        """IoU of one row of the block of that title, (n_seeds, n_objects) in 0-1."""
        mine = self.objects[self.objects["block"] == block]
        if row not in set(mine["row"]):
            there = ", ".join(mine["row"].unique())
            raise InputError(f'block "{block}" of table {self.number} has no row "{row}": {there}')
        rows = mine[mine["row"] == row]
        return rows.pivot(index="seed", columns="object_id", values="iou").to_numpy(dtype=float)

    def images(self, block: str) -> list[str]:
        """The image of each object of ``scores``, in the same order."""
        mine = self.objects[self.objects["block"] == block]
        return images_of(sorted(mine["object_id"].unique()))


def long(title: str, scores: Mapping[str, Scores], objects: pd.DataFrame) -> pd.DataFrame:
    """One line per block, row, seed and object."""
    pieces = [
        objects[["object_id", "class_name", "area"]].assign(
            block=title, row=label, seed=seed, iou=values.round(4)
        )
        for label, by_seed in scores.items()
        for seed, values in enumerate(by_seed)
    ]
    return pd.concat(pieces)[["block", "row", "seed", "object_id", "class_name", "area", "iou"]]


def claims_of(
    rows: Sequence[Row],
    scores: Mapping[str, Scores],
    pairs: Sequence[tuple[str, str]],
    images: Sequence[str] | None = None,
) -> tuple[Claim, ...]:
    """Compare pairs of rows, (better, worse) in the paper's mind, over the same objects.

    Args:
        images: of the objects, as ``statistics.images_of`` names them.
    """
    published = {row.label: row.paper for row in rows}
    return tuple(
        Claim(
            better,
            worse,
            _gain(published[better], published[worse]),
            paired_difference(scores[better], scores[worse], images),
        )
        for better, worse in pairs
    )


def _gain(better: float | None, worse: float | None) -> float | None:
    return None if better is None or worse is None else better - worse


@lru_cache
def _paper_values() -> dict[tuple[str, str, str], float]:
    # one row is "None", which pandas would take for a gap
    frame = pd.read_csv(PAPER_VALUES, dtype={"table": str}, keep_default_na=False)
    keys = zip(frame["table"], frame["row"], frame["column"], strict=True)
    return dict(zip(keys, frame["value"], strict=True))


def paper_value(key: str, row: str, column: str) -> float | None:
    """The published value in points; Tables 4 and 6 share cells and fill each other's gaps."""
    numbers = {"4": ("4", "6"), "6": ("6", "4")}.get(key, (key,))
    found = [_paper_values().get((n, row, column)) for n in numbers]
    return next((value for value in found if value is not None), None)
