"""What a table on disk proves: whether it verifies a published value, whether it agrees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from openscenes.errors import DataError
from openscenes.study.profiles import PAPER, PROFILES

# Fewer objects than these are a sample of the official split, which verifies nothing.
FULL_SPLIT = {"Cityscapes": 9_000, "COCO": 36_000}


@dataclass(frozen=True)
class Report:
    """A table on disk: its cells, and the facts of the run that made them."""

    cells: pd.DataFrame
    run: dict[str, Any]
    file: str

    @property
    def profile(self) -> str:
        """Name of the profile."""
        return str(self.run["profile"]["name"])

    @property
    def name(self) -> str:
        """Such as "table 4, demo"."""
        return f"table {self.run['table']}, {self.profile}"


def read_reports(folder: Path) -> list[Report]:
    """Every finished table below a folder, the known profiles first."""
    found = []
    for path in sorted([*folder.glob("tables/*_run.json"), *folder.glob("*/tables/*_run.json")]):
        table = path.with_name(path.name.replace("_run.json", ".csv"))
        if not table.is_file():
            raise DataError(
                f"{path.name} in {path.parent} has no {table.name} beside it; make the table "
                "again, or delete both"
            )
        run = json.loads(path.read_text(encoding="utf-8"))
        file = table.with_suffix(".md").relative_to(folder).as_posix()
        found.append(Report(pd.read_csv(table), run, file))
    known = list(PROFILES)
    rank = {name: place for place, name in enumerate(known)}
    return sorted(found, key=lambda r: (rank.get(r.profile, len(known)), r.profile, r.file))


def with_first(cells: pd.DataFrame) -> Iterator[tuple[pd.Series, pd.Series]]:
    """Each cell with the first cell of its block."""
    for _, block in cells.groupby("block", sort=False):
        for position in range(len(block)):
            yield block.iloc[position], block.iloc[0]


def verified(cell: pd.Series, run: dict[str, Any]) -> str:
    """Whether a cell verifies the published value, and why not.

    Ours: yes where the paper's value lies in our 95 % interval and profile ``paper`` ran on as
    many objects as the official split has.
    """
    if pd.isna(cell["paper"]):
        return "nothing published"
    if run["profile"]["embedded"] is not None:
        return "no: embedded scenes"
    if run["profile"]["name"] != PAPER.name:
        return f"no: {run['profile']['data'].partition(' (')[0]}"
    least = FULL_SPLIT[cell["block"].partition(",")[0]]
    if cell["n_objects"] < least:
        return f"no: {cell['n_objects']} objects are a sample of the official split"
    return "yes" if cell["ours_low"] <= cell["paper"] <= cell["ours_high"] else "no: differs"


def direction(cell: pd.Series, first: pd.Series) -> str:
    """Whether a gain over the first row has the paper's sign: yes, no, open, or "" for none."""
    gain = cell["paper"] - first["paper"]
    if pd.isna(gain) or pd.isna(cell.get("to_first")):
        return ""
    if cell["to_first_low"] <= 0 <= cell["to_first_high"]:
        return "open"
    return "yes" if (cell["to_first"] > 0) == (gain > 0) else "no"
