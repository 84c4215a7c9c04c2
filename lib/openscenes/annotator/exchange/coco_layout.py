"""The COCO layout: images, and two annotation files that pycocotools and our reader load.

``annotations/instances_<split>2017.json`` has run-length codes, which are the masks exactly;
``annotations/polygons_<split>2017.json`` has the same objects as outlines. ``coco_url`` holds the
image's path in the user's folder, since ``file_name`` is flat.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from openscenes.amounts import amount
from openscenes.annotator.exchange.exported import (
    SPLIT,
    UPRIGHT,
    Described,
    ExportedImage,
    about,
    class_of,
    copy_image,
    orientation_notes,
)
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.masks import BoolMask, decode, tight_box
from openscenes.progress import counted

OURS = "openscenes"  # the key under which an annotation holds what COCO has no field for
Outline = list[list[int]]


def write_coco(images: Sequence[ExportedImage], folder: Path) -> tuple[Described, list[str]]:
    """Write images and both annotation files into an empty folder; sentences for the report."""
    target = folder / f"{SPLIT}2017"
    target.mkdir()
    for image in counted("images", images):
        copy_image(image, target / image.file_name)
    exact = _content(images)
    outlined, notes = _with_outlines(exact)
    (folder / "annotations").mkdir()
    for name, content in (("instances", exact), ("polygons", outlined)):
        path = folder / f"annotations/{name}_{SPLIT}2017.json"
        path.write_text(json.dumps(content), encoding="utf-8")
    return [], [*orientation_notes(images, UPRIGHT), *notes]


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


def without_holes(mask: BoolMask) -> BoolMask:
    """A (H, W) mask as its outlines give it back: all its holes are filled."""
    found = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), found[0], -1, 1, -1).astype(bool)


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
    return {
        "id": number,
        "file_name": image.file_name,
        "coco_url": quote(os.fsencode(image.facts.path)),
        "height": height,
        "width": width,
    }


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
    outlined, n_filled = [], 0
    for annotation in content["annotations"]:
        mask = decode(annotation["segmentation"])
        outlined.append(annotation | {"segmentation": outlines(mask)})
        n_filled += int(without_holes(mask).sum()) != annotation["area"]
    note = f"In the file of polygons {amount(n_filled, 'object', 'have')} holes filled."
    return content | {"annotations": outlined}, [note] * bool(n_filled)
