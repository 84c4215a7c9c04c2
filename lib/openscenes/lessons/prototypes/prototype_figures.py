"""Figures of prototypes and IPT: layers of one object, equations by hand, thresholds, ranks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, StrMethodFormatter
from numpy.typing import NDArray
from torch import Tensor

from openscenes.data import crops
from openscenes.data.records import Interaction, Point
from openscenes.lessons.panels import bare, image_grid, plain, show_image
from openscenes.lessons.prototypes.layers import LAYERS, draw
from openscenes.lessons.prototypes.objects import PredictedObject
from openscenes.lessons.prototypes.refinement import (
    Measures,
    RefinedObject,
    Settings,
    measure,
    refine_object,
)
from openscenes.study.figures.palette import PALETTE, SERIES
from openscenes.study.pages.foreign_text import in_figure

STORY = (
    "coarse", "predictor", "selection edge", "global", "center", "edge", "merged",
    "label global", "label merged", "votes", "refined", "errors",
)  # fmt: skip
UNDERFLOW = 103.97  # exp(-d) is 0 in float32 from here on: half of its least number, 2 ** -149
UNCHANGED = 0.1  # points; a mask pasted back without its probability differs by as much


def prototype_figure(
    refined: RefinedObject, names: Sequence[str] = STORY, *, columns: int = 4
) -> Figure:
    """Layers of one object side by side, by default under the object and its numbers."""
    title = sentence(refined, measure(refined))
    figure, panels = image_grid(len(names), columns, (2.35, 2.95), title=title, spare=0.4)
    predicted = refined.predicted
    row, col = map(float, predicted.point[0].tolist())
    box = crops.move_box(predicted.affine, predicted.example.interaction.box)
    for panel, name in zip(panels, names, strict=True):
        show_image(
            panel, predicted.crop, draw(name, refined), Interaction(box, Point(row, col)),
            title=LAYERS[name].title, below=LAYERS[name].legend,
        )  # fmt: skip
    return figure


def sentence(refined: RefinedObject, measures: Measures) -> str:
    """The object and its numbers, for a title."""
    name = in_figure(refined.predicted.name)
    if measures.iou_before is None or measures.iou_after is None:
        return f"{name}: no ground truth, {measures.changed} pixels changed"
    before, after = 100 * measures.iou_before, 100 * measures.iou_after
    return (
        f"{name}: IoU {before:.1f} → {after:.1f} ({after - before:+.1f} points), "
        f"{measures.changed} pixels changed"
    )


def threshold_figure(refined: RefinedObject) -> Figure:
    """Eq. 4's thresholds: confidences inside and outside the coarse mask, k, and m k or n k.

    A bar's height is its share of its own group.
    """
    figure = Figure(figsize=(10.2, 3.9), layout="constrained")
    coarse = refined.predicted.prediction.coarse_mask[0, 0].cpu().numpy()
    config, measures = refined.settings.ipt, measure(refined)
    maps = (
        ("global", "m", config.m, measures.k_global, measures.threshold_global),
        ("merged", "n", config.n, measures.k_merged, measures.threshold_merged),
    )
    for panel, (name, letter, factor, k, cut) in zip(figure.subplots(1, 2), maps, strict=True):
        values = refined.refinement.confidence[name][0, 0].float().cpu().numpy()
        _histogram(panel, values, coarse)
        panel.axvline(k, color="black", linewidth=1.4, label=f"k = {k:.3f}")
        panel.axvline(
            cut, color=PALETTE["paper"], linestyle="--", linewidth=2,
            label=f"{letter} k = {factor:.2f} · k = {cut:.3f}",
        )  # fmt: skip
        panel.set_title(f"{name} confidence, label map {name}", fontsize=10)
        plain(panel, across="confidence", up="share of the group's pixels")
        panel.legend(
            fontsize=9, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2
        )
    figure.suptitle(f"Thresholds for {in_figure(refined.predicted.name)}", fontsize=10.5)
    return figure


def _histogram(panel: Axes, values: NDArray[np.floating], coarse: NDArray[np.bool_]) -> None:
    for group, colour, words in (
        (values[coarse], PALETTE["mask"], "in the coarse mask"),
        (values[~coarse], PALETTE["neutral"], "outside"),
    ):
        share = np.full(group.size, 1 / max(group.size, 1))
        bins = np.linspace(0, 1, 31)
        panel.hist(group, bins=list(bins), weights=share, color=colour, alpha=0.65, label=words)


def numbers_figure(grids: Mapping[str, Tensor], *, columns: int = 4) -> Figure:
    """Small grids with their numbers written into the cells, to follow an equation by hand."""
    figure, panels = image_grid(len(grids), columns, (2.6, 2.9))
    for panel, (title, grid) in zip(panels, grids.items(), strict=True):
        panel.set_axis_off()
        _write_numbers(panel, grid.detach().cpu().double().numpy())
        panel.set_title(title, fontsize=10)
    return figure


def _write_numbers(panel: Axes, grid: np.ndarray) -> None:
    """Cells in cividis over the grid's own range, digits in contrast."""
    finite = np.nan_to_num(grid, nan=0.0)
    low, high = float(finite.min()), float(finite.max())
    shade = (finite - low) / (high - low if high > low else 1.0)
    panel.imshow(shade, cmap="cividis", vmin=0, vmax=1)
    size = 10 if max(grid.shape) <= 5 else 7.5
    for (row, col), value in np.ndenumerate(grid):
        text = f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}"
        colour = "black" if shade[row, col] > 0.5 else "white"
        panel.text(col, row, text, ha="center", va="center", color=colour, fontsize=size)


