"""What feature alignment computes for a pair, by the functions that train: terms, maps, clouds."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openscenes.lessons.alignment.pairs import Outputs, Pairing
from openscenes.method.alignment import (
    AlignmentConfig,
    feature_alignment_loss,
    maximum_squares_loss,
    on_grid,
)
from openscenes.method.objective import alignment_losses, pair_losses
from openscenes.method.prototypes import as_full_precision, prototypes
from openscenes.networks.enlargement import enlarge
from openscenes.networks.openscene import NetworkOutput

FloatMap = NDArray[np.float32]
MOST_CELLS = 700  # of each side that a figure of the clouds shows


def _only(term: str) -> dict[str, Any]:
    """Settings under which L_feat is one term, unweighted, for known and unknown classes."""
    terms = {name: term in name for name in (
        "proto_term", "class_agnostic_proto_term", "pixel_term", "class_agnostic_pixel_term"
    )}  # fmt: skip
    return {"feature_weight": 1.0, **terms}


@dataclass(frozen=True)
class Terms:
    """The numbers of N pairs, each (N,) float32.

    Attributes:
        proto, pixel: terms A and B of Eq. 7 before any weight, A once, as the equation has it;
            B also where Eq. 8 drops it.
        feat, max: L_feat and L_max as training adds them.
        ce_old, ce_new: cross entropies of the masks; the old one is times the epoch's weight.
    """

    proto: Tensor
    pixel: Tensor
    feat: Tensor
    max: Tensor
    ce_old: Tensor
    ce_new: Tensor


@dataclass(frozen=True)
class CellMaps:
    """Maps of one pair's new object on F's grid, (h, w) float32; nan where a cell counts nowhere.

    Attributes:
        share: how much of each cell the pseudo mask covers, in [0, 1].
        probability: M'_b, the predictor's probability of foreground.
        distance: ||F_b - c_a||^2.
        weight: share / M'_b, with M'_b no smaller than the floor.
        pixel: what the cell adds to B, weight times distance.
        square: what the cell adds to L_max.
    """

    share: FloatMap
    probability: FloatMap
    distance: FloatMap
    weight: FloatMap
    pixel: FloatMap
    square: FloatMap


@dataclass(frozen=True)
class Prototypes:
    """c_a and c_b of N pairs, (N, C); ``empty`` (N,) bool marks pairs that lack one."""

    old: Tensor
    new: Tensor
    empty: Tensor


@dataclass(frozen=True)
class Plane:
    """Two orthonormal axes (C, 2) around a mean (C,), and the share of variance that they keep."""

    mean: Tensor
    axes: Tensor
    kept: float

    def project(self, features: Tensor) -> FloatMap:
        """(N, C) features as (N, 2) positions."""
        return ((features - self.mean) @ self.axes).numpy()


@dataclass(frozen=True)
class Clouds:
    """Cells (n, 2) and prototypes (N, 2) of both sides in a plane.

    Attributes:
        empty: (N,) bool, pairs that lack a prototype.
        spread: variance of the objects' cells, all channels together.
    """

    cells_old: FloatMap
    cells_new: FloatMap
    old: FloatMap
    new: FloatMap
    empty: NDArray[np.bool_]
    spread: float


def terms(
    outputs: Outputs,
    pairing: Pairing,
    config: AlignmentConfig,
    *,
    weight_old: float = 1.0,
    class_weight: float = 1.0,
) -> Terms:
    """The terms of Eq. 11 of each pair, under an epoch's weights, and A and B of Eq. 7 alone."""
    both = (outputs.old, pairing.old, outputs.new, pairing.new)
    whole = pair_losses(
        outputs.together(), pairing.old, pairing.new, config, weight_old, class_weight
    )
    return Terms(
        proto=alignment_losses(*both, replace(config, **_only("proto"), common_size=False))["feat"],
        pixel=alignment_losses(*both, replace(config, **_only("pixel")))["feat"],
        **{name: whole[name] for name in ("feat", "max", "ce_old", "ce_new")},
    )


def cell_maps(outputs: Outputs, pairing: Pairing, config: AlignmentConfig) -> CellMaps:
    """The maps of a single pair: what each cell adds to the sums of Eq. 7, 9 and 10."""
    features = as_full_precision(outputs.new.features)
    share = on_grid(pairing.new.masks, features).flatten()
    probability = torch.sigmoid(outputs.new.predictor.float()).flatten()
    partner, inside = prototypes_of(outputs, pairing).old, (share > 0).float()
    distance = _by_cell(features, partner, inside, torch.ones_like(share), config)
    pixel = _by_cell(features, partner, share, probability, config)
    weight = torch.where(distance > 0, pixel / distance, 0.0)
    square = _squares(outputs.new, pairing, config)

    def drawn(values: Tensor, *, everywhere: bool = False) -> FloatMap:
        shown = values if everywhere else torch.where(share > 0, values, torch.nan)
        return shown.reshape(features.shape[2:]).numpy()

    return CellMaps(
        share=drawn(share, everywhere=True),
        probability=drawn(probability, everywhere=True),
        distance=drawn(distance), weight=drawn(weight), pixel=drawn(pixel),
        square=drawn(square, everywhere=True),
    )  # fmt: skip


