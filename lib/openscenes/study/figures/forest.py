"""Charts of what was measured: differences with intervals beside the paper's, losses by epoch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from openscenes.study.figures.palette import PALETTE, SERIES
from openscenes.study.profiles import PROFILES
from openscenes.study.runs.models import Model
from openscenes.study.scores.results import Block, Row, Table, title_of
from openscenes.study.scores.statistics import Estimate

STROKES = ("-", "--", ":", "-.")

TERM_NAMES = {
    "ce": "masks", "class": "class head", "ce_old": "masks, old data",
    "ce_new": "pseudo masks, new scene", "feat": "feature alignment (Eq. 7, 8)",
    "max": "maximum squares (Eq. 9, 10)", "class_old": "class head, old data",
    "sides": "sides of the box", "click": "clicked pixel",
}  # fmt: skip


def table_figure(table: Table) -> Figure:
    """Each row's difference to the first row, with its 95 % interval, beside the paper's.

    Ours: differences, not means, since the paper's values are from other pictures: what can be
    compared is what a step gains. The paper's difference is taken to the paper's first row.

    Returns:
        One panel per block, rows from top to bottom; means of ours and the paper's at the right.
    """
    figure, panels = block_panels(table, inches_per_row=0.36)
    for panel, block in zip(panels, table.blocks, strict=True):
        _draw_block(panel, block, _by_seed(table.objects, block))
    figure.legend(handles=_legend(table), loc="outside lower center", ncols=4, frameon=False)
    return figure


def block_panels(
    table: Table, *, inches_per_row: float, heading: str = ""
) -> tuple[Figure, list[Axes]]:
    """A figure titled by the table's caption, with a panel for each of its blocks, two in a line.

    Ours: blocks with the same rows share their labels at the left; others have their own.
    """
    labels = [tuple(row.label for row in block.rows) for block in table.blocks]
    n_blocks, alike = len(labels), len(set(labels)) == 1
    n_cols = min(2, n_blocks)
    lines = [labels[i : i + n_cols] for i in range(0, n_blocks, n_cols)]
    heights = [0.9 + inches_per_row * max(map(len, line)) for line in lines]
    written = LABEL_INCHES * min(WRAPPED, max(len(label) for rows in labels for label in rows))
    width = 1.2 + n_cols * 4.4 + written * (1 if alike else n_cols)
    figure = Figure(figsize=(width, 1.2 + sum(heights)), layout="constrained")
    panels = figure.subplots(
        len(lines), n_cols, squeeze=False, sharex=True, sharey=alike, height_ratios=heights
    )
    for panel in panels.flat[n_blocks:]:
        panel.set_axis_off()
    title = f"{title_of(table.number)}{heading}: {table.caption}"
    figure.suptitle(fill(title, int(10.5 * width)), fontsize=11)
    return figure, list(panels.flat[:n_blocks])


WRAPPED, LABEL_INCHES = 34, 0.075  # letters of a row's label in one line, and how wide one is


def _draw_block(panel: Axes, block: Block, by_seed: pd.DataFrame) -> None:
    first = block.rows[0]
    panel.axvline(0, color=PALETTE["neutral"], linewidth=1.2, zorder=1)
    panel.plot(0, 0, "|", color="black", markersize=10, zorder=3)
    for position, row in enumerate(block.rows):
        if row.to_first is not None:
            _draw_estimate(panel, position, row.to_first)
            if row.ours.n_seeds > 1:
                dots = by_seed.loc[row.label].to_numpy() - by_seed.loc[first.label].to_numpy()
                _dots(panel, dots, position)
        if row.paper is not None and first.paper is not None and position:
            panel.plot(
                row.paper - first.paper, position - 0.22, "D", markerfacecolor="none",
                markeredgecolor=PALETTE["paper"], markersize=6, zorder=3,
            )  # fmt: skip
        panel.text(
            1.01, position, _means(row), transform=panel.get_yaxis_transform(), va="center",
            fontsize=8,
        )  # fmt: skip
    printed = any(row.paper is not None for row in block.rows)
    heading = "ours (paper)" if printed else "ours"
    panel.text(1.01, 1.0, heading, transform=panel.transAxes, fontsize=8, va="bottom")
    labels = [fill(row.label, WRAPPED) for row in block.rows]
    panel.set_yticks(range(len(labels)), labels, linespacing=1.1)
    panel.set_ylim(len(block.rows) - 0.4, -0.6)
    panel.set_title(f"{block.title} ({first.ours.n_objects} objects)", fontsize=9.5)
    panel.set_xlabel(f"difference to {first.label}, points of mIoU", fontsize=9)
    panel.tick_params(labelbottom=True, labelsize=9)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color="0.92")
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)


def _draw_estimate(panel: Axes, position: int, value: Estimate) -> None:
    colour = PALETTE["ours"]
    panel.plot([value.low, value.high], [position] * 2, color=colour, linewidth=2.5, zorder=2)
    panel.plot(value.mean, position, "o", color=colour, markersize=6, zorder=4)


def _dots(panel: Axes, values: np.ndarray, position: int) -> None:
    heights = np.full(len(values), position + 0.25)
    panel.plot(values, heights, ".", color=PALETTE["ours"], alpha=0.45, markersize=5, zorder=2)


def _by_seed(objects: pd.DataFrame, block: Block) -> pd.DataFrame:
    """Mean IoU in points: one row per label, one column per seed."""
    mine = objects[objects["block"] == block.title]
    return 100.0 * mine.groupby(["row", "seed"])["iou"].mean().unstack("seed")


def _means(row: Row) -> str:
    published = "" if row.paper is None else f"  ({row.paper:.1f})"
    return f"{row.ours.mean:.1f}{published}"


def _legend(table: Table) -> list[Line2D]:
    """What is drawn somewhere: the interval, single seeds, the paper's difference."""
    ours, paper = PALETTE["ours"], PALETTE["paper"]
    entries = [Line2D([], [], color=ours, marker="o", linewidth=2.5, label="ours, 95 % interval")]
    if table.blocks[0].rows[0].ours.n_seeds > 1:
        entries.append(
            Line2D([], [], color=ours, marker=".", linestyle="", alpha=0.45, label="one seed")
        )
    if any(_has_papers_difference(block) for block in table.blocks):
        entries.append(
            Line2D([], [], color=paper, marker="D", linestyle="", markerfacecolor="none",
                   label="the paper's difference")
        )  # fmt: skip
    return entries


