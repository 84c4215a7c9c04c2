"""One object after one action: what a line of the log says."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Literal, NamedTuple, get_args

from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError

Action = Literal[
    "asked", "corrected", "accepted", "named", "deleted", "undone", "redone", "imported"
]
ACTIONS = get_args(Action)
Rle = dict[str, Any]
_KEYS = {"object_id": "object"}  # names that differ in the log
_WORDS = ("time", "image", "image_digest", "object_id", "model", "window")


class Click(NamedTuple):
    """A click in image pixels; sign +1 = inside, -1 = outside; seconds since the first action."""

    row: float
    col: float
    sign: int
    seconds: float


class ImageFacts(NamedTuple):
    """What the log keeps of an image.

    Attributes:
        path: relative to the folder of images, with "/" between folders.
        digest: first 16 hexadecimal digits of the SHA-256 of the file's bytes.
        size: (height, width) of the stored pixels.
    """

    path: str
    digest: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One object, whole, after one action; the newest of an object counts.

    Attributes:
        time: when, ISO 8601 in UTC.
        action: what was done.
        image: path relative to the folder of images, with "/" between folders.
        image_digest: first 16 hexadecimal digits of the SHA-256 of the file's bytes.
        size: (height, width) of the image.
        object_id: 12 hexadecimal digits, unique.
        box: half-open, in image pixels.
        clicks: the first is the inside point, the others correct the mask.
        class_name: in the user's words, or None.
        model: version that predicted the mask; empty for an object imported from elsewhere.
        first_mask: run-length code of the mask for box and point; None where none was predicted.
        mask: run-length code of what the user sees.
        accepted: the user took this mask.
        deleted: the object counts no longer.
        window: which window wrote the line.
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

    def __post_init__(self) -> None:
        """Refuse what no reader could use."""
        for fault in _faults(self):
            raise InputError(f"object {self.object_id} cannot be kept: {fault}.")

    @property
    def interaction(self) -> Interaction:
        """Box and inside point: all that a new scene gives to the method."""
        return Interaction(self.box, Point(self.clicks[0].row, self.clicks[0].col))

    @property
    def corrected(self) -> bool:
        """Whether the user went on clicking after box and point."""
        return len(self.clicks) > 1

    @property
    def content(self) -> Snapshot:
        """The object alone: two snapshots with equal content differ in when and where only."""
        return replace(self, time="", action="asked", image="", window="")


def new_id() -> str:
    """12 random hexadecimal digits."""
    return uuid.uuid4().hex[:12]


def now() -> str:
    """This moment, ISO 8601 in UTC, in milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one ISO 8601 time to another."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def to_json(snapshot: Snapshot) -> dict[str, Any]:
    """The line of the log, as JSON has it; tuples become lists there."""
    return {_KEYS.get(one.name, one.name): getattr(snapshot, one.name) for one in fields(Snapshot)}


def from_json(line: dict[str, Any]) -> Snapshot:
    """The snapshot of a line; unknown keys are passed over, what is no snapshot raises."""
    values = {one.name: line[_KEYS.get(one.name, one.name)] for one in fields(Snapshot)}
    height, width = line["size"]
    clicks = tuple(Click(float(row), float(col), int(sign), float(seconds))
                   for row, col, sign, seconds in line["clicks"])  # fmt: skip
    numbers = {
        "size": (int(height), int(width)), "box": Box(*map(float, line["box"])), "clicks": clicks
    }  # fmt: skip
    words = {name: str(values[name]) for name in _WORDS}
    marks = {name: bool(values[name]) for name in ("accepted", "deleted")}
    return Snapshot(**values | numbers | words | marks)


def _faults(snapshot: Snapshot) -> list[str]:
    """What is wrong, in words."""
    row0, col0, row1, col1 = snapshot.box
    numbers = [*snapshot.box, *(part for click in snapshot.clicks for part in click)]
    signs = [click.sign for click in snapshot.clicks]
    codes = [code for code in (snapshot.mask, snapshot.first_mask) if code is not None]
    fit = snapshot.mask and all(_fits(code, snapshot.size) for code in codes)
    name, size = snapshot.class_name, f"{snapshot.size[0]}x{snapshot.size[1]}"
    rules = {
        f"unknown action {snapshot.action!r}": snapshot.action in ACTIONS,
        "a number of its box or clicks is not finite": all(map(isfinite, numbers)),
        f"its box {tuple(snapshot.box)} is empty": row0 < row1 and col0 < col1,
        f"its clicks have signs {signs}": signs[:1] == [1] and {1, -1}.issuperset(signs),
        f"its class {name!r} is no text": name is None or isinstance(name, str),
        f"its mask is no run-length code of an image of {size} pixels": fit,
    }
    return [fault for fault, right in rules.items() if not right]


def _fits(code: object, size: tuple[int, int]) -> bool:
    return (
        isinstance(code, dict)
        and list(code.get("size", ())) == list(size)
        and isinstance(code.get("counts"), str)
    )
