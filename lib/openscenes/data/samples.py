"""Samples: one object's crop, its supervision and its click, warped once from source pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openscenes import masks
from openscenes.data import crops, interactions
from openscenes.data.examples import Example, ImageCache
from openscenes.data.records import Box, Point
from openscenes.data.told import Told, first_told


@dataclass(frozen=True)
class Batch:
    """B crops; every tensor lies on one device.

    Attributes:
        images: (B, 3, S, S) uint8 RGB.
        masks: (B, 1, S, S) bool, the supervision.
        void: (B, 1, S, S) bool, pixels that no loss counts.
        points: (B, 2) float32 (row, col) in crop pixels.
        boxes: (B, 4) float32 half-open (row0, col0, row1, col1) in crop pixels.
        classes: (B,) int64 channel of the class head, ``NO_CLASS`` where unknown.
        labelled: (B,) bool, whether mask and class are ground truth.
        others: (B, 1, S, S) uint8, i on the i-th other object of the image, 0 elsewhere.
        clicks: (B, K, 3) float32 (row, col, sign) simulated clicks, where the training has any.
        rounds: how often a network's errors are still to be clicked on, for each object; numbers
            of the host, which knows them without waiting for a device.
        draws: a seed for each object in this epoch, for what only its training can draw.
    """

    images: Tensor
    masks: Tensor
    void: Tensor
    points: Tensor
    boxes: Tensor
    classes: Tensor
    labelled: Tensor
    others: Tensor
    clicks: Tensor
    rounds: tuple[int, ...]
    draws: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device; from pinned memory without waiting for it."""
        return self._each(lambda values: values.to(device, non_blocking=device.type == "cuda"))

    def pin_memory(self) -> Batch:
        """The same batch in memory that a GPU copies from by itself."""
        return self._each(Tensor.pin_memory)

    def _each(self, move: Callable[[Tensor], Tensor]) -> Batch:
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        moved: dict[str, Any] = {k: move(v) for k, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    def part(self, first: int, last: int) -> Batch:
        """The crops from ``first`` to before ``last``, in the same memory."""
        return replace(
            self._each(lambda values: values[first:last]), rounds=self.rounds[first:last],
            draws=self.draws[first:last],
        )  # fmt: skip

    def inputs(self, config: interactions.ClickConfig) -> Tensor:
        """The network's five channels, (B, 5, S, S) float32 in [0, 255] (Sec. 3.1)."""
        size = self.images.shape[-1]
        maps = interactions.heat_maps(self.points, self.boxes, size, config)
        stacked = torch.cat([self.images.float(), maps], dim=1)
        return stacked.contiguous(memory_format=torch.channels_last)

    def told(self, config: interactions.ClickConfig) -> Told:
        """The first three clicks (Sec. 3.1), their maps as in ``inputs``."""
        return first_told(self.points, self.boxes, self.images.shape[-1], config)


@dataclass(frozen=True)
class Sample:
    """One crop before batching; shapes as in ``Batch`` without the leading B.

    ``affine`` is the map from image to crop pixels, ``shape`` the image's (height, width), ``draw``
    the seed of the clicks on this object in this epoch.
    """

    image: NDArray[np.uint8]
    mask: masks.BoolMask
    void: masks.BoolMask
    point: Point
    box: Box
    class_index: int
    labelled: bool
    others: NDArray[np.uint8]
    affine: crops.Affine
    shape: tuple[int, int]
    draw: int = 0
    clicks: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    rounds: int = 0


def cut(
    example: Example,
    crop: crops.CropConfig,
    cache: ImageCache,
    *,
    augmentation: crops.Augmentation | None = None,
    generator: np.random.Generator | None = None,
    view: Callable[[tuple[int, int]], crops.Affine] | None = None,
    with_masks: bool = True,
) -> Sample:
    """Cut one object out of its image, with or without augmentation.

    ``view`` gives, for an image of (height, width), a warp that is chosen instead of drawn.
    ``with_masks=False`` leaves mask, void and others empty: a network that is asked needs none.

    Ours: the crop is the axis-aligned hull of the user's box after the warp. Where ground truth
    exists, a turned box is shrunk to the turned mask, as IOG does; a pseudo mask never moves it.
    An example without supervision gets an empty mask.
    Ours: an augmentation may also move the interaction of labelled objects, as another user
    would have made it.
    """
    image = cache.image(example.image, upright=example.upright)
    shape = (image.shape[0], image.shape[1])
    frame = (0, 0, *shape)
    given = None if example.supervision is None else cache.box(example)
    warp = crops.identity() if view is None else view(shape)
    user: crops.Augmentation | None = None
    if augmentation is not None and generator is not None:
        warp = crops.random_affine(shape, augmentation, generator)
        user = augmentation if example.labelled else None
    box = _moved_box(example, given, warp, cache)
    if user is not None and generator is not None and user.box_jitter > 0:
        box = interactions.jittered(box, user.box_jitter, generator)
    inside = crops.frame_affine(shape, crop)
    if crop.region == "box":
        inside = crops.window_affine(box, crop, crops.zoom_of(warp))
    affine = crops.compose(inside, warp)
    place = _Place(affine, crop.size, shape, crops.seen_window(affine, crop.size, shape))
    nothing = np.broadcast_to(np.False_, (crop.size, crop.size))
    mask = place.warped(partial(cache.mask, example), given) if with_masks else nothing
    point = crops.move_point(affine, example.interaction.point)
    if user is not None and generator is not None and user.click_core < 1 and mask.any():
        point = interactions.core_point(mask, user.click_core, generator)
    return Sample(
        image=crops.warp_image(image, affine, crop.size),
        mask=mask,
        void=place.warped(partial(cache.void, example), frame) if with_masks else nothing,
        point=point,
        box=crops.move_box(inside, box),
        class_index=example.class_index,
        labelled=example.labelled,
        others=_others(example, place, cache) if with_masks else nothing.view(np.uint8),
        affine=affine,
        shape=shape,
    )


@dataclass(frozen=True)
class _Place:
    """Where a crop of ``size`` lies in its image of (height, width), and what it shows of it."""

    affine: crops.Affine
    size: int
    shape: tuple[int, int]
    seen: masks.Window

    def warped(
        self, read: Callable[[masks.Window], masks.BoolMask | None], box: masks.Window | None
    ) -> masks.BoolMask:
        """A mask in the crop, read only where the crop shows a part of its box."""
        window = None if box is None else masks.overlap(box, self.seen)
        shown = None if window is None else read(window)
        if window is None or shown is None or not shown.any():
            return np.zeros((self.size, self.size), dtype=bool)
        return crops.warp_window(shown, window, self.shape, self.affine, self.size)


def _others(example: Example, place: _Place, cache: ImageCache) -> NDArray[np.uint8]:
    """The image's other objects in the crop, numbered from 1; a later one covers an earlier.

    They may overlap ``mask``, as objects of some data sets do.
    """
    numbered = np.zeros((place.size, place.size), dtype=np.uint8)
    for number, record in enumerate(example.others[:255], start=1):
        numbered[place.warped(partial(cache.mask, record), cache.box(record))] = number
    return numbered


def _moved_box(
    example: Example, given: masks.Window | None, warp: crops.Affine, cache: ImageCache
) -> Box:
    """The user's box after a warp; the slack that rotation adds is taken away where truth is."""
    box = example.interaction.box
    if given is None or not example.labelled:
        return crops.move_box(warp, box)
    outline = np.array([given[1::-1], given[:1:-1]], dtype=np.float64) - [[0], [1]]
    if not np.array_equal(warp, crops.identity()):  # corners move with the object
        truth, kind = cache.mask(example, given).view(np.uint8), cv2.RETR_EXTERNAL
        found, _ = cv2.findContours(truth, kind, cv2.CHAIN_APPROX_SIMPLE, offset=given[1::-1])
        outline = np.concatenate(found)[:, 0].astype(np.float64)
    tight = crops.hull_box(outline)
    zoom = crops.zoom_of(warp)
    half = np.array([-0.5, -0.5, 0.5, 0.5])  # from pixel centres to pixel edges
    slack = (np.array(box) - np.array(tight) - half) * zoom
    if warp[0, 0] < 0:  # mirrored: left and right change places
        slack[[1, 3]] = -slack[[3, 1]]
    moved = np.array(crops.hull_box(crops.apply(warp, outline)))
    return Box(*(moved + half * zoom + slack))


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples into a batch on the CPU."""
    return Batch(
        images=_planes([sample.image for sample in samples]),
        masks=torch.from_numpy(np.stack([sample.mask for sample in samples]))[:, None],
        void=torch.from_numpy(np.stack([sample.void for sample in samples]))[:, None],
        points=torch.tensor([tuple(sample.point) for sample in samples], dtype=torch.float32),
        boxes=torch.tensor([tuple(sample.box) for sample in samples], dtype=torch.float32),
        classes=torch.tensor([sample.class_index for sample in samples]),
        labelled=torch.tensor([sample.labelled for sample in samples]),
        others=torch.from_numpy(np.stack([sample.others for sample in samples]))[:, None],
        clicks=torch.from_numpy(np.stack([sample.clicks for sample in samples])),
        rounds=tuple(sample.rounds for sample in samples),
        draws=tuple(sample.draw for sample in samples),
    )


def _planes(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """(S, S, 3) images as one (B, 3, S, S) tensor; OpenCV takes colours apart 5 times faster."""
    planes = np.empty((len(images), 3, *images[0].shape[:2]), dtype=np.uint8)
    for place, image in zip(planes, images, strict=True):
        cv2.split(image, list(place))
    return torch.from_numpy(planes)
