"""Binary masks: intersection over union, tight boxes, exact distances, run-length codes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

BoolMask = NDArray[np.bool_]


def iou(prediction: BoolMask, truth: BoolMask, void: BoolMask | None = None) -> float:
    """Intersection over union of two (H, W) masks, void pixels left out.

    Two empty masks agree: the result is 1.
    """
    counted = np.ones_like(truth) if void is None else ~void
    union = int(((prediction | truth) & counted).sum())
    return int((prediction & truth & counted).sum()) / union if union else 1.0


def tight_box(mask: BoolMask) -> tuple[int, int, int, int] | None:
    """Half-open box (row0, col0, row1, col1) of a (H, W) mask, or None where it is empty."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1


def distance_to_outside(mask: BoolMask) -> NDArray[np.float32]:
    """Euclidean distance in pixels of each pixel of a (H, W) mask to the nearest one outside it.

    Outside the mask it is 0; the image's border does not count.
    Squared distances between pixels are whole numbers, so that rounding them makes what
    OpenCV computes exact (up to 2000 px).  Its own last bits depend on where in memory the mask
    happens to lie, so that clicks, which go to the deepest pixel, jump between equally deep
    ones from run to run.
    """
    near = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    squared = np.rint(np.square(near, dtype=np.float64))
    return np.sqrt(squared).astype(np.float32)


def encode(mask: BoolMask) -> dict[str, Any]:
    """COCO run-length code of a (H, W) mask: ``{"size": [H, W], "counts": str}``."""
    code = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(side) for side in code["size"]], "counts": code["counts"].decode()}


def decode(code: dict[str, Any]) -> BoolMask:
    """The (H, W) bool mask of a COCO run-length code."""
    counts = code["counts"]
    counts = counts.encode() if isinstance(counts, str) else counts
    return coco_mask.decode({"size": code["size"], "counts": counts}).astype(bool)
