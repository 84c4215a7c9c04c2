"""Objects from files into a log: our own exports, and COCO and VOC of others.

An object of our exports keeps its id and all that was clicked; one of other files gets an id that
follows from its image and mask, and the box and point that the simulated user gives. So a second
import adds nothing.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from openscenes.amounts import amount
from openscenes.annotator.exchange.boxes import BOX, Model, drafted
from openscenes.annotator.exchange.coco_files import read_coco
from openscenes.annotator.exchange.coco_layout import without_holes
from openscenes.annotator.exchange.exported import KINDS, SPLIT, UNNAMED, class_of
from openscenes.annotator.exchange.imported import ImportedObject, LeftOut, Tally, is_about
from openscenes.annotator.exchange.placing import Places
from openscenes.annotator.exchange.png_layout import read_png
from openscenes.annotator.exchange.voc_files import is_voc, read_voc_files
from openscenes.annotator.exchange.voc_layout import read_voc
from openscenes.annotator.exchange.whole_folder import changed_files, read_mark, user_path
from openscenes.annotator.store.image_files import EXPORT_FILE
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import Click, ImageFacts, Rle, Snapshot, from_json
from openscenes.annotator.store.workspace import Workspace
from openscenes.data.crops import CropConfig
from openscenes.data.interactions import ClickConfig, simulate
from openscenes.data.records import Box
from openscenes.errors import DataError, InputError
from openscenes.files import one_line
from openscenes.masks import decode
from openscenes.progress import counted


@dataclass(frozen=True)
class ImportReport:
    """What an import added, and what it left alone, since the log knew it, or left out."""

    source: Path
    n_added: int
    n_known: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """One paragraph."""
        source = one_line(str(self.source))
        told = f"{amount(self.n_added, 'object')} of {source} added, {self.n_known} known before."
        return " ".join([told, *self.notes])


def import_objects(
    annotations: Annotations,
    workspace: Workspace,
    source: Path | str,
    model: Callable[[], Model | None] = lambda: None,
) -> ImportReport:
    """Add the objects of an export, or of COCO or VOC files of other tools.

    Masks are accepted; into boxes the model draws masks, which wait to be accepted.

    Images of our exports are recognised by their bytes, those of others by path or name. An object
    that the log knows is added again only where the file has another mask or class for what the
    log has had since the export: that is a correction. A damaged VOC or PNG export is refused
    whole; of a COCO file, what can be used is added, and the report counts the rest by reason.

    Args:
        source: a COCO annotation file, the folder of an export, or a folder or file of VOC.
        model: asked for once, where there are boxes.
    Raises:
        InputError: if it is neither.
        DataError: if it is damaged, or no object lies on an image of the workspace.
    """
    path, tally = user_path(source), Tally()
    found, kind = _read(path, tally)
    annotations.refresh()
    places = Places(annotations, workspace, found)
    strict = kind in ("voc", "png")  # of our own
    made, n_placed = _made(found, places, tally, cache(model), strict=strict)
    if found and not n_placed:
        why = " ".join([*places.lost, *tally.sentences()])
        where = one_line(str(workspace.images))
        raise DataError(
            f"None of {amount(len(found), 'object')} of {one_line(str(path))} can be placed on an "
            f"image in {where}; open the folder that they were made for, or mend this: {why}"
        )
    new, n_known = _news(made, annotations, tally, kind)
    added = annotations.add([_clicked(one) for one in counted("clicks", new)])
    if n_drafts := sum(not one.accepted for one in added):
        tally.said.append(f"{amount(n_drafts, 'object', 'are')} of boxes: accept their masks.")
    notes = [*places.lost, *tally.sentences(), *places.notes()]
    if not found:
        notes.insert(0, "It holds no object that can be used.")
    return ImportReport(path, len(added), n_known, tuple(notes))


def _read(path: Path, tally: Tally) -> tuple[list[ImportedObject], str]:
    name = one_line(str(path))
    if not os.path.lexists(path):
        raise InputError(f"There is no {name}; give an export's folder, or files of COCO or VOC.")
    if not (path / EXPORT_FILE).exists() and is_voc(path):
        return read_voc_files(path, tally), "voc of others"
    if not path.is_dir():
        return read_coco(path, tally), "coco"
    content = read_mark(path)
    described, kind = content["objects"], content["kind"]
    if not all(isinstance(one, dict) and is_about(one.get("object")) for one in described):
        raise DataError(f"{name} is damaged (an object without what was known of it); export anew.")
    if kind == "png":
        return read_png(path, described), kind
    if kind == "voc":
        found, n_under = read_voc(path, described)
        tally.add("lie wholly under others", times=n_under)
        return found, kind
    if kind == "coco":
        exact, outlined = (
            f"annotations/{one}_{SPLIT}2017.json" for one in ("instances", "polygons")
        )
        if (path / outlined).exists() and changed_files(path, content, [outlined]):
            tally.said.append(
                f"{outlined} was changed, and is read only where you import that file."
            )
        return read_coco(path / exact, tally), kind
    if kind in KINDS:
        raise InputError(
            f"{name} is an export for other programs; import the COCO, VOC or PNG export instead."
        )
    raise DataError(f"{name} is an export of the unknown kind {one_line(kind)}; update openscenes.")


def _made(
    found: Sequence[ImportedObject],
    places: Places,
    tally: Tally,
    model: Callable[[], Model | None],
    *,
    strict: bool,
) -> tuple[list[Snapshot], int]:
    """The objects as the log keeps them, and how many lie on an image that is there.

    Raises:
        DataError: if ``strict`` and one is damaged; otherwise it is counted and left out.
    """
    made, n_placed = [], 0
    for one in counted("objects", found):
        try:
            facts = places.image_of(one)
            n_placed += 1
            if BOX in one.drawn:
                given = places.workspace, places.annotations, model()
                made.append(drafted(one, facts, *given))
                continue
            made.append(_snapshot(one, facts, places.mask_of(one, facts), tally, strict=strict))
        except LeftOut as error:
            tally.add(error.reason, error.example)
        except DataError as error:
            if strict:
                raise
            tally.add(f"cannot be read ({str(error).rstrip('.')})", facts.path)
    return made, n_placed


def _snapshot(
    one: ImportedObject, facts: ImageFacts, mask: Rle, tally: Tally, *, strict: bool
) -> Snapshot:
    if one.about is None:
        return _foreign(one, facts, mask)
    try:
        kept = from_json(one.about | {"size": facts.size, "mask": mask})
    except InputError as error:
        fault = f"What the export says of an object on {facts.path} is damaged ({error})"
        if strict:
            raise DataError(f"{one_line(fault, 400)}; export anew.") from error
        tally.add("have damaged clicks, and are taken with simulated ones", facts.path)
        return _foreign(one, facts, mask)
    return replace(kept, image=facts.path, class_name=one.class_name, accepted=True, deleted=False)


def _foreign(one: ImportedObject, facts: ImageFacts, mask: Rle) -> Snapshot:
    """An object of another source, not yet clicked: with its tight box, and no time."""
    identity = "\x1f".join([facts.digest, mask["counts"], one.class_name or ""])
    col0, row0, width, height = coco_mask.toBbox(mask).tolist()
    middle = Click(row0 + height / 2, col0 + width / 2, 1, 0.0)
    return Snapshot(
        action="imported", image=facts.path, image_digest=facts.digest, size=facts.size,
        object_id=sha256(identity.encode()).hexdigest()[:12],
        box=Box(row0, col0, row0 + height, col0 + width), clicks=(middle,),
        class_name=one.class_name, model="", first_mask=None, mask=mask, accepted=True,
        pixel_digest=facts.pixel_digest,
    )  # fmt: skip


def _clicked(one: Snapshot) -> Snapshot:
    """The same with the simulated user's box and point, where it comes from another source."""
    if one.time:
        return one
    unused = np.random.default_rng(0)  # this user looks at the mask alone
    interaction = simulate(decode(one.mask), ClickConfig(), CropConfig(), unused)
    return replace(one, box=interaction.box, clicks=(Click(*interaction.point, 1, 0.0),))


