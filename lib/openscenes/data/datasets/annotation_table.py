"""What is known of the annotations of a COCO file, as compact arrays, and how one is drawn."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from openscenes.errors import DataError
from openscenes.files import number
from openscenes.masks import check_code, rasterise

# What an annotation is: it can be used, or why not; REASONS says it in words.
USABLE, CROWD, UNREADABLE, IN_SHARES, NO_IMAGE, SEVERAL_IMAGES, BAD_SIZE, UNSIZED = range(8)
REASONS = (
    "usable",
    "crowd",
    "unreadable annotation",
    "polygon in shares of the image's sides",
    "annotation without image",
    "image id that several images have",
    "image of an impossible size",
    "image without a size",
)
NONE, SEVERAL = -1, -2  # in place of a row: there is none, or several may be meant
UNKNOWN_SIZE, IMPOSSIBLE_SIZE = (0, 0), (-1, -1)
Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Table:
    """All annotations of a file, ordered by id; I images, K classes, A annotations.

    An annotation's id is the file's own where these are distinct whole numbers; otherwise, for
    all of the file, its place in it, from 1.  So each has a mask of its own.

    Attributes:
        image_names: I file names as the file has them; "" where there is none.
        image_sizes: (I, 2) height and width in pixels, ``UNKNOWN_SIZE`` or ``IMPOSSIBLE_SIZE``.
        class_names: K different names, in the order of the category ids.
        ids: (A,) annotation ids, rising.
        places: (A,) place of the annotation in the file's list, from 0.
        image_numbers: (A,) row of the image, ``NONE`` or ``SEVERAL``.
        class_numbers: (A,) row of the class, ``NONE`` or ``SEVERAL``.
        states: (A,) place in ``REASONS``; 0 is usable.
        boxes: (A, 4) tight half-open row0, col0, row1, col1 of the mask.
        areas: (A,) mask pixels.
        ends: (A,) where each code ends among the codes.
    """

    image_names: tuple[str, ...]
    image_sizes: NDArray[np.int64]
    class_names: tuple[str, ...]
    ids: NDArray[np.int64]
    places: NDArray[np.int64]
    image_numbers: NDArray[np.int64]
    class_numbers: NDArray[np.int64]
    states: NDArray[np.int64]
    boxes: NDArray[np.int64]
    areas: NDArray[np.int64]
    ends: NDArray[np.int64]

    def class_name(self, row: int) -> str | None:
        """Class of the annotation in this row; None where it has none, or one of several."""
        place = int(self.class_numbers[row])
        return self.class_names[place] if place >= 0 else None

    def image_size(self, row: int) -> Size | None:
        """(height, width) that the file gives the annotation's image; None where it gives none."""
        place = int(self.image_numbers[row])
        size = self.image_sizes[place].tolist() if place >= 0 else UNKNOWN_SIZE
        return (size[0], size[1]) if size[0] > 0 else None


class Shape(NamedTuple):
    """A drawn annotation: why it cannot be used or 0, tight box, pixels, run-length code."""

    state: int
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    area: int = 0
    code: bytes = b""


class Annotations(NamedTuple):
    """The table and all codes behind each other, (N,) uint8."""

    table: Table
    codes: NDArray[np.uint8]

    def code(self, row: int) -> bytes:
        """Run-length code of the annotation in this row; of one UNSIZED its segmentation."""
        start = int(self.table.ends[row - 1]) if row else 0
        return self.codes[start : int(self.table.ends[row])].tobytes()

    def shape(self, row: int, size: Size) -> Shape:
        """The annotation in this row, drawn; one UNSIZED in the size of its image file."""
        table, code = self.table, self.code(row)
        if table.states[row] == UNSIZED:
            return draw(json.loads(code), size)
        row0, col0, row1, col1 = table.boxes[row].tolist()
        return Shape(int(table.states[row]), (row0, col0, row1, col1), int(table.areas[row]), code)


def shape_of(annotation: Mapping[str, Any], size: Size) -> Shape:
    """Draw one annotation; what cannot be drawn is marked, not raised."""
    crowd, segmentation = _is_crowd(annotation.get("iscrowd")), annotation.get("segmentation")
    if crowd is None:
        return Shape(UNREADABLE)
    if crowd:
        return Shape(CROWD)
    if size == IMPOSSIBLE_SIZE:
        return Shape(BAD_SIZE)
    if size == UNKNOWN_SIZE:
        return _kept_for_later(segmentation)
    return draw(segmentation, size)


def draw(segmentation: object, size: Size) -> Shape:
    """Polygons, plain run lengths or a compressed code as a shape in an image of this size."""
    try:
        code = _run_lengths(segmentation, size)
    except DataError:
        return Shape(IN_SHARES if _in_shares(segmentation) else UNREADABLE)
    if code is None:
        return Shape(USABLE)
    col0, row0, width, height = (int(side) for side in coco_mask.toBbox(code))
    box = (row0, col0, row0 + height, col0 + width)
    return Shape(USABLE, box, int(coco_mask.area(code)), code["counts"].encode())


def _run_lengths(segmentation: object, size: Size) -> dict[str, Any] | None:
    """Run-length code of a segmentation; None where there is nothing to draw.

    Raises:
        DataError: if it is damaged or was made for another image size.
    """
    if isinstance(segmentation, dict):
        return check_code(segmentation, size)
    if segmentation is None or isinstance(segmentation, list):
        return rasterise(segmentation or [], size)
    raise DataError("A segmentation is neither polygons nor a run-length code; export it anew.")


def _kept_for_later(segmentation: object) -> Shape:
    """A segmentation as text, until the size of its image is known."""
    try:
        return Shape(UNSIZED, code=json.dumps(segmentation).encode())
    except RecursionError:
        return Shape(UNREADABLE)


def _in_shares(segmentation: object) -> bool:
    """Whether all coordinates of the polygons lie in 0..1."""
    polygons = segmentation if isinstance(segmentation, list) else []
    values = [value for one in polygons if isinstance(one, list) for value in one]
    return bool(values) and all(number(value, 0, 1) is not None for value in values)


def _is_crowd(value: object) -> bool | None:
    """Whether ``iscrowd`` says so, as a number, a flag or a text; None where it says neither."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str):
        return {"0": False, "false": False, "1": True, "true": True}.get(value.strip().lower())
    found = number(value)
    return None if found is None else found != 0
