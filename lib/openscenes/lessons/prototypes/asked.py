"""One object, and what the network answers: asked once, and again only at another click."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from openscenes import masks
from openscenes.data import crops
from openscenes.data.examples import Example
from openscenes.data.records import Box, Interaction, ObjectRecord, Point
from openscenes.method.inference import Prediction, paste_back, predictions
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import Model, run_context


@dataclass(frozen=True, eq=False)
class Asked:
    """One object, and what the network answered when it was asked, once.

    Attributes:
        example: its box and point in picture pixels; its id fixes the center points.
        picture: (H, W, 3) uint8 RGB, the photograph.
        crop: (S, S, 3) uint8 RGB, what the network saw.
        affine: from picture to crop pixels, as in ``data.crops``.
        point: (1, 2) int64 (row, col) of the click in the crop.
        prediction: masks and features, with B = 1; features in float32.
        truth: (H, W) bool in picture pixels, None where nobody labelled the object.
        void: (H, W) bool, pixels that do not count, or None.
        crop_truth, crop_void: (S, S) bool, the same in the crop; empty where there is no truth.
        iou: of the coarse mask with the truth in picture pixels, None without truth.
    """

    example: Example
    picture: NDArray[np.uint8]
    crop: NDArray[np.uint8]
    affine: crops.Affine
    point: Tensor
    prediction: Prediction
    truth: masks.BoolMask | None
    void: masks.BoolMask | None
    crop_truth: masks.BoolMask
    crop_void: masks.BoolMask
    iou: float | None

    @property
    def name(self) -> str:
        """The object in words."""
        return name_of(self.example)


def ask(study: Study, model: Model, example: Example) -> Asked:
    """Run the network on one object: the only place of the explorer where it runs."""
    profile = study.profile
    network = study.remembered(("loaded", model.digest), lambda: model.load(study))
    ((_, cuts, batch, prediction),) = predictions(
        network, [replace(example, others=())], run_context(study)
    )
    prediction = replace(
        prediction, layer4=prediction.layer4.float(), decoder=prediction.decoder.float()
    )
    sample, last = cuts[0], profile.crop.size - 1
    labelled = example.supervision is not None
    truth, void = study.cache.supervision(example) if labelled else (None, None)
    pasted = next(paste_back(prediction.probability, cuts)) > profile.inference.threshold
    return Asked(
        example=example,
        picture=study.cache.image(example.image),
        crop=sample.image,
        affine=sample.affine,
        point=batch.points.round().clamp(0, last).long(),
        prediction=prediction,
        truth=truth,
        void=void,
        crop_truth=sample.mask,
        crop_void=sample.void,
        iou=None if truth is None else masks.iou(pasted, truth, void),
    )


def name_of(example: Example) -> str:
    """The object's class and number in its scene, for menus and titles."""
    record = example.supervision
    if isinstance(record, ObjectRecord):
        return f"{record.class_name} of {record.scene} {record.object_id}"
    return f"an object without label in {example.image.stem}"


def reclicked(study: Study, example: Example, box: Box, point: Point) -> Example:
    """The same photograph, another box and point; its truth is that of the object clicked on.

    Ours: among the labelled objects under the point, the one whose box is nearest to the user's;
    where the point lies on none there is no truth.

    Args:
        example: with the other objects of its photograph, as ``material.with_others`` gives them.
    """
    known = example.supervision
    records = [*([known] if isinstance(known, ObjectRecord) else []), *example.others]
    under = [record for record in records if _lies_on(point, study.cache.truth(record)[0])]
    found = max(under, key=lambda record: _box_iou(record.box, box), default=None)
    return replace(
        example,
        object_id=f"{example.image.stem} {tuple(box)} {tuple(point)}",
        interaction=Interaction(box, point),
        supervision=found,
        others=tuple(record for record in records if record is not found),
    )


def _lies_on(point: Point, mask: masks.BoolMask) -> bool:
    row, col = (
        round(min(max(at, 0), side - 1)) for at, side in zip(point, mask.shape, strict=True)
    )
    return bool(mask[row, col])


def _box_iou(one: Box, other: Box) -> float:
    height = min(one.row1, other.row1) - max(one.row0, other.row0)
    width = min(one.col1, other.col1) - max(one.col0, other.col0)
    shared = max(height, 0.0) * max(width, 0.0)
    return shared / (_area(one) + _area(other) - shared)


def _area(box: Box) -> float:
    return (box.row1 - box.row0) * (box.col1 - box.col0)
