"""Writes images in the official layout of COCO 2017 instances."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.masks import tight_box
from openscenes.synthetic.catalogue import COCO_NAMES
from openscenes.synthetic.pascal import save_jpeg
from openscenes.synthetic.stage import LabelledImage, Splits

# COCO's own ids, names and groups; ten of the ids up to 90 were never used.
_GROUPS = (
    ("person", "1 person"),
    ("vehicle", "2 bicycle,3 car,4 motorcycle,5 airplane,6 bus,7 train,8 truck,9 boat"),
    ("outdoor", "10 traffic light,11 fire hydrant,13 stop sign,14 parking meter,15 bench"),
    ("animal", ("16 bird,17 cat,18 dog,19 horse,20 sheep,21 cow,22 elephant,23 bear,24 zebra,"
               "25 giraffe")),
    ("accessory", "27 backpack,28 umbrella,31 handbag,32 tie,33 suitcase"),
    ("sports", ("34 frisbee,35 skis,36 snowboard,37 sports ball,38 kite,39 baseball bat,"
               "40 baseball glove,41 skateboard,42 surfboard,43 tennis racket")),
    ("kitchen", "44 bottle,46 wine glass,47 cup,48 fork,49 knife,50 spoon,51 bowl"),
    ("food", ("52 banana,53 apple,54 sandwich,55 orange,56 broccoli,57 carrot,58 hot dog,59 pizza,"
             "60 donut,61 cake")),
    ("furniture", "62 chair,63 couch,64 potted plant,65 bed,67 dining table,70 toilet"),
    ("electronic", "72 tv,73 laptop,74 mouse,75 remote,76 keyboard,77 cell phone"),
    ("appliance", "78 microwave,79 oven,80 toaster,81 sink,82 refrigerator"),
    ("indoor", "84 book,85 clock,86 vase,87 scissors,88 teddy bear,89 hair drier,90 toothbrush"),
)  # fmt: skip
_FIRST_IMAGE = {"train": 100_000, "val": 500_000}
_HOLE_PX = 12
_ENLARGE = 4


def coco_categories() -> list[dict[str, Any]]:
    """The 80 categories as the official annotation files list them."""
    categories = []
    for group, members in _GROUPS:
        for member in members.split(","):
            number, name = member.split(" ", 1)
            categories.append({"supercategory": group, "id": int(number), "name": name})
    return categories


def write_coco(root: Path, splits: Splits, quality: int) -> None:
    """Write ``root/coco`` with JPEGs of ``quality``."""
    home = root / "coco"
    (home / "annotations").mkdir(parents=True)
    for split, images in splits.items():
        (home / f"{split}2017").mkdir()
        entries, annotations = [], []
        for index, image in enumerate(images):
            entry = _image_entry(_FIRST_IMAGE[split] + 7 * index, image)
            save_jpeg(home / f"{split}2017" / entry["file_name"], image.pixels, quality)
            entries.append(entry)
            annotations += _annotations(image, entry["id"])
        content = {
            "info": {"description": "synthetic scenes of openscenes, in COCO's layout"},
            "licenses": [{"id": 1, "name": "Apache-2.0", "url": ""}],
            "images": entries,
            "annotations": annotations,
            "categories": coco_categories(),
        }
        path = home / "annotations" / f"instances_{split}2017.json"
        path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def _image_entry(number: int, image: LabelledImage) -> dict[str, Any]:
    height, width = image.numbers.shape
    name = f"{number:012d}.jpg"
    return {"id": number, "file_name": name, "width": width, "height": height, "license": 1}


def _annotations(image: LabelledImage, image_id: int) -> list[dict[str, Any]]:
    ids = {category["name"]: category["id"] for category in coco_categories()}
    entries = []
    for index, one in enumerate(image.objects, start=1):
        mask = image.numbers == one.number
        box = tight_box(mask)
        assert box is not None
        polygons = None if one.crowd else outlines(mask)
        row0, col0, row1, col1 = map(float, box)
        entry = {
            "id": image_id * 100 + index,
            "image_id": image_id,
            "category_id": ids[COCO_NAMES.get(one.name, one.name)],
            "segmentation": run_lengths(mask) if polygons is None else polygons,
            "area": float(mask.sum()),
            "bbox": [col0, row0, col1 - col0, row1 - row0],
            "iscrowd": int(one.crowd),
        }
        entries.append(entry)
    return entries


def outlines(mask: NDArray[np.bool_]) -> list[list[float]] | None:
    """COCO polygons [x, y, x, y, ...] of a (H, W) mask, or None where it has a real hole."""
    large = cv2.resize(
        mask.astype(np.uint8), None, fx=_ENLARGE, fy=_ENLARGE, interpolation=cv2.INTER_NEAREST
    )
    curves, tree = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    polygons = []
    for curve, (_, _, _, parent) in zip(curves, tree[0], strict=True):
        if parent >= 0:
            if cv2.contourArea(curve) > _HOLE_PX * _ENLARGE**2:
                return None
            continue
        kept = cv2.approxPolyDP(curve, 0.4 * _ENLARGE, True)[:, 0]
        if len(kept) >= 3:
            polygons.append(np.round((kept + 0.5) / _ENLARGE, 2).ravel().tolist())
    return polygons or None


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Uncompressed run lengths of a (H, W) mask, column by column, the first run empty space."""
    flat = np.concatenate([[False], mask.ravel(order="F")])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(np.concatenate([[0], changes, [mask.size]]))
    return {"size": list(mask.shape), "counts": counts.tolist()}
