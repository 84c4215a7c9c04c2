"""The images of the folder as a strip of thumbnails, each with what is known of it."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import cv2
import numpy as np
import traitlets
from ipywidgets import HTML, HBox, Layout, VBox
from numpy.typing import NDArray

from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.screen.toolbar import WIDE, Acted, button
from openscenes.data.datasets.images import read_image
from openscenes.errors import OpenScenesError
from openscenes.study.pages.foreign_text import NAME, in_html
from openscenes.widgets.overlays import encode_jpeg

THUMB_PX = (104, 70)  # width, height at most; twice that is sent, for sharp screens


class ImageStrip(anywidget.AnyWidget):
    """Thumbnails that are asked for as they come into sight, so that a folder may be large.

    Attributes:
        names, states: of each image.
        reasons: why an image cannot be shown, by its place.
        place: of the image on the desk.
    """

    _esm = Path(__file__).with_name("image_strip.js")

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    states = traitlets.List(traitlets.Unicode()).tag(sync=True)
    reasons = traitlets.Dict().tag(sync=True)
    place = traitlets.Int(0).tag(sync=True)


class ImagePanel:
    """The strip, how many images are in which state, and what to do with the one at hand."""

    def __init__(self, desk: Desk, acted: Acted) -> None:
        """``acted`` turns an action at the desk into a callback that also draws."""
        self.desk, self.strip = desk, ImageStrip(layout=WIDE).add_class("os-images")
        go = acted(desk.lay)
        self.strip.on_msg(self._told(go))
        self.untouched = button(
            "Next untouched", "untouched", acted(desk.go_untouched),
            tooltip="the next image without an object (key t)",
        )  # fmt: skip
        self.skip = button("Skip", "skip", acted(self._skip), tooltip="not to be annotated")
        self.words = HTML().add_class("os-image-states")
        wrapped = Layout(flex_flow="row wrap", align_items="center")
        row = HBox([self.untouched, self.skip, self.words], layout=wrapped)
        self.widget = VBox([self.strip, row], layout=WIDE)
        self._asked: list[int] = []
        self._work: threading.Thread | None = None
        self._lock = threading.Lock()

    def show(self) -> None:
        """Follow the desk."""
        folder, states = self.desk.folder, self.desk.folder.states()
        with self.strip.hold_sync():
            self.strip.names = list(folder.names)
            self.strip.states = states
            self.strip.reasons = {
                str(place): folder.left_out[path]
                for place, path in enumerate(folder.images) if path in folder.left_out
            }  # fmt: skip
            self.strip.place = self.desk.place
        skipped = states[self.desk.place] == "skipped"
        self.skip.description = "Do not skip" if skipped else "Skip"
        self.skip.disabled = states[self.desk.place] not in ("skipped", "untouched")
        n = Counter(states)
        said = ", ".join(f"{n[state]} {state}" for state in dict.fromkeys(states))
        self.words.value = in_html(f"{said}. {saved(self.desk)}", 4 * NAME)

    def wait(self) -> None:
        """Wait for thumbnails that are made, for tests."""
        work = self._work
        if work is not None:
            work.join(20)

    def _skip(self) -> None:
        """The image is not to be annotated, or is again; the next one follows."""
        states, here = self.desk.folder.states(), self.desk.place
        self.desk.folder.skip(self.desk.path, states[here] != "skipped")
        if states[here] != "skipped" and here + 1 < len(states):
            self.desk.go(1)

    def _told(self, go: Callable[..., object]) -> Callable[..., None]:
        def told(_: object, content: Mapping[str, Any], _buffers: object) -> None:
            n = len(self.desk.images)
            if isinstance(place := content.get("go"), int) and 0 <= place < n:
                go(place)
            wanted = content.get("wanted")
            if isinstance(wanted, list):
                self._want([one for one in wanted if isinstance(one, int) and 0 <= one < n])

        return told

    def _want(self, places: list[int]) -> None:
        """Make thumbnails in a thread, those in sight last first; a large folder never waits."""
        with self._lock:
            self._asked = places
            if self._work is None or not self._work.is_alive():
                self._work = threading.Thread(target=self._make, name="thumbnails", daemon=True)
                self._work.start()

    def _make(self) -> None:
        while True:
            with self._lock:
                if not self._asked:
                    self._work = None
                    return
                place = self._asked.pop(0)
            try:
                picture = encode_jpeg(thumbnail(read_image(self.desk.images[place], upright=True)))
            except (OpenScenesError, OSError):  # its state says so once it is opened
                continue
            self.strip.send({"thumb": place}, [picture])


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An (H, W, 3) image that fits into ``THUMB_PX``, twice as sharp."""
    height, width = image.shape[:2]
    share = min(1.0, 2 * THUMB_PX[0] / width, 2 * THUMB_PX[1] / height)
    size = max(1, round(share * width)), max(1, round(share * height))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def saved(desk: Desk) -> str:
    """Whether all that is seen lies on the disk, and since when; an action that is not, failed."""
    if desk.workspace.read_only:
        return "Nothing is saved: this folder cannot be written to."
    time = desk.annotations.newest_time
    if not time:
        return "Nothing to save yet."
    return f"All is saved in {desk.workspace.log_path.name}, last at {time[11:19]} UTC."
