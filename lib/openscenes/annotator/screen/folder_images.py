"""The images of a folder: one is read whole before it is shown, and what cannot be is left out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn

from openscenes.amounts import amount
from openscenes.annotator.evolve.session import Session
from openscenes.annotator.screen.displayed_image import DisplayedImage, displayed
from openscenes.annotator.screen.mask_edits import Ring
from openscenes.annotator.store.former import left_behind
from openscenes.annotator.store.history import append_line, read_lines
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import ImageFacts, Snapshot
from openscenes.annotator.store.workspace import Workspace, located
from openscenes.data.datasets.layout import DamagedFile
from openscenes.errors import DataError
from openscenes.files import one_line
from openscenes.masks import BoolMask

State = Literal["untouched", "begun", "done", "skipped", "damaged"]


@dataclass(frozen=True)
class LaidImage:
    """An image that can be put onto the desk: its place in the folder, and all that is shown.

    Attributes:
        facts: under the digest that the log knows the image by.
        file: facts of the file itself, to notice when it changes.
        former: digests of other content that this file had when objects were made on it.
        masks: on the displayed image, by their run lengths; filled as they are wanted.
        rings: outlines of masks, by the same; those that the user drew have the user's corners.
    """

    place: int
    facts: ImageFacts
    file: ImageFacts
    displayed: DisplayedImage
    former: tuple[str, ...] = ()
    masks: dict[str, BoolMask] = field(default_factory=dict)
    rings: dict[str, list[Ring]] = field(default_factory=dict)


class FolderImages:
    """All images of a workspace.

    Attributes:
        images, names: in the order of their names, as the log has them.
        not_listed: what is none of them, though it may be missed, and why.
        left_out: why an image cannot be shown, for those that were met so far.
    """

    def __init__(self, workspace: Workspace, annotations: Annotations) -> None:
        """List the images, and read none."""
        self.workspace, self.annotations = workspace, annotations
        self.images, self.not_listed = workspace.list_images(), workspace.left_out()
        self.left_out: dict[Path, str] = {}
        self.names = tuple(map(self.name, self.images))

    def read(self, place: int, session: Session) -> LaidImage:
        """All that is shown of an image; DataError if it cannot be read."""
        path = self.images[place]
        file, pixels = self.workspace.facts(path), session.image(path)
        facts = self.workspace.facts(path, pixels)
        if facts.digest != file.digest:
            raise DataError(f"{one_line(str(path))} changed while it was read; try again.")
        facts = self.annotations.recognised(facts)
        laid = LaidImage(place, facts, file, displayed(pixels), self._former(facts))
        self.left_out.pop(path, None)
        return laid

    def opening(self, session: Session) -> tuple[LaidImage, str | None]:
        """Where to begin: the object that the log's last line corrects, on its image.

        Otherwise the first image that has no accepted object; DataError if none is readable.
        """
        begun = (one for one in self.annotations.objects() if not one.accepted)
        last = max(begun, key=lambda one: one.time, default=None)
        if last is not None and last.time == self.annotations.newest_time:
            laid = self.of(last, session)
            if laid is not None:
                return laid, last.object_id
        touched = {one.image for one in self.annotations.accepted()} | self.skipped()
        n, names = len(self.images), self.names
        first = next((i for i, name in enumerate(names) if name not in touched), n - 1)
        laid = self.readable([*range(first, n), *range(first - 1, -1, -1)], session)
        return laid or self.refuse(), None

    def readable(self, places: Iterable[int], session: Session) -> LaidImage | None:
        """The first of these images that can be read; those before it are left out."""
        for place in places:
            try:
                return self.read(place, session)
            except DataError as error:
                self._leave_out(place, error)
        return None

    def wanted(self, place: int, session: Session) -> LaidImage:
        """One image; DataError with its reason if it cannot be read, and it is left out then."""
        laid = self.readable([place], session)
        if laid is None:
            reason = self.left_out[self.images[place]]
            raise DataError(
                f"{one_line(self.names[place])} cannot be shown ({reason}); replace the file."
            )
        return laid

    def of(self, one: Snapshot, session: Session) -> LaidImage | None:
        """An object's image, wherever it lies now; None where it is gone or cannot be read."""
        path = self._located(one.image_digest, one.image, one.pixel_digest)
        return self.readable([self.images.index(path)], session) if path in self.images else None

    def states(self) -> list[State]:
        """What is known of each image, by its place; none is opened for it."""
        open_by_name: dict[str, bool] = {}
        for one in self.annotations.objects():
            open_by_name[one.image] = open_by_name.get(one.image, False) or not one.accepted
        skipped = self.skipped()
        both = zip(self.images, self.names, strict=True)
        return [self._state(path, name, open_by_name, skipped) for path, name in both]

    def _state(
        self, path: Path, name: str, open_by_name: dict[str, bool], skipped: set[str]
    ) -> State:
        if path in self.left_out:
            return "damaged"
        if name in open_by_name:
            return "begun" if open_by_name[name] else "done"
        return "skipped" if name in skipped else "untouched"

    def name(self, path: Path) -> str:
        """An image as the log names it."""
        return path.relative_to(self.workspace.images).as_posix()

    def skipped(self) -> set[str]:
        """The images that nobody wants to annotate, by their names."""
        said = ((line.get("image"), line.get("skipped")) for line in read_lines(self._skips))
        last = {image: skips for image, skips in said if isinstance(image, str)}
        return {image for image, skips in last.items() if skips is True}

    def skip(self, path: Path, skipped: bool = True) -> None:
        """Say that an image is not to be annotated, or is after all; a line is added."""
        append_line(self._skips, {"image": self.name(path), "skipped": skipped})

    @property
    def _skips(self) -> Path:
        return self.workspace.folder / "skipped.jsonl"

    def why(self) -> dict[str, str]:
        """Why images are left out, by their path in the folder."""
        both = {**dict(self.not_listed), **self.left_out}
        return {self.name(path): reason for path, reason in sorted(both.items())}

    def refuse(self) -> NoReturn:
        """Say that none can be shown, with the first reason."""
        path, reason = next(iter(sorted(self.left_out.items())))
        name = self.name(path)
        raise DataError(
            f"None of {amount(len(self.images), 'image')} in "
            f"{one_line(str(self.workspace.images))} can be shown ({one_line(name)}: {reason}); "
            "replace them, or give another folder."
        )

    def _former(self, facts: ImageFacts) -> tuple[str, ...]:
        """What this file held before, where no other file holds it now."""
        others = left_behind(self.annotations, facts)
        return tuple(
            digest for digest, (one, *_) in others.items()
            if self._located(digest, facts.path, one.pixel_digest) is None
        )  # fmt: skip

    def _located(self, digest: str, name: str, pixels: str | None) -> Path | None:
        known = {digest: pixels} if pixels else {}
        return located(self.workspace, {digest: name}, known)[0].get(digest)

    def _leave_out(self, place: int, error: DataError) -> None:
        why = f"{error.reason}, {error.detail}" if isinstance(error, DamagedFile) else str(error)
        self.left_out[self.images[place]] = one_line(why)
