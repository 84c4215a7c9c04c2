"""Accepted objects as files that others read: COCO, PASCAL VOC, PNG, labelme, YOLO."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from openscenes.amounts import amount
from openscenes.annotator.exchange.coco_layout import write_coco
from openscenes.annotator.exchange.exported import (
    KINDS,
    Described,
    ExportedImage,
    Kind,
    exported_images,
)
from openscenes.annotator.exchange.png_layout import write_png
from openscenes.annotator.exchange.polygon_layouts import write_labelme, write_yolo
from openscenes.annotator.exchange.voc_layout import write_voc
from openscenes.annotator.exchange.whole_folder import mark, user_path, whole_folder
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.workspace import Workspace
from openscenes.errors import InputError
from openscenes.files import one_line

__all__ = ["KINDS", "Kind"]


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
        place = one_line(str(self.folder))
        told = f"{amount(self.n_objects, 'object')} on {amount(self.n_images, 'image')} in {place}."
        return " ".join([told, *self.notes])


def export(
    annotations: Annotations,
    workspace: Workspace,
    kind: Kind,
    folder: Path | str | None = None,
) -> ExportReport:
    """Write all accepted objects of all images, whole or not at all.

    Objects without pixels, and those whose image is gone or has changed, are left out and
    named in the report. Images are copies: whoever changes one changes no image of the user.

    Args:
        kind: one of ``KINDS``.
        folder: where to; ``<workspace>/exports/<kind>`` if None. An older export of the same kind
            is replaced, unless a file of it was changed since.
    Raises:
        InputError: if the kind is unknown, no object is left, or the folder holds other files or
            cannot be written to.
    """
    if kind not in KINDS:
        raise InputError(f"There is no export {kind!r:.40}; choose one of {', '.join(KINDS)}.")
    annotations.refresh()
    chosen, notes = exported_images(annotations, workspace)
    if not chosen:
        reasons = " ".join(["There is no accepted object to export; accept one first.", *notes])
        raise InputError(reasons)
    target = workspace.folder / "exports" / kind if folder is None else user_path(folder)
    with whole_folder(target, kind) as partial:
        _require_apart(target, workspace)
        described, told = _WRITERS[kind](chosen, partial)
        mark(partial, kind, described)
    n_objects = sum(len(image.objects) for image in chosen)
    return ExportReport(kind, target, len(chosen), n_objects, (*notes, *told))


_WRITERS: dict[Kind, Callable[[Sequence[ExportedImage], Path], tuple[Described, list[str]]]] = {
    "coco": write_coco, "voc": write_voc, "png": write_png, "labelme": write_labelme,
    "yolo": write_yolo,
}  # fmt: skip


def _require_apart(target: Path, workspace: Workspace) -> None:
    """The copies of an older export may be what is annotated: they are not replaced then."""
    for used in (workspace.images, workspace.folder):
        if used.resolve().is_relative_to(target.resolve()):
            raise InputError(
                f"{one_line(str(target))} holds the images or the workspace; choose another folder."
            )
