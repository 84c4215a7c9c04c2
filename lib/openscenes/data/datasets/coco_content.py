"""From the text of a COCO file to its table of annotations.

Files of other tools name the same things in many ways: one entry that cannot be used does not
spoil the others, and what it is marked as stands in the table.
"""

from collections.abc import Callable, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openscenes.data.datasets.annotation_table import (
    IMPOSSIBLE_SIZE,
    NO_IMAGE,
    NONE,
    SEVERAL,
    SEVERAL_IMAGES,
    UNKNOWN_SIZE,
    UNREADABLE,
    Annotations,
    Shape,
    Size,
    Table,
    shape_of,
)
from openscenes.data.datasets.coco_ids import Rows, distinct_numbers
from openscenes.errors import DataError
from openscenes.files import number, one_line, read_json
from openscenes.masks import checked_size

Entry = Mapping[str, Any]
_MAX_DIGITS = 9  # of a side that is text


def read_content(path: Path) -> Annotations:
    """The table of a COCO instances file."""
    content = read_json(path, "annotation file")
    images = _entries(content, "images", path)
    annotations = _entries(content, "annotations", path)
    categories = _entries({"categories": []} | content, "categories", path)
    return _compact(images, categories, annotations)


def _entries(content: object, name: str, path: Path) -> list[Entry]:
    """A list of the file; what is no object in it becomes an empty one."""
    entries = content.get(name) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        found = "missing" if entries is None else f"{type(entries).__name__}, wanted a list"
        raise DataError(
            f"{one_line(str(path))} is not a COCO instances file ({name}: {found}); unpack the "
            "official annotations again, or export it as COCO instances."
        )
    return [entry if isinstance(entry, dict) else {} for entry in entries]


def _compact(images: list[Entry], categories: list[Entry], annotations: list[Entry]) -> Annotations:
    names, sizes = [_file_name(image) for image in images], [stated_size(image) for image in images]
    of_image = Rows([image.get("id") for image in images], list(zip(names, sizes, strict=True)))
    class_names, of_class = _classes(categories)
    ids, places = _ordered([annotation.get("id") for annotation in annotations])
    annotations = [annotations[place] for place in places]
    image_rows = [of_image.find(annotation.get("image_id")) for annotation in annotations]
    shapes = [
        shape_of(annotation, sizes[row]) if row >= 0 else _unplaced(annotation, row)
        for annotation, row in zip(annotations, image_rows, strict=True)
    ]
    table = Table(
        image_names=tuple(names),
        image_sizes=_integers(sizes).reshape(-1, 2),
        class_names=class_names,
        ids=_integers(ids),
        places=_integers(places),
        image_numbers=_integers(image_rows),
        class_numbers=_integers([of_class(one.get("category_id")) for one in annotations]),
        states=_integers([shape.state for shape in shapes]),
        boxes=_integers([shape.box for shape in shapes]).reshape(-1, 4),
        areas=_integers([shape.area for shape in shapes]),
        ends=_integers(list(accumulate(len(shape.code) for shape in shapes))),
    )
    codes = np.frombuffer(b"".join(shape.code for shape in shapes), dtype=np.uint8)
    return Annotations(table, codes)


def _unplaced(annotation: Entry, row: int) -> Shape:
    if not annotation:
        return Shape(UNREADABLE)
    return Shape(SEVERAL_IMAGES if row == SEVERAL else NO_IMAGE)


def _ordered(ids: list[object]) -> tuple[list[int], list[int]]:
    """Ids of the annotations, rising, and their places in the file; see ``Table``."""
    numbers = distinct_numbers(ids)
    if numbers is None:
        return list(range(1, len(ids) + 1)), list(range(len(ids)))
    places = sorted(range(len(ids)), key=numbers.__getitem__)
    return [numbers[place] for place in places], places


def _classes(categories: list[Entry]) -> tuple[tuple[str, ...], Callable[[object], int]]:
    """The different names, by rising id where ids are numbers, and which one an id means."""
    ids = [category.get("id") for category in categories]
    numbers = distinct_numbers(ids)
    order = list(range(len(ids)))
    order = order if numbers is None else sorted(order, key=numbers.__getitem__)
    names = [_class_name(categories[place].get("name")) for place in order]
    rows = Rows([ids[place] for place in order], names)
    different = dict.fromkeys(name for name in names if name is not None)
    class_rows: dict[str | None, int] = {name: row for row, name in enumerate(different)}

    def of_class(reference: object) -> int:
        row = rows.find(reference)
        return class_rows.get(names[row], NONE) if row >= 0 else row

    return tuple(different), of_class


def _class_name(name: object) -> str | None:
    """A category's name on one line, also one that is a number; None where it has none."""
    if number(name) is not None:
        return str(name)
    return one_line(name, len(name)) if isinstance(name, str) and name.strip() else None


def _file_name(image: Entry) -> str:
    name = image.get("file_name")
    return name if isinstance(name, str) else ""


def stated_size(image: Entry) -> Size:
    """(height, width) that a file gives an image, also as text."""
    sides = [_side(image.get(name)) for name in ("height", "width")]
    if None in sides or 0 in sides:
        return UNKNOWN_SIZE
    try:
        return checked_size(sides)
    except DataError:
        return IMPOSSIBLE_SIZE


def _side(value: Any) -> Any:
    is_text = isinstance(value, str) and value.isascii() and len(value) <= _MAX_DIGITS
    return int(value) if is_text and value.isdigit() else value


def _integers(values: list[Any]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
