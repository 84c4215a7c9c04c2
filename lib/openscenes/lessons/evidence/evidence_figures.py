"""Figures of Lesson 7: the hypotheses about one object, gains, predicted quality."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from openscenes.data.records import Interaction
from openscenes.lessons.evidence.told import ANSWERS, MAPS, Told, differences
from openscenes.lessons.panels import grey, image_grid, plain, show_image
from openscenes.masks import BoolMask
from openscenes.study.figures.palette import PALETTE, SERIES

COLUMNS, PANEL = 5, (1.8, 2.25)
UP = "IoU of the evidence mask, %"


def hypotheses_figure(one: Told) -> Figure:
    """The crop, each map with its tightness and weight, their mean, and both masks."""
    titles = [
        f"{name}\nfills {tight:.2f}, weight {weight:.2f}"
        for name, tight, weight in zip(MAPS, one.found.tightness, one.found.weights, strict=True)
    ]
    mean = np.tensordot(one.found.weights, one.maps, 1)
    figure, panels = image_grid(len(MAPS) + 4, COLUMNS, PANEL)
    first, *middle, network, evidence = panels
    at = Interaction(one.cut.box, one.cut.point)
    show_image(first, one.cut.image, None, at, title="crop, box and click")
    for panel, shown, title in zip(
        middle, [*one.maps, mean], [*titles, "weighted mean"], strict=True
    ):
        levels = (255 * np.clip(shown, 0, 1)).astype(np.uint8)
        show_image(panel, np.repeat(levels[..., None], 3, axis=2), title=title)
    for panel, name, mask in zip((network, evidence), ANSWERS, one.answers, strict=True):
        show_image(panel, grey(one.cut.image), title=f"mask: {name}\nIoU {one.iou(mask):.0f} %")
        _outline(panel, one.cut.mask, "truth")
        _outline(panel, mask, "mask")
    handles = [Line2D([], [], color=PALETTE[name], label=name) for name in ("truth", "mask")]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _outline(panel: Axes, mask: BoolMask, kind: str) -> None:
    if mask.any() and not mask.all():
        panel.contour(mask, levels=[0.5], colors=[PALETTE[kind]], linewidths=1.8)


def gains_figure(objects: dict[str, Sequence[Told]]) -> Figure:
    """IoU of the evidence mask over that of the network's: a dot per object, a panel per set."""
    figure = Figure(figsize=(3.0 * len(objects), 3.3), layout="constrained")
    panels = figure.subplots(1, len(objects), sharey=True, squeeze=False)[0]
    for number, (panel, (name, shown)) in enumerate(zip(panels, objects.items(), strict=True)):
        before, after = np.array([[one.iou(mask) for mask in one.answers] for one in shown]).T
        panel.scatter(before, after, s=22, alpha=0.7, color=SERIES[number])
        _diagonal(panel)
        panel.set_title(f"{name}: {before.mean():.1f} → {after.mean():.1f}", fontsize=10)
        plain(panel, "both", "IoU of the network's mask, %", "" if number else UP)
    return figure


def quality_figure(frame: pd.DataFrame) -> Figure:
    """Predicted over true IoU of single masks, and predicted over true gain of one over another."""
    figure = Figure(figsize=(8.4, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, marker, colour in zip(ANSWERS, "o^", SERIES, strict=False):
        told = frame[f"{name}, predicted"]
        left.scatter(frame[name], told, s=24, alpha=0.7, marker=marker, color=colour, label=name)
    _diagonal(left)
    left.legend(fontsize=9, frameon=False)
    plain(left, "both", "true IoU, %", "predicted IoU, %")
    true, predicted = differences(frame)
    right.axhline(0, color=PALETTE["neutral"], linewidth=1)
    right.axvline(0, color=PALETTE["neutral"], linewidth=1)
    right.scatter(true, predicted, s=24, alpha=0.7, color=SERIES[2])
    plain(right, "both", "true gain of evidence, points", "predicted gain, points")
    return figure


def _diagonal(panel: Axes) -> None:
    panel.plot([0, 100], [0, 100], color=PALETTE["neutral"], linewidth=1)
    panel.set_xlim(0, 102)
    panel.set_ylim(0, 102)
