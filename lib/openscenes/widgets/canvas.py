"""The one image that can be clicked: image and overlay as bytes, painted in the browser.

Python owns what is shown. The browser paints its guess of a gesture at once and reports it; a
gesture made while the kernel is busy waits and is not lost.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import anywidget
import numpy as np
import traitlets
from ipywidgets import Layout
from numpy.typing import NDArray

from openscenes.data.records import Interaction
from openscenes.errors import InputError
from openscenes.study.figures.palette import PALETTE
from openscenes.widgets.overlays import encode_jpeg

MAX_WIDTH_PX, MAX_HEIGHT_PX = 640, 640  # fits beside its controls in a window of 900 px

Mode = Literal["interaction", "point", "none"]
Gesture = Mapping[str, Any]
MarkedBox = list[int]
MarkedClicks = list[list[int]]


class Canvas(anywidget.AnyWidget):
    """An image with an overlay, a box and clicks on it; every gesture comes as one dict.

    Keys, while it has the focus: arrows move a crosshair (Shift: 10 pixels), Enter or Space
    clicks there, "-" clicks outside the object, Escape clears, u or Ctrl+Z undoes, r or Ctrl+Y
    does again, a accepts, n goes on, Delete deletes.

    Attributes:
        image: JPEG or PNG.
        overlay: PNG with alpha, of any size, stretched over the image; b"" for none.
        size: [width, height] of the image in pixels; x before y here, at the edge, only.
        width_px: displayed width.
        box: [] or [row0, col0, row1, col1], half-open, in image pixels.
        clicks: [row, col, sign] each; the first is the inside point, sign is +1 or -1.
        opacity: of the overlay as a whole, in [0, 1].
        label: the text alternative.
        seq: how often Python has drawn; the canvas in the page bears it as ``data-painted`` once
            that drawing is painted.
        mode: "interaction" (drag, or click two corners: box; then a click: inside point; further
            clicks correct, with Shift or the right button outside), "point" (click or drag moves
            the one point, the box stays) or "none".
        gesture: the last one: "n" counts them; "kind" is "box" (with "box"), "point" or "click"
            (with "row", "col", "sign"; a "point" that is still being dragged has "dragging"
            True), "undo", "redo", "clear", "accept", "next" or "delete".  Observe it.
        gestures: those that the kernel has not confirmed yet.
        answered: "n" of the last gesture whose observers have returned.
        colours: of the marks, by name.
    """

    _esm = Path(__file__).with_name("canvas.js")

    image = traitlets.Bytes(b"").tag(sync=True)
    overlay = traitlets.Bytes(b"").tag(sync=True)
    size = traitlets.List(traitlets.Int(), [1, 1]).tag(sync=True)
    width_px = traitlets.Int(512).tag(sync=True)
    box = traitlets.List(traitlets.Int()).tag(sync=True)
    clicks = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)
    opacity = traitlets.Float(1.0, min=0.0, max=1.0).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    seq = traitlets.Int(0).tag(sync=True)
    mode = traitlets.Enum(("interaction", "point", "none"), "none").tag(sync=True)
    gestures = traitlets.List(traitlets.Dict()).tag(sync=True)
    answered = traitlets.Int(0).tag(sync=True)
    colours = traitlets.Dict({name: PALETTE[name] for name in ("box", "click")}).tag(sync=True)
    gesture = traitlets.Dict()

    def __init__(self, **traits: Any) -> None:
        self._turn = threading.RLock()
        super().__init__(**traits)
        self.add_class("os-canvas")

    @traitlets.observe("gestures")
    def _take_turns(self, change: Mapping[str, Any]) -> None:
        """Give each new gesture to the observers in order; messages may come on several threads."""
        with self._turn:
            for gesture in change["new"]:
                if gesture["n"] > self.answered:
                    try:
                        self.gesture = gesture
                    finally:
                        self.answered = gesture["n"]

    def show(self, image: NDArray[np.uint8], *, label: str, width_px: int = MAX_WIDTH_PX) -> None:
        """Put up another (H, W, 3) image with nothing drawn on it, at most ``width_px`` wide."""
        height, width = _checked(image).shape[:2]
        shown_px = _shown_width(height, width, width_px)
        with self.hold_sync():
            self.image, self.size, self.width_px = encode_jpeg(image), [width, height], shown_px
            self.overlay, self.box, self.clicks, self.label = b"", [], [], label
            self.layout = Layout(flex="0 0 auto", width=f"{shown_px}px", max_width="100%")

    def paint(self, **traits: Any) -> None:
        """Change what is shown in one message to the page, and count it as drawn."""
        with self.hold_sync():
            for name, value in traits.items():
                setattr(self, name, value)
            self.seq += 1


def canvas(
    image: NDArray[np.uint8], *, label: str, width_px: int = 512, mode: Mode = "none"
) -> Canvas:
    """A canvas that shows an (H, W, 3) uint8 RGB image; ``label`` is its text alternative."""
    made = Canvas(mode=mode)
    made.show(image, label=label, width_px=width_px)
    return made


def marks(interaction: Interaction) -> dict[str, list]:
    """A user's box and point as the traits ``box`` and ``clicks`` of a canvas."""
    row, col = (round(at) for at in interaction.point)
    return {"box": [round(side) for side in interaction.box], "clicks": [[row, col, 1]]}


def after(
    gesture: Gesture, box: Sequence[int], clicks: Sequence[Sequence[int]]
) -> tuple[MarkedBox, MarkedClicks]:
    """Box and clicks as they are after a gesture; those that mark nothing change nothing.

    A new box forgets the clicks, a point is the first and only click, a click is added.
    """
    kept = [list(click) for click in clicks]
    match gesture["kind"]:
        case "box":
            return list(gesture["box"]), []
        case "point":
            return list(box), [[gesture["row"], gesture["col"], 1]]
        case "click":
            return list(box), [*kept, [gesture["row"], gesture["col"], gesture["sign"]]]
        case "clear":
            return [], []
    return list(box), kept


def _checked(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise InputError(
            f"The image is an array of shape {image.shape} and type {image.dtype}, and a canvas "
            "shows (H, W, 3) uint8 RGB; convert it first."
        )
    return image


def _shown_width(height: int, width: int, width_px: int) -> int:
    return max(1, min(width_px, MAX_WIDTH_PX, round(MAX_HEIGHT_PX * width / height)))
