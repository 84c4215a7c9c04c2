"""How single objects fare, which a mean over all of them hides."""

from __future__ import annotations

from textwrap import fill

import pandas as pd
import seaborn
from matplotlib.figure import Figure

from openscenes.study.figures.forest import WRAPPED, block_panels
from openscenes.study.figures.palette import PALETTE
from openscenes.study.scores.results import Block, Table


def objects_figure(table: Table) -> Figure:
    """Distribution over objects of the change in IoU against the first row.

    Ours: seeds are averaged for each object first; the lines in a violin are the quartiles.

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
