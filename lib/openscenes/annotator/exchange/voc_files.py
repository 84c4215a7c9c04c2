"""PASCAL VOC of other tools: boxes in XML files, and masks in SegmentationObject.

A box is in pixels from 1 on with both ends inside; a mask's class is what most of its pixels have
in SegmentationClass, by VOC's own numbers.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from openscenes.annotator.exchange.boxes import BOX
from openscenes.annotator.exchange.imported import ImportedObject, Tally
from openscenes.data.datasets import VOC_CLASSES
from openscenes.data.datasets.labels import read_labels
from openscenes.data.datasets.voc import VOID
from openscenes.data.records import Box
from openscenes.errors import DataError
from openscenes.files import number, one_line, read_text
from openscenes.masks import encode

_LONGEST_XML = 1 << 20  # bytes
MASKS, CLASSES = "SegmentationObject", "SegmentationClass"


def is_voc(path: Path) -> bool:
    """Whether a path is an XML file, or a folder with some or with masks of VOC."""
    if path.is_file():
        return path.suffix.lower() == ".xml"
    return _folder_of_masks(path) is not None or any(_boxes_in(path))


def read_voc_files(path: Path, tally: Tally) -> list[ImportedObject]:
    """The masks of a folder in VOC's layout; where it has none, the boxes of its XML files."""
    masks = _folder_of_masks(path) if path.is_dir() else None
    if masks is not None:
        return [one for file in sorted(masks.glob("*.png")) for one in _masks(file)]
    found = []
    for file in [path] if path.is_file() else _boxes_in(path):
        try:
            found += list(_boxes(file, tally))
        except DataError as error:
            tally.add(f"stand in a file that cannot be read ({str(error).rstrip('.')})", file.name)
    return found


def _folder_of_masks(path: Path) -> Path | None:
    places = (path, *sorted(path.glob("VOC*")), *sorted(path.glob("VOCdevkit/VOC*")))
    return next((place / MASKS for place in places if (place / MASKS).is_dir()), None)


def _boxes_in(path: Path) -> list[Path]:
    return sorted(path.glob("*.xml")) or sorted(path.glob("Annotations/*.xml"))


def _masks(file: Path) -> Iterator[ImportedObject]:
    labels, beside = read_labels(file), file.parents[1] / CLASSES / file.name
    classes = read_labels(beside) if beside.is_file() else np.zeros_like(labels)
    for label in np.unique(labels):
        if label in (0, VOID):
            continue
        mask = labels == label
        votes = np.bincount(classes[mask].ravel(), minlength=VOID + 1)[1:VOID]
        numbered = int(votes.argmax()) if votes.any() else len(VOC_CLASSES)
        name = VOC_CLASSES[numbered] if numbered < len(VOC_CLASSES) else None
        drawn = {"segmentation": encode(mask)}
        yield ImportedObject(("", f"{file.stem}.jpg"), labels.shape, drawn, name, None)


def _boxes(file: Path, tally: Tally) -> Iterator[ImportedObject]:
    try:
        root = ElementTree.fromstring(read_text(file, "VOC file", _LONGEST_XML))
    except ElementTree.ParseError as error:
        raise DataError(f"{one_line(str(file))} is no XML ({error}); export it anew.") from error
    name = (root.findtext("filename") or "").strip() or f"{file.stem}.jpg"
    sides = [_whole(root.findtext(f"size/{side}")) for side in ("height", "width")]
    size = (sides[0], sides[1]) if sides[0] and sides[1] else None
    for entry in root.iter("object"):
        ends = [
            _number(entry.findtext(f"bndbox/{end}")) for end in ("ymin", "xmin", "ymax", "xmax")
        ]
        row0, col0, row1, col1 = ends
        if row0 is None or col0 is None or row1 is None or col1 is None:
            tally.add("have no bndbox of four numbers", file.name)
            continue
        drawn = {BOX: Box(row0 - 1, col0 - 1, row1, col1)}
        named = (entry.findtext("name") or "").strip() or None
        yield ImportedObject(("", name), size, drawn, named and one_line(named, 100), None)


def _number(text: str | None) -> float | None:
    try:
        return number(float(text or ""))
    except ValueError:
        return None


def _whole(text: str | None) -> int:
    found = _number(text)
    return int(found) if found is not None and 0 < found < 1 << 20 else 0
