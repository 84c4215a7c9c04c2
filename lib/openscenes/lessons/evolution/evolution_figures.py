"""Figures of task sequences: one object after every step, what is kept, Table 7's four steps."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from openscenes.lessons.evolution.scrubber import ObjectChoice, ObjectView, Panel, Scrubber
from openscenes.lessons.evolution.sequences import ALONE, FINE_TUNED, OURS, TIMES, Scores
from openscenes.lessons.panels import error_legend, plain, show_image, signed
from openscenes.study.experiments import table_7
from openscenes.study.experiments.rows import TITLES
from openscenes.study.figures.palette import PALETTE, SERIES
from openscenes.study.pages.foreign_text import in_figure
from openscenes.widgets.overlays import Layer, comparison, tint

ERRORS, MASK, TRUTH = "right, too much, missed", "the mask", "ground truth"
LAYERS = (ERRORS, MASK, TRUTH)
COLOURS_OF = {
    ERRORS: {name: PALETTE[name] for name in ("right", "too much", "missed")},
    MASK: {"predicted object": PALETTE["mask"]},
    TRUTH: {"object": PALETTE["truth"]},
}
COLOURS = {OURS: PALETTE["ours"], FINE_TUNED: PALETTE["truth"], ALONE: PALETTE["mask"]}


def layer_of(view: ObjectView, panel: Panel, name: str) -> Layer:
    """One of ``LAYERS`` over a view, (S, S, 4); empty where the sequence had ended."""
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
    change = f" ({signed(panel.iou[time] - panel.iou[0])})" if time else ""
    return f"IoU {panel.iou[time]:.1f}{change}"


def evolution_figure(
    scrubber: Scrubber, choice: ObjectChoice, ranks: Sequence[int], layer: str = ERRORS
) -> Figure:
    """Some objects of the choice's ranking along two task sequences, at all times, with their IoU.

    Args:
        ranks: which objects, from 0; -1 is the last of the ranking.
    """
    n_times = [len(scrubber.sequences[name]) for name in choice.sequences]
    n_objects = len(scrubber.examples(choice.where))
    figure = Figure(figsize=(1.75 * sum(n_times) + 0.8, 1.1 + 2.05 * len(ranks)))
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02)
    for number, panels in enumerate(_columns(figure, len(ranks), n_times)):
        for line, rank in zip(panels, ranks, strict=True):
            _draw_object(line, scrubber, replace(choice, rank=rank % n_objects), number, layer)
        _draw_heads(panels[0], choice.sequences[number])
    if layer == ERRORS:
        error_legend(figure)
    return figure


def _columns(figure: Figure, n_rows: int, n_times: Sequence[int]) -> list[np.ndarray]:
    """The panels of each sequence, (n_rows, n_times), with a gap between two sequences."""
    ratios = [width for n in n_times for width in [1.0] * n + [0.08]][:-1]
    grid = figure.subplots(n_rows, len(ratios), squeeze=False, width_ratios=ratios)
    starts = np.cumsum([0, *(n + 1 for n in n_times[:-1])])
    for panel in grid[:, starts[1:] - 1].flat:
        panel.set_axis_off()
    return [grid[:, start : start + n] for start, n in zip(starts, n_times, strict=True)]


def _draw_heads(panels: Sequence[Axes], sequence: str) -> None:
    """What each column shows; the sequence's name may be wider than its first column."""
    for time, panel in enumerate(panels):
        panel.set_title(f" \nt = {time}\nafter {TIMES[time]}", fontsize=8.5)
    name = panels[0].annotate(
        sequence, (0, 1), xytext=(0, 31), textcoords="offset points", fontsize=10, weight="bold",
        annotation_clip=False,
    )  # fmt: skip
    name.set_in_layout(False)


def _draw_object(
    line: Sequence[Axes], scrubber: Scrubber, choice: ObjectChoice, number: int, layer: str
) -> None:
    for time, panel in enumerate(line):
        view = scrubber.view(replace(choice, time=time))
        shown = layer_of(view, view.panels[number], layer)
        words = iou_words(view.panels[number], time)
        show_image(panel, view.image, shown, view.interaction, below=words, size=4.0)
    if number == 0:
        line[0].set_ylabel(
            f"{in_figure(view.record.class_name)}\nrank {choice.rank + 1}", fontsize=8.5
        )


def kept_figure(scores: Callable[[str, str], Scores], names: Sequence[str], data: str) -> Figure:
    """Backward transfer by object: the last score less the one when the set was learned.

    Args:
        scores: (sequence, set) -> (n_times, n_objects) in 0-1, such as ``Scrubber.scores``.
    """
    learned = {"voc": 0, "cityscapes": 1}
    figure = Figure(figsize=(9.2, 3.9), layout="constrained")
    panels = figure.subplots(1, len(learned), sharey=True)
    for panel, (where, time) in zip(panels, learned.items(), strict=True):
        panel.axhline(0, color=PALETTE["neutral"], linewidth=1)
        for name in names:
            changes = 100.0 * (scores(name, where)[-1] - scores(name, where)[time])
            shares = 100.0 * (np.arange(len(changes)) + 0.5) / len(changes)
            label = f"{name}: mean {changes.mean():+.1f}, median {np.median(changes):+.1f}"
            colour = COLOURS.get(name, SERIES[3])
            panel.plot(shares, np.sort(changes), color=colour, lw=2, label=label)
        panel.set_title(f"{TITLES[where]}, t = 2 less t = {time}", fontsize=10)
        panel.legend(fontsize=9, frameon=False, loc="upper left")
        plain(panel, "y", "share of the set's objects, worst change first, %")
    panels[0].set_ylabel("change of an object's IoU, points", fontsize=9)
    figure.suptitle(f"What later steps did to each object of a set, {data}", fontsize=11)
    return figure


def four_steps_figure(table: pd.DataFrame, data: str) -> Figure:
    """A task sequence inside one scene: the scene it learns part by part, and the source.

    Paper: Table 7 has the first curve of the first sequence.

    Args:
        table: the rows of table_7.csv, a sequence for each block; other blocks are left out.
    """
    blocks = table[table["block"].str.startswith(table_7.TITLE)].groupby("block", sort=False)
    figure = Figure(figsize=(1.0 + min(4.8 * blocks.ngroups, 10.2), 4.2), layout="constrained")
    panels = figure.subplots(1, blocks.ngroups, squeeze=False, sharey=True)[0]
    for panel, (block, rows) in zip(panels, blocks, strict=True):
        _draw_four_steps(panel, rows)
        panel.set_title(fill(str(block), 40), fontsize=9)
    panels[0].set_ylabel("mIoU, %", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    figure.suptitle(f"Four small steps (Table 7), {data}", fontsize=11)
    return figure


def _draw_four_steps(panel: Axes, rows: pd.DataFrame) -> None:
    places = np.arange(len(rows))
    for column, label, colour, marker in (
        ("ours", "Cityscapes, which it learns", PALETTE["ours"], "o"),
        ("source", "VOC, which it came from", PALETTE["truth"], "s"),
    ):
        low, high = rows[column] - rows[f"{column}_low"], rows[f"{column}_high"] - rows[column]
        panel.errorbar(
            places, rows[column], yerr=[low, high], color=colour, marker=marker, capsize=3,
            label=f"{label}, 95 % interval",
        )  # fmt: skip
    panel.plot(places, rows["paper"], "D--", color=PALETTE["paper"], markerfacecolor="none",
               linewidth=1, label="the paper's Cityscapes")  # fmt: skip
    panel.set_xticks(places, ["before", *rows["row"][1:]])
    plain(panel, "y", "share of its images seen, a quarter a step")
