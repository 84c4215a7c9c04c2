"""Polygons for other programs: labelme's files, and the segments that YOLO is trained with.

labelme: one JSON file beside each image, points [x, y] in pixels; the parts of an object share a
``group_id``. YOLO: one line per object, its class from 0 on and x y of one polygon, in shares of
the image's width and height.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openscenes.amounts import amount
from openscenes.annotator.exchange.coco_layout import Outline, outlines, without_holes
from openscenes.annotator.exchange.exported import (
    SPLIT,
    UPRIGHT,
    Described,
    ExportedImage,
    class_of,
    copy_image,
    orientation_notes,
)
from openscenes.annotator.exchange.voc_layout import lines_of
from openscenes.masks import decode
from openscenes.progress import counted

LABELME_VERSION = "5.5.0"  # whose fields these are
_AS_JPG = {".jfif": ".jpg"}  # what YOLO's readers know


def write_labelme(images: Sequence[ExportedImage], folder: Path) -> tuple[Described, list[str]]:
    """Write each image and its JSON file side by side into an empty folder."""
    n_filled = 0
    for image in counted("images", images):
        copy_image(image, folder / image.file_name)
        height, width = image.facts.size
        shapes: list[dict[str, Any]] = []
        for number, one in enumerate(image.objects, start=1):
            mask = decode(one.mask)
            n_filled += bool((without_holes(mask) != mask).any())
            parts = outlines(mask)
            shapes += [{
                "label": class_of(one), "points": _points(part), "shape_type": "polygon",
                "group_id": number if len(parts) > 1 else None, "description": "", "flags": {},
                "mask": None,
            } for part in parts]  # fmt: skip
        content: dict[str, Any] = {
            "version": LABELME_VERSION, "flags": {}, "shapes": shapes,
            "imagePath": image.file_name, "imageData": None,
            "imageHeight": height, "imageWidth": width,
        }  # fmt: skip
        path = folder / f"{image.name}.json"
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    return [], [*orientation_notes(images, UPRIGHT), *_filled(n_filled)]


def write_yolo(images: Sequence[ExportedImage], folder: Path) -> tuple[Described, list[str]]:
    """Write images, labels and ``data.yaml`` into an empty folder.

    Parts of one object become one polygon, joined by lines there and back, as YOLO has it.
    """
    names = sorted({class_of(one) for image in images for one in image.objects})
    numbers, n_filled, n_joined = {name: i for i, name in enumerate(names)}, 0, 0
    for kind in ("images", "labels"):
        (folder / kind / SPLIT).mkdir(parents=True)
    for image in counted("images", images):
        suffix = Path(image.file_name).suffix
        copy_image(image, folder / "images" / SPLIT / (image.name + _AS_JPG.get(suffix, suffix)))
        lines = []
        for one in image.objects:
            mask = decode(one.mask)
            parts = outlines(mask)
            n_filled += bool((without_holes(mask) != mask).any())
            n_joined += len(parts) > 1
            lines.append(_yolo_line(numbers[class_of(one)], parts, image.facts.size))
        path = folder / "labels" / SPLIT / f"{image.name}.txt"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    named = "".join(f"  {i}: {json.dumps(name)}\n" for i, name in enumerate(lines_of(names)))
    place = f"images/{SPLIT}"
    about = f"train: {place}\nval: {place}  # name other images here\nnames:\n{named}"
    (folder / "data.yaml").write_text(about, encoding="utf-8")
    joined = [f"The parts of {amount(n_joined, 'object')} were joined by a line, as YOLO has it."]
    return [], [*orientation_notes(images, UPRIGHT), *_filled(n_filled), *joined * bool(n_joined)]


def _points(part: list[int]) -> list[list[float]]:
    return [[float(x), float(y)] for x, y in zip(part[::2], part[1::2], strict=True)]


def _yolo_line(number: int, parts: Outline, size: tuple[int, int]) -> str:
    """All parts in one polygon: each is closed, and the way back leads over their first corners."""
    rings = [_points(part) for part in parts]
    path = rings[0] if len(rings) == 1 else [at for ring in rings for at in (*ring, ring[0])]
    back = [ring[0] for ring in rings[-2::-1]]
    shares = [f"{x / size[1]:.6f} {y / size[0]:.6f}" for x, y in (*path, *back)]
    return " ".join([str(number), *shares])


def _filled(n: int) -> list[str]:
    return [f"{amount(n, 'object', 'have')} holes filled, which polygons cannot have."] * bool(n)
