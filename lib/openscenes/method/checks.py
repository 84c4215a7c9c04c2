"""What a caller passes as a tensor is asked what it is before anything is computed with it."""

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from openscenes.data.examples import NO_CLASS, Example
from openscenes.errors import InputError
from openscenes.files import one_line

T = TypeVar("T")

# Squared distances of 2048 channels of this size stay finite in float32.
LARGEST_FEATURE = 1e15
_ABOVE_ONE = 1e-4  # what rounding may add to a probability


def require_tensor(values: object, name: str, device: torch.device | None = None) -> None:
    """Refuse what is no dense tensor of real numbers, or lies elsewhere."""
    if not isinstance(values, Tensor):
        raise InputError(
            f"{name} is a {type(values).__name__}; give a torch.Tensor, such as "
            "torch.from_numpy(array)."
        )
    if values.layout != torch.strided or values.is_complex() or values.is_meta:
        raise InputError(
            f"{name} is {values.dtype}, {values.layout} on {values.device}; give a dense tensor of "
            "real numbers on a CPU or GPU."
        )
    if device is not None and values.device != device:
        raise InputError(f"{name} lies on {values.device}, and the features on {device}; move it.")


def require_features(features: Tensor) -> None:
    """Refuse features that are not numbers, or whose distances are none.

    Args:
        features: (B, C, h, w) float.
    """
    if 0 in features.shape:
        raise InputError(f"features have shape {tuple(features.shape)}; give none that is empty.")
    low, high = torch.aminmax(features.detach())
    if not (float(low) >= -LARGEST_FEATURE and float(high) <= LARGEST_FEATURE):
        raise InputError(
            f"features reach from {float(low):g} to {float(high):g}; give finite numbers of at "
            f"most {LARGEST_FEATURE:g}."
        )


def require_weights(weights: Tensor, name: str, most: float = 1.0) -> None:
    """Refuse weights or probabilities outside [0, ``most``]; a bool mask is always fine."""
    if weights.dtype == torch.bool or weights.numel() == 0:
        return
    low, high = torch.aminmax(weights.detach())
    if not (float(low) >= 0 and float(high) <= most + _ABOVE_ONE):
        raise InputError(
            f"{name} reaches from {float(low):g} to {float(high):g}; give a bool mask, or numbers "
            f"from 0 to {most:g}."
        )


def generators_of(
    given: torch.Generator | Sequence[torch.Generator] | None, n_objects: int
) -> Sequence[torch.Generator]:
    """One generator for each object; None: one with seed 0 for all."""
    if given is None:
        given = torch.Generator().manual_seed(0)
    if isinstance(given, torch.Generator):
        return [given] * n_objects
    if not isinstance(given, Sequence) or not all(isinstance(g, torch.Generator) for g in given):
        raise InputError(
            f"generator is a {type(given).__name__}; give a torch.Generator, or one per object."
        )
    if len(given) != n_objects:
        raise InputError(
            f"Got {len(given)} generators for {n_objects} objects; give one for each, or one for "
            "all."
        )
    return given


def check_maps(features: Tensor, maps: dict[str, Tensor]) -> None:
    """Refuse maps of refinement that do not lie on the features' objects and one another."""
    require_tensor(features, "features")
    for name, values in maps.items():
        require_tensor(values, name, features.device)
    if features.ndim != 4 or not features.is_floating_point():
        raise InputError(
            f"features are {features.dtype} of shape {tuple(features.shape)}; "
            "give floating point values of shape (B, C, h, w)."
        )
    coarse = maps["coarse_mask"]
    wanted = (len(features), 1, *coarse.shape[-2:])
    for name, values in maps.items():
        if tuple(values.shape) != wanted:
            raise InputError(
                f"{name} has shape {tuple(values.shape)}; give {wanted}, one map for each of the "
                f"{len(features)} features and as large as the coarse mask."
            )
        if name in ("coarse_mask", "region") and values.dtype != torch.bool:
            raise InputError(f"{name} is {values.dtype}; give a bool mask.")
        require_weights(values, name)


def check_points(points: Tensor, coarse: Tensor) -> None:
    """Refuse clicks that are no pixels of the coarse mask."""
    batch, _, height, width = coarse.shape
    require_tensor(points, "points")
    whole = not points.is_floating_point() and points.dtype != torch.bool
    if points.shape != (batch, 2) or not whole:
        raise InputError(
            f"points are {points.dtype} of shape {tuple(points.shape)}; give integers of shape "
            f"({batch}, 2), one (row, col) for each object."
        )
    for row, col in points.tolist():
        if not (0 <= row < height and 0 <= col < width):
            raise InputError(
                f"The click (row {row}, col {col}) lies outside the {height} x {width} image; "
                "give a pixel inside it."
            )


def require_objects(objects: Sequence[T], kind: type[T], name: str) -> Sequence[T]:
    """The objects; refuse fewer than two: a batch of one gives BatchNorm no average."""
    if not isinstance(objects, Sequence) or not all(isinstance(one, kind) for one in objects):
        raise InputError(
            f"{name} is a {type(objects).__name__}; give a sequence of {kind.__name__}."
        )
    if len(objects) < 2:
        raise InputError(
            f"{name} has {len(objects)} objects, and training needs at least 2; give more."
        )
    return objects


def require_classes(examples: Sequence[Example], channels: int) -> None:
    """Refuse examples of a class that the class head has no channel for."""
    for example in examples:
        if not NO_CLASS <= example.class_index < channels:
            raise InputError(
                f"{one_line(example.object_id)} has class_index {example.class_index}, and the "
                f"network {channels} channels; give one below, or a network of more classes."
            )
