"""One object and the network's prediction for it: one run per object, click and box."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from openscenes import masks
from openscenes.data import crops
from openscenes.data.examples import Example
from openscenes.data.records import Box, Interaction, ObjectRecord, Point
from openscenes.lessons.interactions.user_inputs import inside
from openscenes.lessons.loading import loaded
from openscenes.method.cutting import paste_back
from openscenes.method.inference import Prediction, predictions
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import Model, run_context


@dataclass(frozen=True, eq=False)
class PredictedObject:
    """One object and what the network predicts for it.

    Attributes:
        example: its box and point in image pixels; its id fixes the center points.
        image: (H, W, 3) uint8 RGB.
        crop: (S, S, 3) uint8 RGB, what the network saw.
        affine: from image to crop pixels, as in ``data.crops``.
        point: (1, 2) int64 (row, col) of the click in the crop.
        prediction: masks and features, with B = 1; features in float32.
        truth: (H, W) bool, None for an unlabelled object.
        void: (H, W) bool, pixels that do not count, or None.
        crop_truth, crop_void: (S, S) bool, the same in the crop; empty where there is no truth.
        iou: of the coarse mask with the truth in image pixels, None without truth.
    """

    example: Example
    image: NDArray[np.uint8]
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


def predict_object(study: Study, model: Model, example: Example) -> PredictedObject:
    """Run the network on one object."""
    profile = study.profile
    ((_, cuts, batch, prediction),) = predictions(
        loaded(study, model), [replace(example, others=())], run_context(study)
    )
    prediction = replace(
        prediction, layer4=prediction.layer4.float(), decoder=prediction.decoder.float()
    )
    sample, last = cuts[0], profile.crop.size - 1
    labelled = example.supervision is not None
    truth, void = study.cache.supervision(example) if labelled else (None, None)
    pasted = next(paste_back(prediction.probability, cuts)) > profile.inference.threshold
    return PredictedObject(
        example=example,
        image=study.cache.image(example.image),
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
    """The same image, another box and point; its truth is that of the object clicked on.

    Of several objects under the point it is the one whose box fits the user's best; where the
    point lies on none there is no truth.
    """
    known = example.supervision
    records = [*([known] if isinstance(known, ObjectRecord) else []), *example.others]
    under = [record for record in records if _lies_on(point, study.cache.mask(record))]
    found = max(under, key=lambda record: _box_iou(record.box, box), default=None)
    return replace(
        example,
        object_id=f"{example.image.stem} {tuple(box)} {tuple(point)}",
        interaction=Interaction(box, point),
        supervision=found,
        others=tuple(record for record in records if record is not found),
    )


def _lies_on(point: Point, mask: masks.BoolMask) -> bool:
    at = inside(point, mask.shape)
    return bool(mask[round(at.row), round(at.col)])


def _box_iou(one: Box, other: Box) -> float:
    low, high = np.maximum(one, other), np.minimum(one, other)
    shared = np.prod(np.maximum(high[2:] - low[:2], 0.0))
    areas = sum(np.prod(np.subtract(box[2:], box[:2])) for box in (one, other))
    return float(shared / (areas - shared))
