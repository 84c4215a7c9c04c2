"""The Semantic Boundaries Dataset, alone and as the extension of PASCAL VOC.

``benchmark_RELEASE/dataset/{img/*.jpg, inst/*.mat, train.txt, val.txt}``; a ``.mat`` holds
``GTinst`` with ``Segmentation`` (labels 1..K, no void) and ``Categories`` (K class numbers).
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from openscenes.data.datasets import index_cache
from openscenes.data.datasets.assembly import Dropped, Found, Split, assemble, each
from openscenes.data.datasets.images import read_header
from openscenes.data.datasets.labels import (
    LabelMap,
    Region,
    checked_labels,
    modified,
    objects_of,
    regions,
)
from openscenes.data.datasets.layout import DamagedFile, asked, member, read_list, require_folder
from openscenes.data.datasets.matlab import read_struct
from openscenes.data.datasets.voc import VOC_CLASSES, voc, voc_image_ids
from openscenes.data.records import Box, Index
from openscenes.errors import DataError
from openscenes.files import whole_number

LAYOUT = "benchmark_RELEASE/dataset"
NAME = "SBD"


class Instances(NamedTuple):
    """A decoded ``.mat``: (H, W) labels, read-only, and the class number, 0 for none, of each."""

    labels: LabelMap
    categories: tuple[int, ...]


def sbd(
    root: Path, split: str = "trainval", *, min_area: int = 1, exclude: Collection[str] = ()
) -> Index:
    """Index the objects of an SBD split.

    Args:
        root: the folder that contains ``benchmark_RELEASE/dataset``.
        split: ``"train"``, ``"val"``, or ``"trainval"`` for both.
        min_area: smallest object kept, in pixels.
        exclude: image ids to leave out; counted as "excluded image".
    """
    root = asked(root, split, min_area)
    base = require_folder(root, LAYOUT, NAME)
    parts = ("train", "val") if split == "trainval" else (split,)
    listed = list(dict.fromkeys(name for part in parts for name in read_list(base, part, NAME)))
    excluded = set(listed) & set(exclude)
    image_ids = [name for name in listed if name not in excluded]
    folders = [require_folder(root, f"{LAYOUT}/{folder}", NAME) for folder in ("img", "inst")]
    sources = [*(base / f"{part}.txt" for part in parts), *folders]
    header = Split(f"sbd/{split}", VOC_CLASSES, root, len(image_ids))
    left_out = [Dropped("excluded image", len(excluded))] if excluded else []
    findings = chain(left_out, each(image_ids, partial(_objects, base)))
    build = partial(assemble, header, findings, min_area)
    return index_cache.cached("sbd", root, [split, min_area, sorted(excluded)], sources, build)


def voc_sbd(root: Path, *, min_area: int = 1) -> Index:
    """VOC train and, where VOC has no mask, SBD train and val: the paper's larger source.

    Paper: Sec. 4.1.1 ("VOC+SBD").
    Ours: VOC masks win where both exist, and no image of VOC val is taken from SBD.

    Args:
        root: the folder that contains ``VOCdevkit/VOC2012`` and ``benchmark_RELEASE/dataset``.
        min_area: smallest object kept, in pixels.
    Returns:
        Index of scene ``"voc+sbd/train"``, ordered by (image_id, label) over both parts.
    """
    first = voc(root, "train", min_area=min_area)
    known = {*voc_image_ids(root, "train"), *voc_image_ids(root, "val")}
    second = sbd(root, "trainval", min_area=min_area, exclude=known)
    scene = "voc+sbd/train"
    both = [replace(record, scene=scene) for record in first.records + second.records]
    both.sort(key=lambda record: (record.image_id, record.mask.label))
    reasons = sorted({*first.dropped, *second.dropped})
    dropped = {name: first.dropped.get(name, 0) + second.dropped.get(name, 0) for name in reasons}
    digest = index_cache.digest_of([scene, first.digest, second.digest])
    n_images = first.n_images + second.n_images
    return Index(scene, VOC_CLASSES, tuple(both), dropped, n_images, digest)


def read_instances(path: Path) -> Instances:
    """Decode a ``.mat``; the last few are cached, as an image's objects come together."""
    return _decoded(path, modified(path))


@lru_cache(maxsize=8)
def _decoded(path: Path, _modified: int) -> Instances:
    try:
        labels, categories = read_struct(path, "GTinst", ("Segmentation", "Categories"))
    except DataError as error:
        raise DamagedFile("unreadable mask", path, str(error)) from None
    numbers = (whole_number(value, 0, len(VOC_CLASSES)) for value in categories.ravel().tolist())
    return Instances(checked_labels(labels, path), tuple(number or 0 for number in numbers))


def _objects(base: Path, image_id: str) -> Iterator[Found | Dropped]:
    image = read_header(member(base / "img", f"{image_id}.jpg"))
    path = member(base / "inst", f"{image_id}.mat")
    labels, categories = read_instances(path)
    numbered, classes = enumerate(categories, start=1), dict(enumerate(VOC_CLASSES, start=1))
    names = {label: classes[number] for label, number in numbered if number in classes}
    present = _with_empty(regions(labels), len(categories))
    yield from objects_of(image_id, image, "sbd", path, labels, present, names.get)


def _with_empty(present: list[Region], n_labels: int) -> list[Region]:
    missing = set(range(1, n_labels + 1)) - {region.label for region in present}
    return present + [Region(label, Box(0, 0, 0, 0), 0) for label in sorted(missing)]
