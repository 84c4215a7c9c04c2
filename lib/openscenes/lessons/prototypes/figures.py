"""Static pictures of one look at the prototypes, drawn from the explorer's own layers."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from openscenes.data import crops
from openscenes.data.records import Point
from openscenes.lessons.prototypes.layers import LAYERS, draw
from openscenes.lessons.prototypes.state import Look, Reading, read
from openscenes.study.figures.galleries import draw_interaction
from openscenes.study.figures.palette import PALETTE

STORY = (
    "coarse", "predictor", "selection edge", "global", "center", "edge", "merged",
    "label global", "label merged", "votes", "refined", "errors",
)  # fmt: skip


def prototype_figure(
    seen: Look, names: Sequence[str] = STORY, *, columns: int = 4, title: str = ""
) -> Figure:
    """The layers of one look side by side: the explorer's pictures without its sliders.

    Ours: the same layers over the same crop as in the widget, so that the page holds without a
    kernel.

    Args:
        seen: what is drawn.
        names: keys of ``LAYERS``, in reading order.
        columns: panels in a row.
        title: above all; the object and its numbers if empty.
    """
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(2.75 * columns, 0.9 + 3.05 * lines), layout="constrained")
    panels = list(figure.subplots(lines, columns, squeeze=False).flat)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    for panel, name in zip(panels, names, strict=False):
        _draw_layer(panel, name, seen)
    figure.suptitle(title or sentence(seen, read(seen)), fontsize=10.5)
    return figure


def _draw_layer(panel: Axes, name: str, seen: Look) -> None:
    panel.imshow(seen.asked.crop)
    panel.imshow(draw(name, seen), interpolation="nearest")
    box = crops.move_box(seen.asked.affine, seen.asked.example.interaction.box)
    row, col = seen.asked.point[0].tolist()
    draw_interaction(panel, box, Point(float(row), float(col)), size=4.5)
    panel.set_title(LAYERS[name].title, fontsize=9)
    panel.set_xlabel(fill(LAYERS[name].legend, 32), fontsize=8)
    panel.set_xticks([])
    panel.set_yticks([])


def sentence(seen: Look, reading: Reading) -> str:
    """The object and its numbers, for a title."""
    if reading.iou_before is None or reading.iou_after is None:
        return f"{seen.asked.name}: no ground truth, {reading.changed} pixels changed"
    before, after = 100 * reading.iou_before, 100 * reading.iou_after
    return (
        f"{seen.asked.name}: IoU {before:.1f} → {after:.1f} ({after - before:+.1f} points), "
        f"{reading.changed} pixels changed"
    )


def threshold_figure(seen: Look) -> Figure:
    """Where Eq. 4 cuts: confidences inside and outside the coarse mask, k, and m k or n k.

    Ours: the two label maps side by side; a bar's height is its share of its own group, so that
    a small object can be read beside a large background.
    """
    figure = Figure(figsize=(10.2, 3.9), layout="constrained")
    coarse = seen.asked.prediction.coarse_mask[0, 0].cpu().numpy()
    config, reading = seen.settings.ipt, read(seen)
    plans = (
        ("global", "m", config.m, reading.k_global, reading.threshold_global),
        ("merged", "n", config.n, reading.k_merged, reading.threshold_merged),
    )
    for panel, (name, letter, factor, k, cut) in zip(figure.subplots(1, 2), plans, strict=True):
        values = seen.refinement.confidence[name][0, 0].float().cpu().numpy()
        _histogram(panel, values, coarse)
        panel.axvline(k, color="black", linewidth=1.4, label=f"k = {k:.3f}")
        panel.axvline(
            cut, color=PALETTE["paper"], linestyle="--", linewidth=2,
            label=f"{letter} k = {factor:.2f} · k = {cut:.3f}",
        )  # fmt: skip
        panel.set_title(f"{name} confidence, label map {name}", fontsize=10)
        panel.set_xlabel("confidence", fontsize=9)
        panel.set_ylabel("share of the group's pixels", fontsize=9)
        panel.legend(
            fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2
        )
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"Thresholds for {seen.asked.name}", fontsize=10.5)
    return figure


def _histogram(panel: Axes, values: NDArray[np.floating], coarse: NDArray[np.bool_]) -> None:
    for group, colour, words in (
        (values[coarse], PALETTE["mask"], "in the coarse mask"),
        (values[~coarse], PALETTE["neutral"], "outside"),
    ):
        share = np.full(group.size, 1 / max(group.size, 1))
        bins = np.linspace(0, 1, 31)
        panel.hist(group, bins=list(bins), weights=share, color=colour, alpha=0.65, label=words)
