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

SCRIPTS = ("keys.js", "view.js", "painter.js", "canvas.js")
MAIN = {"min_width": "0", "width": "auto"}
COLOURS = {"box": PALETTE["box"], "click": PALETTE["click"], "brush": PALETTE["mask"]}
KEYS = {
    "Escape": "clear", "u": "undo", "ctrl+z": "undo", "r": "redo", "ctrl+y": "redo",
    "ctrl+Z": "redo", "a": "accept", "n": "next", "Delete": "delete",
}  # fmt: skip

Mode = Literal["interaction", "point", "none"]
Gesture = Mapping[str, Any]
MarkedBox = list[int]
MarkedClicks = list[list[int]]


class Canvas(anywidget.AnyWidget):
    """An image with an overlay, a box and clicks on it; every gesture comes as one dict.

    Keys, while it has the focus: arrows move a crosshair (Shift: 10 pixels), Enter or Space
    clicks there, Shift+Enter outside the object, + and - zoom, 0 shows the whole image,
    Ctrl+arrows move what is seen; further ones as ``gesture_of_key`` says. Jupyter's own
    shortcuts are kept out of the whole widget that the canvas is part of. Pinching, Ctrl and the
    wheel, and dragging with the space bar or the middle button move what is seen.

    Attributes:
        image: JPEG or PNG, of any size, stretched over the image's pixels.
        overlay: PNG with alpha, of any size, stretched over the image; b"" for none.
        size: [width, height] of the image in pixels; x before y here, at the edge, only.
        width_px: displayed width.
        main: it is what its widget is for: as wide as its place lets it be, keys count wherever
            the focus is in the widget and the focus comes back after a button, the wheel zooms,
            and the sides of a box can be dragged.
        gesture_of_key: a gesture for each key; "tool NAME", "radius FACTOR", "hide" and "outside"
            change these traits in the browser, all others are told to Python.
        view: [] or, where ``image`` is coarser than the screen, the part that is seen and its
            screen pixels per pixel of the image, [row0, col0, row1, col1, scale]; observe it, and
            give that part as ``detail``.
        detail, detail_overlay: image and overlay of ``detail_box`` alone.
        detail_box: [] or [row0, col0, row1, col1].
        box: [] or [row0, col0, row1, col1], half-open, in image pixels.
        clicks: [row, col, sign] each; the first is the inside point, sign is +1 or -1.
        opacity: of the overlay as a whole, in [0, 1].
        hide: show neither overlay nor marks.
        contrast, brightness: of the image, 1 as it is.
        tool: what a drag does: "click" (boxes and clicks), "brush", "eraser", or "polygon" (corners
            of ``rings``; the one taken last follows the arrow keys and Delete. Without rings each
            click is a corner of a new outline, and one on the first corner, a double click or Enter
            closes it).
        radius: of brush and eraser, in image pixels.
        outside: a click means what Shift-click means otherwise.
        rings: outlines to be edited, {"hole": bool, "points": [[row, col], ...]} each.
        label: the text alternative.
        seq: how often Python has drawn; the canvas in the page bears it as ``data-painted`` once
            that drawing is painted.
        mode: "interaction" (drag, or click two corners: box; then a click: inside point; further
            clicks correct, with Shift or the right button outside), "point" (click or drag moves
            the one point, the box stays) or "none".
        gesture: the last one: "n" counts them; "kind" is "box" (with "box"), "point" or "click"
            (with "row", "col", "sign"; a "point" that is still being dragged has "dragging"
            True), "sides" (a box whose sides were dragged), "stroke" ("points" as [row, col],
            "radius", "sign"), "ring" ("before" and "after", and whether it is a "hole"), "outline"
            (a new one's "points"), "choose" (Ctrl-click: "row", "col"), "class" (with "number"), or
            what ``gesture_of_key`` has. Observe it.
        gestures: those that the kernel has not confirmed yet.
        answered: "n" of the last gesture whose observers have returned.
        colours: of the marks, by name.
    """

    _esm = "\n".join(Path(__file__).with_name(part).read_text("utf-8") for part in SCRIPTS)

    image = traitlets.Bytes(b"").tag(sync=True)
    overlay = traitlets.Bytes(b"").tag(sync=True)
    detail = traitlets.Bytes(b"").tag(sync=True)
    detail_overlay = traitlets.Bytes(b"").tag(sync=True)
    detail_box = traitlets.List(traitlets.Int()).tag(sync=True)
    view = traitlets.List(traitlets.Float()).tag(sync=True)
    main = traitlets.Bool(False).tag(sync=True)
    gesture_of_key = traitlets.Dict(KEYS).tag(sync=True)
    hide = traitlets.Bool(False).tag(sync=True)
    contrast = traitlets.Float(1.0, min=0.1, max=10.0).tag(sync=True)
    brightness = traitlets.Float(1.0, min=0.1, max=10.0).tag(sync=True)
    tool = traitlets.Enum(("click", "brush", "eraser", "polygon"), "click").tag(sync=True)
    radius = traitlets.Float(8.0, min=0.5, max=200.0).tag(sync=True)
    outside = traitlets.Bool(False).tag(sync=True)
    rings = traitlets.List(traitlets.Dict()).tag(sync=True)
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
    colours = traitlets.Dict(COLOURS).tag(sync=True)
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

    def show(
        self,
        image: NDArray[np.uint8],
        *,
        label: str,
        width_px: int = MAX_WIDTH_PX,
        size: tuple[int, int] | None = None,
    ) -> None:
        """Put up another (H, W, 3) image with nothing drawn on it, at most ``width_px`` wide.

        ``size`` is the (height, width) that it stands for, where it is shown smaller than it is.
        """
        shown = _checked(image).shape[:2]
        height, width = size or shown
        shown_px = _shown_width(height, width, width_px)
        place = {"flex": "0 0 auto", "width": f"{shown_px}px", "max_width": "100%"}
        with self.hold_sync():
            self.image, self.size, self.width_px = encode_jpeg(image), [width, height], shown_px
            self.overlay, self.box, self.clicks, self.label = b"", [], [], label
            self.detail, self.detail_overlay, self.detail_box, self.view = b"", b"", [], []
            self.rings = []
            self.layout = Layout(**(MAIN if self.main else place))

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
        case "sides":
            return list(gesture["box"]), kept
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
