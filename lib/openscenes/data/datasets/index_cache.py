"""Indexes on disk: read again only while no file behind them has changed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from openscenes.data.records import Box, Index, MaskSource, ObjectRecord
from openscenes.paths import atomic, cache_dir

FORMAT = 1


def cached(
    name: str, root: Path, options: object, sources: Iterable[Path], build: Callable[[], Index]
) -> Index:
    """Return the index that was built from the same files before, or build and keep it.

    Args:
        name: the reader's name.
        root: absolute root of the data set; every path of the index lies below it.
        options: whatever else decides the index; must be JSON-able.
        sources: files and folders (with all below them) that the index depends on.
        build: makes the index.
    """
    key = digest_of([FORMAT, name, str(root), options, fingerprint(sources)])
    path = cache_dir() / "indexes" / f"{name}-{key[:24]}.json"
    index = _load(path, root)
    if index is None:
        index = build()
        with atomic(path) as partial:
            partial.write_text(json.dumps(_to_json(index, root)), encoding="utf-8")
    return index


def digest_of(value: object) -> str:
    """SHA-256 of a JSON-able value."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def fingerprint(sources: Iterable[Path]) -> str:
    """Digest of names, sizes and times of the files, folders followed to the bottom."""
    digest = hashlib.sha256()
    for source in sources:
        for entry in _entries(source):
            digest.update("\x1f".join(entry).encode() + b"\n")
    return digest.hexdigest()


def _entries(source: Path) -> Iterator[tuple[str, str, str]]:
    if not source.is_dir():
        yield (str(source), *_size_and_time(source))
        return
    folders = [str(source)]
    while folders:
        with os.scandir(folders.pop()) as listing:
            for entry in sorted(listing, key=lambda entry: entry.name):
                if entry.is_dir():
                    folders.append(entry.path)
                else:
                    yield (entry.path, *_size_and_time(entry))


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


def _load(path: Path, root: Path) -> Index | None:
    """The cached index, or None where there is none or the file is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        classes = tuple(content["classes"])
        images = [
            (entry[0], root / entry[1], entry[2], root / entry[3]) for entry in content["images"]
        ]
        records = tuple(
            _from_row(content["scene"], classes, images[row[0]], row) for row in content["objects"]
        )
        dropped, n_images = dict(content["dropped"]), int(content["n_images"])
        return Index(content["scene"], classes, records, dropped, n_images, str(content["digest"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _from_row(
    scene: str, classes: tuple[str, ...], image: tuple[str, Path, Any, Path], row: list[int]
) -> ObjectRecord:
    image_id, path, kind, mask_path = image
    _, label, class_number, row0, col0, row1, col1, area = row
    name, box = classes[class_number], Box(row0, col0, row1, col1)
    mask = MaskSource(kind, mask_path, label)
    return ObjectRecord(scene, image_id, f"{image_id}/{label}", name, box, area, path, mask)
