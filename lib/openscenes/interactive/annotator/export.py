"""Accepted objects as files that others read: COCO, the layout of PASCAL VOC, or plain PNGs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from openscenes.errors import InputError
from openscenes.interactive.annotator.coco_layout import write_coco
from openscenes.interactive.annotator.exported import Picture, Placing, pictures
from openscenes.interactive.annotator.objects import Annotations
from openscenes.interactive.annotator.png_layout import write_png
from openscenes.interactive.annotator.voc_layout import write_voc
from openscenes.interactive.annotator.whole_folder import mark, whole_folder
from openscenes.interactive.annotator.workspace import Workspace

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
