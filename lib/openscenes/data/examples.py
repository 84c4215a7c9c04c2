"""Examples: one object to learn from or to test on, and the images and masks behind them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.data import datasets
from openscenes.data.records import ClickedObject, Interaction, MaskSource, ObjectRecord

NO_CLASS = -1  # the class index of an object whose class nobody knows


@dataclass(frozen=True)
class Example:
    """One object to learn from or to test on.

    Attributes:
        object_id: unique in the study, such as ``"coco/train2017:42/7"``.
        image: path of the image.
        interaction: the user's box and point, made once.
        supervision: ground truth to be read (``ObjectRecord``), a pseudo mask (run-length code),
            or None where there is only the interaction.
        class_index: channel of the class head, or ``NO_CLASS``; it teaches the class head only
            where the supervision is ground truth.
        others: labelled objects of the same image, on which a simulated user may click
            "not this one".
    """

    object_id: str
    image: Path
    interaction: Interaction
    supervision: ObjectRecord | dict[str, Any] | None
    class_index: int = NO_CLASS
    others: tuple[ObjectRecord, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether the supervision is ground truth."""
        return isinstance(self.supervision, ObjectRecord)


def from_clicks(clicked: ClickedObject, pseudo_mask: dict[str, Any] | None = None) -> Example:
    """The example of an object of a new scene: never any ground truth."""
    name = f"{clicked.scene}:{clicked.object_id}"
    return Example(name, clicked.image, clicked.interaction, pseudo_mask)


class ImageCache:
    """Decoded images and supervision, least recently used first out, bounded in bytes."""

    def __init__(self, max_bytes: int = 1 << 30) -> None:
        self.max_bytes, self.n_bytes = max_bytes, 0
        self._images: OrderedDict[Path, NDArray[np.uint8]] = OrderedDict()
        self._codes: dict[MaskSource, tuple[dict[str, Any], dict[str, Any] | None]] = {}

    def image(self, path: Path) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        if path in self._images:
            self._images.move_to_end(path)
            return self._images[path]
        image = self._images[path] = datasets.read_image(path)
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