def _has_papers_difference(block: Block) -> bool:
    published = [row.paper is not None for row in block.rows]
    return published[0] and any(published[1:])


def training_figure(models: Sequence[Model]) -> Figure:
    """Loss terms by epoch: a row of panels per stage, a panel per term, a line per model.

    Ours: terms as they are logged, before the division by the crop's pixels; seeds of one variant
    share a line's look. A model that learned nothing has no loss to show. Where one run leaves the
    others far behind, the scale is logarithmic.
    """
    learned = [(_stage_and_variant(m), pd.DataFrame(m.facts()["history"])) for m in models]
    histories = [(named, history) for named, history in learned if len(history)]
    stages = list(dict.fromkeys(stage for (stage, _), _ in histories))
    terms = _terms([history for _, history in histories])
    looks = _looks([variant for (_, variant), _ in histories])
    size = (1.2 + 2.5 * len(terms), 1.3 + 2.1 * len(stages))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(stages), len(terms), squeeze=False)
    for (stage, variant), history in histories:
        for panel, term in zip(panels[stages.index(stage)], terms, strict=True):
            if term in history:
                panel.plot(history["epoch"], history[term], marker=".", lw=1.3, **looks[variant])
    for line, stage in zip(panels, stages, strict=True):
        _finish(line, stage, terms)
    data = ", ".join(dict.fromkeys(_data_of(model) for model in models))
    figure.suptitle(f"Loss per object by epoch, {data}", fontsize=11)
    handles = [Line2D([], [], marker=".", label=name, **look) for name, look in looks.items()]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(len(handles), 6), frameon=False
    )
    return figure


def _finish(line: Sequence[Axes], stage: str, terms: Sequence[str]) -> None:
    """Name what was drawn in one row of panels; what was not is left blank."""
    drawn = [(panel, term) for panel, term in zip(line, terms, strict=True) if panel.lines]
    for panel in line:
        panel.set_visible(bool(panel.lines))
    for panel, term in drawn:
        panel.set_title(TERM_NAMES.get(term, term), fontsize=9)
        panel.set_xlabel("epoch", fontsize=9)
        panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if _is_far_apart(panel):
            panel.set_yscale("log")
        panel.yaxis.set_major_formatter(EngFormatter(sep=""))
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    if drawn:
        drawn[0][0].set_ylabel(stage, fontsize=9)


def _stage_and_variant(model: Model) -> tuple[str, str]:
    """Of the last step: ("coco", "st+ipt") of "demo seed 0 initial voc > coco st+ipt"."""
    step = re.sub(r" seed \d+", "", model.label).split(" ", 1)[1].split(" > ")[-1]
    stage, _, variant = step.partition(" ")
    return stage, variant


def _data_of(model: Model) -> str:
    name = model.label.split(" ")[0]
    return PROFILES[name].data if name in PROFILES else f"profile {name}"


def _terms(histories: Sequence[pd.DataFrame]) -> list[str]:
    found = dict.fromkeys(name for history in histories for name in history if name != "epoch")
    known = [name for name in TERM_NAMES if name in found]
    return known + [str(name) for name in found if name not in known]


def _looks(variants: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and stroke of each variant's lines; where colours run out, dashes tell them apart."""
    unique = list(dict.fromkeys(variants))
    rounds = [divmod(i, len(SERIES)) for i in range(len(unique))]
    return {
        name: {"color": SERIES[colour], "linestyle": STROKES[n % len(STROKES)]}
        for name, (n, colour) in zip(unique, rounds, strict=True)
    }


def _is_far_apart(panel: Axes) -> bool:
    """Whether the values, all positive, span more than two powers of ten."""
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in panel.lines])
    return bool(values.min() > 0 and values.max() > 100 * values.min())
