"""From what a reader finds to an ``Index``: order, counts of what was left out, digest."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from openscenes.data.datasets.layout import DamagedFile
from openscenes.data.records import Box, Index, MaskSource, ObjectRecord
from openscenes.errors import DataError
from openscenes.files import one_line

Item = TypeVar("Item")


class Found(NamedTuple):
    """One object as a reader finds it; ``image_bytes`` and ``checksum`` go into the digest only."""

    image_id: str
    class_name: str
    image: Path
    image_bytes: int
    mask: MaskSource
    box: Box
    area: int
    checksum: int


class Dropped(NamedTuple):
    """Something left out: an object, or, where the reason is a damaged file, a whole image."""

    reason: str
    times: int = 1


class Split(NamedTuple):
    """What is known of a split before its masks are read."""

    scene: str
    classes: tuple[str, ...]
    root: Path
    n_images: int


def each(
    items: Iterable[Item], read: Callable[[Item], Iterable[Found | Dropped]]
) -> Iterator[Found | Dropped]:
    """What ``read`` finds for every image; one with a damaged file is counted and left out."""
    for item in items:
        try:
            yield from read(item)
        except DamagedFile as damage:
            yield Dropped(damage.reason)


def assemble(split: Split, findings: Iterable[Found | Dropped], min_area: int) -> Index:
    """Keep the objects that can be used, count the others, order and digest.

    Raises:
        DataError: if no object is left.
    """
    kept: list[Found] = []
    dropped: Counter[str] = Counter()
    for finding in findings:
        if isinstance(finding, Dropped):
            dropped[finding.reason] += finding.times
        elif finding.area < min_area:
            dropped[f"smaller than {min_area} px" if finding.area else "empty"] += 1
        else:
            kept.append(finding)
    if not kept:
        raise DataError(_nothing_left(split, dropped))
    kept.sort(key=lambda found: (found.image_id, found.mask.label))
    records = tuple(_record(split.scene, found) for found in kept)
    counts, digest = dict(sorted(dropped.items())), _digest(split, kept)
    return Index(split.scene, split.classes, records, counts, split.n_images, digest)


def _nothing_left(split: Split, dropped: Counter[str]) -> str:
    told = [f"{reason}: {count}" for reason, count in sorted(dropped.items())]
    nothing = "nothing, their masks show no object" if split.n_images else "nothing"
    return (
        f"{one_line(split.scene)} under {one_line(str(split.root))} has no usable object in "
        f"{split.n_images} images (left out: {', '.join(told) or nothing}); check that the folder "
        "is complete."
    )


def _record(scene: str, found: Found) -> ObjectRecord:
    object_id = f"{found.image_id}/{found.mask.label}"
    return ObjectRecord(
        scene, found.image_id, object_id, found.class_name, found.box, found.area, found.image,
        found.mask,
    )  # fmt: skip


def _digest(split: Split, kept: Iterable[Found]) -> str:
    """Content only: no absolute path and no time, so that two machines agree."""
    digest = hashlib.sha256(json.dumps([split.scene, split.classes]).encode())
    for found in kept:
        image = found.image.relative_to(split.root).as_posix()
        mask = found.mask.path.relative_to(split.root).as_posix()
        line = [image, found.image_bytes, found.mask.kind, mask, found.mask.label]
        line += [found.class_name, *found.box, found.area, found.checksum]
        digest.update(json.dumps(line).encode() + b"\n")
    return digest.hexdigest()
