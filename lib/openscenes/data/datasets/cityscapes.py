"""Cityscapes fine annotations in their official layout.

``leftImg8bit/<split>/<city>/<id>_leftImg8bit.png`` and
``gtFine/<split>/<city>/<id>_gtFine_instanceIds.png``, where an instance has the value
``1000 * class + number`` and a group of inseparable objects the bare class.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from openscenes.data.datasets import index_cache
from openscenes.data.datasets.assembly import Dropped, Found, Split, assemble, each
from openscenes.data.datasets.images import read_header
from openscenes.data.datasets.labels import objects_of, read_labels, regions
from openscenes.data.datasets.layout import asked, require_folder
from openscenes.data.records import Index

INSTANCE_CLASSES = {
    24: "person", 25: "rider", 26: "car", 27: "truck", 28: "bus", 31: "train", 32: "motorcycle",
    33: "bicycle",
}  # fmt: skip
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
    """
    root = asked(root, split, min_area)
    images = require_folder(root, f"leftImg8bit/{split}", NAME)
    masks = require_folder(root, f"gtFine/{split}", NAME)
    places = _image_places(images, masks)
    header = Split(f"cityscapes/{split}", tuple(INSTANCE_CLASSES.values()), root, len(places))
    build = partial(assemble, header, each(places, partial(_objects, images, masks)), min_area)
    return index_cache.cached("cityscapes", root, [split, min_area], [images, masks], build)


def _image_places(images: Path, masks: Path) -> list[str]:
    places = {
        f"{path.parent.name}/{path.name.removesuffix(end)}"
        for folder, end in ((images, _IMAGE_END), (masks, _MASK_END))
        for path in folder.glob(f"*/*{end}")
    }
    return sorted(places)


def _objects(images: Path, masks: Path, place: str) -> Iterator[Found | Dropped]:
    image, path = read_header(images / f"{place}{_IMAGE_END}"), masks / f"{place}{_MASK_END}"
    labels = read_labels(path)
    yield from objects_of(
        Path(place).name, image, "cityscapes", path, labels,
        regions(np.where(labels >= 1000, labels, 0)),
        lambda label: INSTANCE_CLASSES.get(label // 1000), nameless="no evaluated class",
    )  # fmt: skip
    n_groups = np.intersect1d(labels, list(INSTANCE_CLASSES)).size
    if n_groups:
        yield Dropped("group region", n_groups)
