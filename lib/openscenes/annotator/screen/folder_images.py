"""The images of a folder: one is read whole before it is shown, and what cannot be is left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from openscenes.annotator.evolve.session import Session
from openscenes.annotator.screen.displayed_image import DisplayedImage, displayed
from openscenes.annotator.store.snapshot import ImageFacts, Snapshot
from openscenes.annotator.store.workspace import Workspace
from openscenes.data.datasets.layout import DamagedFile
from openscenes.errors import DataError
from openscenes.files import one_line
from openscenes.masks import BoolMask


@dataclass(frozen=True)
class LaidImage:
    """An image that can be put onto the desk: its place in the folder, and all that is shown.

    Attributes:
        masks: on the displayed image, by their run lengths; filled as they are wanted.
    """

    place: int
    facts: ImageFacts
    displayed: DisplayedImage
    masks: dict[str, BoolMask] = field(default_factory=dict)


class FolderImages:
    """All images of a workspace.

    Attributes:
        images: in the order of their names.
        left_out: why an image cannot be shown, for those that were met so far.
    """

    def __init__(self, workspace: Workspace) -> None:
        """List the images, and read none."""
        self.workspace, self.images = workspace, workspace.list_images()
        self.left_out: dict[Path, str] = {}

    def read(self, place: int, session: Session) -> LaidImage:
        """All that is shown of an image; DataError if it cannot be read."""
        path = self.images[place]
        laid = LaidImage(place, self.workspace.facts(path), displayed(session.image(path)))
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
        """An object's image, first looked for under its name, then by its bytes elsewhere."""
        named = self.workspace.images / one.image
        for place in sorted(range(len(self.images)), key=lambda at: self.images[at] != named):
            try:
                if self.workspace.facts(self.images[place]).digest == one.image_digest:
                    return self.read(place, session)
            except DataError as error:
                self._leave_out(place, error)
        return None

    def why(self) -> dict[str, str]:
        """Why images are left out, by their path in the folder."""
        return {path.relative_to(self.workspace.images).as_posix(): reason
                for path, reason in sorted(self.left_out.items())}  # fmt: skip

    def refuse(self) -> NoReturn:
        """Say that none can be shown, with the first reason."""
        name, reason = next(iter(self.why().items()))
        raise DataError(
            f"None of the {len(self.images)} image(s) in {one_line(str(self.workspace.images))} "
            f"can be shown ({one_line(name)}: {reason}); replace them, or give another folder."
        )

    def _leave_out(self, place: int, error: DataError) -> None:
        why = f"{error.reason}, {error.detail}" if isinstance(error, DamagedFile) else str(error)
        self.left_out[self.images[place]] = one_line(why)
