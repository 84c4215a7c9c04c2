"""What a person at the annotator sees and does, without any widget.

An image lies on the desk; on it an object is chosen, or a box is drawn that still waits for its
inside point.  The model predicts what an action gives; it is kept in the log, then seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.annotator.evolve.session import ObjectPrediction, Session
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import ImageFacts, Snapshot
from openscenes.annotator.store.workspace import Workspace
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError

LONGEST_DISPLAYED_PX = 1024  # a canvas is at most 640 px wide, screens have up to twice that


@dataclass(frozen=True)
class DisplayedImage:
    """An image as the canvas has it, and the way between both grids.

    An image of more than 1024 px is shown smaller; the model gets its own pixels all the same,
    and what is kept is in its own pixels.

    Attributes:
        pixels: (h, w, 3) uint8 RGB, what is painted.
        shape: (height, width) of the image itself.
    """

    pixels: NDArray[np.uint8]
    shape: tuple[int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """Image pixels per shown pixel, down and across."""
        return self.shape[0] / self.pixels.shape[0], self.shape[1] / self.pixels.shape[1]

    def point_in_image(self, row: float, col: float) -> Point:
        """A shown point in the image's pixels; pixel centres lie at integers on both."""
        down, across = self.scale
        return Point((row + 0.5) * down - 0.5, (col + 0.5) * across - 0.5)

    def point_displayed(self, row: float, col: float) -> Point:
        """The inverse of ``point_in_image``."""
        down, across = self.scale
        return Point((row + 0.5) / down - 0.5, (col + 0.5) / across - 0.5)

    def box_in_image(self, row0: float, col0: float, row1: float, col1: float) -> Box:
        """A shown half-open box in the image's pixels, cut off at its border."""
        sides = np.array([row0, col0, row1, col1]) * (self.scale * 2)
        return Box(*map(float, np.clip(sides, 0.0, self.shape * 2)))

    def box_displayed(self, box: Box) -> Box:
        """The inverse of ``box_in_image``."""
        return Box(*map(float, np.array(box) / (self.scale * 2)))

    def mask_displayed(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A (H, W) mask of the image on the shown grid: the pixel at each centre."""
        height, width = self.pixels.shape[:2]
        if mask.shape == (height, width):
            return mask
        down, across = self.scale
        rows = ((np.arange(height) + 0.5) * down).astype(np.intp)
        cols = ((np.arange(width) + 0.5) * across).astype(np.intp)
        return np.ascontiguousarray(mask[np.ix_(rows, cols)])


def displayed(image: NDArray[np.uint8], longest_px: int = LONGEST_DISPLAYED_PX) -> DisplayedImage:
    """Make an image, (H, W, 3) uint8 RGB, small enough to be sent to a browser."""
    height, width = image.shape[:2]
    share = longest_px / max(height, width)
    if share >= 1.0:
        return DisplayedImage(image, (height, width))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return DisplayedImage(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (height, width))


class Desk:
    """One person's place at a folder of images.

    Attributes:
        images: in the order of their names.
        annotations: all objects of the folder, as the log has them.
        session: the model in use.
        place: which image lies on the desk.
        facts: what the log knows of it.
        displayed: it, as the canvas has it.
        chosen: the object that further clicks correct, or None.
        box: drawn, but without its inside point yet, in the image's pixels; or None.
        prediction: the model's last, for its time and confidence; None before the first.
    """

    def __init__(self, workspace: Workspace, annotations: Annotations, session: Session) -> None:
        """Begin with the first image that has no accepted object."""
        self.workspace, self.images = workspace, workspace.list_images()
        self.annotations, self.session = annotations, session
        self.chosen: str | None = None
        self.box: Box | None = None
        self.prediction: ObjectPrediction | None = None
        self.lay(self._first_untouched())

    @property
    def path(self) -> Path:
        """The image on the desk."""
        return self.images[self.place]

    @property
    def objects(self) -> tuple[Snapshot, ...]:
        """The image's objects, the oldest first."""
        return self.annotations.objects(self.facts.digest)

    @property
    def object(self) -> Snapshot | None:
        """The chosen object; None also where another window has deleted it."""
        return next((one for one in self.objects if one.object_id == self.chosen), None)

    def draw(self, box: Sequence[float]) -> None:
        """A box of the displayed image: a new object begins."""
        self.box, self.chosen = self.displayed.box_in_image(*box), None

    def point(self, row: float, col: float) -> None:
        """The inside point of the box, in pixels of the displayed image: the model predicts."""
        if self.box is None:
            raise InputError("There is no box yet; draw one around the object first.")
        point = self.displayed.point_in_image(row, col)
        self.prediction = self.session.predict(self.path, self.box, point)
        self.annotations.refresh()
        made = self.annotations.begin(
            self.facts, Interaction(self.box, point), self.prediction.mask, model=self.session.label
        )
        self.box, self.chosen = None, made.object_id
        self._keep(made, self.prediction)

    def correct(self, row: float, col: float, sign: int) -> None:
        """A further click on the chosen object, in pixels of the displayed image."""
        chosen = self._wanted()
        click = (*self.displayed.point_in_image(row, col), sign)
        further = [*((c.row, c.col, c.sign) for c in chosen.clicks[1:]), click]
        point = chosen.interaction.point
        self.prediction = self.session.predict(self.path, chosen.box, point, further)
        model = self.session.label
        made = self.annotations.correct(chosen.object_id, click, self.prediction.mask, model=model)
        self._keep(made, self.prediction)

    def choose(self, object_id: str | None) -> None:
        """Go back to an object, or to none, so that the next box begins a new one."""
        self.box, self.chosen = None, object_id

    def accept(self) -> None:
        """Take the chosen object's mask; the next box begins a new object."""
        self.annotations.accept(self._wanted().object_id)
        self.clear()

    def delete(self) -> None:
        """Let the chosen object count no longer; undo brings it back."""
        self.annotations.delete(self._wanted().object_id)
        self.clear()

    def name(self, class_name: str) -> None:
        """Say what the chosen object is; empty takes the name away."""
        self.annotations.name(self._wanted().object_id, class_name)

    def undo(self) -> None:
        """Take back a box that has no point yet, else this window's last action."""
        if self.box is not None:
            self.box = None
        else:
            self._follow(self.annotations.undo())

    def redo(self) -> None:
        """Do again what was taken back."""
        self._follow(self.annotations.redo())

    def clear(self) -> None:
        """Choose nothing, and forget a box that has no point."""
        self.choose(None)

    def go(self, steps: int) -> None:
        """Put the image that many places on, or back, onto the desk."""
        wanted = self.place + steps
        if not 0 <= wanted < len(self.images):
            raise InputError(
                f"This is the {'last' if steps > 0 else 'first'} of {len(self.images)} "
                "images; there is none further on."
            )
        self.lay(wanted)

    def lay(self, place: int) -> None:
        """Put an image onto the desk."""
        self.place = place
        self.clear()
        self.facts: ImageFacts = self.workspace.facts(self.path)
        self.displayed: DisplayedImage = displayed(self.session.image(self.path))
        self._masks: dict[str, masks.BoolMask] = {}

    def use(self, session: Session) -> None:
        """Predict with another version from now on; what is accepted stays as it is."""
        self.session, self.prediction = session, None

    def refresh(self) -> None:
        """Take in what other windows have done."""
        self.annotations.refresh()
        if self.chosen is not None and self.object is None:
            self.clear()

    def n_accepted(self) -> int:
        """Accepted objects of all images."""
        return len(self.annotations.accepted())

    def names(self) -> list[str]:
        """Every class name that was given, the most frequent first."""
        given = [one.class_name for one in self.annotations.objects() if one.class_name]
        return sorted(set(given), key=lambda name: (-given.count(name), name))

    def progress(self) -> str:
        """Where one is: "image 3 of 40, 12 objects accepted"."""
        n = self.n_accepted()
        where = f"image {self.place + 1} of {len(self.images)}"
        return f"{where}, {n} object{'' if n == 1 else 's'} accepted"

    def mask_of(self, one: Snapshot) -> masks.BoolMask:
        """An object's mask on the displayed image, (h, w) bool; kept while the image lies there."""
        code = one.mask["counts"]
        if code not in self._masks:
            self._masks[code] = self.displayed.mask_displayed(masks.decode(one.mask))
        return self._masks[code]

    def _keep(self, one: Snapshot, prediction: ObjectPrediction) -> None:
        """Spare decoding what was just encoded."""
        self._masks[one.mask["counts"]] = self.displayed.mask_displayed(prediction.mask)

    def _wanted(self) -> Snapshot:
        """The chosen object, in its newest state."""
        self.refresh()
        if self.object is None:
            raise InputError("No object is chosen; draw a box, or choose an object of the list.")
        return self.object

    def _follow(self, changed: Snapshot | None) -> None:
        """Choose the object that undo or redo has changed, on its image."""
        if changed is None:
            raise InputError("There is nothing left to take back or to do again in this window.")
        if changed.image_digest != self.facts.digest:
            self.lay(self._place_of(changed))
        self.choose(None if changed.deleted else changed.object_id)

    def _place_of(self, one: Snapshot) -> int:
        """Where an object's image is: by its name, or by its bytes where it was renamed."""
        named = self.workspace.images / one.image
        if named in self.images:
            return self.images.index(named)
        for place, path in enumerate(self.images):
            if self.workspace.facts(path).digest == one.image_digest:
                return place
        raise InputError(f"The image {one.image} is gone; bring it back to see the change.")

    def _first_untouched(self) -> int:
        """The first image without an accepted object, by its name; else the last one."""
        touched = {one.image for one in self.annotations.accepted()}
        names = [path.relative_to(self.workspace.images).as_posix() for path in self.images]
        return next((i for i, name in enumerate(names) if name not in touched), len(names) - 1)
