"""What the lessons' figures share: images under layers, plain axes, a legend of errors."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from openscenes.data.records import Interaction
from openscenes.study.figures.forest import draw_interval, finish_dot_plot
from openscenes.study.figures.galleries import draw_interaction
from openscenes.study.figures.palette import PALETTE

Pixels = NDArray[np.uint8]
WRAPPED = 34  # letters that stand above or below an image
ERRORS = ("right", "too much", "missed")  # colours of the palette


def image_grid(
    n: int, columns: int, size: tuple[float, float], *, title: str = "", spare: float = 0.0
) -> tuple[Figure, list[Axes]]:
    """A figure with n panels of a size in inches, in rows; ``spare`` is the height of the title."""
    rows = -(-n // columns)
    figure = Figure(figsize=(size[0] * columns, spare + size[1] * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in panels[n:]:
        panel.set_axis_off()
    figure.suptitle(title, fontsize=10.5)
    return figure, panels[:n]


def show_image(
    panel: Axes,
    image: Pixels,
    layer: Pixels | None = None,
    interaction: Interaction | None = None,
    *,
    title: str = "",
    below: str = "",
    size: float = 4.5,
) -> None:
    """An image without ticks, a layer (H, W, 4) over it, box and click over both."""
    panel.imshow(image)
    if layer is not None:
        panel.imshow(layer, interpolation="nearest")
    if interaction is not None:
        draw_interaction(panel, interaction.box, interaction.point, size=size)
        panel.set_xlim(-0.5, image.shape[1] - 0.5)
        panel.set_ylim(image.shape[0] - 0.5, -0.5)
    lines = (fill(line, WRAPPED) for line in title.splitlines())
    panel.set_title("\n".join(lines), fontsize=9)
    panel.set_xlabel(fill(below, WRAPPED), fontsize=9)
    bare(panel)


def bare(*panels: Axes) -> None:
    """No ticks."""
    for panel in panels:
        panel.set_xticks([])
        panel.set_yticks([])


def plain(
    panel: Axes, grid: Literal["both", "x", "y"] = "both", across: str = "", up: str = ""
) -> None:
    """Faint lines to read values by, no frame at the top and right; labels of both axes."""
    panel.grid(axis=grid, color="0.92")
    panel.set_axisbelow(True)
    panel.tick_params(labelsize=9)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_xlabel(across or panel.get_xlabel(), fontsize=9)
    panel.set_ylabel(up or panel.get_ylabel(), fontsize=9)


def dot_plot(panel: Axes, rows: Mapping[str, Sequence[float]]) -> None:
    """Name -> (mean, low, high) around a line at zero; a dot is hollow where zero is inside."""
    panel.axvline(0, color=PALETTE["neutral"], linewidth=1.2)
    for height, (mean, low, high) in enumerate(rows.values()):
        draw_interval(panel, height, mean, low, high)
    panel.set_yticks(range(len(rows)), list(rows))
    panel.set_ylim(len(rows) - 0.4, -0.6)
    finish_dot_plot(panel)


def grey(image: Pixels) -> Pixels:
    """An image without colours, (H, W, 3)."""
    return np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)


def error_legend(figure: Figure) -> None:
    """The colours of right, surplus and missed pixels, and the click, below a figure."""
    click = Line2D([], [], color=PALETTE["click"], marker="o", linestyle="", label="click")
    handles: Sequence[Line2D | Patch] = [
        *(Patch(color=PALETTE[name], label=name) for name in ERRORS),
        click,
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)


def signed(change: float) -> str:
    """A change with its sign and one decimal, never "-0.0"."""
    return f"{round(change, 1) + 0.0:+.1f}"
