"""A COCO annotation file as compact arrays: the JSON is parsed once, not once per worker.

The table and the run-length codes lie in the cache; the codes are mapped into memory, so that
many loader processes share one copy.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from openscenes.data.datasets.index_cache import digest_of
from openscenes.data.datasets.layout import DamagedFile
from openscenes.errors import DataError
from openscenes.masks import BoolMask, decode, encode
from openscenes.paths import atomic, cache_dir

FORMAT = 1
USABLE, CROWD, UNREADABLE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Table:
    """All annotations of a file, ordered by id; I images, K classes, A annotations.

    Attributes:
        image_names: (I,) file names.
        image_sizes: (I, 2) height and width in pixels.
        class_names: (K,) in the order of the category ids.
        ids: (A,) annotation ids, rising.
        image_numbers: (A,) row of the image, -1 where the file has none.
        class_numbers: (A,) row of the class, -1 where the file has none.
        states: (A,) USABLE, CROWD or UNREADABLE.
        boxes: (A, 4) tight half-open row0, col0, row1, col1 of the mask.
        areas: (A,) mask pixels.
        ends: (A,) where each run-length code ends among the codes.
    """

    image_names: NDArray[np.str_]
    image_sizes: NDArray[np.int64]
    class_names: NDArray[np.str_]
    ids: NDArray[np.int64]
    image_numbers: NDArray[np.int64]
    class_numbers: NDArray[np.int64]
    states: NDArray[np.int64]
    boxes: NDArray[np.int64]
    areas: NDArray[np.int64]
    ends: NDArray[np.int64]


class Annotations(NamedTuple):
    """The table and all run-length codes behind each other, (N,) uint8."""

    table: Table
    codes: NDArray[np.uint8]

    def code(self, number: int) -> bytes:
        """Run-length code of the annotation in row ``number``."""
        start = int(self.table.ends[number - 1]) if number else 0
        return self.codes[start : int(self.table.ends[number])].tobytes()


class _Shape(NamedTuple):
    state: int
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    area: int = 0
    code: bytes = b""


def read_annotations(path: Path) -> Annotations:
    """The annotations of a COCO instances file, from the cache where it is up to date.

    Raises:
        DataError: if the file is missing or is no COCO instances file.
    """
    try:
        status = path.stat()
    except OSError:
        raise DamagedFile("mask missing", path, "no such annotation file") from None
    return _opened(path, status.st_size, status.st_mtime_ns)


def annotation_mask(path: Path, annotation_id: int) -> BoolMask:
    """(H, W) bool mask of one annotation.

    Raises:
        DataError: if the file has no usable annotation of this id.
    """
    annotations = read_annotations(path)
    table = annotations.table
    number = int(np.searchsorted(table.ids, annotation_id))
    if number == table.ids.size or table.ids[number] != annotation_id or not table.areas[number]:
        raise DataError(
            f"{path} has no mask with the annotation id {annotation_id}; "
            "the file has changed since it was indexed, so index it again."
        )
    size = table.image_sizes[table.image_numbers[number]].tolist()
    return decode({"size": size, "counts": annotations.code(number)})


@lru_cache(maxsize=4)
def _opened(path: Path, n_bytes: int, modified: int) -> Annotations:
    key = digest_of([FORMAT, str(path), n_bytes, modified])[:24]
    stem = cache_dir() / "indexes" / f"coco-annotations-{key}"
    table_path, codes_path = stem.with_suffix(".npz"), stem.with_suffix(".npy")
    loaded = _load(table_path, codes_path)
    if loaded is None:
        table, codes = _parse(path)
        _save(codes_path, lambda partial: np.save(partial, codes, allow_pickle=False))
        content = {field.name: getattr(table, field.name) for field in fields(Table)}
        _save(table_path, lambda partial: np.savez(partial, **content))
        loaded = Annotations(table, codes)
    return loaded


def _save(path: Path, write: Callable[[Any], None]) -> None:
    with atomic(path) as partial, partial.open("wb") as file:
        write(file)


def _load(table_path: Path, codes_path: Path) -> Annotations | None:
    try:
        with table_path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            table = Table(**{field.name: content[field.name] for field in fields(Table)})
        codes = np.load(codes_path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    n_codes = int(table.ends[-1]) if table.ends.size else 0
    return Annotations(table, codes) if codes.shape == (n_codes,) else None


def _parse(path: Path) -> Annotations:
    try:
        content = json.loads(path.read_bytes())
        return _compact(content)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is not a COCO instances file ({type(error).__name__}: {error}); "
            "unpack the official annotations again."
        ) from error


def _compact(content: dict[str, Any]) -> Annotations:
    images = content["images"]
    categories = sorted(content["categories"], key=lambda category: int(category["id"]))
    annotations = sorted(content["annotations"], key=lambda annotation: int(annotation["id"]))
    image_rows = {image["id"]: row for row, image in enumerate(images)}
    class_rows = {category["id"]: row for row, category in enumerate(categories)}
    sizes = [(int(image["height"]), int(image["width"])) for image in images]
    numbers = [image_rows.get(annotation.get("image_id"), -1) for annotation in annotations]
    classes = [class_rows.get(annotation.get("category_id"), -1) for annotation in annotations]
    shapes = [
        _shape(annotation, sizes[number]) if number >= 0 <= class_number else _Shape(UNREADABLE)
        for annotation, number, class_number in zip(annotations, numbers, classes, strict=True)
    ]
    table = Table(
        image_names=np.array([str(image["file_name"]) for image in images], dtype=np.str_),
        image_sizes=_integers(sizes).reshape(-1, 2),
        class_names=np.array([str(category["name"]) for category in categories], dtype=np.str_),
        ids=_integers([int(annotation["id"]) for annotation in annotations]),
        image_numbers=_integers(numbers),
        class_numbers=_integers(classes),
        states=_integers([shape.state for shape in shapes]),
        boxes=_integers([shape.box for shape in shapes]).reshape(-1, 4),
        areas=_integers([shape.area for shape in shapes]),
        ends=_integers(list(accumulate(len(shape.code) for shape in shapes))),
    )
    codes = np.frombuffer(b"".join(shape.code for shape in shapes), dtype=np.uint8)
    return Annotations(table, codes)


def _integers(values: list[Any]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def _shape(annotation: dict[str, Any], size: tuple[int, int]) -> _Shape:
    """Rasterise one annotation; what cannot be rasterised is marked, not raised."""
    if annotation.get("iscrowd"):
        return _Shape(CROWD)
    try:
        code = _run_lengths(annotation.get("segmentation"), size)
    except (ValueError, TypeError, LookupError, AttributeError):
        return _Shape(UNREADABLE)
    if code is None:
        return _Shape(USABLE)
    col0, row0, width, height = (int(side) for side in coco_mask.toBbox(code))
    box = (row0, col0, row0 + height, col0 + width)
    counts = code["counts"]
    counts = counts.encode() if isinstance(counts, str) else counts
    return _Shape(USABLE, box, int(coco_mask.area(code)), counts)


def _run_lengths(segmentation: Any, size: tuple[int, int]) -> dict[str, Any] | None:
    """COCO code of polygons, plain run lengths or a code; None where there is nothing to draw.

    Raises:
        ValueError: if the code is damaged or was made for another image size.
    """
    if isinstance(segmentation, dict):
        return _checked(segmentation, size)
    # pycocotools takes four numbers for a box; a polygon has three corners at least.
    polygons = [polygon for polygon in segmentation or [] if len(polygon) >= 6]
    if not polygons:
        return None
    return coco_mask.merge(coco_mask.frPyObjects(polygons, *size))


def _checked(code: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """Refuse a code that is too short: pycocotools would fill up with whatever lies in memory."""
    counts = code["counts"]
    if isinstance(counts, list):
        whole = sum(counts) == size[0] * size[1]
        canonical = encode(decode(coco_mask.frPyObjects(code, *size))) if whole else code
    else:
        canonical = encode(decode(code))
        whole = canonical["counts"] == counts
    if not whole or tuple(code["size"]) != size:
        raise ValueError("damaged, or made for another image size")
    return canonical
