"""Figures of feature alignment, drawn from the explorer's own layers and clouds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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

from openscenes.lessons.alignment.layers import LAYERS, DrawnPair, crop_of, draw, draw_old
from openscenes.lessons.alignment.pair_terms import Clouds, FloatMap
from openscenes.lessons.panels import image_grid, plain, show_image
from openscenes.method.alignment import AlignmentConfig, maximum_squares_loss
from openscenes.method.evolution import EvolutionConfig, old_weight
from openscenes.study.figures.palette import PALETTE, SERIES
from openscenes.study.pages.foreign_text import in_figure
from openscenes.widgets.overlays import Layer

OLD, NEW = PALETTE["truth"], PALETTE["mask"]  # the old have ground truth, the new a pseudo mask
Limits = tuple[float, float, float, float]  # left, right, bottom, top
SCATTER_PX = 420


@dataclass(frozen=True)
class Scatter:
    """The clouds as a square uint8 RGB image; (N, 2) (row, col) of c_a and c_b in it."""

    image: NDArray[np.uint8]
    old: FloatMap
    new: FloatMap


def clouds_figure(
    shown: Mapping[str, Clouds], known: NDArray[np.bool_], *, title: str = ""
) -> Figure:
    """Old and new objects in one plane, a panel per model; ``known`` pairs with solid lines."""
    n_columns = min(2, len(shown))
    n_lines = -(-len(shown) // n_columns)
    size = (0.4 + 4.2 * n_columns, 0.9 + 3.4 * n_lines)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(n_lines, n_columns, squeeze=False, sharex=True, sharey=True)
    for panel in grid.flat[len(shown) :]:
        panel.set_axis_off()
    panels = grid.flat[: len(shown)]
    limits = limits_of(list(shown.values()))
    for panel, (name, found) in zip(panels, shown.items(), strict=True):
        draw_clouds(panel, found, known)
        panel.set_title(f"{name}\nvariance of all channels {found.spread:.0f}", fontsize=9.5)
        panel.set_xlabel("first component", fontsize=9)
        panel.axis(limits)
        panel.label_outer()
    for panel in grid[:, 0]:
        panel.set_ylabel("second component", fontsize=9)
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
    plain(panel)


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
    """Positions in the plane as (row, col) of the image."""
    x, y = panel.transData.transform(places).T
    return np.stack([SCATTER_PX - y, x], axis=1).astype(np.float32)


def marked(shown: Scatter, pair: int) -> Layer:
    """The chosen pair's line and rings over the scatter, dark rimmed to be seen on any ground."""
    layer = np.zeros((SCATTER_PX, SCATTER_PX, 4), np.uint8)
    old, new = (
        (round(float(col)), round(float(row))) for row, col in (shown.old[pair], shown.new[pair])
    )
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
        Line2D([], [], color="black", linewidth=1, label="pair of a predicted class"),
        Line2D([], [], color="black", linewidth=1, linestyle=":", label="pair of unknown class"),
    ]  # fmt: skip


def pair_figure(drawn: DrawnPair, title: str) -> Figure:
    """Both crops of a pair and every layer: the explorer's images without its sliders."""
    figure, panels = image_grid(1 + len(LAYERS), 4, (2.35, 2.95), title=title)
    old = f"old object: {in_figure(drawn.pairing.old_names[0])}"
    show_image(
        panels[0], crop_of(drawn.pairing.old), draw_old(drawn), title=old, below="ground truth"
    )
    for panel, (name, layer) in zip(panels[1:], LAYERS.items(), strict=True):
        show_image(panel, crop_of(drawn.pairing.new), draw(name, drawn), title=layer.title,
                   below=layer.legend(drawn))  # fmt: skip
    return figure


_INDECISION = ("loss, shifted to 0 at p = 1/2", "gradient in p", "gradient in the logit of p")


def indecision_figure() -> Figure:
    """Two losses against uncertain predictions of one pixel, their gradients in p and in the logit.

    Paper: Eq. 10 against the entropy -p log p - (1 - p) log(1 - p), both shifted to zero at
    p = 1/2; the gradients are autograd's.
    """
    logit = torch.linspace(-7, 7, 701, dtype=torch.float64, requires_grad=True)
    p = torch.sigmoid(logit)
    unknown = torch.zeros(len(p), dtype=torch.bool)
    squares = maximum_squares_loss(p[:, None, None, None], None, unknown, AlignmentConfig()) + 0.5
    entropy = torch.special.entr(p) + torch.special.entr(1 - p) - np.log(2)
    figure, panels = image_grid(3, 3, (3.6, 3.2))
    losses = {"maximum squares (Eq. 10)": (squares, SERIES[0], "-"),
              "entropy": (entropy, SERIES[1], "--")}  # fmt: skip
    for name, (loss, colour, line) in losses.items():
        gradients = torch.autograd.grad(loss.sum(), [p, logit], retain_graph=True)
        for panel, values in zip(panels, (loss.detach(), *gradients), strict=True):
            panel.plot(p.detach(), values, line, color=colour, label=name)
    for panel, up in zip(panels, _INDECISION, strict=True):
        plain(panel, across="p, probability of foreground", up=up)
    panels[0].legend(fontsize=9, frameon=False)
    return figure


def decay_figure(trainings: Mapping[str, EvolutionConfig]) -> Figure:
    """The weight of the old data's cross entropy in each epoch of several trainings."""
    figure = Figure(figsize=(6.4, 2.9), layout="constrained")
    panel = figure.subplots()
    for (name, config), colour in zip(trainings.items(), SERIES, strict=False):
        epochs = range(config.train.epochs)
        weights = [old_weight(config, epoch) for epoch in epochs]
        panel.plot(epochs, weights, ".-", color=colour, label=f"{name}: {len(epochs)} epochs")
    plain(panel, across="epoch", up="weight of the old data's L_ce")
    panel.set_ylim(0, 1.05)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.legend(fontsize=9, frameon=False)
    return figure
