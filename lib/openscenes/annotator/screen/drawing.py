"""What the canvas shows of a desk: the masks of all objects, the marks of one, and words for it."""

from collections.abc import Sequence

import cv2
import numpy as np

from openscenes.annotator.exchange.exported import class_of
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.files import one_line
from openscenes.study.figures.palette import PALETTE
from openscenes.study.pages.foreign_text import NAME
from openscenes.widgets.overlays import Layer, encode_png, tint

CHOSEN, ACCEPTED, OPEN = PALETTE["mask"], PALETTE["truth"], PALETTE["neutral"]
LEGEND = ((CHOSEN, "chosen"), (ACCEPTED, "accepted"), (OPEN, "not accepted yet"))
OUTLINED = 0.3  # opacity inside objects that are not chosen: the image is to be seen


class ObjectPainter:
    """Paints a desk's objects; those that are not chosen are painted once, not at every click."""

    def __init__(self) -> None:
        """Nothing is painted yet."""
        self._key: tuple[object, ...] = ()
        self._ground: Layer | None = None

    def overlay(self, desk: Desk) -> bytes:
        """``layer`` as a PNG; b"" where there is no object."""
        layer = self.layer(desk)
        return b"" if layer is None else encode_png(layer)

    def layer(self, desk: Desk) -> Layer | None:
        """All objects of the image, the chosen one on top; None where there is none."""
        chosen = desk.object
        others = [one for one in desk.objects if one != chosen]
        top = [] if chosen is None else [tint(desk.mask_of(chosen), CHOSEN)]
        ground = self._others(desk, others)
        return stacked(top if ground is None else [ground, *top])

    def _others(self, desk: Desk, others: Sequence[Snapshot]) -> Layer | None:
        key = (desk.path, *((one.mask["counts"], one.accepted) for one in others))
        if key != self._key:
            colours = [ACCEPTED if one.accepted else OPEN for one in others]
            layers = [tint(desk.mask_of(one), colour, OUTLINED)
                      for one, colour in zip(others, colours, strict=True)]  # fmt: skip
            self._key, self._ground = key, stacked(layers)
        return self._ground


def stacked(layers: Sequence[Layer]) -> Layer | None:
    """Layers of one size; where one has colour, it hides those before it; None without any."""
    if len(layers) < 2:
        return layers[0] if layers else None
    whole = layers[0].copy()
    for layer in layers[1:]:
        cv2.copyTo(layer, np.ascontiguousarray(layer[..., 3]), whole)
    return whole


def marks(desk: Desk) -> tuple[list[int], list[list[int]]]:
    """Box and clicks of the chosen object, or the box that waits for its point.

    Returns:
        [row0, col0, row1, col1] or [], and [row, col, sign] of each click, in shown pixels.
    """
    chosen = desk.object
    box, clicks = (desk.box, ()) if chosen is None else (chosen.box, chosen.clicks)
    drawn = [] if box is None else [round(side) for side in desk.displayed.box_displayed(box)]
    return drawn, [_mark(desk, click.row, click.col, click.sign) for click in clicks]


def _mark(desk: Desk, row: float, col: float, sign: int) -> list[int]:
    height, width = desk.displayed.pixels.shape[:2]
    place = desk.displayed.point_displayed(row, col)
    return [min(max(round(place.row), 0), height - 1), min(max(round(place.col), 0), width - 1),
            sign]  # fmt: skip


def alternative(desk: Desk) -> str:
    """Text alternative of the displayed image."""
    height, width = desk.displayed.shape
    objects = desk.objects
    n_accepted = sum(one.accepted for one in objects)
    said = [
        f"Image {one_line(desk.facts.path)}, {width} by {height} pixels, {desk.progress()}.",
        f"{len(objects)} object{'' if len(objects) == 1 else 's'} on it, {n_accepted} accepted.",
    ]
    if desk.object is not None:
        said.append(f"Chosen: {described(desk, desk.object)}.")
    elif desk.box is not None:
        row0, col0, row1, col1 = (round(side) for side in desk.box)
        said.append(f"A box is drawn, rows {row0} to {row1}, columns {col0} to {col1}.")
    return " ".join([*said, next_step(desk)])


def described(desk: Desk, one: Snapshot) -> str:
    """An object in words: name, state, where, how large, how many clicks."""
    row, col = one.interaction.point
    share = 100 * desk.mask_of(one).mean()
    return (
        f"{one_line(class_of(one), NAME)} at row {row:.0f}, column {col:.0f}, "
        f"mask of {share:.1f} % of the image, {clicks_of(one)}"
    )


def clicks_of(one: Snapshot) -> str:
    """How many clicks, and whether accepted."""
    n, state = len(one.clicks), "accepted" if one.accepted else "not accepted"
    return f"{n} click{'s' * (n != 1)}, {state}"


def next_step(desk: Desk) -> str:
    """One sentence: what to do now."""
    if desk.box is not None:
        return "Click once inside the object."
    chosen = desk.object
    if chosen is None:
        return "Drag a box around an object, or click two opposite corners of it."
    if chosen.accepted:
        return "Accepted. Click to correct it, or draw a box around another object."
    return "Right? Press a to accept. Else click what is missing, Shift-click what is too much."
