"""Objects that come as boxes alone: the model in use draws a mask into each, to begin from."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from openscenes.annotator.exchange.imported import ImportedObject, LeftOut
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import Click, ImageFacts, Snapshot, now
from openscenes.annotator.store.workspace import Workspace
from openscenes.data.records import Box
from openscenes.errors import InputError
from openscenes.files import number
from openscenes.masks import BoolMask, encode

BOX = "box"  # in ``ImportedObject.drawn``: row0, col0, row1, col1, half-open
LEAST_PX = 2.0  # of a side


class Draft(Protocol):
    """What a model predicts."""

    @property
    def mask(self) -> BoolMask: ...  # noqa: D102


class Model(Protocol):
    """A session of the annotator."""

    label: str

    def predict(self, path: Path, box: Sequence[float], point: Sequence[float]) -> Draft:
        """The mask of a box and a point in it, on the upright image."""
        ...


def box_of(entry: object) -> Box | None:
    """COCO's [x, y, width, height] as a box; None for anything else."""
    listed = entry if isinstance(entry, list | tuple) else ()
    numbers = [found for one in listed if (found := number(one)) is not None]
    if len(listed) != 4 or len(numbers) != 4:
        return None
    col, row, width, height = numbers
    return Box(row, col, row + height, col + width)


def drafted(
    one: ImportedObject,
    facts: ImageFacts,
    workspace: Workspace,
    annotations: Annotations,
    model: Model | None,
) -> Snapshot:
    """An object of a box and the point in its middle, not accepted yet; known ones as they are.

    Raises:
        LeftOut: without a model, or if the box does not lie on the image.
    """
    if one.size not in (None, facts.size):
        raise LeftOut("are of another size than their image", facts.path)
    height, width = facts.size
    row0, col0, row1, col1 = one.drawn[BOX]
    box = Box(max(row0, 0.0), max(col0, 0.0), min(row1, float(height)), min(col1, float(width)))
    if box.row1 - box.row0 < LEAST_PX or box.col1 - box.col0 < LEAST_PX:
        raise LeftOut("have a box without pixels on their image", facts.path)
    identity = "\x1f".join([facts.digest, repr(tuple(box)), one.class_name or ""])
    name = sha256(identity.encode()).hexdigest()[:12]
    if name in annotations:
        return annotations.get(name)
    if model is None:
        raise LeftOut("have a box alone, and there is no model to draw a mask")
    point = (box.row0 + box.row1 - 1) / 2, (box.col0 + box.col1 - 1) / 2
    try:
        mask = encode(model.predict(workspace.images / facts.path, box, point).mask)
    except InputError as error:
        raise LeftOut(f"have a box that cannot be used ({error})", facts.path) from error
    return Snapshot(
        time=now(), action="imported", image=facts.path, image_digest=facts.digest,
        size=facts.size, object_id=name, box=box, clicks=(Click(*point, 1, 0.0),),
        class_name=one.class_name, model=model.label, first_mask=mask, mask=mask,
        pixel_digest=facts.pixel_digest,
    )  # fmt: skip
