"""One PNG per object: ``masks/<photograph>_<object>.png``, 255 inside and 0 outside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openscenes.data.datasets.labels import read_labels
from openscenes.errors import DataError
from openscenes.interactive.annotator.exported import Loose, Picture, about, write_mask
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
