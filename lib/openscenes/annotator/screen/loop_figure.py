"""The annotator as figures: the whole loop as a drawing, and the desk as it stands."""

from copy import copy
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch

from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.screen.drawing import LEGEND, ObjectPainter, alternative
from openscenes.study.figures.palette import PALETTE
from openscenes.study.pages.foreign_text import in_figure

WIDTH, HEIGHT = 9.2, 3.5  # inches
_BOX = (1.62, 0.92)


class Place(NamedTuple):
    """A step of the loop: upper left corner in inches, whose colour, and its words."""

    x: float
    y: float
    colour: str
    words: str


PLACES = {
    "click": Place(0.1, 0.3, "click", "click\nbox, inside point,\ncorrections"),
    "mask": Place(2.5, 0.3, "mask", "mask\nof the version\nin use"),
    "log": Place(4.9, 0.3, "truth", "log\none line per action,\nnothing erased"),
    "export": Place(7.4, 0.3, "neutral", "exports\nCOCO, VOC, PNG,\nlabelme, YOLO"),
    "use": Place(2.5, 2.1, "ours", "version in use\nall others are kept"),
    "judge": Place(4.9, 2.1, "right", "judge\nold beside new,\nheld-out objects"),
    "evolve": Place(7.4, 2.1, "ours", "evolve\nimages, clicks,\naccepted masks"),
    "aside": Place(0.1, 2.1, "neutral", "set aside\nkept, not used"),
}
ARROWS = (
    ("click", "mask", "predict"),
    ("mask", "log", "accept"),
    ("log", "export", ""),
    ("log", "evolve", "3 of 4 images"),
    ("log", "judge", "1 of 4"),
    ("evolve", "judge", ""),
    ("judge", "use", "accept"),
    ("use", "mask", "predicts"),
    ("use", "aside", "roll back"),
)
TEXT = (
    "The loop: box, inside point and corrections give a mask of the version in use; what is "
    "accepted goes into the log, line by line, and from there into exports. Evolve learns from "
    "the clicks and accepted masks of about three in four images; the candidate is judged beside "
    "the version in use on the others. Accepted, it predicts from then on; refused or rolled "
    "back, it is kept and not used."
)


def loop_figure() -> Figure:
    """Click, mask, log, export above; evolve, judge, take up or not below, from right to left."""
    figure = Figure(figsize=(WIDTH, HEIGHT))
    panel = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    panel.set_axis_off()
    for place in PLACES.values():
        _draw_place(panel, place)
    for start, end, words in ARROWS:
        _draw_arrow(panel, PLACES[start], PLACES[end], words)
    return figure


def first_image(desk: Desk) -> tuple[Figure, str]:
    """The folder's first image with its objects, and words for it; the desk stays as it is."""
    seen = copy(desk)
    seen.lay_first()
    return desk_figure(seen), alternative(seen)


def desk_figure(desk: Desk) -> Figure:
    """The image on the desk with all its objects, painted as on the canvas."""
    height, width = desk.displayed.pixels.shape[:2]
    tall = min(6.2 * height / width, 2 * 6.2)  # inches: a strip is not drawn in its full length
    figure = Figure(figsize=(6.2, 0.7 + tall), layout="constrained")
    panel = figure.subplots()
    panel.imshow(desk.displayed.pixels)
    layer = ObjectPainter().layer(desk)
    if layer is not None:
        panel.imshow(layer)
    panel.set_axis_off()
    panel.set_title(f"{in_figure(desk.facts.path)}: {desk.progress()}", fontsize=10)
    legend = [Patch(color=colour, label=name) for colour, name in LEGEND]
    figure.legend(handles=legend, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _draw_place(panel: Axes, place: Place) -> None:
    pale = [1 - 0.22 * (1 - part) for part in to_rgb(PALETTE[place.colour])]
    patch = FancyBboxPatch(
        (place.x, place.y), *_BOX, facecolor=pale, edgecolor=PALETTE[place.colour], linewidth=1.5
    )
    patch.set_boxstyle("round", pad=0, rounding_size=0.08)
    panel.add_patch(patch)
    title, _, rest = place.words.partition("\n")
    middle = place.x + _BOX[0] / 2
    panel.text(middle, place.y + 0.22, title, ha="center", va="center", fontsize=10, weight="bold")
    panel.text(middle, place.y + 0.6, rest, ha="center", va="center", fontsize=8.5)


def _draw_arrow(panel: Axes, start: Place, end: Place, words: str) -> None:
    """From the middle of one side to the middle of the side that faces it."""
    x0, y0 = _leaving(start, end)
    x1, y1 = _leaving(end, start)
    style = {"arrowstyle": "-|>", "color": "0.25", "shrinkA": 1, "shrinkB": 1}
    panel.annotate("", (x1, y1), (x0, y0), arrowprops=style)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    if y0 == y1:
        panel.text(x, y - 0.05, words, fontsize=8.5, ha="center", va="bottom")
    else:
        away = 0.08 if x0 == x1 else 0.3
        panel.text(x + away, y, words, fontsize=8.5, ha="left", va="center")


def _leaving(start: Place, end: Place) -> tuple[float, float]:
    if start.y != end.y:
        return start.x + _BOX[0] / 2, start.y + (_BOX[1] if end.y > start.y else 0.0)
    return start.x + (_BOX[0] if end.x > start.x else 0.0), start.y + _BOX[1] / 2
