"""Cityscapes fine annotations in their official layout.

``leftImg8bit/<split>/<city>/<id>_leftImg8bit.png`` and
``gtFine/<split>/<city>/<id>_gtFine_instanceIds.png``, where an instance has the value
``1000 * class + number`` and a group of inseparable objects the bare class.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from openscenes.data.datasets import index_cache
from openscenes.data.datasets.assembly import Dropped, Found, Split, assemble
from openscenes.data.datasets.images import read_header
from openscenes.data.datasets.labels import (
    LabelMap,
    checksum,
    read_labels,
    regions,
    same_size,
)
from openscenes.data.datasets.layout import (
    DamagedFile,
    data_root,
    require_folder,
    require_min_area,
)
from openscenes.data.records import Index, MaskSource
from openscenes.masks import BoolMask

INSTANCE_CLASSES = {
    24: "person",
    25: "rider",
    26: "car",
    27: "truck",
    28: "bus",
    31: "train",
    32: "motorcycle",
    33: "bicycle",
}
# Classes that the benchmark itself leaves out of its evaluation.
IGNORED_CLASSES = (0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30)
NAME = "Cityscapes"
_IMAGE_END, _MASK_END = "_leftImg8bit.png", "_gtFine_instanceIds.png"


def cityscapes(root: Path, split: str, *, min_area: int = 1) -> Index:
    """Index the objects of the eight instance classes of a fine split.

    Paper: Sec. 4.1.1.
    Ours: only values of 1000 and above are objects; group regions are counted and left out, and
    so are caravans and trailers, which are no evaluated class.

    Args:
        root: the folder that contains ``leftImg8bit`` and ``gtFine``.
        split: ``"train"`` or ``"val"``.
        min_area: smallest object kept, in pixels.
    Raises:
        DataError: if a folder is missing or no object is left.
        InputError: if ``min_area`` is below 1.
    """
    require_min_area(min_area)
    root = data_root(root)
    images = require_folder(root, f"leftImg8bit/{split}", NAME)
    masks = require_folder(root, f"gtFine/{split}", NAME)
    places = _image_places(images, masks)
    header = Split(f"cityscapes/{split}", tuple(INSTANCE_CLASSES.values()), root, len(places))
    return index_cache.cached(
        "cityscapes",
        root,
        [split, min_area],
        [images, masks],
        lambda: assemble(header, _findings(images, masks, places), min_area),
    )


def ignored(labels: LabelMap) -> BoolMask:
    """(H, W) bool: pixels of the classes that the benchmark does not evaluate."""
    return np.isin(np.where(labels >= 1000, labels // 1000, labels), IGNORED_CLASSES)


def _image_places(images: Path, masks: Path) -> list[str]:
    """``<city>/<id>`` of everything that has an image or a mask."""
    places = {
        f"{path.parent.name}/{path.name.removesuffix(end)}"
        for folder, end in ((images, _IMAGE_END), (masks, _MASK_END))
        for path in folder.glob(f"*/*{end}")
    }
    return sorted(places)


def _findings(images: Path, masks: Path, places: list[str]) -> Iterator[Found | Dropped]:
    for place in places:
        try:
            yield from _objects(images / f"{place}{_IMAGE_END}", masks / f"{place}{_MASK_END}")
        except DamagedFile as damage:
            yield Dropped(damage.reason)


def _objects(image: Path, path: Path) -> Iterator[Found | Dropped]:
    header = read_header(image)
    labels = read_labels(path)
    same_size(labels, header.size, path)
    n_groups = np.intersect1d(labels, list(INSTANCE_CLASSES)).size
    if n_groups:
        yield Dropped("group region", n_groups)
    image_id, code = image.name.removesuffix(_IMAGE_END), checksum(labels)
    for label, box, area in regions(np.where(labels >= 1000, labels, 0)):
        name = INSTANCE_CLASSES.get(label // 1000)
        if name is None:
            yield Dropped("no evaluated class")
            continue
        mask = MaskSource("cityscapes", path, label)
        yield Found(image_id, name, image, header.n_bytes, mask, box, area, code)
