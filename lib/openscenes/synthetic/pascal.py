"""Writes images in the official layouts of PASCAL VOC 2012 segmentation and of SBD."""

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

from openscenes.synthetic.catalogue import VOC_CLASSES
from openscenes.synthetic.stage import LabelledImage, Splits

VOID = 255
_MAT_HEADER = b"MATLAB 5.0 MAT-file, written by openscenes"


def write_voc(root: Path, splits: Splits, quality: int) -> None:
    """Write ``root/VOCdevkit/VOC2012`` with JPEGs of ``quality``.

    Void marks the background that touches an object, where two objects meet, and objects
    too small to label; thin parts (spokes, legs) so keep their inside.
    """
    home = root / "VOCdevkit" / "VOC2012"
    for folder in ("JPEGImages", "SegmentationClass", "SegmentationObject"):
        (home / folder).mkdir(parents=True)
    lists = home / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    every: list[str] = []
    for split, images in _named(splits, first_year=2007):
        names = []
        for name, image in images:
            save_jpeg(home / "JPEGImages" / f"{name}.jpg", image.pixels, quality)
            instances, classes = voc_maps(image)
            save_palette(home / "SegmentationObject" / f"{name}.png", instances)
            save_palette(home / "SegmentationClass" / f"{name}.png", classes)
            names.append(name)
        _save_list(lists / f"{split}.txt", names)
        every += names
    _save_list(lists / "trainval.txt", every)


def _named(
    splits: Splits, first_year: int
) -> Iterator[tuple[str, Iterator[tuple[str, LabelledImage]]]]:
    """Each split with its images under names such as "2007_000001"."""
    for year, (split, images) in enumerate(splits.items(), start=first_year):
        yield split, ((f"{year}_{k:06d}", image) for k, image in enumerate(images, start=1))


def voc_maps(image: LabelledImage) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Instance and class maps (H, W) uint8 of an image, void 255 on borders."""
    instances, classes = _label_maps(image)
    numbers = image.numbers.astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    high = cv2.dilate(numbers, kernel)
    present = cv2.dilate((numbers > 0).astype(np.uint8), kernel) > 0
    outside = present & (image.numbers == 0)
    meeting = (image.numbers > 0) & (high != numbers)
    small = np.isin(image.numbers, [one.number for one in image.slivers])
    for labels in (instances, classes):
        labels[outside | meeting | small] = VOID
    for index, one in enumerate(image.objects, start=1):
        if not (instances == index).any():
            own = image.numbers == one.number
            instances[own], classes[own] = index, VOC_CLASSES.index(one.name) + 1
    return instances, classes


def _label_maps(image: LabelledImage) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    instances = np.zeros(image.numbers.shape, np.uint8)
    classes = np.zeros_like(instances)
    for index, one in enumerate(image.objects, start=1):
        own = image.numbers == one.number
        instances[own], classes[own] = index, VOC_CLASSES.index(one.name) + 1
    return instances, classes


def write_sbd(root: Path, splits: Splits, quality: int) -> None:
    """Write ``root/benchmark_RELEASE/dataset`` with JPEGs of ``quality``; SBD has no void."""
    home = root / "benchmark_RELEASE" / "dataset"
    for folder in ("img", "inst", "cls"):
        (home / folder).mkdir(parents=True)
    for split, images in _named(splits, first_year=2010):
        names = []
        for name, image in images:
            save_jpeg(home / "img" / f"{name}.jpg", image.pixels, quality)
            instances, classes = _label_maps(image)
            _save_mat(home / "inst" / f"{name}.mat", {"GTinst": _instances(image, instances)})
            _save_mat(home / "cls" / f"{name}.mat", {"GTcls": _categories(classes)})
            names.append(name)
        _save_list(home / f"{split}.txt", names)


def _instances(image: LabelledImage, instances: NDArray[np.uint8]) -> dict[str, object]:
    categories = [[VOC_CLASSES.index(one.name) + 1] for one in image.objects]
    return {
        "Segmentation": instances,
        "Boundaries": _boundaries(instances, len(categories)),
        "Categories": np.array(categories, np.uint8).reshape(-1, 1),
    }


def _categories(classes: NDArray[np.uint8]) -> dict[str, object]:
    return {
        "Segmentation": classes,
        "Boundaries": _boundaries(classes, len(VOC_CLASSES)),
        "CategoriesPresent": np.unique(classes[classes > 0]).reshape(-1, 1),
    }


def _boundaries(labels: NDArray[np.uint8], count: int) -> NDArray[np.object_]:
    """(count, 1) masks: the border of each label from 1 on, nothing where it is absent."""
    boundaries = np.empty((count, 1), object)
    for index in range(count):
        solid = (labels == index + 1).astype(np.uint8)
        boundaries[index, 0] = solid - cv2.erode(solid, np.ones((3, 3), np.uint8))
    return boundaries


def _save_mat(path: Path, content: dict[str, object]) -> None:
    """Save with a header that names no clock and no platform, so that bytes repeat."""
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, content, do_compression=True)
    written = bytearray(buffer.getvalue())
    written[:116] = _MAT_HEADER.ljust(116)
    path.write_bytes(bytes(written))


def _save_list(path: Path, names: list[str]) -> None:
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def save_jpeg(path: Path, image: NDArray[np.uint8], quality: int) -> None:
    """Save a (H, W, 3) uint8 RGB image as JPEG."""
    cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])


def save_palette(path: Path, labels: NDArray[np.uint8]) -> None:
    """Save a (H, W) uint8 label map as PNG with PASCAL's palette."""
    image = Image.fromarray(labels, mode=None).convert("P")
    image.putpalette(pascal_palette().ravel().tolist())
    image.save(path, optimize=False, compress_level=6)


def pascal_palette() -> NDArray[np.uint8]:
    """PASCAL's (256, 3) colours: the bits of the label, dealt to red, green and blue in turn."""
    labels = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            on = (labels >> (3 * bit + channel)) & 1 if 3 * bit + channel < 8 else 0
            palette[:, channel] |= np.uint8(on) << np.uint8(7 - bit)
    return palette
