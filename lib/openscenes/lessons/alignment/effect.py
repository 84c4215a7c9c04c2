"""What feature alignment did: to the features of pairs, and to the scores of the study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from openscenes.errors import DataError
from openscenes.lessons.alignment.pairs import BEFORE, SHOWN, Alignment
from openscenes.lessons.alignment.state import terms
from openscenes.lessons.alignment.view import clouds_of
from openscenes.paths import PROJECT
from openscenes.study.figures.palette import PALETTE
from openscenes.study.pages.tables import reports_folder
from openscenes.study.profiles import DEMO, SCENE_NAMES, Profile
from openscenes.study.scores.statistics import Estimate, paired_difference

MEASURES = {
    "A": "A, between prototypes",
    "B": "B, pixels to c_a",
    "A / variance": "A / variance of the cells",
    "B / variance": "B / variance of the cells",
}
BLOCK = "{}, initial model on {}"  # of Table 4
WITH_AND_WITHOUT = (("+ST +FA", "+ST"), ("+ST +IPT +FA", "+ST +IPT"))


def shifts(alignments: Sequence[Alignment]) -> pd.DataFrame:
    """How far the terms of Eq. 7 moved from the model before evolution, in % of their mean there.

    Ours: one training; intervals are over pairs, and pairs without a prototype are left out.

    Returns:
        Columns scene, model, measure, before and after (means), change, low, high (%), and
        spread, the change of the cells' variance (%).
    """
    return pd.DataFrame([row for alignment in alignments for row in _shifts(alignment)])


def _shifts(alignment: Alignment) -> list[dict[str, object]]:
    before, spread_before = _measured(alignment, BEFORE)
    rows: list[dict[str, object]] = []
    for name in SHOWN[1:]:
        after, spread = _measured(alignment, name)
        for measure, first in before.items():
            mean = max(float(first.mean()), 1e-12)
            moved = paired_difference(after[measure][None] / mean, first[None] / mean)
            rows.append(
                {"scene": SCENE_NAMES[alignment.scene], "model": name, "measure": measure,
                 "before": mean, "after": float(after[measure].mean()), **_interval(moved),
                 "spread": 100 * (spread / spread_before - 1)}
            )  # fmt: skip
    return rows


def _measured(alignment: Alignment, name: str) -> tuple[dict[str, NDArray[np.float64]], float]:
    """Each measure of the pairs that have prototypes, and the variance of the cells."""
    pairing, seen = alignment.pairing(), alignment.seen(name)
    found, cloud = terms(seen, pairing, alignment.config), clouds_of(alignment, name)
    proto, pixel = (t.double().numpy()[~cloud.empty] for t in (found.proto, found.pixel))
    spread = max(cloud.spread, 1e-12)
    return {
        "A": proto, "B": pixel, "A / variance": proto / spread, "B / variance": pixel / spread
    }, spread  # fmt: skip


def shifts_words(frame: pd.DataFrame) -> Markdown:
    """The numbers behind ``shifts_figure``, one line per scene and model."""
    lines = []
    for (scene, model), rows in frame.groupby(["scene", "model"], sort=False):
        parts = [f"{row['measure']} {_words(row, 0)} %" for _, row in rows.iterrows()]
        spread = rows["spread"].iloc[0]
        lines.append(
            f"- {scene}, {model}: {'; '.join(parts)}; variance of the cells {spread:+.0f} %."
        )
    return Markdown("\n".join(lines))


def gains(profile: Profile) -> pd.DataFrame:
    """What alignment added to mIoU on the new scene in the study's report of Table 4.

    Returns:
        Columns scene, model, without, change, low, high (points), n_seeds, n_objects.
    Raises:
        DataError: if neither this profile's Table 4 nor the demo's was written.
    """
    scores = pd.read_csv(scores_file(profile))
    rows: list[dict[str, object]] = []
    for title in SCENE_NAMES.values():
        found = scores[scores["block"] == BLOCK.format(title, profile.initial_sets[-1].upper())]
        for ours, theirs in WITH_AND_WITHOUT:
            change = paired_difference(_by_seed(found, ours), _by_seed(found, theirs))
            rows.append(
                {"scene": title, "model": ours, "without": theirs,
                 **_interval(change), "n_seeds": change.n_seeds, "n_objects": change.n_objects}
            )  # fmt: skip
    return pd.DataFrame(rows)


def gains_words(frame: pd.DataFrame, profile: Profile) -> Markdown:
    """The numbers behind ``gains_figure`` with a verdict each, and where they come from."""
    lines = [
        f"- {row['scene']}, {row['model']} against {row['without']}: {_words(row, 2)} points: "
        f"{_verdict(row)}."
        for _, row in frame.iterrows()
    ]
    path = scores_file(profile).relative_to(PROJECT)
    seeds, objects = frame["n_seeds"].max(), " and ".join(map(str, frame["n_objects"].unique()))
    return Markdown(
        "\n".join([*lines, "", f"From `{path}`: {seeds} trainings, {objects} objects."])
    )


def _words(row: pd.Series, digits: int) -> str:
    return f"{row['change']:+.{digits}f} [{row['low']:+.{digits}f}, {row['high']:+.{digits}f}]"


def _verdict(row: pd.Series) -> str:
    if row["low"] > 0:
        return "alignment helps"
    return "alignment harms" if row["high"] < 0 else "cannot be told"


def scores_file(profile: Profile) -> Path:
    """The profile's per-object scores of Table 4, or the demo's where it has none."""
    for one in (profile, DEMO):
        path = reports_folder(one) / "tables" / "table_4_objects.csv"
        if path.is_file():
            return path
    raise DataError("there are no scores of Table 4 to read; write them once with: make table-4")


def _by_seed(scores: pd.DataFrame, row: str) -> NDArray[np.float64]:
    """(n_seeds, n_objects) IoU."""
    return scores.pivot(index="seed", columns="object_id", values=row).to_numpy(dtype=np.float64)


def _interval(value: Estimate) -> dict[str, float]:
    return {"change": value.mean, "low": value.low, "high": value.high}


def shifts_figure(frame: pd.DataFrame) -> Figure:
    """Changes since before evolution, also measured by the cloud's own size, with intervals."""
    scenes = list(frame["scene"].unique())
    figure = Figure(figsize=(11.4, 1.5 + 1.35 * len(scenes)), layout="constrained")
    panels = figure.subplots(len(scenes), len(MEASURES), squeeze=False, sharey=True, sharex="col")
    for line, scene in zip(panels, scenes, strict=True):
        for panel, measure in zip(line, MEASURES, strict=True):
            chosen = frame[(frame["scene"] == scene) & (frame["measure"] == measure)]
            draw_changes(panel, list(chosen["model"]), chosen)
        line[0].set_ylabel(scene, fontsize=9)
    for panel, title in zip(panels[0], MEASURES.values(), strict=True):
        panel.set_title(title, fontsize=9.5)
    for panel in panels[-1]:
        panel.set_xlabel("change, %", fontsize=9)
    figure.suptitle("Change since before evolution, 95 % intervals over pairs", fontsize=10.5)
    return figure


