"""Accepted objects as files that others read: COCO, the layout of PASCAL VOC, or plain PNGs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import Image

from openscenes.annotator.exchange.coco_layout import write_coco
from openscenes.annotator.exchange.exported import (
    Described,
    ExportedImage,
    ImportedObject,
    Placing,
    about,
    exported_images,
)
from openscenes.annotator.exchange.voc_layout import write_voc
from openscenes.annotator.exchange.whole_folder import mark, whole_folder
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.workspace import Workspace
from openscenes.data.datasets.labels import read_labels
from openscenes.errors import InputError
from openscenes.masks import decode

Kind = Literal["coco", "voc", "png"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote; ``notes``: a sentence for each thing left out or not as it was."""

    kind: Kind
    folder: Path
    n_images: int
    n_objects: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """One paragraph."""
        told = f"{self.n_objects} object(s) on {self.n_images} image(s) are in {self.folder}."
        return " ".join([told, *self.notes])


def export(
    annotations: Annotations,
    workspace: Workspace,
    kind: Kind,
    folder: Path | str | None = None,
    *,
    placing: Placing = "link",
) -> ExportReport:
    """Write all accepted objects of all images, whole or not at all.

    Objects without pixels, and those whose image is gone or has changed, are left out and
    named in the report.

    Args:
        kind: ``"coco"``, ``"voc"`` or ``"png"``.
        folder: where to; ``<workspace>/exports/<kind>`` if None. An older export of the same kind
            is replaced.
        placing: images as hard links where the disk allows it, or always as copies.
    Raises:
        InputError: if the kind is unknown, no object is left, or the folder holds other files or
            cannot be written to.
    """
    if kind not in KINDS:
        raise InputError(f"There is no export {kind!r}; choose one of {', '.join(KINDS)}.")
    annotations.refresh()
    chosen, notes = exported_images(annotations, workspace)
    if not chosen:
        reasons = " ".join(["There is no accepted object to export; accept one first.", *notes])
        raise InputError(reasons)
    target = workspace.folder / "exports" / kind if folder is None else Path(folder).expanduser()
    with whole_folder(target.absolute(), kind) as partial:
        described, told = _WRITERS[kind](chosen, partial, placing)
        mark(partial, kind, described)
    n_objects = sum(len(image.objects) for image in chosen)
    return ExportReport(kind, target.absolute(), len(chosen), n_objects, (*notes, *told))


def write_png(
    images: Sequence[ExportedImage], folder: Path, _: Placing
) -> tuple[Described, list[str]]:
    """Write one mask per object, 255 inside and 0 outside, into an empty folder."""
    (folder / "masks").mkdir()
    described = []
    for image in images:
        for one in image.objects:
            file = f"masks/{image.name}_{one.object_id}.png"
            Image.fromarray(decode(one.mask) * np.uint8(255)).save(folder / file)
            described.append({"file": file, "object": about(one)})
    return described, []


def read_png(folder: Path, described: Described) -> list[ImportedObject]:
    """The objects of an export of ours; DataError if a mask file is missing or damaged."""
    files = [folder / entry["file"] for entry in described]
    return [
        ImportedObject.described(entry["object"], read_labels(file) > 127, file)
        for entry, file in zip(described, files, strict=True)
    ]


_WRITERS: dict[
    Kind, Callable[[Sequence[ExportedImage], Path, Placing], tuple[Described, list[str]]]
] = {"coco": write_coco, "voc": write_voc, "png": write_png}
