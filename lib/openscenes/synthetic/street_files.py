"""Writes images in the official layout of Cityscapes fine annotations."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.synthetic.catalogue import CITYSCAPES_LABELS, CITYSCAPES_NAMES
from openscenes.synthetic.stage import LabelledImage, Splits

# Invented towns: these frames shall not be taken for those of the real data set.
TOWNS = {"train": ("nebelfurt", "regenau"), "val": ("grauburg",)}
_PER_TOWN = 32


def write_cityscapes(root: Path, splits: Splits) -> None:
    """Write ``root/cityscapes`` with ``leftImg8bit`` and ``gtFine`` of every split."""
    for split, images in splits.items():
        towns = TOWNS[split]
        for index, image in enumerate(images):
            town = towns[index // _PER_TOWN % len(towns)]
            _write_frame(root / "cityscapes", split, town, index, image)


def _write_frame(home: Path, split: str, town: str, index: int, image: LabelledImage) -> None:
    folder, truth = home / "leftImg8bit" / split / town, home / "gtFine" / split / town
    folder.mkdir(parents=True, exist_ok=True)
    truth.mkdir(parents=True, exist_ok=True)
    name = f"{town}_{index:06d}_000019"
    labels, instances = cityscapes_maps(image)
    for path, pixels in (
        (folder / f"{name}_leftImg8bit.png", image.pixels[..., ::-1]),
        (truth / f"{name}_gtFine_labelIds.png", labels),
        (truth / f"{name}_gtFine_instanceIds.png", instances),
    ):
        cv2.imwrite(str(path), pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])


def cityscapes_maps(image: LabelledImage) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Label ids (H, W) uint8 and instance ids (H, W) uint16 of an image.

    An instance is ``label * 1000 + k``; crowds and objects too small to outline carry the
    plain label, which Cityscapes calls a group.
    """
    labels = image.stuff.copy()
    instances = labels.astype(np.uint16)
    counts = dict.fromkeys(CITYSCAPES_LABELS, 0)
    for one in (*image.slivers, *image.objects):
        name = CITYSCAPES_NAMES.get(one.name, one.name)
        own = image.numbers == one.number
        labels[own] = instances[own] = CITYSCAPES_LABELS[name]
        if one in image.objects and not one.crowd:
            instances[own] = CITYSCAPES_LABELS[name] * 1000 + counts[name]
            counts[name] += 1
    return labels, instances
