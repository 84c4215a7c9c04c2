"""One black and white PNG for each object."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from openscenes.annotator.exchange.exported import (
    Described,
    ExportedImage,
    about,
    orientation_notes,
)
from openscenes.annotator.exchange.imported import ImportedObject, mask_file
from openscenes.annotator.exchange.names import file_names
from openscenes.data.datasets.labels import read_labels
from openscenes.masks import decode
from openscenes.progress import counted


def write_png(images: Sequence[ExportedImage], folder: Path) -> tuple[Described, list[str]]:
    """Write one mask per object, 255 inside and 0 outside, into an empty folder."""
    (folder / "masks").mkdir()
    objects = [(f"{image.name}_{one.object_id}", one) for image in images for one in image.objects]
    names = file_names([name for name, _ in objects])
    described = []
    for name, (_, one) in zip(names, counted("objects", objects), strict=True):
        file = f"masks/{name}.png"
        Image.fromarray(decode(one.mask) * np.uint8(255)).save(folder / file)
        described.append({"file": file, "object": about(one)})
    return described, orientation_notes(images, "the masks lie on the upright image")


def read_png(folder: Path, described: Described) -> list[ImportedObject]:
    """The objects of an export of ours; DataError if a mask file is missing or damaged."""
    found = []
    for entry in described:
        file = mask_file(folder, entry)
        found.append(ImportedObject.described(entry["object"], read_labels(file) > 127, file))
    return found
