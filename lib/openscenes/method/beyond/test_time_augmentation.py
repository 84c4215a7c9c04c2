"""Test-time augmentation: the mean probability of a flip, two zooms, two rotations and no change.

Ours: the paper predicts a coarse mask from one view.  The same three clicks hold in every view of
the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from openscenes.data import crops, samples
from openscenes.data.examples import Example, ImageCache
from openscenes.data.samples import Sample


@dataclass(frozen=True)
class View:
    """One augmentation, about the image's centre."""

    flip: bool = False
    rotation_deg: float = 0.0
    zoom: float = 1.0


OTHER_VIEWS = (
    View(flip=True),
    View(zoom=0.8),
    View(zoom=1.25),
    View(rotation_deg=-10.0),
    View(rotation_deg=10.0),
)


def cut_view(example: Example, view: View, crop: crops.CropConfig, cache: ImageCache) -> Sample:
    """The example's crop in one view.

    Ours: the ground truth of an example is left out, as it would shrink a turned box to the
    turned mask; a turned box is the hull of the user's box.
    """
    return samples.cut(
        replace(example, supervision=None),
        crop,
        cache,
        view=lambda shape: crops.turned(shape, view.flip, view.rotation_deg, view.zoom),
    )


def warped_back(
    probability: Tensor, seen: Sequence[Sample], plain: Sequence[Sample]
) -> tuple[Tensor, Tensor]:
    """Bring maps from the crops of a view to the plain crops.

    Ours: bilinear; pixels outside the view have weight zero.

    Args:
        probability: (B, 1, S, S) float, in the frames of ``seen``.
    Returns:
        (B, 1, S, S) map and weight in the frames of ``plain``, on the map's device.
    """
    pieces = [
        _warp(piece, view.affine, sample.affine)
        for piece, view, sample in zip(
            probability[:, 0].float().cpu().numpy(), seen, plain, strict=True
        )
    ]
    maps, weights = (np.stack(parts)[:, None] for parts in zip(*pieces, strict=True))
    device = probability.device
    return torch.from_numpy(maps).to(device), torch.from_numpy(weights).to(device)


def _warp(
    piece: np.ndarray, seen: crops.Affine, plain: crops.Affine
) -> tuple[np.ndarray, np.ndarray]:
    between = crops.compose(plain, crops.invert(seen))
    size = piece.shape
    weight = cv2.warpAffine(np.ones_like(piece), between, size, flags=cv2.INTER_LINEAR)
    return cv2.warpAffine(piece, between, size, flags=cv2.INTER_LINEAR), weight
