"""On which image of a workspace an imported object lies, and its mask on that image, upright."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from openscenes.amounts import amount
from openscenes.annotator.exchange.image_names import ImageNames
from openscenes.annotator.exchange.imported import ImportedObject, LeftOut
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import ImageFacts, Rle
from openscenes.annotator.store.workspace import Workspace, located
from openscenes.data.datasets.annotation_table import REASONS, USABLE, shape_of
from openscenes.data.datasets.images import read_image
from openscenes.data.datasets.orientation import AS_STORED, swaps_sides, turned
from openscenes.errors import DataError, InputError
from openscenes.masks import checked_size, decode, encode


class Places:
    """The images of a workspace that imported objects lie on.

    Ours are recognised by bytes, those of others by name. Tools differ in whether they apply an
    image's orientation: a mask of the stored image's size is turned, if that differs from the
    upright one's; where it does not, it is taken for upright.

    Attributes:
        lost: one sentence for each image of ours that is gone or has changed.
    """

    def __init__(
        self, annotations: Annotations, workspace: Workspace, found: Sequence[ImportedObject]
    ) -> None:
        """Look for the images of our exports."""
        known = {one.about["image_digest"]: one.about for one in found if one.about}
        own = {digest: about["image"] for digest, about in known.items()}
        pixels = {digest: str(about.get("pixel_digest") or "") for digest, about in known.items()}
        self.annotations, self.workspace = annotations, workspace
        self._own, self.lost = located(workspace, own, pixels)
        self._annotated = defaultdict[str, set[str]](set)
        for one in annotations.objects():
            self._annotated[one.image].add(one.image_digest)
        self._facts = cache(self._read)
        self._turned: set[str] = set()
        self._unclear: set[str] = set()

    def image_of(self, one: ImportedObject) -> ImageFacts:
        """The image that an object lies on; LeftOut where there is none."""
        if one.about is None:
            return self._facts(self._names.image(*one.names))
        path = self._own.get(one.about["image_digest"])
        if path is None:
            raise LeftOut("have no image here", repr(one.names[1]))
        return self._facts(path)

    def mask_of(self, one: ImportedObject, facts: ImageFacts) -> Rle:
        """The object's run-length code on the upright image; LeftOut or DataError without one."""
        has_tag, turns = facts.orientation != AS_STORED, swaps_sides(facts.orientation)
        if one.about and has_tag and one.about.get("pixel_digest") is None:
            raise LeftOut(
                "were clicked before the orientation of their image was applied; click them anew"
            )
        stated = one.size or _size_of(one.drawn)
        size = stated or facts.size
        stored = facts.size[::-1] if turns and not one.about else facts.size
        if size not in (facts.size, stored):
            raise LeftOut("are of another size than their image", facts.path)
        code = _code(one.drawn, size)
        if size != facts.size:
            self._turned.add(facts.path)
            return encode(turned(decode(code), facts.orientation))
        if has_tag and not one.about and (stored == size or stated is None):
            self._unclear.add(facts.path)
        return code

    def notes(self) -> list[str]:
        """What was done about orientations."""
        told = {
            "carry an orientation that the masks did not have; they were turned upright":
                self._turned,
            "carry an orientation that their size does not show; the masks were taken "
            "for upright": self._unclear,
        }  # fmt: skip
        return [f"{amount(len(paths), 'image', what)}." for what, paths in told.items() if paths]

    @cached_property
    def _names(self) -> ImageNames:
        return ImageNames(self.workspace)

    def _read(self, path: Path) -> ImageFacts:
        try:
            facts = self.workspace.facts(path)
            annotated = self._annotated[facts.path]
            if annotated and facts.digest not in annotated:  # as if its bytes alone had changed
                pixels = read_image(path, upright=True)
                facts = self.annotations.recognised(self.workspace.facts(path, pixels))
        except (DataError, InputError):
            raise LeftOut("lie on an image that cannot be read", path.name) from None
        return facts


def _size_of(drawn: Mapping[str, Any]) -> tuple[int, int] | None:
    """The size of a run-length code, for an image that does not say its own."""
    code = drawn["segmentation"]
    return checked_size(code.get("size")) if isinstance(code, dict) else None


def _code(drawn: Mapping[str, Any], size: tuple[int, int]) -> Rle:
    shape = shape_of(drawn, size)
    if shape.state != USABLE:
        raise LeftOut(f"are left out: {REASONS[shape.state]}")
    if not shape.area:
        raise LeftOut("have an empty mask, or none")
    return {"size": list(size), "counts": shape.code.decode()}