def distances_figure(distances: Mapping[str, Tensor]) -> Figure:
    """Squared distances of features to a prototype, and where exp(-d) becomes zero in float32."""
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
    panel.legend(fontsize=9, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    across = "squared distance d; in the grey part exp(-d) is 0 in float32"
    plain(panel, across=across, up="share of the pixels")
    return figure


def temperature_figure(
    predicted: PredictedObject, settings: Settings, temperatures: Sequence[float]
) -> Figure:
    """The edge prototype's confidence under several temperatures, and how much of it is certain.

    Certain are pixels below 0.01 or above 0.99.
    """
    title = f"Edge confidence of {in_figure(predicted.name)}"
    figure, panels = image_grid(len(temperatures), len(temperatures), (1.8, 2.6), title=title)
    for panel, temperature in zip(panels, temperatures, strict=True):
        warmer = replace(settings, ipt=replace(settings.ipt, temperature=float(temperature)))
        values = (
            refine_object(predicted, warmer)
            .refinement.confidence["edge"][0, 0]
            .float()
            .cpu()
            .numpy()
        )
        prototype_figures = panel.imshow(values, cmap="cividis", vmin=0, vmax=1)
        certain = float(((values < 0.01) | (values > 0.99)).mean())
        panel.set_title(f"T = {temperature:g}", fontsize=10)
        panel.set_xlabel(f"certain: {certain:.0%}\nmean {values.mean():.2f}", fontsize=9)
        bare(panel)
    figure.colorbar(prototype_figures, ax=panels, shrink=0.75, label="confidence")
    return figure


def ranks_figure(scores: pd.DataFrame, variants: Sequence[str]) -> Figure:
    """Change of IoU by each variant, which ranks the objects from most improved to most harmed."""
    figure = Figure(figsize=(9.6, 3.9), layout="constrained")
    panel = figure.subplots()
    for variant, colour in zip(variants, SERIES, strict=False):
        change = 100 * np.sort((scores[variant] - scores["iou"]).to_numpy())[::-1]
        helped, harmed = int((change > UNCHANGED).sum()), int((change < -UNCHANGED).sum())
        label = f"{variant}: mean {change.mean():+.2f}, helps {helped}, harms {harmed}"
        panel.plot(np.arange(1, len(change) + 1), change, color=colour, linewidth=2, label=label)
    panel.axhline(0, color=PALETTE["neutral"], linewidth=1.2)
    panel.set_yscale("symlog", linthresh=1.0)
    panel.yaxis.set_major_locator(FixedLocator([-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100]))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.legend(fontsize=9, frameon=False)
    plain(panel, "y", f"rank among {len(scores)} objects", "change of IoU, points")
    return figure


def ranks_table(scores: pd.DataFrame, variants: Sequence[str]) -> pd.DataFrame:
    """Mean, best and worst change by each variant in points of IoU; objects helped and harmed."""
    rows = {}
    for variant in variants:
        change = 100 * (scores[variant] - scores["iou"])
        rows[variant] = {
            "mean IoU": 100 * scores[variant].mean(),
            "mean change": change.mean(),
            "best": change.max(),
            "worst": change.min(),
            "helped": int((change > UNCHANGED).sum()),
            "left": int((change.abs() <= UNCHANGED).sum()),
            "harmed": int((change < -UNCHANGED).sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").round(2)


def at_rank(scores: pd.DataFrame, variant: str, share: float) -> int:
    """The position of the object at a share of all ranks of the change of IoU: 1 is the best."""
    order = np.argsort((scores[variant] - scores["iou"]).to_numpy(), kind="stable")
    return int(order[round(share * (len(order) - 1))])
