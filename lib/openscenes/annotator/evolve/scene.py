"""A person's accepted objects as a scene to evolve on, without masks, and those to judge with."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from pathlib import Path

from openscenes.annotator.store.frames import fitting
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.annotator.store.workspace import Workspace, located
from openscenes.data.records import ClickedObject
from openscenes.errors import DataError
from openscenes.files import one_line

SCENE = "annotations"
ONE_IN = 4  # images that are kept apart


@dataclass(frozen=True)
class Split:
    """Accepted objects, divided by image; each part is ordered by image and object.

    Attributes:
        learnable: what the next step of evolution gets.
        held_out: never learned, only judged on.
        learned: what earlier versions of the lineage have learned already.
        missing: objects whose image is gone or has changed, or is turned upright only since.
    """

    learnable: tuple[Snapshot, ...]
    held_out: tuple[Snapshot, ...]
    learned: tuple[Snapshot, ...]
    missing: tuple[Snapshot, ...]


def split(
    accepted: Sequence[Snapshot],
    there: Collection[str],
    learned: Collection[str] = (),
    fitting_ids: Collection[str] | None = None,
) -> Split:
    """Divide accepted objects; an image falls on one side, whatever else is clicked.

    About one image in four is held out, by its digest alone, so that a later version is judged
    on images that no earlier one has seen either.

    Args:
        accepted: in any order.
        there: digests of the images that can be read.
        learned: ids of objects that the lineage has learned; they are in its pool, and judge
            nothing.
        fitting_ids: of the objects that lie on their image as it is shown; None for all.
    """
    parts: dict[str, list[Snapshot]] = {one.name: [] for one in fields(Split)}
    for item in sorted(accepted, key=lambda one: (one.image_digest, one.object_id)):
        fits = fitting_ids is None or item.object_id in fitting_ids
        parts[_part(item, there if fits else (), learned)].append(item)
    return Split(**{name: tuple(items) for name, items in parts.items()})


def _part(item: Snapshot, there: Collection[str], learned: Collection[str]) -> str:
    if item.object_id in learned:
        return "learned"
    if item.image_digest not in there:
        return "missing"
    return "held_out" if is_held_out(item.image_digest) else "learnable"


def is_held_out(image_digest: str) -> bool:
    """Whether an image is kept apart to judge with; the same in every window and year."""
    drawn = sha256(f"held out\x1f{image_digest}".encode()).hexdigest()
    return int(drawn[:8], 16) % ONE_IN == 0


def clicked(item: Snapshot) -> ClickedObject:
    """Image and interaction of an object, without its mask.

    Paper: Sec. 3.1: a new scene gives images and interactions; clicks that correct are left out.
    The path is the log's, so that a moved folder is the same scene; ``placed`` finds it.
    """
    return ClickedObject(
        SCENE, item.image_digest, item.object_id, Path(item.image), item.interaction, upright=True
    )


def image_paths(workspace: Workspace, scene: Sequence[ClickedObject]) -> dict[str, Path]:
    """Where the images of objects lie, by their digest; those that are gone are left out."""
    return located(workspace, {one.image_id: one.image.as_posix() for one in scene})[0]


def there_and_fitting(
    workspace: Workspace, accepted: Sequence[Snapshot]
) -> tuple[dict[str, Path], set[str]]:
    """Where the images of objects lie, and the ids of the objects that lie on them as shown.

    An image of an earlier version's log may have been turned upright since; see ``fitting``.
    """
    pixels = {one.image_digest: one.pixel_digest or "" for one in accepted}
    there, _ = located(workspace, {one.image_digest: one.image for one in accepted}, pixels)
    objects: defaultdict[str, list[Snapshot]] = defaultdict(list)
    for one in accepted:
        objects[one.image_digest].append(one)
    fits: set[str] = set()
    for digest, path in there.items():
        try:
            lying, _ = fitting(objects[digest], workspace.facts(path))
        except DataError:  # its header cannot be read any more
            continue
        fits |= {one.object_id for one in lying}
    return there, fits


def placed(scene: Sequence[ClickedObject], images: Mapping[str, Path]) -> tuple[ClickedObject, ...]:
    """The same objects with the paths where their images lie now; DataError if one is gone."""
    if gone := [one.image for one in scene if one.image_id not in images]:
        raise DataError(f"The image {one_line(str(gone[0]))} is gone; bring it back.")
    return tuple(replace(one, image=images[one.image_id]) for one in scene)
