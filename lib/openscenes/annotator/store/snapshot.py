"""One object after one action: what a line of the log says."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

from openscenes.annotator.store.hand import (
    Click,
    Stroke,
    all_within,
    click_of,
    is_stroke,
    listed,
    numbers,
    stroke_of,
)
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import DataError, InputError
from openscenes.files import one_line, whole_number
from openscenes.masks import MAX_PIXELS, check_code

Action = Literal[
    "asked", "corrected", "accepted", "named", "deleted", "undone", "redone", "imported", "moved",
    "brushed", "erased", "reshaped", "smoothed", "filled", "trimmed", "boxed", "raised", "lowered",
    "renamed", "drawn",
]  # fmt: skip
ACTIONS = get_args(Action)
Rle = dict[str, Any]
LONGEST_TEXT = 4096
LONGEST_S = 1e9
BESIDE_PX = 200  # a correction may lie in the crop's margin, beside the image
_RENAMED = {"object_id": "object"}  # in the log
_WORDS = ("image", "image_digest", "object_id", "model", "time", "window")
_NEEDED = ("image_digest", "object_id")
_LATER = {"pixel_digest", "painted", "erased", "stroke"}  # not in lines of earlier versions
_SPARED = {"painted": None, "erased": None, "stroke": None, "layer": 0}  # lines leave these out
_MOST_LAYERS = 1_000_000
# Control characters, ends of lines, marks that turn text round, halves of characters.
_UNPRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class ImageFacts(NamedTuple):
    """What the log keeps of an image.

    Attributes:
        path: relative to the folder of images, with "/" between folders.
        digest: first 16 hexadecimal digits of the SHA-256 of the file's bytes, or of those of an
            earlier file with the same pixels, see ``Annotations.recognised``.
        size: (height, width) of the image as it is shown, turned upright by its EXIF orientation.
        pixel_digest: the same of its shape and pixels; "" where it was not decoded.
        orientation: the EXIF tag of the file, 1 where it has none.
    """

    path: str
    digest: str
    size: tuple[int, int]
    pixel_digest: str = ""
    orientation: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One object, whole, after one action; the newest of an object counts.

    Attributes:
        time: when, ISO 8601 in UTC.
        action: what was done.
        image: path relative to the folder of images, with "/" between folders.
        image_digest: first 16 hexadecimal digits of the SHA-256 of the file's bytes.
        size: (height, width) of the image, upright.
        object_id: 12 hexadecimal digits, unique.
        box: half-open, in image pixels.
        clicks: the first is the inside point, the others correct the mask.
        class_name: in the user's words, or None.
        model: version that predicted the mask; empty for an object drawn by hand or imported.
        first_mask: run-length code of the mask for box and point; None where none was predicted.
        mask: run-length code of what the user sees.
        accepted: the user took this mask.
        deleted: the object counts no longer.
        window: which window wrote the line.
        pixel_digest: as in ``ImageFacts``; None in lines made before images were turned upright.
        painted: run-length code of the pixels that are inside by hand; None for none.
        erased: the same of those that are outside by hand.
        stroke: what this line's action drew, or None.
        layer: objects of a higher one lie in front.
    """

    time: str = ""
    action: Action
    image: str
    image_digest: str
    size: tuple[int, int]
    object_id: str
    box: Box
    clicks: tuple[Click, ...]
    class_name: str | None = None
    model: str
    first_mask: Rle | None
    mask: Rle
    accepted: bool = False
    deleted: bool = False
    window: str = ""
    pixel_digest: str | None = ""
    painted: Rle | None = None
    erased: Rle | None = None
    stroke: Stroke | None = None
    layer: int = 0

    def __post_init__(self) -> None:
        """Refuse what no reader could use."""
        if fault := next(_faults(self), ""):
            name = one_line(str(self.object_id), 40)
            raise InputError(f"object {name} cannot be kept: {fault}.")

    @property
    def interaction(self) -> Interaction:
        """Box and inside point: all that a new scene gives to the method."""
        return Interaction(self.box, Point(self.clicks[0].row, self.clicks[0].col))

    @property
    def n_clicks(self) -> int:
        """How many clicks the user made; the inside point of a mask that none predicted is ours."""
        return len(self.clicks) - (self.first_mask is None)

    @property
    def corrected(self) -> bool:
        """Whether the user went on after box and point, by clicks or by hand."""
        return len(self.clicks) > 1 or self.painted is not None or self.erased is not None

    @property
    def content(self) -> Snapshot:
        """The object alone: two snapshots with equal content differ in when and where only."""
        return replace(self, time="", action="asked", image="", window="", stroke=None)


_KEYS = {one.name: _RENAMED.get(one.name, one.name) for one in fields(Snapshot)}


def new_id() -> str:
    """12 random hexadecimal digits."""
    return uuid.uuid4().hex[:12]


