"""PASCAL VOC 2012 segmentation in its official layout.

``VOCdevkit/VOC2012/{JPEGImages/*.jpg, SegmentationObject/*.png, SegmentationClass/*.png,
ImageSets/Segmentation/<split>.txt}``; label 255 of the palette PNGs is void.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from openscenes.data.datasets import index_cache
from openscenes.data.datasets.assembly import Dropped, Found, Split, assemble, each
from openscenes.data.datasets.images import read_header
from openscenes.data.datasets.labels import LabelMap, objects_of, read_labels, regions, same_size
from openscenes.data.datasets.layout import asked, data_root, member, read_list, require_folder
from openscenes.data.records import Index

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
VOID = 255
NO_LABELS = "mask with no labels but background (0) and void (255)"
LAYOUT = "VOCdevkit/VOC2012"
NAME = "PASCAL VOC 2012"


def voc(root: Path, split: str, *, min_area: int = 1) -> Index:
    """Index the objects of a segmentation split.

    Paper: Sec. 4.1.1.
    Ours: an object's class is the one that most of its pixels have in SegmentationClass; void and
    background pixels have no vote.

    Args:
        root: the folder that contains ``VOCdevkit/VOC2012``.
        split: name of a list in ``ImageSets/Segmentation``, such as ``"train"``.
        min_area: smallest object kept, in pixels.
    Raises:
        DataError: if a folder or list is missing, or no object is left.
        InputError: if ``min_area`` is below 1, or another argument of the wrong kind.
    """
    root = asked(root, split, min_area)
    base = require_folder(root, LAYOUT, NAME)
    image_ids = voc_image_ids(root, split)
    sources = [base / f"ImageSets/Segmentation/{split}.txt"]
    for folder in ("JPEGImages", "SegmentationObject", "SegmentationClass"):
        sources.append(require_folder(root, f"{LAYOUT}/{folder}", NAME))
    header = Split(f"voc/{split}", VOC_CLASSES, root, len(image_ids))
    build = partial(assemble, header, each(image_ids, partial(_objects, base)), min_area)
    return index_cache.cached("voc", root, [split, min_area], sources, build)


def voc_image_ids(root: Path, split: str) -> list[str]:
    """Image ids of a segmentation split, in the list's order."""
    folder = require_folder(data_root(root), f"{LAYOUT}/ImageSets/Segmentation", NAME)
    return read_list(folder, split, NAME)


def _objects(base: Path, image_id: str) -> Iterator[Found | Dropped]:
    image = read_header(member(base / "JPEGImages", f"{image_id}.jpg"))
    path = member(base / "SegmentationObject", f"{image_id}.png")
    labels = read_labels(path)
    names = _class_names(labels, member(base / "SegmentationClass", f"{image_id}.png"))
    present = regions(np.where(labels == VOID, 0, labels))
    if not present:
        yield Dropped(NO_LABELS)
    yield from objects_of(image_id, image, "voc", path, labels, present, names.get)


def _class_names(labels: LabelMap, path: Path) -> dict[int, str]:
    """Class name of each label that has one, by the majority of its pixels."""
    class_map = read_labels(path)
    same_size(class_map, (labels.shape[0], labels.shape[1]), path)
    pairs = labels.astype(np.intp) * (VOID + 1) + np.minimum(class_map, VOID)
    n_labels = int(labels.max(initial=0)) + 1
    votes = np.bincount(pairs.ravel(), minlength=n_labels * (VOID + 1)).reshape(n_labels, VOID + 1)
    votes = votes[:, 1 : len(VOC_CLASSES) + 1]
    return {
        int(label): VOC_CLASSES[votes[label].argmax()]
        for label in np.flatnonzero(votes.any(axis=1))
    }
