"""What a person at the annotator sees and does, without any widget.

An image lies on the desk; on it an object is chosen, or a box is drawn that still waits for its
inside point.  The model predicts what an action gives; it is kept in the log, then seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from openscenes import masks
from openscenes.annotator.evolve.session import ObjectPrediction, Session
from openscenes.annotator.screen.classes import Classes
from openscenes.annotator.screen.displayed_image import DisplayedImage
from openscenes.annotator.screen.folder_images import FolderImages, LaidImage
from openscenes.annotator.store.former import rebind
from openscenes.annotator.store.frames import by_hand, fitting
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import ImageFacts, Snapshot
from openscenes.annotator.store.workspace import Workspace
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError
from openscenes.files import one_line
from openscenes.prediction.predict import Click


class Desk:
    """One person's place at a folder of images.

    What is refused leaves everything as it was. An image that cannot be read is passed over.

    Attributes:
        folder: its images, and why some cannot be shown.
        annotations: all objects of the folder, as the log has them.
        session: the model in use.
        classes: all of the folder, and that of the next object.
        laid: the image on the desk, with all that is shown of it.
        place: which image that is.
        facts: what the log knows of it.
        displayed: it, as the canvas has it.
        chosen: the object that further clicks correct, or None.
        box: drawn, but without its inside point yet, in the image's pixels; or None.
        prediction: the model's last, for its time and confidence; None before the first.
    """

    def __init__(self, workspace: Workspace, annotations: Annotations, session: Session) -> None:
        """Begin where ``FolderImages.opening`` says; DataError if no image is readable."""
        self.workspace, self.folder = workspace, FolderImages(workspace, annotations)
        self.annotations, self.session = annotations, session
        self.classes = Classes(annotations, workspace.folder)
        self._accepted: str | None = None
        self.box: Box | None = None
        self.prediction: ObjectPrediction | None = None
        self.laid, self.chosen = self.folder.opening(session)

    @property
    def images(self) -> tuple[Path, ...]:
        """The folder's images in the order of their names."""
        return self.folder.images

    @property
    def place(self) -> int:
        """Which image lies on the desk."""
        return self.laid.place

    @property
    def facts(self) -> ImageFacts:
        """What the log knows of it."""
        return self.laid.facts

    @property
    def displayed(self) -> DisplayedImage:
        """It, as the canvas has it."""
        return self.laid.displayed

    @property
    def path(self) -> Path:
        """The image on the desk."""
        return self.images[self.place]

    @property
    def objects(self) -> tuple[Snapshot, ...]:
        """The image's objects, the oldest first, but not ``misfits``."""
        return fitting(self.annotations.objects(self.facts.digest), self.facts)[0]

    @property
    def misfits(self) -> str:
        """One sentence about objects that were made on another frame of the image, or ""."""
        return fitting(self.annotations.objects(self.facts.digest), self.facts)[1]

    @property
    def n_left_behind(self) -> int:
        """Objects that were made on other content of this file; see ``take_for_same``."""
        return sum(len(self.annotations.objects(digest)) for digest in self.laid.former)

    def take_for_same(self) -> None:
        """Put the objects of the file's former content onto the image that is seen."""
        if not self.laid.former:
            raise InputError("No object was made on other content of this image.")
        self.require_unchanged()
        for digest in self.laid.former:
            rebind(self.annotations, digest, self.facts)
        self.laid = replace(self.laid, former=())

    @property
    def object(self) -> Snapshot | None:
        """The chosen object; None also where another window has deleted it."""
        return next((one for one in self.objects if one.object_id == self.chosen), None)

    def draw(self, box: Sequence[float]) -> None:
        """A half-open box in the image's pixels: a new object begins."""
        sides = zip(map(float, box), self.displayed.shape * 2, strict=True)
        self.box, self.chosen = Box(*(min(max(at, 0.0), most) for at, most in sides)), None

    def point(self, row: float, col: float) -> None:
        """The inside point of the box, in the image's pixels: the model predicts."""
        if self.box is None:
            raise InputError("There is no box yet; draw one around the object first.")
        point = Point(float(row), float(col))
        prediction = self.predicted(self.box, point)
        self.annotations.refresh()
        made = self.annotations.begin(
            self.facts, Interaction(self.box, point), prediction.mask,
            model=self.session.label, class_name=self.classes.label,
        )  # fmt: skip
        self.box, self.chosen = None, made.object_id
        self.keep(made, prediction.mask, prediction)

    def correct(self, row: float, col: float, sign: int) -> None:
        """A further click on the chosen object, in the image's pixels; what is by hand stays."""
        chosen, click = self.wanted(), (float(row), float(col), sign)
        further = [*((c.row, c.col, c.sign) for c in chosen.clicks[1:]), click]
        prediction = self.predicted(chosen.box, chosen.interaction.point, further)
        mask, model = by_hand(prediction.mask, chosen), self.session.label
        self.keep(
            self.annotations.correct(chosen.object_id, click, mask, model=model), mask, prediction
        )

    def choose(self, object_id: str | None) -> None:
        """Go back to an object, or to none, so that the next box begins a new one."""
        self.box, self.chosen = None, object_id

    def accept(self) -> None:
        """Take the chosen object's mask; the next box begins a new object."""
        accepted = self.wanted().object_id
        self.annotations.accept(accepted)
        self.clear()
        self._accepted = accepted

    def delete(self) -> None:
        """Let the chosen object count no longer; undo brings it back."""
        self.annotations.delete(self.wanted().object_id)
        self.clear()

    def name(self, class_name: str) -> None:
        """Say what the chosen object is, and the next ones; empty takes the name away.

        Without a chosen object it is the one just accepted, if that has no class yet.
        """
        name, one = self.classes.take(class_name), self.object
        if one is None and self.box is None:
            last = (one for one in self.objects if one.object_id == self._accepted)
            one = next((one for one in last if not one.class_name), None)
        if one is not None:
            self.annotations.name(one.object_id, name)

    def name_by_key(self, number: int) -> None:
        """The same with the class of a key, from 1 on."""
        self.name(self.classes.by_key(number))

    def undo(self) -> None:
        """Take back a box that has no point yet, else this window's last action."""
        if self.box is not None:
            self.box = None
        else:
            self._restore(self.annotations.next_step(back=True), self.annotations.undo)

    def redo(self) -> None:
        """Do again what was taken back."""
        self._restore(self.annotations.next_step(back=False), self.annotations.redo)

    def clear(self) -> None:
        """Choose nothing, and forget a box that has no point."""
        self.choose(None)

    def go(self, steps: int) -> None:
        """Put the image that many places on, or back, onto the desk; unreadable ones are passed."""
        wanted, n = self.place + steps, len(self.images)
        places = range(wanted, n) if steps > 0 else range(wanted, -1, -1)
        laid = self.folder.readable(places, self.session)
        if laid is None:
            n_out = len(self.folder.left_out)
            raise InputError(
                f"This is the {'last' if steps > 0 else 'first'} of {n} images"
                f"{f', {n_out} of which cannot be shown' if n_out else ''}; "
                "there is none further on."
            )
        self._put(laid)

    def go_untouched(self) -> None:
        """Put the next image without an object onto the desk, from here on and round."""
        n, states = len(self.images), self.folder.states()
        round_ = [place % n for place in range(self.place + 1, self.place + n)]
        laid = self.folder.readable((p for p in round_ if states[p] == "untouched"), self.session)
        if laid is None:
            raise InputError("No other image is untouched; each has objects, or was skipped.")
        self._put(laid)

    def lay(self, place: int) -> None:
        """Put an image onto the desk; DataError if it cannot be read."""
        self._put(self.folder.wanted(place, self.session))

    def lay_first(self) -> None:
        """Put the folder's first image that can be read onto the desk."""
        first = self.folder.readable(range(len(self.images)), self.session)
        self._put(first or self.laid)

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

    def progress(self) -> str:
        """Where one is: "image 3 of 40, 12 objects accepted"."""
        n = self.n_accepted()
        where = f"image {self.place + 1} of {len(self.images)}"
        return f"{where}, {n} object{'' if n == 1 else 's'} accepted"

    def mask_of(self, one: Snapshot) -> masks.BoolMask:
        """An object's mask on the displayed image, (h, w) bool; kept while the image lies there."""
        code, known = one.mask["counts"], self.laid.masks
        if code not in known:
            known[code] = self.displayed.mask_displayed(masks.decode(one.mask))
        return known[code]

    def keep(self, one: Snapshot, mask: masks.BoolMask, prediction: ObjectPrediction) -> None:
        """Spare decoding what was just encoded, and remember what the model said."""
        self.prediction = prediction
        self.laid.masks[one.mask["counts"]] = self.displayed.mask_displayed(mask)

    def wanted(self) -> Snapshot:
        """The chosen object, as it is now; InputError where there is none."""
        self.refresh()
        if self.object is None:
            raise InputError("No object is chosen; draw a box, or choose an object of the list.")
        return self.object

    def predicted(
        self, box: Box, point: Sequence[float], further: Sequence[Click] = ()
    ) -> ObjectPrediction:
        """The model's answer on the image that is seen, without its other accepted objects."""
        self.require_unchanged()
        others = (one for one in self.objects if one.accepted and one.object_id != self.chosen)
        taken = [one.mask for one in others]
        return self.session.predict(self.path, box, point, further, taken)

    def require_unchanged(self) -> None:
        """The file must still be the image that is seen; DataError if it cannot be read now."""
        if self.workspace.facts(self.path) != self.laid.file:
            raise InputError(
                f"{one_line(self.facts.path)} has changed since it was put up; go to another image "
                "and back to see it as it is now."
            )

    def _put(self, laid: LaidImage) -> None:
        self.laid = laid
        self.clear()

    def _restore(self, step: Snapshot | None, restore: Callable[[], Snapshot | None]) -> None:
        """Take a step back or forth and show its object; where its image is gone, pass it over."""
        if step is None:
            raise InputError("There is nothing left to take back or to do again in this window.")
        here = step.action == "renamed" or step.image_digest == self.facts.digest
        laid = self.laid if here else self.folder.of(step, self.session)
        if laid is None:
            self.annotations.pass_over(step)
            raise InputError(
                f"The image {one_line(step.image)} of that step is gone or cannot be read, so the "
                "step stays; press again for the one before it."
            )
        was, changed = self.annotations.get(step.object_id).class_name, restore()
        self.laid = laid
        if step.action == "renamed" and changed is not None:
            self.classes.follow(was, changed.class_name)
        self.choose(None if changed is None or changed.deleted else changed.object_id)
