"""The layout of PASCAL VOC 2012, as our reader and others know it.

``VOCdevkit/VOC2012/{JPEGImages, SegmentationObject, SegmentationClass, ImageSets/Segmentation}``;
masks are palette PNGs, a pixel belongs to one object at most.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from openscenes.amounts import amount
from openscenes.annotator.exchange.exported import (
    SPLIT,
    UNNAMED,
    UPRIGHT,
    Described,
    ExportedImage,
    about,
    class_of,
    code_anew,
    copy_image,
    orientation_notes,
)
from openscenes.annotator.exchange.imported import ImportedObject, mask_file
from openscenes.data.datasets import VOC_CLASSES
from openscenes.data.datasets.labels import read_labels
from openscenes.data.datasets.voc import LAYOUT, VOID
from openscenes.errors import DataError, InputError
from openscenes.files import one_line, whole_number
from openscenes.masks import decode
from openscenes.progress import counted

Labels = NDArray[np.uint8]


def write_voc(images: Sequence[ExportedImage], folder: Path) -> tuple[Described, list[str]]:
    """Write the layout into an empty folder; objects accepted later cover earlier ones.

    Returns:
        What an import needs to know of each object, and sentences for the report.
    Raises:
        InputError: if an image has more objects than a palette has colours.
    """
    root = folder / LAYOUT
    for name in ("JPEGImages", "SegmentationObject", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    numbers = class_numbers([class_of(one) for image in images for one in image.objects])
    described, left, n_coded = [], [], 0
    for image in counted("images", images):
        n_coded += _copy_as_jpeg(image, root / f"JPEGImages/{image.name}.jpg")
        labels = label_map(image)
        classes = np.array([0, *(numbers[class_of(one)] for one in image.objects)], dtype=np.uint8)
        for name, content in (("Object", labels), ("Class", classes[labels])):
            coloured = Image.fromarray(content)
            coloured.putpalette(palette())
            coloured.save(root / f"Segmentation{name}/{image.name}.png")
        counts = np.bincount(labels.ravel(), minlength=VOID)
        for label, one in enumerate(image.objects, start=1):
            left.append(float(counts[label] / coco_mask.area(one.mask)))
            described.append({"file": image.name, "label": label, "object": about(one)})
    listed = "".join(f"{image.name}\n" for image in images)
    (root / f"ImageSets/Segmentation/{SPLIT}.txt").write_text(listed, encoding="utf-8")
    named = zip(numbers.values(), lines_of(numbers), strict=True)
    lines = [f"{number} {line}\n" for number, line in named]
    (root / "labels.txt").write_text("".join(lines), encoding="utf-8")
    return described, [*_notes(left, n_coded, numbers), *orientation_notes(images, UPRIGHT)]


def read_voc(folder: Path, described: Described) -> tuple[list[ImportedObject], int]:
    """The objects of an export of ours, and how many lie wholly under others."""
    found = []
    for entry in described:
        label = whole_number(entry.get("label"), 1, VOID - 1)
        if label is None:
            fault = one_line(f"{folder} is damaged (label {entry.get('label')!r:.40}")
            raise DataError(f"{fault}); export anew.")
        file = mask_file(folder, entry, f"{LAYOUT}/SegmentationObject/{{}}.png")
        mask = read_labels(file) == label
        one = ImportedObject.described(entry["object"], mask, file)
        found += [one] * bool(mask.any())
    return found, len(described) - len(found)


def label_map(image: ExportedImage) -> Labels:
    """(H, W) uint8: 0 is background, 1, 2, ... the objects in the order of acceptance."""
    if len(image.objects) >= VOID:
        raise InputError(
            f"{image.path} has {len(image.objects)} accepted objects, and a VOC mask holds "
            f"{VOID - 1}; export to COCO or PNG."
        )
    labels = np.zeros(image.facts.size, dtype=np.uint8)
    for label, one in enumerate(image.objects, start=1):
        labels[decode(one.mask)] = label
    return labels


def class_numbers(names: Sequence[str]) -> dict[str, int]:
    """A number for each class: VOC's own for its classes, for others the free ones from 1 on.

    Readers know the numbers 1 to 20 only, so these are used up first.
    """
    own = {name: number for number, name in enumerate(VOC_CLASSES, start=1)}
    wanted = set(names)
    numbers = {name: own[name] for name in wanted & own.keys()}
    others = sorted(wanted - own.keys())
    free = [number for number in range(1, VOID) if number not in numbers.values()]
    if len(others) > len(free):
        raise InputError(f"{len(wanted)} classes do not fit a VOC mask; export to COCO or PNG.")
    numbers |= dict(zip(others, free, strict=False))
    return dict(sorted(numbers.items(), key=lambda pair: pair[1]))


def palette() -> list[int]:
    """VOC's 256 colours as [r, g, b, r, g, b, ...]: the bits of the number, spread over them."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    colours = np.zeros((256, 3), dtype=np.int64)
    for bit in range(8):
        colours[:, bit % 3] |= bits[:, bit] << (7 - bit // 3)
    return [int(value) for value in colours.ravel()]


def _copy_as_jpeg(image: ExportedImage, target: Path) -> bool:
    """Write a copy for a layout that knows JPEG files only; say whether it was none."""
    with image.path.open("rb") as file:
        is_jpeg = file.read(3) == b"\xff\xd8\xff"
    (copy_image if is_jpeg else code_anew)(image, target)
    return not is_jpeg


def lines_of(names: Iterable[str]) -> list[str]:
    """Each name on one line, numbered where two would read the same."""
    lines: list[str] = []
    for name in names:
        line = one_line(name.strip()) or UNNAMED
        again = (f"{line} ({number})" for number in count(2))
        lines.append(next(one for one in chain([line], again) if one not in lines))
    return lines


def _notes(left: Sequence[float], n_coded: int, numbers: dict[str, int]) -> list[str]:
    n_cut, n_gone = sum(0 < share < 1 for share in left), left.count(0.0)
    foreign = [name for name in numbers if name not in VOC_CLASSES]
    notes = {
        f"{amount(n_cut, 'object')} lost pixels to an object that was accepted later.": n_cut,
        f"{amount(n_gone, 'object', 'lie')} wholly under others, not in the masks.": n_gone,
        f"{amount(n_coded, 'image', 'were')} no JPEG, and coded anew.": n_coded,
        f"{amount(len(foreign), 'class', 'are')} none of VOC's 20, with a number that is free here "
        "(labels.txt); a reader of VOC calls them by other names, and leaves out numbers above "
        f"{len(VOC_CLASSES)}.": len(foreign),
    }
    return [note for note, count in notes.items() if count]
