"""The COCO layout: images, and two annotation files that pycocotools and our reader load.

``annotations/instances_<split>2017.json`` has run-length codes, which are the masks exactly;
``annotations/polygons_<split>2017.json`` has the same objects as outlines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from openscenes.annotator.exchange.exported import (
    SPLIT,
    UNNAMED,
    Described,
    ExportedImage,
    ImportedObject,
    Placing,
    about,
    class_of,
    is_about,
    place,
)
from openscenes.annotator.store.snapshot import Rle, Snapshot
from openscenes.data.datasets.annotation_table import USABLE, Annotations
from openscenes.data.datasets.annotations import read_annotations
from openscenes.files import read_json
from openscenes.masks import BoolMask, decode, tight_box

OURS = "openscenes"  # the key under which an annotation holds what COCO has no field for
Outline = list[list[int]]


def write_coco(
    images: Sequence[ExportedImage], folder: Path, placing: Placing
) -> tuple[Described, list[str]]:
    """Write images and both annotation files into an empty folder; sentences for the report."""
    target = folder / f"{SPLIT}2017"
    target.mkdir()
    for image in images:
        place(image.path, target / _file_name(image), placing)
    exact = _content(images)
    outlined, notes = _with_outlines(exact)
    (folder / "annotations").mkdir()
    for name, content in (("instances", exact), ("polygons", outlined)):
        path = folder / f"annotations/{name}_{SPLIT}2017.json"
        path.write_text(json.dumps(content), encoding="utf-8")
    return [], notes


def read_coco(path: Path) -> tuple[list[ImportedObject], list[str]]:
    """The objects of a COCO instances file, and what was left out; DataError for no such file."""
    annotations = read_annotations(path)
    table = annotations.table
    usable = (table.states == USABLE) & (table.areas > 0)
    ours = _ours(path)
    found = [_imported(annotations, int(row), ours) for row in np.flatnonzero(usable)]
    n_out = int((~usable).sum())
    return found, [f"{n_out} annotation(s) are crowds, empty or unreadable."] * bool(n_out)


def outlines(mask: BoolMask) -> Outline:
    """The outer outlines of a (H, W) mask as COCO polygons [x, y, x, y, ...] along pixel edges.

    The contour of the mask at twice its size, brought back, gives the edges of the pixels; drawn
    by pycocotools, they give the mask exactly, but for holes, which polygons cannot have.
    """
    box = tight_box(mask)
    if box is None:
        return []
    inside = mask[box[0] : box[2], box[1] : box[3]].view(np.uint8)
    doubled = inside.repeat(2, axis=0).repeat(2, axis=1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    corner = np.array([box[1], box[0]])
    return [((one[:, 0, :] + 1) // 2 + corner).ravel().tolist() for one in contours]


def _content(images: Sequence[ExportedImage]) -> dict[str, Any]:
    names = sorted({class_of(one) for image in images for one in image.objects})
    categories = {name: number for number, name in enumerate(names, start=1)}
    numbered = [(number, one) for number, image in enumerate(images, 1) for one in image.objects]
    return {
        "info": {"description": "Objects clicked and accepted in the openscenes annotator"},
        "licenses": [],
        "images": [_image(number, image) for number, image in enumerate(images, start=1)],
        "categories": [
            {"id": number, "name": name, "supercategory": ""} for name, number in categories.items()
        ],
        "annotations": [
            _annotation(number, image_id, categories[class_of(one)], one)
            for number, (image_id, one) in enumerate(numbered, start=1)
        ],
    }


def _image(number: int, image: ExportedImage) -> dict[str, Any]:
    height, width = image.facts.size
    return {"id": number, "file_name": _file_name(image), "height": height, "width": width}


def _annotation(number: int, image_id: int, category: int, one: Snapshot) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category,
        "iscrowd": 0,
        "bbox": [float(side) for side in coco_mask.toBbox(one.mask)],
        "area": int(coco_mask.area(one.mask)),
        "segmentation": one.mask,
        OURS: about(one),
    }


def _with_outlines(content: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The same content with polygons, and in how many of them a hole is filled."""
    outlined, n_filled = [], 0
    for annotation in content["annotations"]:
        polygons = outlines(decode(annotation["segmentation"]))
        outlined.append(annotation | {"segmentation": polygons})
        n_filled += _area(polygons, annotation["segmentation"]) != annotation["area"]
    note = f"In the file of polygons {n_filled} object(s) have their holes filled."
    return content | {"annotations": outlined}, [note] * bool(n_filled)


def _area(polygons: Outline, code: Rle) -> int:
    return int(coco_mask.area(coco_mask.merge(coco_mask.frPyObjects(polygons, *code["size"]))))


def _file_name(image: ExportedImage) -> str:
    return image.name + image.path.suffix.lower()


def _imported(
    annotations: Annotations, row: int, ours: dict[int, dict[str, Any]]
) -> ImportedObject:
    table = annotations.table
    image = int(table.image_numbers[row])
    height, width = table.image_sizes[image].tolist()
    known = ours.get(int(table.places[row]))
    class_name = table.class_name(row)
    if known and class_name == (known.get("class_name") or UNNAMED):
        class_name = known.get("class_name")
    mask = {"size": [height, width], "counts": annotations.code(row).decode()}
    return ImportedObject(str(table.image_names[image]), (height, width), mask, class_name, known)


def _ours(path: Path) -> dict[int, dict[str, Any]]:
    """What our export wrote of its objects, by place in the file; empty for other files."""
    annotations = read_json(path, "annotation file")["annotations"]
    known = [one.get(OURS, {}) if isinstance(one, dict) else {} for one in annotations]
    return {place: about for place, about in enumerate(known) if is_about(about)}
