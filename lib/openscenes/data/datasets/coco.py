"""COCO 2017 instances in the official layout.

``annotations/instances_<split>2017.json`` and ``<split>2017/*.jpg``.
"""

import zlib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from openscenes.data.datasets import index_cache
from openscenes.data.datasets.annotation_table import REASONS, SEVERAL, Annotations
from openscenes.data.datasets.annotations import read_annotations
from openscenes.data.datasets.assembly import Dropped, Found, Split, assemble, each
from openscenes.data.datasets.images import read_header
from openscenes.data.datasets.layout import DamagedFile, asked, member, require_file, require_folder
from openscenes.data.records import Box, Index, MaskSource
from openscenes.errors import InputError
from openscenes.files import number, one_line
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
    root, short = asked(root, split, min_area), split.removesuffix("2017")
    if not number(fraction, 0, 1):
        told = f"fraction must lie in (0, 1], got {one_line(repr(fraction))}"
        raise InputError(f"{told}; 0.1 takes 10 % of images.")
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
    stems = [Path(name).stem for name in annotations.table.image_names]
    chosen = [row for row, stem in enumerate(stems) if drawn(stem, fraction, seed)]
    scene = f"coco/{images.name.removesuffix('2017')}"
    header = Split(scene, annotations.table.class_names, root, len(chosen))
    return assemble(header, _findings(annotations, path, images, chosen), min_area)


def _findings(
    annotations: Annotations, path: Path, images: Path, chosen: list[int]
) -> Iterator[Found | Dropped]:
    table = annotations.table
    order = np.argsort(table.image_numbers, kind="stable")
    rows = np.arange(len(table.image_names) + 1)
    bounds = np.searchsorted(table.image_numbers[order], rows)
    for state, times in Counter(table.states[order[: bounds[0]]].tolist()).items():
        yield Dropped(REASONS[state], times)
    members = (order[bounds[row] : bounds[row + 1]].tolist() for row in chosen)
    places = _distinct_ids(table.image_names)
    yield from each(filter(None, members), partial(_objects, annotations, path, images, places))


def _distinct_ids(names: tuple[str, ...]) -> dict[str, str]:
    """The image id of each file name: its stem, or the whole name where others have that stem."""
    stems = {name: Path(name).stem for name in dict.fromkeys(names)}
    times = Counter(stems.values())
    return {name: stem if times[stem] == 1 else name for name, stem in stems.items()}


def _objects(
    annotations: Annotations, path: Path, images: Path, image_ids: dict[str, str], rows: list[int]
) -> Iterator[Found | Dropped]:
    table = annotations.table
    file_name, size = table.image_names[table.image_numbers[rows[0]]], table.image_size(rows[0])
    image = member(images, file_name)
    header = read_header(image)
    if size is not None and header.size != size:
        detail = f"annotated {size}, image {header.size}, both (height, width)"
        raise DamagedFile("mask differs in size from its image", image, detail)
    for row in rows:
        shape, class_name = annotations.shape(row, header.size), table.class_name(row)
        if shape.state:
            yield Dropped(REASONS[shape.state])
        elif class_name is None:
            several = table.class_numbers[row] == SEVERAL
            yield Dropped("category id that several categories have" if several else "no class")
        else:
            mask = MaskSource("coco", path, int(table.ids[row]))
            image_id, code = image_ids[file_name], zlib.crc32(shape.code)
            box = Box(*shape.box)
            yield Found(image_id, class_name, image, header.n_bytes, mask, box, shape.area, code)
