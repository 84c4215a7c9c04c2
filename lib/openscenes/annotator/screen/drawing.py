"""What the canvas shows of a desk: the masks of all objects, the marks of one, and words for it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.study.figures.tables import PALETTE
from openscenes.widgets.overlays import Layer, encode_png, tint

CHOSEN, ACCEPTED, OPEN = PALETTE["mask"], PALETTE["truth"], PALETTE["neutral"]
LEGEND = (
    (CHOSEN, "chosen"),
    (ACCEPTED, "accepted"),
    (OPEN, "not accepted yet"),
)
OUTLINED = 0.3  # opacity inside objects that are not chosen: the photograph is to be seen


class Painter:
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
        """All objects of the photograph, the chosen one on top; None where there is none."""
        chosen = desk.object
        others = [one for one in desk.objects if one != chosen]
        layers = [layer for layer in (self._others(desk, others),) if layer is not None]
        if chosen is not None:
            layers.append(tint(desk.mask_of(chosen), CHOSEN))
        return stacked(layers) if layers else None

    def _others(self, desk: Desk, others: Sequence[Snapshot]) -> Layer | None:
        key = (desk.path, *((one.mask["counts"], one.accepted) for one in others))
        if key != self._key:
            layers = [_outlined(desk, one) for one in others]
            self._key, self._ground = key, stacked(layers) if layers else None
        return self._ground


def _outlined(desk: Desk, one: Snapshot) -> Layer:
    return tint(desk.mask_of(one), ACCEPTED if one.accepted else OPEN, OUTLINED)


def stacked(layers: Sequence[Layer]) -> Layer:
    """Layers of one size; where one has colour, it hides those before it."""
    if len(layers) == 1:
        return layers[0]
    whole = layers[0].copy()
    for layer in layers[1:]:
        cv2.copyTo(layer, np.ascontiguousarray(layer[..., 3]), whole)
    return whole


def marks(desk: Desk) -> tuple[list[int], list[list[int]]]:
    """Box and clicks of the chosen object, or the box that waits for its point.

    Returns:
        [row0, col0, row1, col1] or [], and [row, col, sign] of each click, in shown pixels.
    """
    chosen, box = desk.object, desk.box
    if chosen is not None:
        box = chosen.box
    drawn = [] if box is None else [round(side) for side in desk.shown.box_shown(box)]
    clicks = [] if chosen is None else chosen.clicks
    return drawn, [_mark(desk, click.row, click.col, click.sign) for click in clicks]


def _mark(desk: Desk, row: float, col: float, sign: int) -> list[int]:
    height, width = desk.shown.picture.shape[:2]
    place = desk.shown.point_shown(row, col)
    return [min(max(round(place.row), 0), height - 1), min(max(round(place.col), 0), width - 1),
            sign]  # fmt: skip


def alternative(desk: Desk) -> str:
    """The picture in words, for who cannot see it."""
    height, width = desk.shown.shape
    objects = desk.objects
    n_accepted = sum(one.accepted for one in objects)
    said = [
        f"Photograph {desk.facts.path}, {width} by {height} pixels, {desk.progress()}.",
        f"{len(objects)} object{'' if len(objects) == 1 else 's'} on it, {n_accepted} accepted.",
    ]
    if desk.object is not None:
        said.append(f"Chosen: {described(desk, desk.object)}.")
    elif desk.box is not None:
        said.append(f"A box is drawn, rows {desk.box.row0:.0f} to {desk.box.row1:.0f}, columns "
                    f"{desk.box.col0:.0f} to {desk.box.col1:.0f}.")  # fmt: skip
    return " ".join([*said, next_step(desk)])


def described(desk: Desk, one: Snapshot) -> str:
    """An object in words: name, state, where, how large, how many clicks."""
    row, col = one.interaction.point
    share = 100 * desk.mask_of(one).mean()
    state = "accepted" if one.accepted else "not accepted"
    n = len(one.clicks)
    return (
        f"{one.class_name or 'object'} at row {row:.0f}, column {col:.0f}, mask of {share:.1f} % "
        f"of the photograph, {n} click{'' if n == 1 else 's'}, {state}"
    )


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
