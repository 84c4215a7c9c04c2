"""COCO 2017 instances in the official layout.

``annotations/instances_<split>2017.json`` and ``<split>2017/*.jpg``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from openscenes.data.datasets import index_cache
from openscenes.data.datasets.annotations import CROWD, USABLE, Annotations, read_annotations
from openscenes.data.datasets.assembly import Dropped, Found, Split, assemble, each
from openscenes.data.datasets.images import read_header
from openscenes.data.datasets.layout import (
    DamagedFile,
    data_root,
    require_file,
    require_folder,
    require_min_area,
)
from openscenes.data.records import Box, Index, MaskSource
from openscenes.errors import InputError
from openscenes.seeding import derive_seed

NAME = "COCO 2017"


def coco(
    root: Path, split: str, *, fraction: float = 1.0, seed: int = 0, min_area: int = 1
) -> Index:
    """Index the objects of a COCO split or of a seeded sample of its images; crowds are left out.

    Paper: Sec. 4.1.1 (10 % of train2017).
    Ours: each image is drawn on its own with probability ``fraction``, from the seed and its file
    name alone, so that the sample does not depend on the order and a larger one contains it.

    Args:
        root: the folder that contains ``annotations`` and ``train2017`` or ``val2017``.
        split: ``"train2017"`` or ``"val2017"``, also without the year.
        fraction: share of images, in (0, 1].
        seed: which sample.
        min_area: smallest object kept, in mask pixels.
    Raises:
        DataError: if a folder or the annotation file is missing or unusable, or no object is left.
        InputError: if ``fraction`` or ``min_area`` is out of range.
    """
    require_min_area(min_area)
    if not 0 < fraction <= 1:
        raise InputError(f"fraction must lie in (0, 1], got {fraction}; 0.1 takes 10 % of images.")
    root, short = data_root(root), split.removesuffix("2017")
    folder = require_folder(root, "annotations", NAME)
    there = (path.stem.removeprefix("instances_") for path in folder.glob("instances_*.json"))
    path = require_file(folder / f"instances_{short}2017.json", NAME, there)
    images = require_folder(root, f"{short}2017", NAME)
    build = partial(_build, root, path, images, (fraction, seed, min_area))
    options = [short, fraction, seed, min_area]
    return index_cache.cached("coco", root, options, [path, images], build)


def drawn(image_id: str, fraction: float, seed: int) -> bool:
    """Whether an image belongs to the sample: one Bernoulli draw of its own."""
    return derive_seed("coco sample", seed, image_id) < fraction * 2**63


def _build(root: Path, path: Path, images: Path, options: tuple[float, int, int]) -> Index:
    fraction, seed, min_area = options
    annotations = read_annotations(path)
    names = annotations.table.image_names.tolist()
    chosen = [row for row, name in enumerate(names) if drawn(Path(name).stem, fraction, seed)]
    classes = tuple(annotations.table.class_names.tolist())
    scene = f"coco/{images.name.removesuffix('2017')}"
    header = Split(scene, classes, root, len(chosen))
    return assemble(header, _findings(annotations, path, images, chosen), min_area)


def _findings(
    annotations: Annotations, path: Path, images: Path, chosen: list[int]
) -> Iterator[Found | Dropped]:
    numbers = annotations.table.image_numbers
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(len(annotations.table.image_names) + 1))
    if bounds[0]:
        yield Dropped("annotation without image", int(bounds[0]))
    members = (order[bounds[row] : bounds[row + 1]].tolist() for row in chosen)
    yield from each(filter(None, members), partial(_objects, annotations, path, images))


def _objects(
    annotations: Annotations, path: Path, images: Path, members: list[int]
) -> Iterator[Found | Dropped]:
    table = annotations.table
    row = table.image_numbers[members[0]]
    image, size = images / str(table.image_names[row]), tuple(table.image_sizes[row].tolist())
    header = read_header(image)
    if header.size != size:
        detail = f"annotated {size}, image {header.size}, both (height, width)"
        raise DamagedFile("mask differs in size from its image", image, detail)
    for number in members:
        if table.states[number] != USABLE:
            yield Dropped("crowd" if table.states[number] == CROWD else "unreadable annotation")
            continue
        name = str(table.class_names[table.class_numbers[number]])
        mask = MaskSource("coco", path, int(table.ids[number]))
        box, area = Box(*table.boxes[number].tolist()), int(table.areas[number])
        code = zlib.crc32(annotations.code(number))
        yield Found(image.stem, name, image, header.n_bytes, mask, box, area, code)
