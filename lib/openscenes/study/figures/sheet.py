"""A page measured in inches from its upper left corner, for images, bars and arrows."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from numpy.typing import NDArray

from openscenes.study.figures.palette import PALETTE

Pixels = NDArray[Any]
WIDTH, HEIGHT, SIDE = 10.6, 9.6, 1.0  # inches; the side of an image
TOPS = (1.45, 2.85, 4.25, 6.6, 8.1)  # of the rows of images: three of IPT, two of a pair
TEXT = 8.5  # points, so that a page 900 px wide can be read


class Sheet:
    """A page measured in inches from its upper left corner, for images, bars and arrows."""

    def __init__(self) -> None:
        self.figure = Figure(figsize=(WIDTH, HEIGHT))
        self.canvas = self.figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        self.canvas.set_axis_off()

    def image(self, x: float, row: int, image: Pixels, title: str, cmap: str = "gray") -> Axes:
        """An image in a row; confidences are shown from 0 to 1, F over its own range."""
        return self.image_at((x, TOPS[row]), image, title, cmap=cmap)

    def image_at(
        self, corner: tuple[float, float], image: Pixels, title: str, side: float = SIDE,
        cmap: str = "gray",
    ) -> Axes:  # fmt: skip
        """An image of a size, its upper left corner at (x, y)."""
        x, y = corner
        place = (x / WIDTH, 1 - (y + side) / HEIGHT, side / WIDTH, side / HEIGHT)
        panel = self.figure.add_axes(place, xticks=[], yticks=[])
        low, high = (0, 1) if cmap == "cividis" else (None, None)
        panel.imshow(image, cmap=cmap, interpolation="nearest", vmin=low, vmax=high)
        panel.set_title(title, fontsize=TEXT, pad=3)
        return panel

    def arrow(self, x0: float, y0: float, x1: float, y1: float, words: str = "") -> None:
        """An arrow, with words above its middle."""
        style = {"arrowstyle": "-|>", "color": "0.25", "shrinkA": 1, "shrinkB": 1}
        self.canvas.annotate("", (x1, y1), (x0, y0), arrowprops=style)
        self.words((x0 + x1) / 2, (y0 + y1) / 2 - 0.1, words, ha="center")

    def across(self, x0: float, x1: float, *rows: int, words: str = "") -> None:
        """Level arrows through the middle of rows."""
        for row in rows:
            self.arrow(x0, middle_of(row), x1, middle_of(row), words)

    def bar(self, x: float, y: float, size: tuple[float, float], words: str, colour: str) -> None:
        """A step of the computation: a rounded box, its words above it if it is narrow."""
        pale = [1 - 0.18 * (1 - part) for part in to_rgb(PALETTE[colour])]
        patch = FancyBboxPatch((x, y), *size, facecolor=pale, edgecolor=PALETTE[colour])
        patch.set_boxstyle("round", pad=0, rounding_size=0.06)
        self.canvas.add_patch(patch)
        narrow = size[0] < 0.5
        middle = x + size[0] / 2, y - 0.2 if narrow else y + size[1] / 2
        self.words(*middle, words, ha="center", linespacing=1.2 if narrow else 1.5)

    def words(self, x: float, y: float, text: str, **options: Any) -> None:
        """Text, from x on unless the options say otherwise, its middle at y."""
        self.canvas.text(x, y, text, va="center", **({"fontsize": TEXT} | options))


def middle_of(row: int) -> float:
    """How far down the middle of a row of images is."""
    return TOPS[row] + SIDE / 2
