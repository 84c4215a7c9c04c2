"""Objects on other content of a file, which was replaced or edited since."""

from dataclasses import replace

from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import ImageFacts, Snapshot
from openscenes.errors import InputError
from openscenes.files import one_line


def left_behind(annotations: Annotations, facts: ImageFacts) -> dict[str, tuple[Snapshot, ...]]:
    """Objects on other content of the same file and size, by the digest of that content.

    ``rebind`` puts them onto the image that is there now.
    """
    others: dict[str, tuple[Snapshot, ...]] = {}
    for one in annotations.objects():
        same_file = (one.image, one.size) == (facts.path, facts.size)
        if same_file and one.image_digest != facts.digest:
            others[one.image_digest] = (*others.get(one.image_digest, ()), one)
    return others


def rebind(annotations: Annotations, digest: str, facts: ImageFacts) -> tuple[Snapshot, ...]:
    """Put all objects of an image whose file is gone onto another one; lines are added.

    Raises:
        InputError: if no object lies on that image, or the other has another size.
    """
    with annotations.newest():
        kept = annotations.objects(digest)
        if not kept or any(one.size != facts.size for one in kept):
            sizes = ", ".join(sorted({str(one.size) for one in kept})) or "no object"
            raise InputError(
                f"{one_line(facts.path)} is of {facts.size} pixels and cannot stand for the "
                f"image {digest}, with {sizes}; bring the former file back."
            )
        placed = [
            replace(
                one, image=facts.path, image_digest=facts.digest, pixel_digest=facts.pixel_digest
            )
            for one in kept
        ]
        return annotations.write(placed, "moved")