def now() -> str:
    """This moment, ISO 8601 in UTC, in milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def moment(time: object) -> datetime | None:
    """What an ISO 8601 time with its zone means; None for anything else."""
    try:
        read = datetime.fromisoformat(time)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return read if read.tzinfo else None


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one ISO 8601 time to another; 0 where one of them is none."""
    start, end = moment(earlier), moment(later)
    return (end - start).total_seconds() if start and end else 0.0


def is_plain(text: object) -> bool:
    """Whether something is text that fits into one line as it is, as ids and names must."""
    return isinstance(text, str) and len(text) <= LONGEST_TEXT and not _UNPRINTED.search(text)


def to_json(snapshot: Snapshot) -> dict[str, Any]:
    """The line of the log, as JSON has it; tuples become lists there."""
    line = {key: getattr(snapshot, name) for name, key in _KEYS.items()}
    return {key: value for key, value in line.items() if _SPARED.get(key, line) != value}


def from_json(line: object) -> Snapshot:
    """The snapshot of a line; unknown keys are passed over.

    Raises:
        InputError: if it is none, with the first thing that is wrong.
    """
    later: dict[str, Any] = dict.fromkeys(_LATER) | {"layer": 0}
    known = later | line if isinstance(line, dict) else {}
    if missing := [key for key in _KEYS.values() if key not in known]:
        raise InputError(f"no object of a log: without {', '.join(map(repr, missing))}.")
    if moment(known["time"]) is None:
        raise InputError(f"no object of a log: its time is {known['time']!r:.40}.")
    typed: dict[str, Any] = {
        "size": tuple(whole_number(side, 1, MAX_PIXELS) or 0 for side in listed(known["size"])),
        "box": Box(*numbers(known["box"])),
        "clicks": tuple(click_of(click) for click in listed(known["clicks"])),
        "stroke": None if known["stroke"] is None else stroke_of(known["stroke"]),
    }
    return Snapshot(**{name: known[key] for name, key in _KEYS.items()} | typed)


def _faults(one: Snapshot) -> Iterator[str]:
    """What is wrong, in words; each may rely on what came before."""
    for name in _WORDS:
        text = getattr(one, name)
        if not is_plain(text) or (not text and name in _NEEDED):
            yield f"its {name} {text!r:.40} is no text of one line"
    if one.action not in ACTIONS:
        yield f"unknown action {one.action!r:.40}"
    if not all(text is None or is_plain(text) for text in (one.class_name, one.pixel_digest)):
        yield f"its class {one.class_name!r:.40} is no text of one line"
    if {type(one.accepted), type(one.deleted)} != {bool}:
        yield "whether it is accepted or deleted is neither true nor false"
    if not _is_size(one.size):
        yield f"its size {one.size!r:.40} is none of an image"
    yield from _misplaced(one)
    if type(one.layer) is not int or abs(one.layer) > _MOST_LAYERS:
        yield f"its layer {one.layer!r:.40} is no small whole number"
    further = (one.first_mask, one.painted, one.erased)
    codes = [one.mask, *(code for code in further if code is not None)]
    if not all(_fits(code, one.size) for code in codes):
        size = f"{one.size[0]}x{one.size[1]}"
        yield f"its mask is no run-length code of an image of {size} pixels"


def _misplaced(one: Snapshot) -> Iterator[str]:
    """What is wrong with box and clicks."""
    (height, width), (row0, col0, row1, col1) = one.size, one.box
    reach = max(one.size) + BESIDE_PX
    places = [*one.box, *(at for click in one.clicks for at in click[:2])]
    seconds = [click.seconds for click in one.clicks]
    if not (all_within(places, -reach, reach) and all_within(seconds, 0, LONGEST_S)):
        yield "a number of its box or clicks is not finite, or far outside its image"
    if max(row0, 0) >= min(row1, height) or max(col0, 0) >= min(col1, width):
        yield f"its box {tuple(one.box)} is empty"
    if one.stroke is not None and not is_stroke(one.stroke, reach):
        yield "its stroke has no points, or a number that is not finite or far outside its image"
    signs = [click.sign for click in one.clicks]
    if signs[:1] != [1] or not {1, -1}.issuperset(signs):
        yield f"its clicks have signs {signs}"
    row, col = one.clicks[0][:2]
    if not (-1 <= row <= height and -1 <= col <= width):
        yield f"its first click {row, col} lies outside its image"


def _is_size(size: object) -> bool:
    if not isinstance(size, tuple) or len(size) != 2 or not all(type(s) is int for s in size):
        return False
    return min(size) > 0 and size[0] * size[1] <= MAX_PIXELS


def _fits(code: object, size: tuple[int, int]) -> bool:
    if not isinstance(code, dict) or tuple(listed(code.get("size"))) != tuple(size):
        return False
    counts = code.get("counts")
    return isinstance(counts, str) and _adds_up(counts, *size)


@lru_cache(maxsize=1024)
def _adds_up(counts: str, height: int, width: int) -> bool:
    """Whether a code is sound; the lines of an object follow each other and share their codes."""
    try:
        check_code({"size": [height, width], "counts": counts})
    except DataError:
        return False
    return True
