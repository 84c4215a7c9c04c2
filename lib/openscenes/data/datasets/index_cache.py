"""Indexes on disk: read again only while no file behind them has changed."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from openscenes.data.records import Box, Index, MaskSource, ObjectRecord
from openscenes.errors import DataError
from openscenes.files import one_line, reason
from openscenes.kept import keep_bytes, kept_bytes
from openscenes.paths import cache_dir

FORMAT = 2


def cached(
    name: str, root: Path, options: object, sources: Iterable[Path], build: Callable[[], Index]
) -> Index:
    """Return the index that was built from the same files before, or build and keep it.

    Args:
        root: absolute root of the data set; every path of the index lies below it.
        options: whatever else decides the index; must be JSON-able.
        sources: files and folders (with all below them) that the index depends on.
    Raises:
        InputError: if the cache cannot be written.
        DataError: if a source cannot be listed, or what ``build`` raises.
    """
    key = digest_of([FORMAT, name, str(root), options, fingerprint(sources)])
    path = cache_dir() / "indexes" / f"{name}-{key[:24]}.json"
    content = kept_bytes(path)
    if content is None:
        index = build()
        keep_bytes(path, json.dumps(_to_json(index, root)).encode())
        return index
    return _from_json(json.loads(content.tobytes()), root)


def digest_of(value: object) -> str:
    """SHA-256 of a JSON-able value."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def fingerprint(sources: Iterable[Path]) -> str:
    """Digest of names, sizes and times of the files, folders followed to the bottom, each once."""
    digest = hashlib.sha256()
    for source in sources:
        for entry in _entries(source):
            digest.update(os.fsencode("\x1f".join(entry)) + b"\n")
    return digest.hexdigest()


def _entries(source: Path) -> Iterator[tuple[str, str, str]]:
    if not source.is_dir():
        yield (str(source), *_size_and_time(source))
        return
    folders, visited = [str(source)], set[str]()
    while folders:
        folder = folders.pop()
        real = os.path.realpath(folder)
        if real in visited:  # a link back
            continue
        visited.add(real)
        for entry in _listed(folder):
            if os.path.isdir(entry):  # noqa: PTH112  no error where a link leads to itself
                folders.append(entry.path)
            else:
                yield (entry.path, *_size_and_time(entry))


def _listed(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listing:
            return sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        told = f"{one_line(folder)} cannot be listed ({reason(error)})"
        raise DataError(f"{told}; mend its permissions.") from None


def _size_and_time(file: Path | os.DirEntry[str]) -> tuple[str, str]:
    try:
        status = file.stat()
    except OSError:  # a link to nowhere: counted as missing by the reader
        return "missing", ""
    return str(status.st_size), str(status.st_mtime_ns)


def _to_json(index: Index, root: Path) -> dict[str, Any]:
    """Images once, objects as rows: a full COCO index stays readable in seconds."""
    images: dict[tuple[str, str, str, str], int] = {}
    rows = []
    class_numbers = {name: number for number, name in enumerate(index.classes)}
    for record in index.records:
        image = record.image.relative_to(root).as_posix()
        mask = record.mask.path.relative_to(root).as_posix()
        number = images.setdefault((record.image_id, image, record.mask.kind, mask), len(images))
        class_number = class_numbers[record.class_name]
        rows.append([number, record.mask.label, class_number, *record.box, record.area])
    return {
        "scene": index.scene, "classes": index.classes, "images": list(images), "objects": rows,
        "dropped": index.dropped, "n_images": index.n_images, "digest": index.digest,
    }  # fmt: skip


def _from_json(content: dict[str, Any], root: Path) -> Index:
    classes = tuple(content["classes"])
    images = [(entry[0], root / entry[1], entry[2], root / entry[3]) for entry in content["images"]]
    records = tuple(
        _from_row(content["scene"], classes, images[row[0]], row) for row in content["objects"]
    )
    return Index(
        content["scene"], classes, records, content["dropped"], content["n_images"],
        content["digest"],
    )  # fmt: skip


def _from_row(
    scene: str, classes: tuple[str, ...], image: tuple[str, Path, Any, Path], row: list[int]
) -> ObjectRecord:
    image_id, path, kind, mask_path = image
    _, label, class_number, row0, col0, row1, col1, area = row
    name, box = classes[class_number], Box(row0, col0, row1, col1)
    mask = MaskSource(kind, mask_path, label)
    return ObjectRecord(scene, image_id, f"{image_id}/{label}", name, box, area, path, mask)
