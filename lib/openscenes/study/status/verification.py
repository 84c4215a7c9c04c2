"""What a table on disk proves: whether it verifies a published value, whether it agrees."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from openscenes.errors import DataError
from openscenes.paths import OWN
from openscenes.study.profiles import PAPER, PROFILES
from openscenes.study.scores.results import Claim, title_of
from openscenes.study.scores.statistics import Estimate, images_of, over_trainings
from openscenes.study.status.reading import read_cells, read_objects, read_run

# Fewer objects than these are a sample of the official split, which verifies nothing.
FULL_SPLIT = {"VOC": 3_400, "Cityscapes": 9_000, "COCO": 36_000}
HOLDS, FAILS, OPEN = "Holds here", "Does not hold here", "Cannot be told here"
WORDS = {HOLDS: "yes", FAILS: "no", OPEN: "open"}


@dataclass(frozen=True)
class Report:
    """A table on disk: its cells, the facts of the run that made them, the score of each object."""

    cells: pd.DataFrame
    run: dict[str, Any]
    file: str
    objects: pd.DataFrame | None = None

    @property
    def profile(self) -> str:
        """Name of the profile."""
        return str(self.run["profile"]["name"])

    @property
    def key(self) -> str:
        """The table's number as the commands have it, such as "4" or "4_plus"."""
        return str(self.run["table"])

    @property
    def name(self) -> str:
        """Such as "table 4+, demo"."""
        return f"{title_of(self.key).lower()}, {self.profile}"

    @property
    def n_seeds(self) -> int:
        """Trainings behind each value."""
        return int(self.cells["n_seeds"].max())

    @property
    def claims(self) -> list[dict[str, Any]]:
        """What the table compares: block, better, worse, paper, ours, low, high, verdict."""
        return list(self.run.get("claims", ()))

    def gain(self, block: str, better: str, worse: str) -> Claim | None:
        """One row over another in the block whose title begins so; None where not measured."""
        for found in self.claims:
            if found["block"].startswith(block) and names(found) == (better, worse):
                ours = Estimate(found["ours"], np.nan, found["low"], found["high"], 0, 0)
                return Claim(better, worse, found["paper"], ours)
        rows = ((cell, first) for cell, first in with_first(self.cells)
                if cell["block"].startswith(block)
                and (cell["row"], first["row"]) == (better, worse))  # fmt: skip
        return next((over_first(*pair) for pair in rows), None)


def names(claim: Mapping[str, Any]) -> tuple[str, str]:
    """The better and the worse row of a claim."""
    return claim["better"], claim["worse"]


def read_reports(folder: Path) -> list[Report]:
    """Every finished table below a folder, the known profiles first.

    Left out are runs of whoever runs the study, and the profile "smoke", whose numbers say nothing.
    """
    found = []
    found_below = folder.glob("*/tables/*_run.json")
    others = [path for path in found_below if path.parts[-3] not in ("smoke", OWN.name)]
    for path in sorted([*folder.glob("tables/*_run.json"), *others]):
        table = path.with_name(path.name.replace("_run.json", ".csv"))
        if not table.exists():
            raise DataError(
                f"{path.name} in {path.parent} has no {table.name} beside it; make the table "
                "again, or delete both"
            )
        run = read_run(path)
        file = table.with_suffix(".md").relative_to(folder).as_posix()
        objects = table.with_name(f"{table.stem}_objects.csv")
        scores = read_objects(objects, run.get("claims", ())) if objects.exists() else None
        found.append(Report(read_cells(table), run, file, scores))
    rank = {name: place for place, name in enumerate(PROFILES)}
    return sorted(found, key=lambda r: (rank.get(r.profile, len(rank)), r.profile, r.file))


Gains = tuple[NDArray[np.float64], list[str]]  # (n_seeds, n_objects) in 0-1, each object's image


def gains_of(report: Report, claim: Mapping[str, Any]) -> Gains | None:
    """A claim's difference of each training and object, and the image of each object.

    None where no objects were kept.
    """
    if report.objects is None:
        return None
    mine = report.objects[report.objects["block"] == claim["block"]]
    gains = mine[claim["better"]] - mine[claim["worse"]]
    images = images_of(mine[mine["seed"] == mine["seed"].iloc[0]]["object_id"])
    return np.stack([of_seed.to_numpy() for _, of_seed in gains.groupby(mine["seed"])]), images


def repeatable(gains: Gains | None) -> Estimate | None:
    """The gains' mean with its interval over further trainings; None with one seed or object."""
    return None if gains is None or min(gains[0].shape) < 2 else over_trainings(*gains)


def with_first(cells: pd.DataFrame) -> Iterator[tuple[pd.Series, pd.Series]]:
    """Each cell with the first cell of its block."""
    for _, block in cells.groupby("block", sort=False):
        for position in range(len(block)):
            yield block.iloc[position], block.iloc[0]


def over_first(cell: pd.Series, first: pd.Series) -> Claim:
    """The gain of a row over the first row of its block; the paper's is None where it has none."""
    paper = float(cell["paper"] - first["paper"])
    gain, low, high = (float(cell[f"to_first{end}"]) for end in ("", "_low", "_high"))
    ours = Estimate(gain, np.nan, low, high, int(cell["n_seeds"]), int(cell["n_objects"]))
    return Claim(cell["row"], first["row"], None if np.isnan(paper) else paper, ours)


def set_of(block: str) -> str:
    """The validation set that a block's title begins with, "" for none.

    Such as "VOC" of "VOC@85%" and "Cityscapes" of "Cityscapes in four parts, ...".
    """
    found = re.match(rf"({'|'.join(FULL_SPLIT)})\b", block)
    return found.group() if found else ""


def verified(cell: pd.Series, run: dict[str, Any]) -> str:
    """Whether a cell verifies the published value, and why not.

    Yes where the paper's value lies in our 95 % interval and profile ``paper`` ran on as many
    objects as the official split has.
    """
    if pd.isna(cell["paper"]):
        return "nothing published"
    if reason := unlike_the_paper(run):
        return reason
    split = set_of(cell["block"])
    if split not in FULL_SPLIT:
        return "no: the official split's size is not known"
    if cell["n_objects"] < FULL_SPLIT[split]:
        return f"no: {cell['n_objects']} objects are a sample of the official split"
    return "yes" if cell["ours_low"] <= cell["paper"] <= cell["ours_high"] else "no: differs"


def unlike_the_paper(run: dict[str, Any]) -> str:
    """Why no value of this run can verify a published one, "" where it can."""
    if run["profile"]["synthetic"] is not None:
        return "no: synthetic scenes"
    if run["profile"]["name"] != PAPER.name:
        return f"no: {run['profile']['data'].partition(' (')[0]}"
    return ""


def direction(cell: pd.Series, first: pd.Series) -> str:
    """Whether a gain over the first row has the paper's sign: yes, no, open, or "" for none.

    Where the paper found no difference there is no sign to share.
    """
    if not cell["paper"] - first["paper"] or pd.isna(cell.get("to_first")):
        return ""
    return WORDS.get(over_first(cell, first).verdict, "")
