"""What stands beside a table: curves click by click, chosen rows, and numbers as csv files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from openscenes.errors import InputError
from openscenes.paths import atomic
from openscenes.study.breakdown import Limits
from openscenes.study.curve_figures import MAX_CLICKS, ClickCurve
from openscenes.study.experiments import comparison
from openscenes.study.experiments.lines import TITLES
from openscenes.study.material import Study
from openscenes.study.profiles import Profile
from openscenes.study.statistics import Estimate


def click_series(study: Study, seeds: int) -> dict[str, dict[str, ClickCurve]]:
    """Test set -> system -> IoU after each of 20 clicks, for ``curve_figures``.

    Ours: a system whose first answer takes a box is asked as often as the others; what it says
    after the twentieth click is left out here.
    """
    return {
        TITLES[where]: {
            system: upto(curve, MAX_CLICKS)
            for system, curve in comparison.curves(study, seeds, where).items()
        }
        for where in comparison.TARGETS
    }


def upto(curve: ClickCurve, max_clicks: int) -> ClickCurve:
    """A curve without what lies after ``max_clicks`` clicks."""
    return ClickCurve(curve.first, curve.iou[..., : max_clicks - curve.first + 1])


def rows_of(objects: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Some rows of a long per-object table, in this order; the first is what others are held to.

    Raises:
        InputError: if there is no such row.
    """
    missing = [label for label in labels if label not in set(objects["row"])]
    if missing:
        raise InputError(
            f"the table has no row {', '.join(missing)}; choose among "
            f"{', '.join(objects['row'].unique())}"
        )
    return pd.concat([objects[objects["row"] == label] for label in labels])


def size_limits(profile: Profile) -> Limits:
    """COCO's limits for photographs; terciles for generated pictures, which are small."""
    return "coco" if profile.embedded is None else "terciles"


def sensitivity_frame(scenes: Mapping[str, Sequence[tuple[str, str, Estimate]]]) -> pd.DataFrame:
    """What each reading of the paper changes, one line per scene, reading and option.

    Args:
        scenes: name -> (reading, option, difference in points), as for ``sensitivity_figure``.
    Returns:
        Columns scene, reading, option and, in points, change, std (over seeds; empty for one),
        low, high (95 % interval), n_seeds, n_objects.
    """
    return pd.DataFrame(
        [
            (scene, reading, option, value.mean, value.std, value.low, value.high,
             value.n_seeds, value.n_objects)
            for scene, rows in scenes.items()
            for reading, option, value in rows
        ],
        columns=["scene", "reading", "option", "change", "std", "low", "high", "n_seeds",
                 "n_objects"],
    )  # fmt: skip


def write_frame(frame: pd.DataFrame, folder: Path, name: str) -> str:
    """Write numbers as ``tables/<name>.csv`` of a reports folder, whole or not at all.

    Returns:
        The file's name.
    """
    path = folder / "tables" / f"{name}.csv"
    with atomic(path) as partial:
        partial.write_text(frame.round(3).to_csv(index=False), encoding="utf-8")
    return path.name
