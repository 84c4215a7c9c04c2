"""Objects from files into a log: our own exports, and COCO annotations of others.

An object of our exports keeps its id and all that was clicked; one of other files gets an id that
follows from its image and mask, and the box and point that the simulated user gives. So a second
import adds nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from openscenes.annotator.exchange.coco_layout import read_coco
from openscenes.annotator.exchange.export import read_png
from openscenes.annotator.exchange.exported import ImportedObject, is_about
from openscenes.annotator.exchange.voc_layout import read_voc
from openscenes.annotator.exchange.whole_folder import read_mark
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import Click, ImageFacts, Snapshot, from_json
from openscenes.annotator.store.workspace import Workspace, located
from openscenes.data.crops import CropConfig
from openscenes.data.interactions import ClickConfig, simulate
from openscenes.errors import DataError, InputError
from openscenes.masks import decode


@dataclass(frozen=True)
class ImportReport:
    """What an import added, and what it left alone, since the log knew it, or left out."""

    source: Path
    n_added: int
    n_known: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """One paragraph."""
        told = f"{self.n_added} object(s) of {self.source} were added, {self.n_known} were known."
        return " ".join([told, *self.notes])


def import_objects(
    annotations: Annotations, workspace: Workspace, source: Path | str
) -> ImportReport:
    """Add the objects of an export, or of a COCO instances file, as accepted.

    Images are recognised by their bytes, and for files of others by relative path or name.

    Args:
        source: a COCO annotation file, or the folder of an export.
    Raises:
        InputError: if it is neither.
        DataError: if it is damaged, or no object lies on an image of the workspace.
    """
    path = Path(source).expanduser().absolute()
    found, notes = _read(path)
    placed, lost = _placed(found, workspace)
    if found and not placed:
        why = " ".join(lost)
        raise DataError(
            f"None of the {len(found)} object(s) of {path} lies on an image in "
            f"{workspace.images}; open the folder that they were made for. {why}"
        )
    annotations.refresh()
    unknown = [pair for pair in placed if _object_id(*pair) not in annotations]
    added = annotations.add([_snapshot(*pair) for pair in unknown])
    return ImportReport(path, len(added), len(placed) - len(added), (*notes, *lost))


def _read(path: Path) -> tuple[list[ImportedObject], list[str]]:
    if path.is_file():
        return read_coco(path)
    if not path.is_dir():
        raise InputError(f"There is no {path}; give an export's folder or a COCO annotation file.")
    mark = read_mark(path)
    try:
        objects = [entry for entry in mark["objects"] if is_about(entry["object"])]
        if len(objects) < len(mark["objects"]):
            raise LookupError("an object without what was known of it")
        if mark["kind"] == "voc":
            return read_voc(path, objects)
        if mark["kind"] == "png":
            return read_png(path, objects), []
    except (LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is damaged ({error!r}); export anew.") from error
    return read_coco(next(path.glob("annotations/instances_*.json"), path / "annotations"))


def _placed(
    found: Sequence[ImportedObject], workspace: Workspace
) -> tuple[list[tuple[ImportedObject, ImageFacts]], list[str]]:
    """The objects with their image, and sentences for those that have none."""
    own = {one.about["image_digest"]: one.about["image"] for one in found if one.about}
    by_digest, lost = located(workspace, own)
    by_name = {} if all(one.about for one in found) else _by_name(workspace)
    facts_of = cache(partial(_facts, workspace))
    placed: list[tuple[ImportedObject, ImageFacts]] = []
    missed: Counter[str] = Counter()
    for one in found:
        named = one.about["image_digest"] if one.about else one.image
        facts = facts_of((by_digest if one.about else by_name).get(named))
        if isinstance(facts, str):
            missed[facts] += 1
        elif facts.size != one.size:
            missed["are of another size than their image"] += 1
        else:
            placed.append((one, facts))
    return placed, [*lost, *(f"{times} object(s) {why}." for why, times in missed.items())]


def _facts(workspace: Workspace, path: Path | None) -> ImageFacts | str:
    """Facts of an image, or why there are none."""
    try:
        return "have no image here" if path is None else workspace.facts(path)
    except DataError:
        return "lie on an image that cannot be read"


def _by_name(workspace: Workspace) -> dict[str, Path]:
    """Images by relative path, and by file name where only one has it."""
    images = workspace.list_images()
    times = Counter(path.name for path in images)
    names = {path.name: path for path in images if times[path.name] == 1}
    return names | {path.relative_to(workspace.images).as_posix(): path for path in images}


def _object_id(one: ImportedObject, facts: ImageFacts) -> str:
    """The object's own id, or for files of others one that follows from what they say."""
    if one.about is not None:
        return str(one.about.get("object"))
    identity = "\x1f".join([facts.digest, one.mask["counts"], one.class_name or ""])
    return sha256(identity.encode()).hexdigest()[:12]


def _snapshot(one: ImportedObject, facts: ImageFacts) -> Snapshot:
    if one.about is None:
        return _foreign(one, facts)
    try:
        kept = from_json(one.about | {"mask": one.mask})
    except (LookupError, TypeError, ValueError) as error:
        raise DataError(
            f"What the export says of an object on {one.image} is damaged ({error}); export anew."
        ) from error
    return replace(kept, image=facts.path, class_name=one.class_name, accepted=True, deleted=False)


def _foreign(one: ImportedObject, facts: ImageFacts) -> Snapshot:
    """An object of another source, with the simulated user's box and point."""
    unused = np.random.default_rng(0)  # this user looks at the mask alone
    interaction = simulate(decode(one.mask), ClickConfig(), CropConfig(), unused)
    return Snapshot(
        action="imported", image=facts.path, image_digest=facts.digest, size=facts.size,
        object_id=_object_id(one, facts), box=interaction.box,
        clicks=(Click(*interaction.point, 1, 0.0),), class_name=one.class_name,
        model="", first_mask=None, mask=one.mask, accepted=True,
    )  # fmt: skip
