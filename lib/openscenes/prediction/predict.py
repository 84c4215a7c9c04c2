"""One image, one box, one point: one mask (``openscenes.predict``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from openscenes.method.answers import Answers
from openscenes.method.click_cut import mark
from openscenes.method.cutting import paste_back
from openscenes.method.evidence_config import FOR_PEOPLE
from openscenes.method.inference import InferenceConfig, RunContext
from openscenes.networks.devices import Precision as FabricPrecision
from openscenes.networks.devices import make_fabric
from openscenes.prediction.model_files import (
    LoadedModel,
    Precision,
    model_from_file,
    newest_demo_model,
)

Click = tuple[float, float, int]  # row, col in pixels of the image; +1 inside, -1 outside
PRECISIONS_OF_FABRIC: dict[str, FabricPrecision] = {"bf16": "bf16-mixed", "fp32": "32-true"}


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
    clicks: Sequence[Click] = (),
    *,
    evidence: bool = False,
    obey: bool = True,
    model: LoadedModel | Path | str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
) -> PredictionResult:
    """Segment the object in a box, pointed at by one click inside it; further clicks correct it.

    Paper: Sec. 3.1 (the interaction); the mask is the coarse one, M_p: IPT refines what a model
    learns from, not what it predicts. One threshold of 0.5 after pasting the crop back.
    Ours: a further click's pixel has its label, and so has what looks like it (``click_cut``).
    Ours: with ``evidence`` the network's map is weighed with cuts of the image by how tightly each
    fills the box (``method.evidence``): slower, and better on three of the four scenes of Table
    4+; not on the fourth, the study's Cityscapes layout.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: (row0, col0, row1, col1), half-open in image pixels; fractions are fine.
        point: (row, col) inside the box, pixel centres at integers.
        clicks: further (row, col, sign) in their order, +1 inside the object and -1 outside.
        evidence: whether image and box have a say, beside the network.
        obey: False gives what the network alone makes of the clicks.
        model: a loaded model, the path of a model file, or None for the newest demo model.
        device: "auto", "cpu" or "cuda", for a model that is still to be loaded.
        precision: "auto" (bf16 where it pays), "bf16" or "fp32", likewise.
    Returns:
        PredictionResult; a model file is read once.
    Raises:
        InputError: if image, box, point or a click cannot be used, or for an unknown device or
            precision.
        WeightsError: if there is no model, or its file cannot be used.
    """
    interaction = checked_interaction(image, box, point)
    loaded = _loaded(model, device, precision)
    interaction = following(interaction, clicks, _image_size(image), loaded.crop)
    sample = _sample(image, interaction, loaded.crop)
    config = InferenceConfig(evidence=FOR_PEOPLE if evidence else None)
    given = checked_clicks(clicks, sample.affine, loaded.crop.size)
    if len(given) or evidence:
        fabric = make_fabric(loaded.device.type, PRECISIONS_OF_FABRIC[loaded.precision])
        context = RunContext(loaded.crop, loaded.clicks, config, fabric=fabric)
        (one,) = Answers(loaded.network, [sample], context, obeyed=obey).to([given])
        probability, finite = one.whole(), np.isfinite(one.sent.array).all()
    else:
        predicted = loaded.predict(collate([sample]), config).probability
        probability, finite = next(paste_back(predicted, [sample])), predicted.isfinite().all()
    if not finite:
        raise WeightsError(
            f"The output of {one_line(loaded.label)} is not finite; its weights are damaged, train "
            "it again."
        )
    mask = probability > config.threshold
    mark(mask, given if obey else None)
    return PredictionResult(mask, probability, mean_inside(probability, mask))


def following(
    interaction: Interaction,
    clicks: Sequence[Click],
    shape: tuple[int, int],
    crop: crops.CropConfig,
) -> Interaction:
    """The interaction whose crop shows all further clicks on the object (``box_that_follows``).

    Raises:
        InputError: if the clicks are none.
    """
    given = _click_numbers(clicks)
    return replace(interaction, box=crops.box_that_follows(interaction.box, given, shape, crop))


def checked_clicks(clicks: Sequence[Click], affine: crops.Affine, size: int) -> NDArray[np.float32]:
    """Further clicks, (K, 3) row, col, sign, that a crop shows.

    Args:
        affine: from the image to the (size, size) crop.
    Raises:
        InputError: naming what is wrong.
    """
    given = _click_numbers(clicks)
    points = crops.apply(affine, given[:, 1::-1])
    outside = ~((points >= -0.5) & (points <= size - 0.5)).all(axis=1)
    if outside.any():
        row, col = given[outside][0, :2]
        whole = crops.box_corners(Box(0.0, 0.0, float(size), float(size)))
        seen = crops.hull_box(crops.apply(crops.invert(affine), whole))
        raise InputError(
            f"The click ({row:.0f}, {col:.0f}) lies outside the crop of this object, "
            f"({', '.join(f'{side:.0f}' for side in seen)}); click nearer to the box, or draw a "
            "larger one."
        )
    return given.astype(np.float32)


def _click_numbers(clicks: Sequence[Click]) -> NDArray[np.float64]:
    if isinstance(clicks, list | tuple | np.ndarray) and len(clicks) == 0:
        return np.zeros((0, 3))
    try:
        given = np.asarray(clicks, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        given = np.empty(0)
    finite = given.ndim == 2 and given.shape[1] == 3 and np.isfinite(given).all()
    if not finite or not np.isin(given[:, 2], (1, -1)).all():
        raise InputError(
            f"The further clicks are {_shown(clicks)}; give finite (row, col, sign), with "
            "a sign of +1 inside the object or -1 outside."
        )
    return given


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
