"""Accepted objects as files that others read: COCO, the layout of PASCAL VOC, or plain PNGs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from openscenes.annotator.exchange.coco_layout import write_coco
from openscenes.annotator.exchange.exported import (
    Loose,
    Picture,
    Placing,
    about,
    pictures,
    write_mask,
)
from openscenes.annotator.exchange.voc_layout import write_voc
from openscenes.annotator.exchange.whole_folder import mark, whole_folder
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.workspace import Workspace
from openscenes.data.datasets.labels import read_labels
from openscenes.errors import DataError, InputError
from openscenes.masks import decode, encode


def write_png(pictures: Sequence[Picture], folder: Path) -> list[dict[str, Any]]:
    """Write the masks into an empty folder; what an import needs to know of each object."""
    (folder / "masks").mkdir()
    described = []
    for picture in pictures:
        for one in picture.objects:
            file = f"masks/{picture.name}_{one.object_id}.png"
            write_mask(decode(one.mask), folder / file)
            described.append({"file": file, "object": about(one)})
    return described


def read_png(folder: Path, described: Sequence[dict[str, Any]]) -> list[Loose]:
    """The objects of an export of ours.

    Raises:
        DataError: if a mask file is missing or damaged.
    """
    return [_loose(folder / entry["file"], entry["object"]) for entry in described]


def _loose(path: Path, known: dict[str, Any]) -> Loose:
    labels = read_labels(path)
    size = (int(labels.shape[0]), int(labels.shape[1]))
    if size != tuple(known["size"]):
        raise DataError(f"{path} has another size than its photograph; export anew.")
    return Loose(known["image"], size, encode(labels > 127), known["class_name"], known)


Kind = Literal["coco", "voc", "png"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_Written = tuple[list[dict[str, Any]], list[str]]


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote.

    Attributes:
        notes: one sentence each for what was left out or is not as it was.
    """

    kind: Kind
    folder: Path
    n_images: int
    n_objects: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """One paragraph."""
        told = f"{self.n_objects} object(s) on {self.n_images} photograph(s) are in {self.folder}."
        return " ".join([told, *self.notes])


def export(
    annotations: Annotations,
    workspace: Workspace,
    kind: Kind,
    folder: Path | str | None = None,
    *,
    placing: Placing = "link",
) -> ExportReport:
    """Write all accepted objects of all photographs, whole or not at all.

    Objects without pixels, and those whose photograph is gone or has changed, are left out and
    told in the report.

    Args:
        kind: ``"coco"``, ``"voc"`` or ``"png"``.
        folder: where to; ``<workspace>/exports/<kind>`` if None. An older export of the same kind
            is replaced.
        placing: photographs as hard links where the disk allows it, or always as copies.
    Raises:
        InputError: if the kind is unknown, no object is left, or the folder holds other files or
            cannot be written to.
    """
    if kind not in KINDS:
        raise InputError(f"Nobody knows the export {kind!r}; choose one of {', '.join(KINDS)}.")
    annotations.refresh()
    chosen, notes = pictures(annotations, workspace)
    if not chosen:
        reasons = " ".join(["There is no accepted object to export; accept one first.", *notes])
        raise InputError(reasons)
    target = workspace.folder / "exports" / kind if folder is None else Path(folder).expanduser()
    with whole_folder(target.absolute(), kind) as partial:
        described, told = _WRITERS[kind](chosen, partial, placing)
        mark(partial, kind, described)
    n_objects = sum(len(picture.objects) for picture in chosen)
    return ExportReport(kind, target.absolute(), len(chosen), n_objects, (*notes, *told))


def _coco(chosen: Sequence[Picture], folder: Path, placing: Placing) -> _Written:
    return [], write_coco(chosen, folder, placing)


def _png(chosen: Sequence[Picture], folder: Path, _: Placing) -> _Written:
    return write_png(chosen, folder), []


_WRITERS: dict[Kind, Callable[[Sequence[Picture], Path, Placing], _Written]] = {
    "coco": _coco,
    "voc": write_voc,
    "png": _png,
}
