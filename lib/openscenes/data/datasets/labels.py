"""Label maps: one integer per pixel, one value per object."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openscenes.data.datasets.assembly import Dropped, Found
from openscenes.data.datasets.images import Header, opened
from openscenes.data.datasets.layout import DamagedFile
from openscenes.data.records import Box, MaskKind, MaskSource
from openscenes.masks import BoolMask

LabelMap = NDArray[np.integer[Any]]
MAX_LABEL = 65535


class Region(NamedTuple):
    """All pixels of one label, connected or not."""

    label: int
    box: Box
    area: int


def read_labels(path: Path) -> LabelMap:
    """The label map of a PNG; the last few are cached, as an image's objects come together.

    Returns:
        (H, W) integers, read-only; of a palette image the indices, not the colours.
    Raises:
        DamagedFile: "mask missing", "unreadable mask" or "mask is not a label image".
    """
    return _decoded(path, modified(path))


def modified(path: Path) -> int:
    """Time of the last change in ns: what a cached mask is checked against."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        raise DamagedFile("mask missing", path, "no such file") from None


@lru_cache(maxsize=8)
def _decoded(path: Path, _modified: int) -> LabelMap:
    with opened(path, "mask", ("PNG",)) as (_file, image):
        mode, labels = image.mode, np.array(image)
    if labels.ndim != 2:
        detail = f"its mode is {mode}, wanted one number per pixel"
        raise DamagedFile("mask is not a label image", path, detail)
    return checked_labels(labels.astype(np.uint8) if labels.dtype == np.bool_ else labels, path)


def checked_labels(labels: NDArray[Any], path: Path) -> LabelMap:
    """A label map, read-only, of labels of 16 bits at most, as all data sets have."""
    if labels.ndim != 2 or labels.dtype.kind not in "ui":
        found = f"{labels.dtype} of the shape {labels.shape}"
    elif labels.size and (labels.min() < 0 or labels.max() > MAX_LABEL):
        found = f"labels from {labels.min()} to {labels.max()}"
    else:
        labels.flags.writeable = False
        return labels
    detail = f"it holds {found}, wanted (height, width) labels from 0 to {MAX_LABEL}"
    raise DamagedFile("mask is not a label image", path, detail)


def same_size(labels: LabelMap | BoolMask, size: tuple[int, int], path: Path) -> None:
    """Refuse a label map that does not lie on its image."""
    if labels.shape != size:
        detail = f"mask {labels.shape}, image {size}, both (height, width)"
        raise DamagedFile("mask differs in size from its image", path, detail)


def regions(labels: LabelMap) -> list[Region]:
    """Tight half-open box and area of every label but 0, ordered by label, in one pass.

    Args:
        labels: (H, W) integers >= 0.
    """
    places = np.nonzero(labels)
    values = labels[places].astype(np.intp)
    areas = np.bincount(values)
    first = np.full((2, areas.size), max(labels.shape), dtype=np.intp)
    last = np.zeros((2, areas.size), dtype=np.intp)
    for axis, positions in enumerate(places):
        np.minimum.at(first[axis], values, positions)
        np.maximum.at(last[axis], values, positions)
    sides = np.concatenate([first, last + 1]).T
    return [
        Region(int(label), Box(*sides[label].tolist()), int(areas[label]))
        for label in np.flatnonzero(areas)
    ]


def objects_of(
    image_id: str, image: Header, kind: MaskKind, path: Path, labels: LabelMap,
    regions: Iterable[Region], name_of: Callable[[int], str | None], *, nameless: str = "no class",
) -> Iterator[Found | Dropped]:  # fmt: skip
    """The objects of one label map; a label without class name is counted under ``nameless``."""
    same_size(labels, image.size, path)
    checksum = zlib.crc32(labels.astype("<i4").tobytes())  # the same on every machine
    for label, box, area in regions:
        name = name_of(label)
        if name is None:
            yield Dropped(nameless)
            continue
        mask = MaskSource(kind, path, label)
        yield Found(image_id, name, image.path, image.n_bytes, mask, box, area, checksum)
