"""Examples: one object to learn from or to test on, and the images and masks behind them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.data import datasets
from openscenes.data.datasets.images import read_header
from openscenes.data.datasets.labels import same_size
from openscenes.data.records import Box, ClickedObject, Interaction, MaskSource, ObjectRecord, Point
from openscenes.errors import InputError
from openscenes.files import as_path, number, one_line, whole_number

NO_CLASS = -1  # the class index of an object of unknown class
MAX_CLASSES = 10_000


@dataclass(frozen=True)
class Example:
    """One object to learn from or to test on.

    Attributes:
        object_id: unique in the study, such as ``"coco/train2017:42/7"``.
        image: path of the image.
        interaction: the user's box and point, made once.
        supervision: ground truth to be read (``ObjectRecord``), a pseudo mask (run-length code),
            or None where there is only the interaction.
        class_index: channel of the class head, or ``NO_CLASS``; it supervises the class head only
            where the supervision is ground truth.
        others: labelled objects of the same image, on which a simulated user may click
            "not this one".
        upright: whether all of it lies on the image turned as its orientation tag says.
    """

    object_id: str
    image: Path
    interaction: Interaction
    supervision: ObjectRecord | dict[str, Any] | None
    class_index: int = NO_CLASS
    others: tuple[ObjectRecord, ...] = ()
    upright: bool = False

    @property
    def labelled(self) -> bool:
        """Whether the supervision is ground truth."""
        return isinstance(self.supervision, ObjectRecord)


def from_clicks(clicked: ClickedObject, pseudo_mask: dict[str, Any] | None = None) -> Example:
    """The example of an object of a new scene: never any ground truth."""
    name = f"{clicked.scene}:{clicked.object_id}"
    return Example(name, clicked.image, clicked.interaction, pseudo_mask, upright=clicked.upright)


def clicked_object(
    image: Path | str, box: Sequence[float], point: Sequence[float]
) -> ClickedObject:
    """One object of a user's own new scene.

    Args:
        image: an image's file; it is read upright, as its orientation tag says.
        box: half-open (row0, col0, row1, col1) in the upright image's pixels.
        point: (row, col) inside the object.
    Raises:
        InputError: if they are no finite numbers, or no box with a point inside.
    """
    image, interaction = as_path(image, "image"), _interaction(box, point)
    name = f"{image.stem}/{'-'.join(f'{side:g}' for side in interaction.box)}"
    return ClickedObject(str(image.parent), image.stem, name, image, interaction, upright=True)


def labelled_object(
    image: Path | str,
    mask: Path | str,
    box: Sequence[float],
    point: Sequence[float],
    class_index: int,
) -> Example:
    """One labelled object of a user's own images.

    Args:
        image, box, point: as of ``clicked_object``.
        mask: a PNG of one channel, as large as the upright image: 1 on the object, 255 where
            unknown (void).
        class_index: channel of the class head, from 1.
    Raises:
        InputError: as ``clicked_object``.
        DataError: if the mask cannot be read, is not as large or has no pixel of value 1.
    """
    image, mask = as_path(image, "image"), as_path(mask, "mask")
    plain, source = from_clicks(clicked_object(image, box, point)), MaskSource("voc", mask, 1)
    channel = whole_number(class_index, 1, MAX_CLASSES)
    if channel is None:
        raise InputError(
            f"class_index is {one_line(repr(class_index))}; give a whole number from 1 on."
        )
    truth = ObjectRecord(
        str(image.parent), image.stem, plain.object_id, str(channel), plain.interaction.box, 0,
        image, source,
    )  # fmt: skip
    found = datasets.read_mask(truth)
    same_size(found, read_header(image, upright=True).size, mask)
    truth = replace(truth, area=int(found.sum()))
    return replace(plain, supervision=truth, class_index=channel)


def _interaction(box: object, point: object) -> Interaction:
    sides, place = _numbers(box), _numbers(point)
    if len(sides) == 4 and len(place) == 2:
        area, click = Box(*sides), Point(*place)
        edges = zip(click, area[:2], area[2:], strict=True)
        if all(low < high and low - 0.5 <= at <= high - 0.5 for at, low, high in edges):
            return Interaction(area, click)
    raise InputError(
        f"The box is {_shown(box)} and the point {_shown(point)}; give (row0, col0, row1, col1) "
        "and a (row, col) inside it, as finite numbers."
    )


def _numbers(values: object) -> list[float]:
    """The finite numbers among values; nothing for what is no sequence."""
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(listed, list | tuple):
        return []
    return [found for one in listed if (found := number(one)) is not None]


def _shown(values: object) -> str:
    listed = isinstance(values, list | tuple)
    return one_line(repr(values)) if listed else f"a {type(values).__name__}"


class ImageCache:
    """Decoded images and supervision, least recently used first out, bounded in bytes."""

    def __init__(self, max_bytes: int = 1 << 30) -> None:
        self.max_bytes, self.n_bytes = max_bytes, 0
        self._images: OrderedDict[tuple[Any, ...], NDArray[np.uint8]] = OrderedDict()
        self._codes: dict[MaskSource, tuple[dict[str, Any], dict[str, Any] | None]] = {}

    def image(self, path: Path, *, upright: bool = False) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB, as ``datasets.read_image`` gives it; anew once the file changes."""
        key = path, upright, *_state(path)
        if key in self._images:
            self._images.move_to_end(key)
            return self._images[key]
        image = self._images[key] = datasets.read_image(path, upright=upright)
        self.n_bytes += image.nbytes
        while self.n_bytes > self.max_bytes and len(self._images) > 1:
            self.n_bytes -= self._images.popitem(last=False)[1].nbytes
        return image

    def supervision(self, example: Example) -> tuple[masks.BoolMask, masks.BoolMask | None]:
        """The (H, W) mask and void region of an example, kept as run-length codes."""
        if isinstance(example.supervision, dict):
            return masks.decode(example.supervision), None
        if example.supervision is None:
            raise ValueError(f"object {example.object_id} has an interaction but no supervision")
        return self.truth(example.supervision)

    def truth(self, record: ObjectRecord) -> tuple[masks.BoolMask, masks.BoolMask | None]:
        """The (H, W) ground truth and void region of a labelled object."""
        if record.mask not in self._codes:
            void = datasets.read_void(record)
            void_code = None if void is None else masks.encode(void)
            self._codes[record.mask] = masks.encode(datasets.read_mask(record)), void_code
        mask_code, void_code = self._codes[record.mask]
        return masks.decode(mask_code), None if void_code is None else masks.decode(void_code)


def _state(path: Path) -> tuple[int, ...]:
    """Time of the last change in ns, and bytes; nothing for what is no file."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return ()
    return facts.st_mtime_ns, facts.st_size
