"""Figures of interactions: inputs, crops, outputs, clicks and boxes varied, with intervals."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from openscenes.data.interactions import depth
from openscenes.data.records import Box, Interaction
from openscenes.lessons.interactions.click_maps import ClickMap
from openscenes.lessons.interactions.layers import LAYERS, over
from openscenes.lessons.interactions.segmentation import Segmentation
from openscenes.lessons.interactions.user_inputs import BoolMask, Subject
from openscenes.lessons.panels import (
    Pixels,
    bare,
    error_legend,
    grey,
    image_grid,
    plain,
    show_image,
)
from openscenes.masks import distance_to_outside
from openscenes.study.figures.palette import PALETTE, SERIES
from openscenes.study.pages.foreign_text import in_figure
from openscenes.study.scores.statistics import Estimate, estimate, images_of

PANEL_INCHES, LARGE_INCHES = 2.2, 2.8
DIFFERENCE = "difference to the ground truth"


def input_figure(subject: Subject, segmentation: Segmentation) -> Figure:
    """The user's box and click on the image, dark outside the crop, and the network's crop."""
    height, width = subject.shape
    figure = Figure(figsize=(3.3 * width / height + 3.5, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(width / height, 1))
    shade, box = (
        LAYERS["what the crop leaves out"](subject, segmentation),
        segmentation.interaction.box,
    )
    size = f"{box.row1 - box.row0:.0f} x {box.col1 - box.col0:.0f}"
    title = f"a box of {size} px and a click ({in_figure(subject.name)})"
    show_image(left, over(subject.image, shade), None, segmentation.interaction, title=title)
    sample, side = segmentation.sample, segmentation.probability.shape[0]
    title = f"the network's crop, {side} x {side} px"
    show_image(right, sample.image, None, Interaction(sample.box, sample.point), title=title)
    return figure


def tiles_figure(tiles: Mapping[str, Pixels], columns: int, title: str = "") -> Figure:
    """Tiles of the crop in rows, with their names: input channels, or the outputs."""
    size = (PANEL_INCHES, PANEL_INCHES + 0.25)
    figure, panels = image_grid(len(tiles), columns, size, title=title, spare=0.4 if title else 0)
    for panel, (name, tile) in zip(panels, tiles.items(), strict=True):
        show_image(panel, tile, title=name)
    return figure


def segmentations_figure(
    subject: Subject, found: Mapping[Any, Segmentation], title: str = ""
) -> Figure:
    """Several segmentations of one object: box, click, and where each mask is right or wrong."""
    window = _window([one.interaction.box for one in found.values()], subject.shape)
    height = (window.row1 - window.row0) / (window.col1 - window.col0)
    size = (LARGE_INCHES, 0.5 + LARGE_INCHES * min(max(height, 0.4), 2.0))
    figure, panels = image_grid(len(found), min(3, len(found)), size, title=title, spare=0.9)
    for panel, (name, one) in zip(panels, found.items(), strict=True):
        errors = LAYERS[DIFFERENCE](subject, one)
        show_image(panel, over(grey(subject.image), errors), None, one.interaction,
                   title=f"{name}\nIoU {one.iou:.2f}")  # fmt: skip
        _frame(panel, window)
    error_legend(figure)
    return figure


def click_map_figure(subject: Subject, click_maps: Mapping[str, ClickMap]) -> Figure:
    """The IoU for a click at each place of the box, a panel per network, all on one scale.

    At the right the same scores over the distance from the outline, above 0 inside the object.
    """
    n = len(click_maps)
    figure = Figure(figsize=(3.1 * n + 3.8, 3.6), layout="constrained")
    *panels, last = figure.subplots(1, n + 1, squeeze=False, width_ratios=(*[1] * n, 1.15))[0]
    low = min(float(found.iou.min()) for found in click_maps.values())
    high = max(float(found.iou.max()) for found in click_maps.values())
    limits = {"vmin": low, "vmax": max(high, low + 0.01)}
    distance = signed_distance(subject.truth)
    for number, (panel, (name, found)) in enumerate(zip(panels, click_maps.items(), strict=True)):
        panel.imshow(grey(subject.image))
        shown = panel.imshow(
            found.in_image(subject.shape), cmap="cividis", alpha=0.85, interpolation="nearest",
            **limits,
        )  # fmt: skip
        panel.contour(subject.truth, levels=[0.5], colors=[PALETTE["truth"]], linewidths=1.8)
        spread = f"{found.iou.min():.2f} to {found.iou.max():.2f}"
        panel.set_title(fill(name, 30) + f"\nIoU {spread}", fontsize=9.5)
        _frame(panel, _around(found))
        far = distance[found.points[:, 0], found.points[:, 1]]
        style = {"marker": "ox^s"[number % 4], "color": SERIES[number % len(SERIES)]}
        last.scatter(far, found.iou, s=14, alpha=0.6, label=name, **style)
    figure.colorbar(shown, ax=panels, label="IoU for a click here", shrink=0.85)
    last.axvline(0, color=PALETTE["neutral"], linewidth=1)
    last.set_ylim(-0.02, 1.02)
    last.legend(fontsize=9, loc="best")
    plain(last, "both", "distance of the click from the outline, px\n(left: outside)", "IoU")
    return figure


def signed_distance(mask: BoolMask) -> NDArray[np.float32]:
    """(H, W) pixels from the outline of a mask, above 0 inside and below 0 outside."""
    away = distance_to_outside(~mask)
    return np.where(mask, depth(mask), -away)


def change_figure(changes: Mapping[str, Mapping[Any, Estimate]], title: str) -> Figure:
    """By how much each way to vary the input changes mIoU: network -> way -> paired difference."""
    ways = list(next(iter(changes.values())))
    figure = Figure(figsize=(8.4, 1.3 + 0.42 * len(ways)), layout="constrained")
    panel = figure.subplots()
    panel.axvline(0, color=PALETTE["neutral"], linewidth=1.2)
    for number, (name, differences) in enumerate(changes.items()):
        offset = 0.18 * (number - (len(changes) - 1) / 2)
        places = np.arange(len(ways)) + offset
        found = [differences[way] for way in ways]
        means = np.array([value.mean for value in found])
        ends = np.array([[value.low, value.high] for value in found]).T
        panel.errorbar(
            means, places, xerr=np.abs(ends - means), fmt="oxs^"[number % 4], label=name,
            color=SERIES[number % len(SERIES)], markersize=6, linewidth=2,
        )  # fmt: skip
    panel.set_yticks(range(len(ways)), ways)
    panel.set_ylim(len(ways) - 0.5, -0.5)
    n_objects = next(iter(changes.values()))[ways[0]].n_objects
    panel.set_xlabel(
        f"difference to the first row, points of mIoU (95 % interval, {n_objects} objects)",
        fontsize=9,
    )
    panel.set_title(title, fontsize=10.5)
    figure.legend(loc="outside lower center", ncols=len(changes), frameon=False, fontsize=9)
    plain(panel)
    return figure


def curve_figure(frame: pd.DataFrame, label: str, usual: float, *, log: bool = False) -> Figure:
    """Mean IoU over what is varied: a panel per scene, a line per network, a band of 95 %.

    Args:
        frame: of ``trials.scores``.
        usual: the value in training.
    """
    scenes, networks = list(frame["scene"].unique()), list(frame["network"].unique())
    figure = Figure(figsize=(3.1 * len(scenes) + 0.4, 3.6), layout="constrained")
    panels = figure.subplots(1, len(scenes), sharey=True, squeeze=False)[0]
    for panel, scene in zip(panels, scenes, strict=True):
        own = frame[frame["scene"] == scene]
        panel.axvline(usual, color=PALETTE["neutral"], linewidth=1)
        for number, name in enumerate(networks):
            _curve(panel, own[own["network"] == name], name, number)
        if log:
            panel.set_xscale("log")
            panel.set_xticks([], minor=True)
            panel.set_xticks(frame["way"].unique(), [f"{way:g}" for way in frame["way"].unique()])
        panel.set_title(f"{scene} ({own['object_id'].nunique()} objects)", fontsize=9.5)
        panel.set_xlabel(label, fontsize=9)
        plain(panel)
    panels[0].set_ylabel("mean IoU, 0-100", fontsize=9)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _curve(panel: Axes, own: pd.DataFrame, name: str, number: int) -> None:
    ways = list(own["way"].unique())
    rows = [own[own["way"] == way] for way in ways]
    found = [estimate(row["iou"].to_numpy()[None], images_of(row["object_id"])) for row in rows]
    colour, marker = SERIES[number % len(SERIES)], "ox^s"[number % 4]
    panel.plot(ways, [value.mean for value in found], marker=marker, color=colour, label=name)
    low, high = [value.low for value in found], [value.high for value in found]
    panel.fill_between(ways, low, high, color=colour, alpha=0.15, linewidth=0)


def _window(boxes: list[Box], shape: tuple[int, int]) -> Box:
    edges = np.array(boxes)
    low, high = edges[:, :2].min(axis=0), edges[:, 2:].max(axis=0)
    spare = 0.1 * (high - low) + 2
    (row0, col0), (row1, col1) = np.maximum(low - spare, 0), np.minimum(high + spare, shape)
    return Box(float(row0), float(col0), float(row1), float(col1))


def _around(found: ClickMap) -> Box:
    low, high = found.points.min(axis=0), found.points.max(axis=0)
    spare = found.step + 3
    return Box(*map(float, (*(low - spare), *(high + spare))))


def _frame(panel: Axes, window: Box) -> None:
    panel.set_xlim(window.col0 - 0.5, window.col1 - 0.5)
    panel.set_ylim(window.row1 - 0.5, window.row0 - 0.5)
    bare(panel)
