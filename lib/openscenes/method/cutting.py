"""Crops of objects in their order, and the way of a crop's map back into its image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openscenes.data import crops, pasting, samples
from openscenes.data.examples import Example, ImageCache
from openscenes.data.samples import Sample
from openscenes.method.beyond.test_time_augmentation import View, cut_view
from openscenes.pool import Pool, Sent

TOGETHER = 8  # objects of one image that one process cuts or scores at a time, at most


@dataclass(frozen=True)
class CropMap:
    """One object's (S, S) map, float32 or bool, and where its image of (height, width) lies.

    ``clicks`` are (K, 3) row, col, sign in pixels of the image that its mask obeys; None for none.
    """

    sent: Sent
    affine: crops.Affine
    shape: tuple[int, int]
    clicks: NDArray[np.float32] | None = None

    def pasted(self, above: float = 0.0) -> pasting.Pasted:
        """In pixels of the image, as ``pasting.pasted``.

        Paper: Sec. 3.2.
        """
        values = self.sent.array.astype(np.float32, copy=False)
        return pasting.pasted(values, self.affine, self.shape, above=above)

    def whole(self) -> NDArray[np.float32]:
        """The (H, W) map of the whole image, zero outside the crop.

        Paper: Sec. 3.2.
        """
        return self.pasted().within((0, 0, *self.shape))


def crop_maps(maps: Tensor, cuts: Sequence[Sample]) -> list[CropMap]:
    """(B, 1, S, S) maps, float or bool, one by one on the CPU.

    Paper: Sec. 3.2.
    """
    whole = maps[:, 0] if maps.dtype == torch.bool else maps[:, 0].float()
    return [
        CropMap(Sent(one), sample.affine, sample.shape)
        for one, sample in zip(whole.cpu().numpy(), cuts, strict=True)
    ]


def paste_back(maps: Tensor, cuts: Sequence[Sample]) -> Iterator[NDArray[np.float32]]:
    """(B, 1, S, S) crop maps to one (H, W) map per image, zero outside the crop.

    Paper: Sec. 3.2.
    Ours: bicubic, by the crop's inverse warp.
    """
    return (one.whole() for one in crop_maps(maps, cuts))


def runs_of_an_image(examples: Sequence[Example]) -> Iterator[slice]:
    """Where the objects of one image lie that one process works on.

    Paper: Sec. 3.2 says nothing of it.
    """
    start = 0
    for _, group in groupby(example.image for example in examples):
        end = start + sum(1 for _ in group)
        yield from (slice(i, min(i + TOGETHER, end)) for i in range(start, end, TOGETHER))
        start = end


def cut_in_order(
    examples: Sequence[Example], crop: crops.CropConfig, cache: ImageCache,
    pool: Pool[ImageCache] | None = None, *, views: Sequence[View] = (), truth: bool = False,
) -> Iterator[list[Sample]]:  # fmt: skip
    """For each example its plain crop, then its other views.

    Paper: Sec. 3.2.

    Args:
        pool: who cuts; without one it is done here.
        truth: whether what a pool cuts has the example's mask; void and others are always empty.
    """
    if pool is None:
        for example in examples:
            yield _cut(example, crop, cache, views)
        return
    empty = np.broadcast_to(np.uint8(0), (crop.size, crop.size))
    nothing: dict[str, Any] = {"mask": empty.view(bool), "void": empty.view(bool), "others": empty}
    tasks = ((examples[run], crop, views, truth) for run in runs_of_an_image(examples))
    for run in pool.ordered(_cut_run, tasks):
        for cuts in run:
            yield [
                replace(lean, **nothing | {name: sent.array for name, sent in arrays.items()})
                for lean, arrays in cuts
            ]


def _cut(
    example: Example, crop: crops.CropConfig, cache: ImageCache, views: Sequence[View],
    with_masks: bool = True,
) -> list[Sample]:  # fmt: skip
    plain = samples.cut(example, crop, cache, with_masks=with_masks)
    return [plain, *(cut_view(example, view, crop, cache) for view in views)]


def _cut_run(
    cache: ImageCache, task: tuple[Sequence[Example], crops.CropConfig, Sequence[View], bool]
) -> list[list[tuple[Sample, dict[str, Sent]]]]:
    """The crops without their arrays, and beside each those that are asked for."""
    run, crop, views, truth = task
    none: dict[str, Any] = dict.fromkeys(("image", "mask", "void", "others"), np.zeros((0, 0)))
    asked = ("image", "mask") if truth else ("image",)
    return [
        [
            (replace(one, **none), {name: Sent(getattr(one, name)) for name in asked})
            for one in _cut(example, crop, cache, views, truth)
        ]
        for example in run
    ]
