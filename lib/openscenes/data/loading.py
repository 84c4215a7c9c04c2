"""Loading: crops of an epoch in their order, made in processes that serve a whole training."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import torch

from openscenes.data import crops, samples
from openscenes.data.examples import Example, ImageCache
from openscenes.data.samples import Batch, Sample
from openscenes.errors import InputError, OpenScenesError, TrainingError
from openscenes.pool import begin_worker, start_method
from openscenes.seeding import numpy_generator

Group = tuple[Example, ...]
Item = tuple[int, Group]  # an epoch and one of its groups
Clicks = Callable[[Sample, int], Sample]
AHEAD = 2  # batches that each process prepares before they are asked for, at most


@dataclass(frozen=True)
class CropSet:
    """Tuples of examples (one, or a pair) to tuples of augmented samples.

    What is drawn depends on (seed, epoch, object) alone: not on the batch, the process, or how
    often the run was interrupted.

    Attributes:
        augmentations: one for each slot of the tuples; None draws nothing.
        clicks: (sample, epoch) -> the sample with simulated clicks, drawn from its ``draw``.
    """

    crop: crops.CropConfig
    augmentations: tuple[crops.Augmentation | None, ...]
    cache: ImageCache
    seed: int
    clicks: Clicks | None = None

    def __getitem__(self, item: Item) -> list[Sample]:
        """The samples of one group in one epoch."""
        epoch, group = item
        names = [example.object_id for example in group]
        made = []
        for slot, (example, augmentation) in enumerate(zip(group, self.augmentations, strict=True)):
            generator = numpy_generator("augment", self.seed, epoch, slot, *names)
            sample = samples.cut(
                example, self.crop, self.cache, augmentation=augmentation, generator=generator
            )
            sample = replace(sample, draw=int(generator.integers(2**62)))
            made.append(sample if self.clicks is None else self.clicks(sample, epoch))
        return made

    def __getitems__(self, items: Sequence[Item]) -> list[Batch] | OpenScenesError:
        """A batch for each slot; an error is a value, of which PyTorch would make a traceback."""
        try:
            return [
                samples.collate(slot) for slot in zip(*map(self.__getitem__, items), strict=True)
            ]
        except OpenScenesError as error:
            return error


class Loader:
    """Batches of crops, made by processes that start once and end with this one.

    They are told what to cut item by item, since the groups change from epoch to epoch.
    """

    def __init__(self, crop_set: CropSet, workers: int, *, pinned: bool = False) -> None:
        """``workers``: how many processes; 0 cuts here.  ``pinned``: for copies to a GPU."""
        self._batches: list[Sequence[Item]] = []
        several: dict[str, Any] = {
            "multiprocessing_context": start_method(), "persistent_workers": True,
            "prefetch_factor": AHEAD, "worker_init_fn": begin_worker,
        }  # fmt: skip
        self._loader: Any = torch.utils.data.DataLoader(
            cast(Any, crop_set), batch_sampler=cast(Any, self._batches), num_workers=workers,
            collate_fn=_as_it_is, pin_memory=pinned and torch.cuda.is_available(),
            generator=torch.Generator(),  # otherwise it draws a seed from the global one
            **(several if workers else {}),
        )  # fmt: skip

    def epoch(self, batches: Sequence[Sequence[Item]]) -> Iterator[list[Batch]]:
        """For each batch of items one ``Batch`` per slot, on the CPU.

        Raises:
            OpenScenesError: that of an item, or a TrainingError where a process was killed.
        """
        self._batches[:] = batches
        try:
            for loaded in self._loader:
                if isinstance(loaded, OpenScenesError):
                    raise loaded
                yield loaded
        except (RuntimeError, EOFError, ConnectionError) as error:
            if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                raise
            raise TrainingError(
                "a process that loads crops was killed, most often for want of memory or of shared "
                "memory (/dev/shm); train fewer models at once, such as WORKERS=1; the same "
                "command goes on where it was"
            ) from None

    def close(self) -> None:
        """End the processes, also where a traceback still holds this object."""
        if (running := self._loader._iterator) is not None:
            running._shutdown_workers()


def _as_it_is(loaded: Any) -> Any:
    return loaded


def order(groups: Sequence[Group], seed: int, epoch: int, window: int = 64) -> list[int]:
    """A shuffled order of an epoch in which an image's objects stay near each other.

    Images are shuffled, then objects within windows of ``window`` images, so that an image is
    decoded once per epoch even where all decoded images do not fit into memory.
    """
    generator = numpy_generator("order", seed, epoch)
    by_image: dict[Path, list[int]] = {}
    for index, group in enumerate(groups):
        by_image.setdefault(group[-1].image, []).append(index)
    images = [list(by_image)[i] for i in generator.permutation(len(by_image))]
    shuffled: list[int] = []
    for start in range(0, len(images), window):
        block = [index for image in images[start : start + window] for index in by_image[image]]
        shuffled += [block[i] for i in generator.permutation(len(block))]
    return shuffled


def plan_of_epoch(
    items: Sequence[Item], n_slots: int, batch_size: int, micro_batch: int, n_devices: int
) -> list[list[Sequence[Item]]]:
    """Batches, each in the parts that pass through the network one by one.

    A last batch that is too small is left out.

    Args:
        n_slots: crops of an item.
        micro_batch: crops of a part on each device; 0 for all.
    Raises:
        InputError: if no batch can be shared among the devices: each needs a crop, and all
            together two, over which BatchNorm averages.
    """
    least = max(2, n_devices)
    batches = [items[start : start + batch_size] for start in range(0, len(items), batch_size)]
    batches = [batch for batch in batches if len(batch) >= least]
    if not batches:
        raise InputError(
            f"{len(items)} objects in batches of {batch_size} make no batch for {n_devices} "
            f"device(s), which takes at least {least} objects; give more objects, larger batches "
            "or fewer devices (DEVICES_PER_MODEL)"
        )
    most = micro_batch // n_slots * n_devices
    return [_parts(batch, most, max(-(-2 // n_slots), n_devices)) for batch in batches]


def _parts(batch: Sequence[Item], most: int, least: int) -> list[Sequence[Item]]:
    """A batch in equal parts of up to ``most`` items, 0 for all; of more before fewer than least.

    So an odd number of single crops ends in a part of three, where two are the most.
    """
    n_parts = max(1, min(-(-len(batch) // most), len(batch) // least)) if most else 1
    ends = [len(batch) * number // n_parts for number in range(n_parts + 1)]
    return [batch[first:last] for first, last in pairwise(ends)]
