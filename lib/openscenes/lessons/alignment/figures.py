"""Static pictures of feature alignment, drawn from the explorer's own layers and clouds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

import cv2
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torch import Tensor

from openscenes.lessons.alignment.layers import LAYERS, Drawn, draw, draw_old
from openscenes.lessons.alignment.state import Clouds, FloatMap
from openscenes.method.alignment import AlignmentConfig, maximum_squares_loss
from openscenes.method.evolution import EvolutionConfig, old_weight
from openscenes.study.figures.palette import PALETTE, SERIES
from openscenes.widgets.overlays import Layer

OLD, NEW = PALETTE["truth"], PALETTE["mask"]  # the old have ground truth, the new a pseudo mask
Limits = tuple[float, float, float, float]  # left, right, bottom, top
SCATTER_PX = 420


@dataclass(frozen=True)
class Scatter:
    """The clouds as pixels.

    Attributes:
        image: (SCATTER_PX, SCATTER_PX, 3) uint8 RGB.
        old, new: (N, 2) float (row, col) of the prototypes c_a and c_b in it.
    """

    image: NDArray[np.uint8]
    old: FloatMap
    new: FloatMap


def clouds_figure(
    shown: Mapping[str, Clouds], known: NDArray[np.bool_], *, title: str = ""
) -> Figure:
    """Old and new objects in one plane, a panel for each model, all on the same axes.

    Args:
        shown: a model's name -> its clouds.
        known: (N,) bool, pairs of a known class.
        title: above all.
    """
    figure = Figure(figsize=(0.4 + 3.3 * len(shown), 4.3), layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False, sharex=True, sharey=True)[0]
    limits = limits_of(list(shown.values()))
    for panel, (name, found) in zip(panels, shown.items(), strict=True):
        draw_clouds(panel, found, known)
        panel.set_title(f"{name}\nvariance of all channels {found.spread:.0f}", fontsize=9.5)
        panel.set_xlabel("first component", fontsize=9)
        panel.axis(limits)
    panels[0].set_ylabel("second component", fontsize=9)
    figure.suptitle(title, fontsize=10.5)
    figure.legend(handles=_cloud_legend(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def draw_clouds(panel: Axes, found: Clouds, known: NDArray[np.bool_]) -> None:
    """Cells as dots, prototypes as marks, a line between the two of each pair."""
    for cells, colour in ((found.cells_old, OLD), (found.cells_new, NEW)):
        panel.plot(*cells.T, ".", color=colour, markersize=4.5, alpha=0.45, markeredgewidth=0)
    for i in np.flatnonzero(~found.empty):
        ends = np.stack([found.old[i], found.new[i]]).T
        panel.plot(*ends, "-" if known[i] else ":", color="black", linewidth=0.7, alpha=0.6)
    for places, colour, mark in ((found.old, OLD, "o"), (found.new, NEW, "^")):
        panel.plot(
            *places[~found.empty].T, mark, color=colour, markersize=7, markeredgecolor="black",
            markeredgewidth=0.8, linestyle="",
        )  # fmt: skip
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def limits_of(found: Sequence[Clouds], margin: float = 0.1) -> Limits:
    """Axes that hold all prototypes and nearly all cells of several clouds."""
    low = np.min([_extent(one)[0] for one in found], axis=0)
    high = np.max([_extent(one)[1] for one in found], axis=0)
    wider = margin * np.maximum(high - low, 1e-6)
    (left, bottom), (right, top) = low - wider, high + wider
    return float(left), float(right), float(bottom), float(top)


def _extent(found: Clouds) -> tuple[FloatMap, FloatMap]:
    cells = np.concatenate([found.cells_old, found.cells_new])
    marks = np.concatenate([found.old[~found.empty], found.new[~found.empty]])
    if not len(cells):
        cells = np.concatenate([marks, np.zeros((1, 2), np.float32)])
    quantiles = np.quantile(cells, [0.005, 0.995], axis=0)
    both = np.concatenate([quantiles, marks])
    return both.min(axis=0), both.max(axis=0)


def scatter(found: Clouds, known: NDArray[np.bool_], limits: Limits) -> Scatter:
    """The clouds of one model as pixels, and where the prototypes lie in them."""
    figure = Figure(figsize=(SCATTER_PX / 100, SCATTER_PX / 100), dpi=100)
    panel = figure.add_axes((0.08, 0.07, 0.9, 0.91))
    draw_clouds(panel, found, known)
    panel.axis(limits)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    return Scatter(image, _pixels(panel, found.old), _pixels(panel, found.new))


def _pixels(panel: Axes, places: FloatMap) -> FloatMap:
    """Positions in the plane as (row, col) of the picture."""
    x, y = panel.transData.transform(places).T
    return np.stack([SCATTER_PX - y, x], axis=1).astype(np.float32)


def marked(shown: Scatter, pair: int) -> Layer:
    """The chosen pair's line and rings over the scatter, dark rimmed to be seen on any ground."""
    layer = np.zeros((SCATTER_PX, SCATTER_PX, 4), np.uint8)
    old, new = ((round(float(col)), round(float(row)))
                for row, col in (shown.old[pair], shown.new[pair]))  # fmt: skip
    colour = tuple(round(255 * part) for part in to_rgba(PALETTE["click"]))
    for paint, width in (((0, 0, 0, 255), 5), (colour, 2)):
        cv2.line(layer, old, new, paint, width, cv2.LINE_AA)
        for centre in (old, new):
            cv2.circle(layer, centre, 12, paint, width, cv2.LINE_AA)
    return layer


