"""The images of a folder: one is read whole before it is shown, and what cannot be is left out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from openscenes.annotator.evolve.session import Session
from openscenes.annotator.screen.displayed_image import DisplayedImage, displayed
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import ImageFacts, Snapshot
from openscenes.annotator.store.workspace import Workspace, located
from openscenes.data.datasets.layout import DamagedFile
from openscenes.errors import DataError
from openscenes.files import one_line
from openscenes.masks import BoolMask


@dataclass(frozen=True)
class LaidImage:
    """An image that can be put onto the desk: its place in the folder, and all that is shown.

    Attributes:
        facts: under the digest that the log knows the image by.
        file: facts of the file itself, to notice when it changes.
        former: digests of other content that this file had when objects were made on it.
        masks: on the displayed image, by their run lengths; filled as they are wanted.
    """

    place: int
    facts: ImageFacts
    file: ImageFacts
    displayed: DisplayedImage
    former: tuple[str, ...] = ()
    masks: dict[str, BoolMask] = field(default_factory=dict)


class FolderImages:
    """All images of a workspace.

    Attributes:
        images: in the order of their names.
        not_listed: what is none of them, though it may be missed, and why.
        left_out: why an image cannot be shown, for those that were met so far.
    """

    def __init__(self, workspace: Workspace, annotations: Annotations) -> None:
        """List the images, and read none."""
        self.workspace, self.annotations = workspace, annotations
        self.images, self.not_listed = workspace.list_images(), workspace.left_out()
        self.left_out: dict[Path, str] = {}

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

    def readable(self, places: Iterable[int], session: Session) -> LaidImage | None:
        """The first of these images that can be read; those before it are left out."""
        for place in places:
            try:
                return self.read(place, session)
            except DataError as error:
                self._leave_out(place, error)
        return None

    def of(self, one: Snapshot, session: Session) -> LaidImage | None:
        """An object's image, wherever it lies now; None where it is gone or cannot be read."""
        path = self._located(one.image_digest, one.image, one.pixel_digest)
        return self.readable([self.images.index(path)], session) if path in self.images else None

    def why(self) -> dict[str, str]:
        """Why images are left out, by their path in the folder."""
        both = {**dict(self.not_listed), **self.left_out}
        return {path.relative_to(self.workspace.images).as_posix(): reason
                for path, reason in sorted(both.items())}  # fmt: skip

    def refuse(self) -> NoReturn:
        """Say that none can be shown, with the first reason."""
        path, reason = next(iter(sorted(self.left_out.items())))
        name = path.relative_to(self.workspace.images).as_posix()
        raise DataError(
            f"None of the {len(self.images)} image(s) in {one_line(str(self.workspace.images))} "
            f"can be shown ({one_line(name)}: {reason}); replace them, or give another folder."
        )

    def _former(self, facts: ImageFacts) -> tuple[str, ...]:
        """What this file held before, where no other file holds it now."""
        others = self.annotations.left_behind(facts)
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
