"""Examples: one object to learn from or to test on, and the images and masks behind them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.data import datasets
from openscenes.data.datasets.images import read_header
from openscenes.data.datasets.labels import same_size
from openscenes.data.image_store import ImageStore, Pixels, is_mapped, state
from openscenes.data.records import Box, ClickedObject, Interaction, MaskSource, ObjectRecord, Point
from openscenes.errors import InputError
from openscenes.files import as_path, number, one_line, whole_number

NO_CLASS = -1  # the class index of an object of unknown class
MAX_CLASSES = 10_000
UPRIGHT = "upright"
MEMORY_BYTES = 1 << 28  # of decoded images that a process keeps for itself
OPEN_FILES = 128  # of the image store


@dataclass(frozen=True)
class Example:
    """One object to learn from or to test on.

    Attributes:
        object_id: unique in the study, such as ``"coco/train2017:42/7"``.
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
    tight = masks.tight_box(found)
    assert tight is not None
    truth = replace(truth, box=Box(*map(float, tight)), area=int(found.sum()))
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
    """Decoded images and supervision.

    A study's images lie in the machine's store (``image_store``), which all its processes share;
    of those this one keeps the last few open, and the small ones in memory.

    Args:
        store_bytes: of the store on the disk, at most; 0: nothing is stored. A user's own images,
            which are read upright, never are.
    """

    def __init__(self, store_bytes: int = 0) -> None:
        self.store_bytes, self.n_bytes = store_bytes, 0
        self._store = ImageStore(store_bytes) if store_bytes else None
        self._kept: OrderedDict[tuple[object, ...], Pixels] = OrderedDict()

    def __reduce__(self) -> tuple[type[ImageCache], tuple[int]]:
        """Another process begins with the same store and nothing open."""
        return ImageCache, (self.store_bytes,)

    def image(self, path: Path, *, upright: bool = False) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB, as ``datasets.read_image`` gives it; anew once the file changes."""
        decode = partial(datasets.read_image, path, upright=upright)
        return self._pixels(path, UPRIGHT if upright else "image", decode)

    def box(self, example: Example | ObjectRecord) -> masks.Window | None:
        """The tight box of an example's or a labelled object's mask; None where that is empty."""
        given = _given(example)
        if isinstance(given, dict):
            return masks.code_box(given)
        return datasets.mask_box(given, self._labels)

    def supervision(
        self, example: Example | ObjectRecord, window: masks.Window | None = None
    ) -> tuple[masks.BoolMask, masks.BoolMask | None]:
        """The (H, W) mask and void region of an example or a labelled object, or a window of them.

        Args:
            window: half-open in whole pixels, inside the image; None for all of it.

        Raises:
            ValueError: if the example has none.
        """
        return self.mask(example, window), self.void(example, window)

    def mask(
        self, example: Example | ObjectRecord, window: masks.Window | None = None
    ) -> masks.BoolMask:
        """The (H, W) mask of an example or a labelled object, or a window of it."""
        given = _given(example)
        if isinstance(given, dict):
            return masks.decode(given, window)
        return datasets.read_mask(given, window, self._labels)

    def void(
        self, example: Example | ObjectRecord, window: masks.Window | None = None
    ) -> masks.BoolMask | None:
        """The (H, W) region of an image that counts for nothing, or a window of it, or None."""
        given = example.supervision if isinstance(example, Example) else example
        if isinstance(given, ObjectRecord):
            return datasets.read_void(given, window, self._labels)
        return None

    def _labels(self, source: MaskSource) -> Pixels:
        return self._pixels(source.path, source.kind, partial(datasets.label_map, source))

    def _pixels(self, path: Path, how: str, decode: Callable[[], Pixels]) -> Pixels:
        now = state(path)
        key = path, how, *now
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if self._store is None or how == UPRIGHT or not now:
            made = decode()
        else:
            made = self._store.pixels((path.absolute(), how, *now), decode)
        self._kept[key] = made
        self.n_bytes += _cost(made)
        while self.n_bytes > MEMORY_BYTES and len(self._kept) > 1:
            self.n_bytes -= _cost(self._kept.popitem(last=False)[1])
        return made


def _cost(pixels: Pixels) -> int:
    """Bytes in memory; a file that is open takes none, but only so many may be open."""
    return MEMORY_BYTES // OPEN_FILES if is_mapped(pixels) else pixels.nbytes


def _given(example: Example | ObjectRecord) -> ObjectRecord | dict[str, Any]:
    if isinstance(example, ObjectRecord):
        return example
    if example.supervision is None:
        raise ValueError(f"object {example.object_id} has an interaction but no supervision")
    return example.supervision
