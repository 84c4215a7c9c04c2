"""Figures of the lessons on prototypes and IPT: numbers by hand, distances, heat, ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, StrMethodFormatter
from torch import Tensor

from openscenes.lessons.prototypes.asked import Asked
from openscenes.lessons.prototypes.state import Settings, look
from openscenes.study.figures.palette import PALETTE, SERIES

UNDERFLOW = 103.97  # exp(-d) is 0 in float32 from here on: half of its least number, 2 ** -149
LEFT = 0.1  # points; a mask that is pasted back without its probability differs by as much


def numbers_figure(grids: Mapping[str, Tensor], *, columns: int = 4, digits: int = 2) -> Figure:
    """Small grids with their numbers written into the cells, to follow an equation by hand.

    Args:
        grids: title -> (h, w) numbers.
        columns: grids in a row.
        digits: behind the point; whole numbers are written without.
    """
    lines = -(-len(grids) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.9 * lines), layout="constrained")
    panels = list(figure.subplots(lines, columns, squeeze=False).flat)
    for panel in panels:
        panel.set_axis_off()
    for panel, (title, grid) in zip(panels, grids.items(), strict=False):
        _write_numbers(panel, grid.detach().cpu().double().numpy(), digits)
        panel.set_title(title, fontsize=10)
    return figure


def _write_numbers(panel: Axes, grid: np.ndarray, digits: int) -> None:
    """Cells in cividis over the grid's own range, the digits dark on light and light on dark."""
    finite = np.nan_to_num(grid, nan=0.0)
    low, high = float(finite.min()), float(finite.max())
    shade = (finite - low) / (high - low if high > low else 1.0)
    panel.imshow(shade, cmap="cividis", vmin=0, vmax=1)
    size = 10 if max(grid.shape) <= 5 else 7.5
    for (row, col), value in np.ndenumerate(grid):
        text = f"{value:.0f}" if float(value).is_integer() else f"{value:.{digits}f}"
        colour = "black" if shade[row, col] > 0.5 else "white"
        panel.text(col, row, text, ha="center", va="center", color=colour, fontsize=size)


def distances_figure(distances: Mapping[str, Tensor]) -> Figure:
    """Squared distances of features to a prototype, and where exp(-d) becomes zero.

    Ours: a logarithmic axis, since distances grow with the channels and their scale.

    Args:
        distances: label -> any number of squared distances.
    """
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    panel = figure.subplots()
    for (label, values), colour in zip(distances.items(), SERIES, strict=False):
        found = values.detach().cpu().flatten().double().clamp(min=1e-3).numpy()
        share = np.full(found.size, 1 / found.size)
        bins = np.geomspace(found.min(), found.max() * 1.0001, 40)
        panel.hist(
            found, bins=list(bins), weights=share, histtype="step", linewidth=2, color=colour,
            label=f"{label}: zero for {(found > UNDERFLOW).mean():.0%}",
        )  # fmt: skip
    panel.axvspan(UNDERFLOW, panel.get_xlim()[1], color=PALETTE["neutral"], alpha=0.2)
    panel.axvline(UNDERFLOW, color="black", linewidth=1.2)
    panel.set_xscale("log")
    panel.set_xlabel("squared distance d; in the grey part exp(-d) is 0 in float32", fontsize=9)
    panel.set_ylabel("share of the pixels", fontsize=9)
    panel.legend(fontsize=9, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    panel.spines[["top", "right"]].set_visible(False)
    return figure


def temperature_figure(asked: Asked, settings: Settings, temperatures: Sequence[float]) -> Figure:
    """The edge prototype's confidence under several temperatures, and how sure it is.

    Ours: "sure" counts pixels below 0.01 or above 0.99.
    """
    figure = Figure(figsize=(2.6 * len(temperatures), 3.3), layout="constrained")
    panels = figure.subplots(1, len(temperatures), squeeze=False)[0]
    for panel, temperature in zip(panels, temperatures, strict=True):
        warmer = replace(settings, ipt=replace(settings.ipt, temperature=float(temperature)))
        values = look(asked, warmer).refinement.confidence["edge"][0, 0].float().cpu().numpy()
        drawn = panel.imshow(values, cmap="cividis", vmin=0, vmax=1)
        sure = float(((values < 0.01) | (values > 0.99)).mean())
        panel.set_title(f"T = {temperature:g}", fontsize=10)
        panel.set_xlabel(f"sure: {sure:.0%}\nmean {values.mean():.2f}", fontsize=9)
        panel.set_xticks([])
        panel.set_yticks([])
    figure.colorbar(drawn, ax=panels, shrink=0.75, label="confidence")
    figure.suptitle(f"Edge confidence of {asked.name}", fontsize=10.5)
    return figure


def ranks_figure(scores: pd.DataFrame, variants: Sequence[str]) -> Figure:
    """Change of IoU by each variant, objects ranked from the most improved to the most harmed.

    Ours: every variant is ranked for itself, so that a rank is not the same object twice.

    Args:
        scores: columns "iou" and one per variant, as ``evaluation.ipt_iou`` gives them.
        variants: columns to draw.
    """
    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    panel = figure.subplots()
    for variant, colour in zip(variants, SERIES, strict=False):
        change = 100 * np.sort((scores[variant] - scores["iou"]).to_numpy())[::-1]
        helped, harmed = int((change > LEFT).sum()), int((change < -LEFT).sum())
        label = f"{variant}: mean {change.mean():+.2f}, helps {helped}, harms {harmed}"
        panel.plot(np.arange(1, len(change) + 1), change, color=colour, linewidth=2, label=label)
    panel.axhline(0, color=PALETTE["neutral"], linewidth=1.2)
    panel.set_xlabel(f"rank among {len(scores)} objects", fontsize=9)
    panel.set_ylabel("change of IoU, points", fontsize=9)
    panel.set_yscale("symlog", linthresh=1.0)
    panel.yaxis.set_major_locator(FixedLocator([-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100]))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.grid(axis="y", color="0.92")
    panel.legend(fontsize=9, frameon=False)
    panel.spines[["top", "right"]].set_visible(False)
    return figure


def ranks_table(scores: pd.DataFrame, variants: Sequence[str]) -> pd.DataFrame:
    """What a variant does to the objects, in points of IoU.

    Returns:
        One row per variant: mean, best, worst, and how many objects are helped, harmed, or left
        as they were, give or take a tenth of a point.
    """
    rows = {}
    for variant in variants:
        change = 100 * (scores[variant] - scores["iou"])
        rows[variant] = {
            "mean IoU": 100 * scores[variant].mean(),
            "mean change": change.mean(),
            "best": change.max(),
            "worst": change.min(),
            "helped": int((change > LEFT).sum()),
            "left": int((change.abs() <= LEFT).sum()),
            "harmed": int((change < -LEFT).sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").round(2)


def at_rank(scores: pd.DataFrame, variant: str, share: float) -> int:
    """The position of the object whose change of IoU stands at a share of all: 1 is the best.

    Ours: objects for pictures are chosen by rank, so that nobody picks the pretty ones.
    """
    order = np.argsort((scores[variant] - scores["iou"]).to_numpy(), kind="stable")
    return int(order[round(share * (len(order) - 1))])
