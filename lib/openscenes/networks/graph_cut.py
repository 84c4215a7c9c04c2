"""A graph cut after the network: the mask's border moves to where colours change.

iFCN (Xu et al., CVPR 2016) cuts its FCN-8s' output so. Ours: OpenCV's GrabCut (Rother et al. 2004)
is the nearest kept library; its colours come from mixtures of Gaussians that it fits itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.errors import InputError
from openscenes.settings import require_between, setting

FOREGROUND = (cv2.GC_FGD, cv2.GC_PR_FGD)
SMALLEST_SAMPLE = 5  # GrabCut fits five Gaussians to each side and stops where it has fewer pixels


@dataclass(frozen=True)
class GraphCutConfig:
    """What the cut may change."""

    threshold: float = setting(0.5, "Ours: a probability above it is likely foreground")
    certain: float = setting(0.95, "Ours: above it, or below one less it, a pixel is not cut anew")
    click_radius_px: int = setting(3, "Ours: a click holds for a disk around it; image pixels")
    iterations: int = setting(2, "Ours: of fitting colours and cutting")
    seed: int = setting(0, "Ours: of GrabCut's k-means")

    def __post_init__(self) -> None:
        """Refuse what no cut can be made with."""
        require_between(self, 0.0, 1.0, "threshold")
        require_between(self, 0.5, 1.0, "certain")
        require_between(self, 0, 1000, "click_radius_px")
        require_between(self, 1, 100, "iterations")


def graph_cut(
    image: NDArray[np.uint8],
    probability: NDArray[np.floating],
    clicks: NDArray[np.floating],
    config: GraphCutConfig | None = None,
) -> NDArray[np.bool_]:
    """The mask that colours and clicks agree on, near the network's.

    iFCN: the cut is made on the network's probabilities, and clicks hold.
    Ours: GrabCut takes no probabilities, so those near 0 and 1 are fixed and those between only
    say where the cut starts.
    Ours: without a click, or where one side has hardly a pixel, there is nothing to cut, and the
    thresholded probability comes back.
    Ours: k-means takes no generator; OpenCV's own is seeded before each call, so the same
    arguments give the same mask. Nothing else here draws from it.

    Args:
        image: (H, W, 3) uint8; the order of colours does not matter.
        probability: (H, W) float in [0, 1].
        clicks: (K, 3) (row, col, sign) in image pixels; +1 inside, -1 outside, 0 no click.
        config: None takes the defaults.
    Returns:
        (H, W) bool.
    Raises:
        InputError: if shapes or the image's type do not fit.
    """
    config = GraphCutConfig() if config is None else config
    _check(image, probability, clicks)
    mask = probability > config.threshold
    placed = clicks[clicks[:, 2] != 0]
    if len(placed) == 0 or mask.all() or not mask.any():
        return mask
    labels = _labels(probability, mask, placed, config)
    n_inside = int(np.isin(labels, FOREGROUND).sum())
    if min(n_inside, labels.size - n_inside) < SMALLEST_SAMPLE:
        return mask
    cv2.setRNGSeed(config.seed)
    pixels, rounds, mode = np.ascontiguousarray(image), config.iterations, cv2.GC_INIT_WITH_MASK
    cv2.grabCut(pixels, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), rounds, mode)
    return np.isin(labels, FOREGROUND)


def _labels(
    probability: NDArray[np.floating],
    mask: NDArray[np.bool_],
    placed: NDArray[np.floating],
    config: GraphCutConfig,
) -> NDArray[np.uint8]:
    """(H, W) uint8 in GrabCut's four labels; the pixel under a click wins over other disks."""
    labels = np.where(mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[probability > config.certain] = cv2.GC_FGD
    labels[probability < 1.0 - config.certain] = cv2.GC_BGD
    for radius in (config.click_radius_px, 0):
        for row, col, sign in placed:
            kind = cv2.GC_FGD if sign > 0 else cv2.GC_BGD
            cv2.circle(labels, (round(col), round(row)), radius, kind, thickness=cv2.FILLED)
    return labels


def _check(
    image: NDArray[np.uint8], probability: NDArray[np.floating], clicks: NDArray[np.floating]
) -> None:
    fits = image.ndim == 3 and image.shape[2] == 3 and probability.shape == image.shape[:2]
    if not fits or image.dtype != np.uint8 or clicks.ndim != 2 or clicks.shape[1] != 3:
        raise InputError(
            f"A graph cut got an image {image.shape} of {image.dtype}, a probability "
            f"{probability.shape} and clicks {clicks.shape}; give (H, W, 3) uint8, (H, W) and "
            "(K, 3)."
        )