def _cloud_legend() -> list[Line2D]:
    def mark(colour: str, shape: str, words: str) -> Line2D:
        edge = "none" if shape == "." else "black"
        return Line2D(
            [], [], color=colour, marker=shape, markeredgecolor=edge, linestyle="", label=words
        )

    return [
        mark(OLD, ".", "cell of an old object"), mark(OLD, "o", "c_a, its prototype"),
        mark(NEW, ".", "cell of a new object"), mark(NEW, "^", "c_b, its prototype"),
        Line2D([], [], color="black", linewidth=1, label="pair of a class that the model named"),
        Line2D([], [], color="black", linewidth=1, linestyle=":", label="pair of unknown class"),
    ]  # fmt: skip


def pair_figure(drawn: Drawn, title: str) -> Figure:
    """Both crops of a pair and every layer: the explorer's pictures without its sliders."""
    names = list(LAYERS)
    figure = Figure(figsize=(11.2, 6.4), layout="constrained")
    panels = figure.subplots(2, 4).flat
    _show(panels[0], drawn.pairing.old.images[0].permute(1, 2, 0).numpy(), draw_old(drawn))
    panels[0].set_title(f"old object: {drawn.pairing.old_names[0]}", fontsize=9)
    panels[0].set_xlabel("ground truth", fontsize=8)
    crop = drawn.pairing.new.images[0].permute(1, 2, 0).numpy()
    for panel, name in zip(panels[1:], names, strict=False):
        _show(panel, crop, draw(name, drawn))
        panel.set_title(LAYERS[name].title, fontsize=9)
        panel.set_xlabel(fill(LAYERS[name].legend(drawn), 38), fontsize=8)
    for panel in panels[1 + len(names) :]:
        panel.set_axis_off()
    figure.suptitle(title, fontsize=10.5)
    return figure


def _show(panel: Axes, crop: NDArray[np.uint8], layer: NDArray[np.uint8]) -> None:
    panel.imshow(crop)
    panel.imshow(layer, interpolation="nearest")
    panel.set_xticks([])
    panel.set_yticks([])


def indecision_figure() -> Figure:
    """Two losses against indecision about one pixel, their gradients in p and in the logit.

    Paper: Eq. 10 against the entropy -p log p - (1 - p) log(1 - p). Ours: both shifted to zero
    where the pixel is undecided; the gradients are autograd's.
    """
    logit = torch.linspace(-7, 7, 701, dtype=torch.float64, requires_grad=True)
    p = torch.sigmoid(logit)
    unknown = torch.zeros(len(p), dtype=torch.bool)
    squares = maximum_squares_loss(p[:, None, None, None], None, unknown, AlignmentConfig()) + 0.5
    entropy = torch.special.entr(p) + torch.special.entr(1 - p) - np.log(2)
    figure = Figure(figsize=(11.0, 3.2), layout="constrained")
    panels = figure.subplots(1, 3)
    _draw_indecision(panels, logit, p, squares, "maximum squares (Eq. 10)", SERIES[0], "-")
    _draw_indecision(panels, logit, p, entropy, "entropy", SERIES[1], "--")
    for panel, up in zip(panels, _INDECISION, strict=True):
        _label(panel, "p, probability of foreground", up)
    panels[0].legend(fontsize=8, frameon=False)
    return figure


_INDECISION = ("loss, shifted to 0 at p = 1/2", "gradient in p", "gradient in the logit of p")


def _draw_indecision(
    panels: Sequence[Axes],
    logit: Tensor,
    p: Tensor,
    loss: Tensor,
    name: str,
    colour: str,
    line: str,
) -> None:
    gradients = torch.autograd.grad(loss.sum(), [p, logit], retain_graph=True)
    for panel, values in zip(panels, (loss.detach(), *gradients), strict=True):
        panel.plot(p.detach(), values, line, color=colour, label=name)


def decay_figure(lives: Mapping[str, EvolutionConfig]) -> Figure:
    """The weight of the old data's cross entropy in each epoch of several trainings."""
    figure = Figure(figsize=(6.4, 2.9), layout="constrained")
    panel = figure.subplots()
    for (name, config), colour in zip(lives.items(), SERIES, strict=False):
        epochs = range(config.train.epochs)
        weights = [old_weight(config, epoch) for epoch in epochs]
        panel.plot(epochs, weights, ".-", color=colour, label=f"{name}: {len(epochs)} epochs")
    _label(panel, "epoch", "weight of the old data's L_ce")
    panel.set_ylim(0, 1.05)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.legend(fontsize=8, frameon=False)
    return figure


def _label(panel: Axes, across: str, up: str) -> None:
    panel.set_xlabel(across, fontsize=9)
    panel.set_ylabel(up, fontsize=9)
    panel.tick_params(labelsize=8)
    panel.grid(color="0.92")
    panel.spines[["top", "right"]].set_visible(False)
