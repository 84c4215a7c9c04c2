"""Static pictures of lives: one object after every step, what is kept, Table 7's small life."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from openscenes.lessons.evolution.lives import ALONE, OURS, TIMES, TOLD, Scores
from openscenes.lessons.evolution.state import Panel, Place, Scrubber, View
from openscenes.study.experiments.rows import TITLES
from openscenes.study.figures.galleries import draw_interaction
from openscenes.study.figures.tables import PALETTE, SERIES
from openscenes.widgets.overlays import Layer, comparison, tint

ERRORS, MASK, TRUTH = "right, too much, missed", "the mask", "ground truth"
LAYERS = (ERRORS, MASK, TRUTH)
COLOURS_OF = {
    ERRORS: {name: PALETTE[name] for name in ("right", "too much", "missed")},
    MASK: {"said to be object": PALETTE["mask"]},
    TRUTH: {"object": PALETTE["truth"]},
}
COLOURS = {OURS: PALETTE["ours"], TOLD: PALETTE["truth"], ALONE: PALETTE["mask"]}


def layer_of(view: View, panel: Panel, name: str) -> Layer:
    """One of ``LAYERS`` over a view, (S, S, 4); empty where the life had ended."""
    if name == TRUTH:
        return tint(view.truth, PALETTE["truth"])
    if panel.mask is None:
        return np.zeros((*view.truth.shape, 4), np.uint8)
    if name == MASK:
        return tint(panel.mask, PALETTE["mask"])
    return comparison(panel.mask, view.truth, view.void)


def time_words(time: int) -> str:
    """Such as "t = 1, after Cityscapes"."""
    return f"t = {time}, after {TIMES[time]}"


def iou_words(panel: Panel, time: int) -> str:
    """The object's IoU at a time and its change since t = 0, or that there is no such model."""
    if time >= len(panel.iou):
        return f"ends at t = {len(panel.iou) - 1}: not trained further"
    change = round(panel.iou[time] - panel.iou[0], 1) + 0.0  # never "-0.0"
    return f"IoU {panel.iou[time]:.1f}" + (f" ({change:+.1f})" if time else "")


