"""Objects that lie on their image as it is shown, and those that were made on it lying down."""

from __future__ import annotations

from collections.abc import Sequence

from openscenes.annotator.store.snapshot import ImageFacts, Snapshot
from openscenes.files import one_line


def fitting(objects: Sequence[Snapshot], facts: ImageFacts) -> tuple[tuple[Snapshot, ...], str]:
    """The objects of an image that lie on it, and one sentence about those that do not.

    Earlier versions showed an image as its pixels are stored, whatever its EXIF orientation says:
    their objects have another size, or lie mirrored or upside down where the size is the same.

    Args:
        facts: of the image, with its orientation.
    Returns:
        The objects to draw or export, in their order, and a sentence; "" where all fit.
    """
    fits = tuple(
        one for one in objects
        if one.size == facts.size and (one.pixel_digest is not None or facts.orientation == 1)
    )  # fmt: skip
    n = len(objects) - len(fits)
    if n == 0:
        return fits, ""
    return fits, (
        f"{n} object(s) of {one_line(facts.path)} are left out: they were made on another frame "
        f"than the image of {facts.size[0]}x{facts.size[1]} pixels that its EXIF orientation gives "
        "now; draw them anew, or save the image without its orientation tag."
    )