def _news(
    made: Sequence[Snapshot], annotations: Annotations, tally: Tally, kind: str
) -> tuple[list[Snapshot], int]:
    """What the log does not have of some objects, and how many it has."""
    there = defaultdict(list)
    for accepted in annotations.accepted():
        there[_place(accepted)].append(accepted)
    new: dict[str, Snapshot] = {}
    n_known = 0
    for one in made:
        known = next((twin for twin in there[_place(one)] if _same_mask(twin, one)), None)
        if one.object_id in annotations:
            known = annotations.get(one.object_id)
            if kind == "voc" and _is_covered(known, one, annotations):
                one = replace(one, mask=known.mask)
        merged = one if known is None else _merged(known, one)
        if one.object_id in new:
            tally.add("stand there more than once")
        elif merged != known:
            new[one.object_id] = merged
        else:
            n_known += 1
            if known and not (_same_mask(known, one) and class_of(known) == class_of(one)):
                tally.add("have another mask or class in the log, where they stay as they are")
    return list(new.values()), n_known


def _merged(known: Snapshot, one: Snapshot) -> Snapshot:
    """The log's object, or its correction where the log has not gone on since the export."""
    if known.object_id != one.object_id:  # recognised by its mask
        named = known.class_name or class_of(one) == UNNAMED
        return known if named else replace(known, class_name=one.class_name)
    if known.time != one.time:
        return known
    mask = known.mask if _same_mask(known, one) else one.mask
    return replace(known, mask=mask, class_name=one.class_name)


def _place(one: Snapshot) -> tuple[str, tuple[float, ...]]:
    return one.image_digest, tuple(coco_mask.toBbox(one.mask).tolist())


def _is_covered(known: Snapshot, one: Snapshot, annotations: Annotations) -> bool:
    """Whether a mask of VOC is the log's, but for pixels that other objects of the log cover."""
    if known.size != one.size or known.image_digest != one.image_digest:
        return False
    whole, left = decode(known.mask), decode(one.mask)
    lost = whole & ~left
    for other in annotations.accepted():
        if other.image_digest == known.image_digest and other.object_id != known.object_id:
            lost &= ~decode(other.mask)
    return not (lost.any() or (left & ~whole).any())


def _same_mask(known: Snapshot, one: Snapshot) -> bool:
    """Whether an object has the log's mask, or that without its holes, as polygons give it back."""
    if known.mask["counts"] == one.mask["counts"]:
        return True
    if _place(known) != _place(one) or known.size != one.size:
        return False
    return np.array_equal(without_holes(decode(known.mask)), decode(one.mask))
