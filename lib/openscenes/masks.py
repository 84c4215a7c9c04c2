"""Binary masks: intersection over union, tight boxes, exact distances, run-length codes."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from openscenes.errors import DataError
from openscenes.files import one_line, whole_number

BoolMask = NDArray[np.bool_]
Window = tuple[int, int, int, int]  # half-open (row0, col0, row1, col1) of whole pixels
MAX_PIXELS = 178_956_970  # of an image or a mask: where Pillow suspects an attack
FAR_SIDES = 4  # how far off an image a polygon may reach, in its sides
MAX_OUTLINE_PX = 4e6  # of all polygons of an object together; pycocotools takes 100 bytes for each
_NUMBER = {int, float}
_REMEMBERED = 1 << 14  # longest text of a code that need not be checked again
_MAX_DIGITS = 7  # of a run length in a compressed code, 5 bits each


def iou(prediction: BoolMask, truth: BoolMask, void: BoolMask | None = None) -> float:
    """Intersection over union of two (H, W) masks, void pixels left out.

    Two empty masks agree: the result is 1.
    """
    counted = np.ones_like(truth) if void is None else ~void
    union = np.count_nonzero((prediction | truth) & counted)
    return np.count_nonzero(prediction & truth & counted) / union if union else 1.0


def tight_box(mask: BoolMask) -> Window | None:
    """Half-open box (row0, col0, row1, col1) of a (H, W) mask, or None where it is empty."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1


def overlap(one: Window, other: Window) -> Window | None:
    """The window that two share; None where they share no pixel."""
    row0, col0 = max(one[0], other[0]), max(one[1], other[1])
    row1, col1 = min(one[2], other[2]), min(one[3], other[3])
    return (row0, col0, row1, col1) if row0 < row1 and col0 < col1 else None


def distance_to_outside(mask: BoolMask) -> NDArray[np.float32]:
    """Euclidean distance in pixels of each pixel of a (H, W) mask to the nearest one outside it.

    Outside the mask it is 0; the image's border does not count.
    Squared distances between pixels are whole numbers, so that rounding them makes what
    OpenCV computes exact (up to 2000 px).  Its own last bits depend on where in memory the mask
    happens to lie, so that clicks, which go to the deepest pixel, jump between equally deep
    ones from run to run.
    """
    import cv2  # a log is read without it

    near = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    squared = np.rint(np.square(near, dtype=np.float64))
    return np.sqrt(squared).astype(np.float32)


def encode(mask: BoolMask) -> dict[str, Any]:
    """COCO run-length code of a (H, W) mask: ``{"size": [H, W], "counts": str}``."""
    code = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(side) for side in code["size"]], "counts": code["counts"].decode()}


def encode_part(mask: BoolMask, row0: int, col0: int, size: tuple[int, int]) -> dict[str, Any]:
    """``encode`` of a frame of (height, width) that holds a (h, w) mask at (row0, col0)."""
    height, width = size
    steps = np.diff(np.pad(mask.T.view(np.int8), ((0, 0), (1, 1))))  # column by column
    cols, rows = np.nonzero(steps)
    edges = (cols + col0) * height + rows + row0  # where runs start and end, in turn
    again = np.flatnonzero(edges[1:-1:2] == edges[2::2])  # goes on at the top of the next column
    edges = np.delete(edges, [2 * again + 1, 2 * again + 2])
    runs = np.diff(edges, prepend=0, append=height * width).tolist()
    listed = {"size": [height, width], "counts": runs if runs[-1] else runs[:-1]}
    made = coco_mask.frPyObjects(listed, height, width)
    return {"size": [height, width], "counts": made["counts"].decode()}


def decode(code: object, window: Window | None = None) -> BoolMask:
    """The (H, W) bool mask of a COCO run-length code, or the part of it that a window shows.

    A window takes the time of its own columns, not of the frame's.

    Args:
        window: inside the frame; None for all of it.
    Raises:
        DataError: as ``check_code``.
    """
    if window is None:
        checked = check_code(code)
        return coco_mask.decode(checked | {"counts": checked["counts"].encode()}).astype(bool)
    (height, _), ends = _ends(code)
    row0, col0, row1, col1 = window
    bounds = col0 * height, col1 * height
    first, last = np.searchsorted(ends, bounds)
    shown = np.clip(ends[first : last + 1], *bounds)
    lengths = shown - np.concatenate([[bounds[0]], shown[:-1]])
    filled = np.repeat(np.arange(first, first + lengths.size) % 2 == 1, lengths)
    return np.ascontiguousarray(filled.reshape(-1, height)[:, row0:row1].T)