def prototypes_of(outputs: Outputs, pairing: Pairing) -> Prototypes:
    """c_a over ground truth and c_b over the pseudo mask, each where the predictor agrees."""
    old, new = as_full_precision(outputs.old.features), as_full_precision(outputs.new.features)
    on_old = on_grid(_agreed(pairing.old.masks, outputs.old), old)
    on_new = on_grid(_agreed(pairing.new.masks, outputs.new), new)
    empty = (on_old.flatten(1).amax(1) == 0) | (on_new.flatten(1).amax(1) == 0)
    return Prototypes(prototypes(old, on_old)[:, 0], prototypes(new, on_new)[:, 0], empty)


def plane_of(outputs: Outputs, pairing: Pairing) -> Plane:
    """The two leading principal components of the cells of old and new objects together."""
    cells = torch.cat(_both_sides(outputs, pairing))
    mean = cells.mean(0)
    variances, directions = torch.linalg.eigh((cells - mean).T @ (cells - mean))
    axes = directions[:, [-1, -2]]
    signs = axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    return Plane(mean, axes * signs, float(variances[-2:].sum() / variances.sum().clamp(min=1e-12)))


def clouds(outputs: Outputs, pairing: Pairing, plane: Plane) -> Clouds:
    """Cells and prototypes of all pairs in a plane, which may have been fitted to another model."""
    old, new = _both_sides(outputs, pairing)
    both, found = torch.cat([old, new]), prototypes_of(outputs, pairing)
    return Clouds(
        plane.project(_some(old)), plane.project(_some(new)),
        plane.project(found.old), plane.project(found.new), found.empty.numpy(),
        float((both - both.mean(0)).square().sum(1).mean()),
    )  # fmt: skip


def _both_sides(outputs: Outputs, pairing: Pairing) -> tuple[Tensor, Tensor]:
    return object_cells(outputs.old, pairing.old.masks), object_cells(
        outputs.new, pairing.new.masks
    )


def object_cells(output: NetworkOutput, masks: Tensor) -> Tensor:
    """Features of the cells that masks cover at least half of, (n, C) float32, object by object."""
    features = as_full_precision(output.features)
    covered = on_grid(masks, features)[:, 0] >= 0.5
    return features.permute(0, 2, 3, 1)[covered]


def _by_cell(
    features: Tensor, partner: Tensor, share: Tensor, probability: Tensor, config: AlignmentConfig
) -> Tensor:
    """B of every cell of one pair, (h * w,), as if each were a feature of its own."""
    cells = _cells(features)
    one = torch.ones(len(cells), 1, 1, 1)
    return feature_alignment_loss(
        _cells(partner[:, :, None, None]).expand_as(cells), one, cells, one,
        share[:, None, None, None], probability[:, None, None, None],
        torch.ones(len(cells), dtype=torch.bool),
        replace(config, **_only("pixel"), reduction="sum"),
    )  # fmt: skip


def _squares(output: NetworkOutput, pairing: Pairing, config: AlignmentConfig) -> Tensor:
    """What each cell adds to L_max, (h * w,)."""
    foreground = _cells(torch.sigmoid(output.predictor.float()))
    classes = _cells(torch.softmax(output.classes.float(), dim=1))
    plain = replace(config, max_square_weight=1.0, reduction="sum")
    n_pixels = pairing.new.masks[0].numel() / len(foreground)
    known = pairing.known.expand(len(foreground))
    return maximum_squares_loss(foreground, classes, known, plain, n_pixels)


def _cells(maps: Tensor) -> Tensor:
    """(1, C, h, w) to (h * w, C, 1, 1)."""
    return maps[0].flatten(1).T[:, :, None, None]


def _agreed(masks: Tensor, output: NetworkOutput) -> Tensor:
    """Supervision where the predictor agrees, all of it where it agrees nowhere, as Eq. 7's Q."""
    agreed = masks & (enlarge(output.predictor, (masks.shape[-2], masks.shape[-1])) > 0)
    return torch.where(agreed.flatten(1).any(1)[:, None, None, None], agreed, masks)


def _some(cells: Tensor) -> Tensor:
    """At most ``MOST_CELLS`` rows, taken evenly."""
    if len(cells) <= MOST_CELLS:
        return cells
    return cells[torch.linspace(0, len(cells) - 1, MOST_CELLS).round().long()]