def evolution_figure(
    scrubber: Scrubber, place: Place, ranks: Sequence[int], layer: str = ERRORS
) -> Figure:
    """Some objects of a ranking along the lives of a place: the widget's pictures at all times.

    Paper: Sec. 4.2 tells in means what these rows show of single objects.

    Args:
        place: set, lives and order; its rank and time are not looked at.
        ranks: which objects, from 0; -1 is the last of the ranking.
        layer: one of ``LAYERS``.
    Returns:
        One row per object; for each life one column per time, with the IoU below.
    """
    n_times = [len(scrubber.lives[name]) for name in place.lives]
    n_objects = len(scrubber.examples(place.where))
    figure = Figure(figsize=(1.75 * sum(n_times) + 0.8, 1.1 + 2.05 * len(ranks)))
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02)
    for i, panels in enumerate(_columns(figure, len(ranks), n_times)):
        for line, rank in zip(panels, ranks, strict=True):
            _draw_object(line, scrubber, replace(place, rank=rank % n_objects), i, layer)
        _draw_heads(panels[0], place.lives[i])
    if layer == ERRORS:
        figure.legend(handles=_error_legend(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _columns(figure: Figure, n_rows: int, n_times: Sequence[int]) -> list[np.ndarray]:
    """The panels of each life, (n_rows, n_times), with a gap between two lives."""
    ratios = [width for n in n_times for width in [1.0] * n + [0.08]][:-1]
    grid = figure.subplots(n_rows, len(ratios), squeeze=False, width_ratios=ratios)
    starts = np.cumsum([0, *(n + 1 for n in n_times[:-1])])
    for panel in grid[:, starts[1:] - 1].flat:
        panel.set_axis_off()
    return [grid[:, start : start + n] for start, n in zip(starts, n_times, strict=True)]


def _draw_heads(panels: Sequence[Axes], life: str) -> None:
    """What each column shows; the life's name may be wider than its first column."""
    for time, panel in enumerate(panels):
        panel.set_title(f" \nt = {time}\nafter {TIMES[time]}", fontsize=8.5)
    name = panels[0].annotate(
        life, (0, 1), xytext=(0, 31), textcoords="offset points", fontsize=10, weight="bold",
        annotation_clip=False,
    )  # fmt: skip
    name.set_in_layout(False)


def _draw_object(
    line: Sequence[Axes], scrubber: Scrubber, place: Place, life: int, layer: str
) -> None:
    for time, panel in enumerate(line):
        view = scrubber.view(replace(place, time=time))
        panel.imshow(view.image)
        panel.imshow(layer_of(view, view.panels[life], layer), interpolation="nearest")
        draw_interaction(panel, view.interaction.box, view.interaction.point, size=4.0)
        panel.set_xlim(-0.5, view.image.shape[1] - 0.5)
        panel.set_ylim(view.image.shape[0] - 0.5, -0.5)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.set_xlabel(iou_words(view.panels[life], time), fontsize=8)
    if life == 0:
        line[0].set_ylabel(f"{view.record.class_name}\nrank {place.rank + 1}", fontsize=8.5)


def _error_legend() -> list[Patch | Line2D]:
    click = Line2D([], [], color=PALETTE["click"], marker="o", linestyle="", label="click")
    areas = [Patch(color=PALETTE[name], label=name) for name in ("right", "too much", "missed")]
    return [*areas, click]


def kept_figure(scores: Callable[[str, str], Scores], names: Sequence[str], data: str) -> Figure:
    """Backward transfer object by object: the last score less the one when the set was learned.

    Ours: the mean of a curve is that set's term of backward transfer; its shape tells whether a
    mean comes from all objects or from a few.

    Args:
        scores: (life, set) -> (n_times, n_objects) in 0-1, such as ``Scrubber.scores``.
        names: of lives that reach t = 2.
        data: what the pictures are.
    """
    learned = {"voc": 0, "cityscapes": 1}
    figure = Figure(figsize=(9.2, 3.9), layout="constrained")
    panels = figure.subplots(1, len(learned), sharey=True)
    for panel, (where, time) in zip(panels, learned.items(), strict=True):
        panel.axhline(0, color=PALETTE["neutral"], linewidth=1)
        for name in names:
            found = scores(name, where)
            _draw_curve(panel, 100.0 * (found[-1] - found[time]), name)
        panel.set_title(f"{TITLES[where]}, t = 2 less t = {time}", fontsize=10)
        panel.set_xlabel("share of the set's objects, worst change first, %", fontsize=9)
        panel.legend(fontsize=8, frameon=False, loc="upper left")
        _finish(panel)
    panels[0].set_ylabel("change of an object's IoU, points", fontsize=9)
    figure.suptitle(f"What later steps did to each object of a set, {data}", fontsize=11)
    return figure


def _draw_curve(panel: Axes, changes: np.ndarray, name: str) -> None:
    shares = 100.0 * (np.arange(len(changes)) + 0.5) / len(changes)
    label = f"{name}: mean {changes.mean():+.1f}, median {np.median(changes):+.1f}"
    panel.plot(shares, np.sort(changes), color=COLOURS.get(name, SERIES[3]), lw=2, label=label)


def small_life_figure(table: pd.DataFrame, data: str) -> Figure:
    """A life inside one scene, part by part: the scene it learns, and the source it came from.

    Paper: Table 7 has the first curve of the first life.

    Args:
        table: the rows of table_7.csv, a life for each block; columns block, row, ours, ours_low,
            ours_high, the same of source, paper (all in points).
        data: what the pictures are.
    """
    lives = table.groupby("block", sort=False)
    figure = Figure(figsize=(1.0 + 5.4 * lives.ngroups, 4.2), layout="constrained")
    panels = figure.subplots(1, lives.ngroups, squeeze=False, sharey=True)[0]
    for panel, (block, life) in zip(panels, lives, strict=True):
        _draw_small_life(panel, life)
        panel.set_title(fill(str(block), 50), fontsize=9)
    panels[0].set_ylabel("mIoU, %", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.suptitle(f"Four small steps (Table 7), {data}", fontsize=11)
    return figure


def _draw_small_life(panel: Axes, life: pd.DataFrame) -> None:
    places = np.arange(len(life))
    for column, label, colour, marker in (
        ("ours", "Cityscapes, which it learns", PALETTE["ours"], "o"),
        ("source", "VOC, which it came from", PALETTE["truth"], "s"),
    ):
        low, high = life[column] - life[f"{column}_low"], life[f"{column}_high"] - life[column]
        panel.errorbar(
            places, life[column], yerr=[low, high], color=colour, marker=marker, capsize=3,
            label=f"{label}, 95 % interval",
        )  # fmt: skip
    panel.plot(places, life["paper"], "D--", color=PALETTE["paper"], markerfacecolor="none",
               linewidth=1, label="the paper's Cityscapes")  # fmt: skip
    panel.set_xticks(places, ["before", *life["row"][1:]])
    panel.set_xlabel("share of Cityscapes' photographs seen, a quarter in each step", fontsize=9)
    _finish(panel)


def _finish(panel: Axes) -> None:
    panel.grid(axis="y", color="0.92")
    panel.set_axisbelow(True)
    panel.tick_params(labelsize=8.5)
    panel.spines[["top", "right"]].set_visible(False)