def code_box(code: object) -> Window | None:
    """``tight_box`` of a run-length code, which is not decoded."""
    (height, _), ends = _ends(code)
    stops = ends[1::2]
    if stops.size == 0:
        return None
    starts, stops = ends[::2][: stops.size], stops - 1
    over = (starts // height < stops // height).any()  # goes on in the next column
    row0, row1 = (0, height - 1) if over else ((starts % height).min(), (stops % height).max())
    return int(row0), int(starts[0] // height), int(row1) + 1, int(stops[-1] // height) + 1


def _ends(code: object) -> tuple[tuple[int, int], NDArray[np.int64]]:
    """(H, W) of a code, and where its runs end in the frame, column after column."""
    if isinstance(code, dict) and isinstance(code.get("counts"), str):
        size, counts = checked_size(code.get("size")), code["counts"]
        if len(counts) <= _REMEMBERED:
            return size, _checked_ends(size, counts)
    checked = check_code(code)
    size = checked_size(checked["size"])
    return size, _checked_ends.__wrapped__(size, checked["counts"])


@lru_cache(maxsize=1024)
def _checked_ends(size: tuple[int, int], counts: str) -> NDArray[np.int64]:
    runs = _uncompressed(check_code({"size": size, "counts": counts})["counts"])
    assert runs is not None
    return np.cumsum(runs)


def check_code(code: object, size: Sequence[int] | None = None) -> dict[str, Any]:
    """The run-length code that a file of somebody else holds, as ``encode`` would write it.

    pycocotools checks nothing: where runs are missing it shows whatever lies in memory.

    Args:
        code: a dict of ``size`` and ``counts``, a compressed text or a list of run lengths.
        size: (height, width) that the code must have; None for any.
    Raises:
        DataError: if it is no code, its runs do not add up to its size, or its size is another or
            of more than ``MAX_PIXELS``.
    """
    if not isinstance(code, dict):
        raise DataError("A run-length code is not an object of size and counts; export it anew.")
    height, width = checked_size(code.get("size"))
    if size is not None and (height, width) != tuple(size):
        raise DataError(f"A run-length code is of {height} x {width} pixels and its image of "
                        f"{' x '.join(map(str, size))}; export it anew.")  # fmt: skip
    counts = code.get("counts")
    runs = _listed(counts) if isinstance(counts, list | tuple) else _uncompressed(counts)
    if runs is None or runs.min(initial=0) < 0 or int(runs.sum()) != height * width:
        raise DataError(f"A run-length code of {height} x {width} pixels is damaged: its runs do "
                        "not add up to them; export it anew.")  # fmt: skip
    if isinstance(counts, str) and (runs[1:] > 0).all():
        return {"size": [height, width], "counts": counts}
    filled = np.repeat(np.arange(runs.size) % 2 == 1, runs)
    return encode(filled.reshape(width, height).T)


def checked_size(size: object) -> tuple[int, int]:
    """(height, width) of an image or mask, from a file of somebody else.

    Raises:
        DataError: if it is no pair of whole numbers above 0, or of more than ``MAX_PIXELS``.
    """
    sides = tuple(size) if isinstance(size, list | tuple) else ()
    whole = [side for side in sides if whole_number(side, 1, MAX_PIXELS) is not None]
    if len(sides) != 2 or len(whole) != 2 or int(whole[0]) * int(whole[1]) > MAX_PIXELS:
        raise DataError(f"The size {one_line(repr(size))} is no (height, width) of an image of at "
                        f"most {MAX_PIXELS} pixels; mend it.")  # fmt: skip
    return int(whole[0]), int(whole[1])


def rasterise(polygons: Sequence[Any], size: Sequence[int]) -> dict[str, Any] | None:
    """Run-length code of COCO polygons [[x, y, x, y, ...], ...]; None where none has an area.

    Polygons of less than three corners are left out.  pycocotools walks along every outline in
    steps of a fifth of a pixel, for ever where it is infinite: numbers are checked before.

    Args:
        size: (height, width) of the image in pixels.
    Raises:
        DataError: if a coordinate is no finite number, lies more than ``FAR_SIDES`` sides off the
            image, or has no partner; if all are shares of the image's sides; or for a bad size.
    """
    height, width = checked_size(size)
    if not isinstance(polygons, list | tuple):
        raise DataError("The polygons of an object are no list; give [[x, y, x, y, ...], ...].")
    clear = _clearly_inside(polygons, height, width)
    drawn = polygons if clear else _drawable(polygons, height, width)
    if not drawn:
        return None
    merged = coco_mask.merge(coco_mask.frPyObjects(drawn, height, width))
    return {"size": [height, width], "counts": merged["counts"].decode()}


def _clearly_inside(polygons: Sequence[Any], height: int, width: int) -> bool:
    """Whether nothing is wrong with the polygons, told in the time that most of them deserve."""
    side, walked = min(height, width), 0.0
    for one in polygons:
        if (
            type(one) is not list
            or len(one) < 6
            or len(one) % 2
            or not {*map(type, one)} <= _NUMBER
        ):
            return False
        low, high = min(one), max(one)
        if not (-side <= low and 1 < high <= 2 * side and math.isfinite(sum(one))):
            return False
        walked += len(one) * (high - low)
    return walked <= MAX_OUTLINE_PX


def _drawable(polygons: Sequence[Any], height: int, width: int) -> list[list[float]]:
    """The polygons of three corners or more, all checked; see ``rasterise``."""
    drawn = [_corners(polygon) for polygon in polygons]
    drawn = [corners for corners in drawn if len(corners) >= 3]
    if not drawn:
        return []
    everything, sides = np.concatenate(drawn), np.array([width, height])
    if (np.abs(everything - sides / 2) > FAR_SIDES * sides).any():
        raise DataError("A polygon lies far outside its image; give pixels of that image.")
    if (everything >= 0).all() and (everything <= 1).all() and max(height, width) > 2:
        raise DataError("A polygon is given in shares of the image's sides; give pixels.")
    walked = sum(np.abs(one - np.roll(one, 1, axis=0)).max(axis=1).sum() for one in drawn)
    if walked > MAX_OUTLINE_PX:
        raise DataError(f"The outline of a polygon has more than {MAX_OUTLINE_PX:.0f} pixels; "
                        "give it simpler, or as a run-length code.")  # fmt: skip
    return [one.ravel().tolist() for one in drawn]


def _corners(polygon: object) -> NDArray[np.float64]:
    """(N, 2) x, y of a polygon."""
    try:
        values = np.array(polygon)
    except (ValueError, TypeError, RecursionError):  # lists of several lengths
        values = np.array(None)
    is_list = values.ndim == 1 and values.dtype.kind in "iuf" and values.size % 2 == 0
    if not (is_list and np.isfinite(values).all()):
        raise DataError("A polygon is no list of pairs of finite numbers; give [x, y, x, y, ...].")
    return values.astype(np.float64).reshape(-1, 2)


def _listed(counts: Sequence[Any]) -> NDArray[np.int64] | None:
    """Run lengths that stand in a list; None where one is no whole number."""
    runs = [whole_number(count, 0, MAX_PIXELS) for count in counts]
    return None if None in runs else np.array(runs, dtype=np.int64)


def _uncompressed(counts: object) -> NDArray[np.int64] | None:
    """Run lengths of a compressed code, (N,); None where it is none.

    Each is 5 bits to a character from "0" on, the lowest first, 32 for "more follow"; from the
    fourth on it is the difference to the one before the last (pycocotools, ``rleFrString``).
    """
    if not isinstance(counts, str | bytes):
        return None
    raw = counts.encode("ascii", "replace") if isinstance(counts, str) else counts
    digits = np.frombuffer(raw, dtype=np.uint8).astype(np.int64) - ord("0")
    ends = np.flatnonzero((digits & 32) == 0)
    if digits.size == 0 or digits.min() < 0 or digits.max() > 63 or digits[-1] & 32:
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    places = np.arange(digits.size) - np.repeat(starts, ends - starts + 1)
    if places.max() >= _MAX_DIGITS:
        return None
    runs = np.add.reduceat((digits & 31) << (5 * places), starts)
    runs -= np.where(digits[ends] & 16, np.int64(1) << (5 * (places[ends] + 1)), 0)
    for first in (1, 2):
        runs[first::2] = np.cumsum(runs[first::2])
    return runs
