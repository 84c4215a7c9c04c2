"""What feature alignment did: to the features of pairs, and to the scores of the study."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from openscenes.lessons.alignment.pair_terms import terms
from openscenes.lessons.alignment.pair_view import clouds_of
from openscenes.lessons.alignment.pairs import BEFORE, SHOWN, Alignment
from openscenes.lessons.intervals.sampling import images_in, report_scores, scores_file, scores_in
from openscenes.lessons.panels import dot_plot, image_grid
from openscenes.paths import PROJECT
from openscenes.study.profiles import SCENE_NAMES, Profile
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

    Intervals are over the pairs of one training; pairs without a prototype are left out.

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
    pairing, outputs = alignment.pairing(), alignment.outputs(name)
    found, cloud = terms(outputs, pairing, alignment.config), clouds_of(alignment, name)
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
        InputError: if neither this profile's Table 4 nor the demo's was written.
    """
    scores = report_scores("4", profile)
    rows: list[dict[str, object]] = []
    for title in SCENE_NAMES.values():
        block = BLOCK.format(title, profile.initial_sets[-1].upper())
        for ours, theirs in WITH_AND_WITHOUT:
            change = paired_difference(
                scores_in(scores, block, ours), scores_in(scores, block, theirs),
                images_in(scores, block),
            )  # fmt: skip
            rows.append(
                {"scene": title, "model": ours, "without": theirs,
                 **_interval(change), "n_seeds": change.n_seeds, "n_objects": change.n_objects}
            )  # fmt: skip
    return pd.DataFrame(rows)


def gains_words(frame: pd.DataFrame, profile: Profile) -> Markdown:
    """The numbers behind ``gains_figure``, whether each is significant, where they come from."""
    lines = [
        f"- {row['scene']}, {row['model']} against {row['without']}: {_words(row, 2)} points: "
        f"{_verdict(row)}."
        for _, row in frame.iterrows()
    ]
    path = scores_file("4", profile).relative_to(PROJECT)
    seeds, objects = frame["n_seeds"].max(), " and ".join(map(str, frame["n_objects"].unique()))
    return Markdown(
        "\n".join([*lines, "", f"From `{path}`: {seeds} trainings, {objects} objects."])
    )


def _words(row: pd.Series, digits: int) -> str:
    return f"{row['change']:+.{digits}f} [{row['low']:+.{digits}f}, {row['high']:+.{digits}f}]"


def _verdict(row: pd.Series) -> str:
    if row["low"] > 0:
        return "alignment helps"
    return "alignment harms" if row["high"] < 0 else "not significant"


def _interval(value: Estimate) -> dict[str, float]:
    return {"change": value.mean, "low": value.low, "high": value.high}


def shifts_figure(frame: pd.DataFrame) -> Figure:
    """Changes since before evolution, also relative to the cells' variance, with intervals."""
    scenes = list(frame["scene"].unique())
    figure = Figure(figsize=(10.8, 1.5 + 1.35 * len(scenes)), layout="constrained")
    panels = figure.subplots(len(scenes), len(MEASURES), squeeze=False, sharey=True, sharex="col")
    for line, scene in zip(panels, scenes, strict=True):
        for panel, (measure, title) in zip(line, MEASURES.items(), strict=True):
            chosen = frame[(frame["scene"] == scene) & (frame["measure"] == measure)]
            _dots(panel, list(chosen["model"]), chosen)
            panel.set_title(title if scene == scenes[0] else "", fontsize=9.5)
            panel.set_xlabel("change, %" if scene == scenes[-1] else "", fontsize=9)
        line[0].set_ylabel(scene, fontsize=9)
    figure.suptitle("Change since before evolution, 95 % intervals over pairs", fontsize=10.5)
    return figure


def gains_figure(frame: pd.DataFrame) -> Figure:
    """What alignment added to mIoU, with intervals that draw images and seeds."""
    figure, panels = image_grid(frame["scene"].nunique(), 2, (4.6, 2.2))
    for panel, (scene, chosen) in zip(panels, frame.groupby("scene", sort=False), strict=True):
        names = [f"{ours} − {other}" for ours, other in chosen[["model", "without"]].to_numpy()]
        _dots(panel, names, chosen)
        first = chosen.iloc[0]
        panel.set_title(
            f"{scene}: {first['n_objects']} objects, {first['n_seeds']} seeds", fontsize=9.5
        )
        panel.set_xlabel("gain by alignment, points of mIoU", fontsize=9)
    return figure


def _dots(panel: Axes, names: Sequence[str], frame: pd.DataFrame) -> None:
    dot_plot(panel, dict(zip(names, frame[["change", "low", "high"]].to_numpy(), strict=True)))