def gains_figure(frame: pd.DataFrame) -> Figure:
    """What alignment added to mIoU, with intervals that draw objects and seeds."""
    scenes = list(frame["scene"].unique())
    figure = Figure(figsize=(9.2, 2.2), layout="constrained")
    panels = figure.subplots(1, len(scenes), squeeze=False, sharex=True, sharey=True)[0]
    for panel, scene in zip(panels, scenes, strict=True):
        chosen = frame[frame["scene"] == scene]
        names = [f"{with_it} − {without}" for with_it, without in
                 zip(chosen["model"], chosen["without"], strict=True)]  # fmt: skip
        draw_changes(panel, names, chosen)
        first = chosen.iloc[0]
        panel.set_title(
            f"{scene}: {first['n_objects']} objects, {first['n_seeds']} seeds", fontsize=9.5
        )
        panel.set_xlabel("gain by alignment, points of mIoU", fontsize=9)
    return figure


def draw_changes(panel: Axes, names: Sequence[str], frame: pd.DataFrame) -> None:
    """Changes from top to bottom: a dot for the mean, a bar for the interval, a line at zero."""
    panel.axvline(0, color=PALETTE["neutral"], linewidth=1.2, zorder=1)
    for place, (_, row) in enumerate(frame.iterrows()):
        ends = [row["low"], row["high"]]
        panel.plot(ends, [place] * 2, color=PALETTE["ours"], linewidth=2.5)
        panel.plot(row["change"], place, "o", color=PALETTE["ours"], markersize=6)
    panel.set_yticks(range(len(names)), names, fontsize=8)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.tick_params(labelsize=8)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color="0.92")
    panel.spines[["top", "right", "left"]].set_visible(False)
