"""The Semantic Boundaries Dataset, alone and as the extension of PASCAL VOC.

``benchmark_RELEASE/dataset/{img/*.jpg, inst/*.mat, train.txt, val.txt}``; a ``.mat`` holds
``GTinst`` with ``Segmentation`` (labels 1..K, no void) and ``Categories`` (K class numbers).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import loadmat

from openscenes.data.datasets import index_cache
from openscenes.data.datasets.assembly import Dropped, Found, Split, assemble
from openscenes.data.datasets.images import read_header
from openscenes.data.datasets.labels import (
    LabelMap,
    Region,
    checksum,
    modified,
    regions,
    same_size,
)
from openscenes.data.datasets.layout import (
    DamagedFile,
    data_root,
    read_list,
    require_folder,
    require_min_area,
)
from openscenes.data.datasets.voc import VOC_CLASSES, voc, voc_image_ids
from openscenes.data.records import Box, Index, MaskSource

LAYOUT = "benchmark_RELEASE/dataset"
NAME = "SBD"


class Instances(NamedTuple):
    """A decoded ``.mat``: (H, W) labels, read-only, and the class number of each label."""

    labels: LabelMap
    categories: tuple[int, ...]


def sbd(
    root: Path,
    split: str = "trainval",
    *,
    min_area: int = 1,
    exclude: Collection[str] = (),
) -> Index:
    """Index the objects of an SBD split.

    Args:
        root: the folder that contains ``benchmark_RELEASE/dataset``.
        split: ``"train"``, ``"val"``, or ``"trainval"`` for both.
        min_area: smallest object kept, in pixels.
        exclude: image ids to leave out; counted as "excluded image".
    Raises:
        DataError: if a folder or list is missing, or no object is left.
        InputError: if ``min_area`` is below 1.
    """
    require_min_area(min_area)
    root = data_root(root)
    base = require_folder(root, LAYOUT, NAME)
    parts = ("train", "val") if split == "trainval" else (split,)
    listed = list(dict.fromkeys(name for part in parts for name in read_list(base, part, NAME)))
    excluded = set(listed) & set(exclude)
    image_ids = [name for name in listed if name not in excluded]
    folders = [require_folder(root, f"{LAYOUT}/{folder}", NAME) for folder in ("img", "inst")]
    header = Split(f"sbd/{split}", VOC_CLASSES, root, len(image_ids))
    return index_cache.cached(
        "sbd",
        root,
        [split, min_area, sorted(excluded)],
        [*(base / f"{part}.txt" for part in parts), *folders],
        lambda: assemble(header, _findings(base, image_ids, len(excluded)), min_area),
    )


def voc_sbd(root: Path, *, min_area: int = 1) -> Index:
    """VOC train and, where VOC has no mask, SBD train and val: the paper's larger source.

    Paper: Sec. 4.1.1 ("VOC+SBD").
    Ours: VOC masks win where both exist, and no image of VOC val is taken from SBD.

    Args:
        root: the folder that contains ``VOCdevkit/VOC2012`` and ``benchmark_RELEASE/dataset``.
        min_area: smallest object kept, in pixels.
    Returns:
        Index of scene ``"voc+sbd/train"``, ordered by (image_id, label) over both parts.
    Raises:
        DataError: if a folder or list is missing, or a part has no object.
    """
    first = voc(root, "train", min_area=min_area)
    known = {*voc_image_ids(root, "train"), *voc_image_ids(root, "val")}
    second = sbd(root, "trainval", min_area=min_area, exclude=known)
    scene = "voc+sbd/train"
    both = [replace(record, scene=scene) for record in first.records + second.records]
    both.sort(key=lambda record: (record.image_id, record.mask.label))
    reasons = sorted({*first.dropped, *second.dropped})
    return Index(
        scene=scene,
        classes=VOC_CLASSES,
        records=tuple(both),
        dropped={
            reason: first.dropped.get(reason, 0) + second.dropped.get(reason, 0)
            for reason in reasons
        },
        n_images=first.n_images + second.n_images,
        digest=index_cache.digest_of([scene, first.digest, second.digest]),
    )


def read_instances(path: Path) -> Instances:
    """Decode a ``.mat``; the last few are remembered, as an image's objects come together.

    Raises:
        DamagedFile: "mask missing" or "unreadable mask".
    """
    return _decoded(path, modified(path))


@lru_cache(maxsize=8)
def _decoded(path: Path, _modified: int) -> Instances:
    try:
        content = loadmat(path, variable_names=["GTinst"])["GTinst"][0, 0]
        labels = np.array(content["Segmentation"])
        categories = tuple(int(number) for number in content["Categories"].ravel())
    except Exception as error:  # a damaged .mat makes scipy raise nearly anything
        raise DamagedFile("unreadable mask", path, f"{type(error).__name__}: {error}") from error
    if labels.ndim != 2 or labels.dtype.kind not in "ui":
        detail = f"GTinst.Segmentation is {labels.dtype} {labels.shape}, wanted (H, W) integers"
        raise DamagedFile("mask is not a label image", path, detail)
    labels.flags.writeable = False
    return Instances(labels, categories)


def _findings(base: Path, image_ids: list[str], n_excluded: int) -> Iterator[Found | Dropped]:
    if n_excluded:
        yield Dropped("excluded image", n_excluded)
    for image_id in image_ids:
        try:
            yield from _objects(base, image_id)
        except DamagedFile as damage:
            yield Dropped(damage.reason)


def _objects(base: Path, image_id: str) -> Iterator[Found | Dropped]:
    image, path = base / "img" / f"{image_id}.jpg", base / "inst" / f"{image_id}.mat"
    header = read_header(image)
    labels, categories = read_instances(path)
    same_size(labels, header.size, path)
    code = checksum(labels)
    for label, box, area in _with_empty(regions(labels), len(categories)):
        number = categories[label - 1] if label <= len(categories) else 0
        if not 1 <= number <= len(VOC_CLASSES):
            yield Dropped("no class")
            continue
        mask, name = MaskSource("sbd", path, label), VOC_CLASSES[number - 1]
        yield Found(image_id, name, image, header.n_bytes, mask, box, area, code)


def _with_empty(present: list[Region], n_labels: int) -> list[Region]:
    """Add the labels that have a class but no pixel, so that they are counted."""
    missing = set(range(1, n_labels + 1)) - {region.label for region in present}
    return present + [Region(label, Box(0, 0, 0, 0), 0) for label in sorted(missing)]
