"""One image, one box, one point: one mask (``openscenes.predict``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openscenes.data import crops
from openscenes.data.examples import NO_CLASS
from openscenes.data.records import Box, Interaction, Point
from openscenes.data.samples import Sample, collate
from openscenes.errors import InputError, WeightsError
from openscenes.files import one_line
from openscenes.masks import MAX_PIXELS
from openscenes.method.cutting import paste_back
from openscenes.method.inference import InferenceConfig
from openscenes.prediction.model_files import (
    LoadedModel,
    Precision,
    model_from_file,
    newest_demo_model,
)


@dataclass(frozen=True)
class PredictionResult:
    """The object that a user pointed at, in the image's own pixels.

    Attributes:
        mask: (H, W) bool; where the probability is above one half.
        probability: (H, W) float32 in [0, 1]; zero outside the crop around the box.
        confidence: mean probability over the mask, in [0, 1] (Eq. 4 over the predicted mask,
            with the network's probability for P); 0 for an empty mask.
    """

    mask: NDArray[np.bool_]
    probability: NDArray[np.float32]
    confidence: float


def predict(
    image: NDArray[np.uint8],
    box: Sequence[float] | NDArray[Any],
    point: Sequence[float] | NDArray[Any],
    *,
    model: LoadedModel | Path | str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
) -> PredictionResult:
    """Segment the object in a box, pointed at by one click inside it.

    Paper: Sec. 3.1 (the interaction); the mask is the coarse one, M_p: IPT refines what a model
    learns from, not what it predicts. One threshold of 0.5 after pasting the crop back.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: (row0, col0, row1, col1), half-open in image pixels; fractions are fine.
        point: (row, col) inside the box, pixel centres at integers.
        model: a loaded model, the path of a model file, or None for the newest demo model.
        device: "auto", "cpu" or "cuda", for a model that is still to be loaded.
        precision: "auto" (bf16 where it pays), "bf16" or "fp32", likewise.
    Returns:
        PredictionResult; a model file is read once.
    Raises:
        InputError: if image, box or point cannot be used, or device or precision is unknown.
        WeightsError: if there is no model, or its file cannot be used.
    """
    interaction = checked_interaction(image, box, point)
    loaded = _loaded(model, device, precision)
    sample = _sample(image, interaction, loaded.crop)
    config = InferenceConfig()
    predicted = loaded.predict(collate([sample]), config).probability
    if not predicted.isfinite().all():
        raise WeightsError(
            f"The output of {one_line(loaded.label)} is not finite; its weights are damaged, train "
            "it again."
        )
    probability = next(paste_back(predicted, [sample]))
    mask = probability > config.threshold
    return PredictionResult(mask, probability, mean_inside(probability, mask))


def mean_inside(probability: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Mean of a (H, W) probability over a mask; 0 where the mask is empty."""
    return float(probability[mask].mean(dtype=np.float64)) if mask.any() else 0.0


def checked_interaction(image: object, box: object, point: object) -> Interaction:
    """The interaction of a user's values.

    A box lies inside the image and a point inside the box, edges included: row 3 covers 2.5 to
    3.5, so a box from row 3 begins at 2.5.

    Raises:
        InputError: naming what is wrong.
    """
    height, width = _image_size(image)
    area = Box(*_numbers(box, "The box", "(row0, col0, row1, col1)", 4))
    click = Point(*_numbers(point, "The point", "(row, col)", 2))
    _check_box(area, height, width)
    edges = zip(click, area[:2], area[2:], strict=True)
    if not all(low - 0.5 <= at <= high - 0.5 for at, low, high in edges):
        raise InputError(
            f"The point {_written(click)} lies outside the box {_written(area)}; click inside "
            "the box, as (row, col)."
        )
    return Interaction(area, click)


def _image_size(image: object) -> tuple[int, int]:
    wanted = "give (H, W, 3) uint8 RGB"
    if not isinstance(image, np.ndarray):
        raise InputError(f"The image is a {type(image).__name__}; {wanted} as a NumPy array.")
    if isinstance(image, np.ma.MaskedArray):
        raise InputError(f"The image is a masked array; {wanted}, such as image.filled(0).")
    if image.ndim == 2:
        raise InputError(
            f"The image is grey, of shape {image.shape}; {wanted}, for example "
            "np.stack([image] * 3, axis=-1)."
        )
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(f"The image has shape {image.shape}; {wanted}.")
    if image.dtype != np.uint8:
        raise InputError(f"The image is {image.dtype}; {wanted}, from 0 to 255.")
    if max(image.shape) > crops.LONGEST_SIDE_PX or image.shape[0] * image.shape[1] > MAX_PIXELS:
        raise InputError(
            f"The image is {image.shape[0]} x {image.shape[1]}; cut it or scale it down to sides "
            f"of at most {crops.LONGEST_SIDE_PX} and {MAX_PIXELS} pixels."
        )
    return image.shape[0], image.shape[1]


def _numbers(values: object, name: str, form: str, n: int) -> list[float]:
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        array = np.empty(0)
    hidden = isinstance(values, np.ma.MaskedArray)
    truths = isinstance(values, Sequence) and any(isinstance(one, bool) for one in values)
    numbers = array.shape == (n,) and array.dtype.kind in "iuf" and not hidden and not truths
    if not numbers or not np.isfinite(array).all():
        raise InputError(f"{name} is {_shown(values)}; give {n} finite numbers, {form}.")
    return [float(value) for value in array]


def _shown(values: object) -> str:
    try:
        return one_line(repr(values))
    except (ValueError, RecursionError):  # too many digits, or a list that holds itself
        return f"a {type(values).__name__}"


def _check_box(box: Box, height: int, width: int) -> None:
    if box.row1 < box.row0 or box.col1 < box.col0:
        raise InputError(
            f"The box {_written(box)} is reversed; give its upper left corner first: "
            "(row0, col0, row1, col1)."
        )
    if box.row1 == box.row0 or box.col1 == box.col0:
        raise InputError(
            f"The box {_written(box)} has no area; row1 and col1 lie one beyond its last pixel."
        )
    if min(box) < 0 or box.row1 > height or box.col1 > width:
        raise InputError(
            f"The box {_written(box)} leaves the image of {height} x {width} pixels; give rows "
            f"from 0 to {height} and columns from 0 to {width}."
        )


def _written(values: Sequence[float]) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"


def _loaded(
    model: LoadedModel | Path | str | None, device: str, precision: Precision
) -> LoadedModel:
    if isinstance(model, LoadedModel):
        if (device, precision) != ("auto", "auto"):
            raise InputError(
                f"A loaded model lies on {model.device} in {model.precision} already; leave out "
                "device and precision, or give them when it is loaded."
            )
        return model
    if model is not None and not isinstance(model, Path | str):
        raise InputError(
            f"The model is a {type(model).__name__}; give a path, or make a loaded model with "
            "openscenes.prediction.model_files.loaded_model(network)."
        )
    path = newest_demo_model() if model is None else model
    return model_from_file(path, device=device, precision=precision)


def _sample(image: NDArray[np.uint8], interaction: Interaction, crop: crops.CropConfig) -> Sample:
    """The crop around the box, exactly as training cuts it."""
    affine = crops.window_affine(interaction.box, crop)
    nothing = np.zeros((crop.size, crop.size), dtype=bool)
    return Sample(
        image=crops.warp_image(image, affine, crop.size),
        mask=nothing,
        void=nothing,
        point=crops.move_point(affine, interaction.point),
        box=crops.move_box(affine, interaction.box),
        class_index=NO_CLASS,
        labelled=False,
        others=np.zeros((crop.size, crop.size), dtype=np.uint8),
        affine=affine,
        shape=(image.shape[0], image.shape[1]),
    )
