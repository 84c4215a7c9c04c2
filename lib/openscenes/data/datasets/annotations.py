"""A COCO annotation file, parsed once, not once per worker.

The table and the run-length codes lie in the cache; the codes are mapped into memory, so that
many loader processes share one copy.
"""

import io
import json
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from openscenes.data.datasets.annotation_table import UNSIZED, USABLE, Annotations, Table
from openscenes.data.datasets.coco_content import read_content
from openscenes.data.datasets.images import read_header
from openscenes.data.datasets.index_cache import digest_of
from openscenes.data.datasets.layout import DamagedFile
from openscenes.errors import DataError
from openscenes.files import one_line, require_regular
from openscenes.kept import keep_bytes, kept_bytes
from openscenes.paths import cache_dir

FORMAT = 2
_NAMES = ("image_names", "class_names")


def read_annotations(path: Path) -> Annotations:
    """The annotations of a COCO instances file, from the cache where it is up to date."""
    try:
        status = path.stat()
    except OSError:
        raise DamagedFile("mask missing", path, "no such annotation file") from None
    require_regular(path, "annotation file")
    return _opened(path, status.st_size, status.st_mtime_ns)


def annotation_code(path: Path, annotation_id: int, image: Path) -> dict[str, Any]:
    """The run-length code of one annotation's mask.

    Args:
        image: the annotation's image, which is asked for its size where the file has none.
    """
    annotations = read_annotations(path)
    table = annotations.table
    row = int(np.searchsorted(table.ids, annotation_id))
    there = row < table.ids.size and table.ids[row] == annotation_id
    if there and table.states[row] in (USABLE, UNSIZED):
        size = table.image_size(row) or read_header(image).size
        shape = annotations.shape(row, size)
        if shape.area:
            return {"size": size, "counts": shape.code.decode()}
    raise DataError(
        f"{one_line(str(path))} has no mask with the annotation id {annotation_id}; "
        "the file has changed since it was indexed, so index it again."
    )


@lru_cache(maxsize=4)
def _opened(path: Path, n_bytes: int, modified: int) -> Annotations:
    key = digest_of([FORMAT, str(path), n_bytes, modified])[:24]
    stem = cache_dir() / "indexes" / f"coco-annotations-{key}"
    table_path, codes_path = stem.with_suffix(".npz"), stem.with_suffix(".codes")
    table, codes = kept_bytes(table_path), kept_bytes(codes_path)
    if table is None or codes is None:
        parsed = read_content(path)
        keep_bytes(codes_path, parsed.codes.tobytes())
        keep_bytes(table_path, _packed(parsed.table))
        return parsed
    return Annotations(_unpacked(table), codes)


def _packed(table: Table) -> bytes:
    content = {field.name: getattr(table, field.name) for field in fields(Table)}
    content |= {
        name: np.frombuffer(json.dumps(content[name]).encode(), np.uint8) for name in _NAMES
    }
    file = io.BytesIO()
    np.savez(file, **content)
    return file.getvalue()


def _unpacked(packed: np.ndarray) -> Table:
    with np.load(io.BytesIO(packed.tobytes()), allow_pickle=False) as file:
        content: dict[str, Any] = {field.name: file[field.name] for field in fields(Table)}
    content |= {name: tuple(json.loads(content[name].tobytes())) for name in _NAMES}
    return Table(**content)
