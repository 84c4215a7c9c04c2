"""Forest plots: differences with their 95 % intervals, of rows, groups of objects, and objects."""

from textwrap import fill

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from openscenes.study.figures.palette import PALETTE
from openscenes.study.pages.foreign_text import in_figure
from openscenes.study.scores.results import Block, Row, Table, title_of
from openscenes.study.scores.statistics import Estimate


def table_figure(table: Table) -> Figure:
    """Each row's difference to the first row, with its 95 % interval, beside the paper's.

    Differences, not means, since the paper's values are from other images: what can be
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

    Blocks with the same rows share their labels at the left; others have their own.
    """
    labels = [tuple(row.label for row in block.rows) for block in table.blocks]
    n_blocks, alike = len(labels), len(set(labels)) == 1
    n_cols = min(2, n_blocks)
    lines = [labels[i : i + n_cols] for i in range(0, n_blocks, n_cols)]
    heights = [0.9 + inches_per_row * max(map(len, line)) for line in lines]
    written = LABEL_INCHES * min(WRAPPED, max(len(label) for rows in labels for label in rows))
    width = min(WIDEST, 1.2 + n_cols * 4.4 + written * (1 if alike else n_cols))
    figure = Figure(figsize=(width, 1.2 + sum(heights)), layout="constrained")
    panels = figure.subplots(
        len(lines), n_cols, squeeze=False, sharex=True, sharey=alike, height_ratios=heights
    )
    for panel in panels.flat[n_blocks:]:
        panel.set_axis_off()
    title = f"{title_of(table.number)}{heading}: {table.caption}"
    figure.suptitle(fill(title, int(10.5 * width)), fontsize=11)
    return figure, list(panels.flat[:n_blocks])


SIDE_BY_SIDE = 3  # panels of a line, so that their text can be read on a page of 900 px
WIDEST = 12.0  # inches, for the same reason
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
            fontsize=9,
        )  # fmt: skip
    printed = any(row.paper is not None for row in block.rows)
    heading = "ours (paper)" if printed else "ours"
    panel.text(1.01, 1.0, heading, transform=panel.transAxes, fontsize=9, va="bottom")
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


def breakdown_figure(frame: pd.DataFrame, title: str) -> Figure:
    """Each group's change to the first row with its 95 % interval.

    All panels share their scale, so that rows can be compared; drop the lines of a row that
    would dwarf the others, such as an upper bound, to see these.

    Args:
        frame: from ``by_size`` or ``by_class``.
    Returns:
        Lines of at most three panels per block, a panel per row but the first; groups from top to
        bottom, the row's mean IoU at the right.
    """
    blocks = list(frame["block"].unique())
    rows = list(frame[frame["change"].notna()]["row"].unique())
    n_groups = [frame[frame["block"] == block]["group"].nunique() for block in blocks]
    parts = [rows[i : i + SIDE_BY_SIDE] for i in range(0, len(rows), SIDE_BY_SIDE)]
    lines = [(block, n, part) for block, n in zip(blocks, n_groups, strict=True) for part in parts]
    n_columns = min(SIDE_BY_SIDE, len(rows))
    size = (2.0 + 2.3 * n_columns, 1.0 + sum(0.85 + 0.27 * n for _, n, _ in lines))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(
        len(lines), n_columns, squeeze=False, sharex=True, sharey="row",
        height_ratios=[n + 1.0 for _, n, _ in lines],
    )  # fmt: skip
    for line, (block, _, part) in zip(panels, lines, strict=True):
        mine = frame[frame["block"] == block]
        for panel, row in zip(line, part, strict=False):
            _draw_row(panel, mine[mine["row"] == row])
            panel.set_title(row, fontsize=9)
        for panel in line[len(part) :]:
            panel.set_axis_off()
        line[0].set_ylabel(str(block).replace(", ", ",\n"), fontsize=9)
    first = frame["row"].iloc[0]
    figure.supxlabel(
        f"change to {first}, points of mIoU, 95 % interval (filled where it leaves out zero)",
        fontsize=9,
    )
    figure.suptitle(title, fontsize=11)
    return figure


def _draw_row(panel: Axes, lines: pd.DataFrame) -> None:
    panel.axvline(0, color=PALETTE["neutral"], linewidth=1.2, zorder=1)
    for position, (mean, change, low, high) in enumerate(
        lines[["mean", "change", "low", "high"]].to_numpy()
    ):
        draw_interval(panel, position, change, low, high)
        panel.text(
            1.01, position, f"{mean:.1f}", transform=panel.get_yaxis_transform(), va="center",
            fontsize=9,
        )  # fmt: skip
    names = [
        f"{in_figure(group)} ({n})"
        for group, n in zip(lines["group"], lines["n_objects"], strict=True)
    ]
    panel.text(1.01, 1.0, "mIoU", transform=panel.transAxes, fontsize=9, va="bottom")
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.4, -0.6)
    finish_dot_plot(panel)


def draw_interval(panel: Axes, position: float, mean: float, low: float, high: float) -> None:
    """A dot on its interval at a height; hollow where the interval holds zero."""
    colour, differs = PALETTE["ours"], low > 0 or high < 0
    panel.plot([low, high], [position] * 2, color=colour, linewidth=2.0, zorder=2)
    panel.plot(
        mean, position, "o", color=colour, markerfacecolor=colour if differs else "white",
        markersize=5.5, zorder=4,
    )  # fmt: skip


def finish_dot_plot(panel: Axes) -> None:
    """Faint vertical lines to read values by, and no frame."""
    panel.tick_params(labelbottom=True, labelsize=9)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color="0.92")
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)


def objects_figure(table: Table) -> Figure:
    """Distribution over objects of the change in IoU against the first row.

    Seeds are averaged for each object first; the lines in a violin are the quartiles.

    Returns:
        One panel per block; every row but the first, from top to bottom.
    """
    figure, panels = block_panels(table, inches_per_row=0.4, heading=", object by object")
    for panel, block in zip(panels, table.blocks, strict=True):
        seaborn.violinplot(
            _changes(table.objects, block), x="change", y="row", ax=panel, inner="quart", cut=0,
            density_norm="width", color=PALETTE["right"], linewidth=0.8,
        )  # fmt: skip
        panel.axvline(0, color=PALETTE["neutral"], linewidth=1.2, zorder=0)
        panel.set_title(block.title, fontsize=10)
        panel.set_xlabel(f"change of an object's IoU, points, to {block.rows[0].label}")
        panel.set_ylabel("")
        panel.tick_params(labelbottom=True)
    return figure


def _changes(objects: pd.DataFrame, block: Block) -> pd.DataFrame:
    """One line per object and row: columns row and change (points)."""
    mine = objects[objects["block"] == block.title]
    labels = [row.label for row in block.rows]
    means = mine.groupby(["object_id", "row"])["iou"].mean().unstack("row")[labels]
    changes = 100.0 * means.sub(means[labels[0]], axis=0)[labels[1:]]
    named = changes.rename(columns=lambda label: fill(label, WRAPPED))
    return named.melt(var_name="row", value_name="change")
