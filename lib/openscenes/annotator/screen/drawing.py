"""What the canvas shows of a desk: the masks of all objects, the marks of one, and words for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from openscenes import masks
from openscenes.annotator.exchange.exported import class_of
from openscenes.annotator.screen.class_colours import class_colours
from openscenes.annotator.screen.correcting import in_order
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.screen.displayed_image import sampled
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.files import one_line
from openscenes.masks import BoolMask, Window
from openscenes.study.figures.palette import PALETTE
from openscenes.study.pages.foreign_text import NAME
from openscenes.widgets.overlays import Layer, encode_jpeg, encode_png, tint

CHOSEN, ACCEPTED, OPEN = PALETTE["mask"], PALETTE["truth"], PALETTE["neutral"]
LEGEND = ((CHOSEN, "chosen"), (ACCEPTED, "accepted"), (OPEN, "not accepted yet"))
FILLED, OUTLINED, FAINT = 0.5, 0.3, 0.15  # opacity inside: chosen, accepted, not accepted yet
MOST_DETAIL_PX = 4096
_OUTLINING = (
    "Click corner after corner of a new object; a double click, Enter or a click on the first "
    "corner closes it, u takes one back, Esc gives up."
)
_RESHAPING = (
    "Drag corners, or arrow keys for the one taken last; Delete or Shift-click takes one away. "
    "Esc, then clicks draw a new object."
)


@dataclass(frozen=True)
class Part:
    """A window of the image, (row0, col0, row1, col1), and the (height, width) to show it at."""

    window: Window
    shape: tuple[int, int]

    @classmethod
    def seen(cls, view: Sequence[float], size: tuple[int, int]) -> "Part | None":
        """The part that a canvas asks for in ``Canvas.view``; None where it asks for none."""
        if len(view) != 5:
            return None
        (height, width), scale = size, min(float(view[4]), 1.0)
        row0, col0, row1, col1 = (round(side) for side in view[:4])
        row0, col0, row1, col1 = max(row0, 0), max(col0, 0), min(row1, height), min(col1, width)
        if row0 >= row1 or col0 >= col1 or scale <= 0:
            return None
        scale = min(scale, MOST_DETAIL_PX / max(row1 - row0, col1 - col0))
        shape = max(1, round(scale * (row1 - row0))), max(1, round(scale * (col1 - col0)))
        return cls((row0, col0, row1, col1), shape)

    def image(self, desk: Desk) -> bytes:
        """That part of the image itself, as JPEG."""
        row0, col0, row1, col1 = self.window
        pixels = desk.session.image(desk.path)[row0:row1, col0:col1]
        if pixels.shape[:2] == self.shape:
            return encode_jpeg(np.ascontiguousarray(pixels))
        return encode_jpeg(cv2.resize(pixels, self.shape[::-1], interpolation=cv2.INTER_AREA))


class ObjectPainter:
    """Paints a desk's objects; those that are not chosen are painted once, not at every click."""

    def __init__(self) -> None:
        """Nothing is painted yet."""
        self._grounds: dict[tuple[object, ...], Layer | None] = {}

    def overlay(self, desk: Desk, part: Part | None = None) -> bytes:
        """``layer`` as a PNG; b"" where there is no object."""
        layer = self.layer(desk, part)
        return b"" if layer is None else encode_png(layer)

    def layer(self, desk: Desk, part: Part | None = None) -> Layer | None:
        """All objects of the image, or of a part, in their order; None where there is none."""
        objects, colours = in_order(desk.objects), class_colours(desk.classes.names())
        chosen = [] if desk.object is None else [desk.object]
        place = objects.index(chosen[0]) if chosen else 0
        top = [
            tint(_mask(desk, one, part), _colour(one, colours, CHOSEN), FILLED) for one in chosen
        ]
        behind, front = objects[:place], objects[place + len(chosen) :]
        kept, self._grounds = self._grounds, {}
        layers = [self._ground(desk, behind, part, colours, kept), *top,
                  self._ground(desk, front, part, colours, kept)]  # fmt: skip
        return stacked([layer for layer in layers if layer is not None])

    def _ground(
        self,
        desk: Desk,
        objects: Sequence[Snapshot],
        part: Part | None,
        colours: Mapping[str, str],
        kept: Mapping[tuple[object, ...], Layer | None],
    ) -> Layer | None:
        looks = [(_colour(one, colours, ACCEPTED if one.accepted else OPEN),
                  OUTLINED if one.accepted or not one.class_name else FAINT)
                 for one in objects]  # fmt: skip
        codes = (one.mask["counts"] for one in objects)
        key = (desk.path, part, *zip(codes, looks, strict=True))
        if key in kept:
            self._grounds[key] = kept[key]
        else:
            self._grounds[key] = stacked(
                [
                    tint(_mask(desk, one, part), *look)
                    for one, look in zip(objects, looks, strict=True)
                ]
            )
        return self._grounds[key]


def _mask(desk: Desk, one: Snapshot, part: Part | None) -> BoolMask:
    if part is None:
        return desk.mask_of(one)
    return sampled(masks.decode(one.mask, part.window), part.shape)


def _colour(one: Snapshot, colours: Mapping[str, str], otherwise: str) -> str:
    return colours.get(one.class_name or "", otherwise)


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
        [row0, col0, row1, col1] or [], and [row, col, sign] of each click, in the image's pixels.
    """
    chosen = desk.object
    box, clicks = (desk.box, ()) if chosen is None else (chosen.box, chosen.clicks)
    drawn = [] if box is None else [round(side) for side in box]
    return drawn, [_mark(desk, click.row, click.col, click.sign) for click in clicks]


def _mark(desk: Desk, row: float, col: float, sign: int) -> list[int]:
    height, width = desk.displayed.shape
    return [min(max(round(row), 0), height - 1), min(max(round(col), 0), width - 1), sign]


def alternative(desk: Desk, tool: str = "click") -> str:
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
    return " ".join([*said, next_step(desk, tool)])


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
    n, state = one.n_clicks, "accepted" if one.accepted else "not accepted"
    return f"{n or 'no'} click{'s' * (n != 1)}, {state}"


def next_step(desk: Desk, tool: str = "click") -> str:
    """One sentence: what to do now, with the canvas' tool."""
    if tool == "polygon":
        return _OUTLINING if desk.object is None else _RESHAPING
    if desk.box is not None:
        return "Click once inside the object."
    chosen = desk.object
    if chosen is None:
        return "Drag a box around an object, or click two opposite corners of it."
    if chosen.accepted:
        return "Accepted. Click to correct it, or draw a box around another object."
    return "Right? Press a to accept. Else click what is missing, Shift-click what is too much."
