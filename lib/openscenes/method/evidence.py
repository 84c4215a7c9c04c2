"""Evidence masks: what the image and the user's box say of an object, beside the network.

Ours: all of it; the paper refines a coarse mask by prototypes, which are functions of that mask and
of the same feature. Colours and edges of the image, and how exactly the user drew the box, are new
evidence. GrabCut masks as labels: Simple Does It (Khoreva 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.data import crops
from openscenes.data.interactions import REFERENCE_PX
from openscenes.data.samples import Sample
from openscenes.errors import InputError
from openscenes.masks import BoolMask
from openscenes.method.evidence_config import EXACT, NETWORK_MAPS, EvidenceConfig
from openscenes.method.random_walk import FloatMap
from openscenes.method.tightness import allowed_region, tightest, tightness

Flag = Literal["", "thin", "whole image", "one colour", "cut failed", "click outside"]
CLICK_PX = 5  # how far from the click, on a crop of 512, the object is certain
NO_CLICKS = np.zeros((0, 3), np.float32)
Seeds = list[tuple[tuple[slice, slice], bool]]
FLAT = 2.0  # grey levels: standard deviation below which a crop has no edges to cut at


@dataclass(frozen=True)
class Evidence:
    """An object's mask and what led to it, in pixels of its (S, S) crop.

    Attributes:
        probability: (S, S) float32, the weighted mean of all hypotheses, moved so that its
            threshold lies at one half.
        mask: (S, S) bool, inside the box and its slack; it holds the click, if the box does.
        weights: (K,) float64 with a sum of 1.
        tightness: (K,) float64 in [0, 1].
        threshold: of the mask.
        flag: why the network's clipped map alone was taken; empty where it was not.
    """

    probability: FloatMap
    mask: BoolMask
    weights: NDArray[np.float64]
    tightness: NDArray[np.float64]
    threshold: float
    flag: Flag


def evidence_of(
    cut: Sample,
    one_view: FloatMap,
    views: FloatMap,
    config: EvidenceConfig = EXACT,
    clicks: NDArray[np.float32] = NO_CLICKS,
) -> Evidence:
    """Weigh the hypotheses about one object by how tightly each fills the user's box.

    Paper: none.  With m_k the hypotheses, t_k their tightness, pi_k a prior and gamma the power,
    ``q = sum_k w_k m_k``, ``w_k = pi_k t_k^gamma / sum_j pi_j t_j^gamma``; the mask is q above the
    one of a few thresholds at which it is itself the tightest.
    Ours: a single cut fails outright on some objects; its box tells which. Tight boxes as a
    prior of cuts: Lempitsky 2009.

    Args:
        cut: the object's plain crop.
        one_view: (S, S) in [0, 1], the network's foreground probability.
        views: (S, S) in [0, 1], its mean over six views; the cuts begin with it.
        clicks: (N, 3) row, col and sign of further clicks in pixels of the crop.
    Raises:
        InputError: if a map has another size than the crop.
    """
    _check(cut, one_view, views)
    seeds = _seeds(cut, clicks)
    region, flag = _region(cut, config.slack), _unusable(cut)
    _put(region, seeds[1:], (False, True))
    found = None if flag else hypotheses(cut, one_view, views, config, clicks)
    if found is None:
        return _fallen_back(cut, views, region, flag or "cut failed", config, seeds)
    tight = tightness(found > 0.5, cut.box, config.slack)
    weights = weights_of(tight, config)
    q = np.tensordot(weights, found, 1).astype(np.float32)
    if config.cautious:
        q = 0.5 * (q + views * region)
    _put(q, seeds, (0.0, 1.0))
    q *= region
    mask, threshold = tightest(q, cut.box, config.slack)
    moved = np.interp(q, (0.0, threshold, 1.0), (0.0, 0.5, 1.0)).astype(np.float32)
    return Evidence(moved, mask, weights, tight, threshold, "")


def weights_of(tight: NDArray[np.float64], config: EvidenceConfig) -> NDArray[np.float64]:
    """(..., K) weights of hypotheses with a tightness, of sum 1.

    Paper: none.  ``evidence_of`` has the equation.
    """
    priors = np.array(config.priors or np.ones(config.n_hypotheses))
    weights = priors * np.maximum(tight, 1e-3) ** config.power
    return np.asarray(weights / weights.sum(-1, keepdims=True))


def hypotheses(
    cut: Sample,
    one_view: FloatMap,
    views: FloatMap,
    config: EvidenceConfig,
    clicks: NDArray[np.float32] = NO_CLICKS,
) -> FloatMap | None:
    """(K, S, S) float32 maps of the object, zero outside the box and its slack.

    Paper: none.  GrabCut (Rother 2004): a mixture of five Gaussians of the colours inside and of
    those outside, and a cut where neighbours differ, in turn.
    Ours: with (l, h) a pair of certainties, the network's probability p says ``p > h`` for certain
    foreground, ``p < l`` for certain background; so do the click and all beyond the box. The last
    cut knows the box and the click alone. A cut that is not possible is left to the network's map.

    Returns:
        None where no cut is possible.
    """
    region, window = _region(cut, config.slack), _window(cut)
    clipped, plain = views * region, one_view * region
    image, seeds = _shrunk(cut.image[window], config, cv2.INTER_AREA), _seeds(cut, clicks)
    if config.filter_px:
        image = cv2.bilateralFilter(image, config.filter_px, 25.0, 2.0)
    trimaps = [_trimap(clipped, region, low, high, seeds) for low, high in config.certainties]
    alone = np.where(_region(cut, 0.0), 0.6, 0.4) * region
    trimaps.append(_trimap(alone, region, 0.0, 1.0, seeds))
    told = [_shrunk(trimap[window], config, cv2.INTER_NEAREST) for trimap in trimaps]
    cuts = [_grabcut(image, one, config.rounds) for one in told]
    if all(one is None for one in cuts):
        return None
    found = np.stack([plain, clipped, *[clipped] * len(cuts)])
    for k, one in enumerate(cuts, NETWORK_MAPS):
        if one is not None:
            found[k] = 0.0
            there = found[k][window]
            there[:] = cv2.resize(one, there.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return found * region


def _shrunk(
    values: NDArray[np.uint8], config: EvidenceConfig, interpolation: int
) -> NDArray[np.uint8]:
    """At most ``side_px`` a side."""
    size = tuple(min(side, config.side_px) for side in values.shape[1::-1])
    return np.asarray(cv2.resize(values, size, interpolation=interpolation))


def _trimap(
    p: FloatMap, region: BoolMask, low: float, high: float, seeds: Seeds
) -> NDArray[np.uint8]:
    """What GrabCut is told of each pixel."""
    told = np.where(p > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    told[p > high] = cv2.GC_FGD
    told[(p < low) | ~region] = cv2.GC_BGD
    _put(told, seeds, (cv2.GC_BGD, cv2.GC_FGD))
    return told


def _grabcut(image: NDArray[np.uint8], told: NDArray[np.uint8], rounds: int) -> FloatMap | None:
    """The cut, 0 or 1, or None where there is none; its first colours are drawn by one seed."""
    inside = np.isin(told, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if inside.all() or not inside.any():
        return None
    colours = np.zeros((2, 1, 65))  # of background and foreground
    cv2.setRNGSeed(0)
    try:
        cv2.grabCut(image, told, None, colours[0], colours[1], rounds, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return None
    return np.isin(told, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)


def _region(cut: Sample, slack: float) -> BoolMask:
    return allowed_region(cut.box, len(cut.image), slack)


def _window(cut: Sample) -> tuple[slice, slice]:
    """The part of a crop that shows its image; beyond it is black."""
    last = len(cut.image) - 1
    corners = np.array([[0.0, 0.0], [cut.shape[1] - 1.0, cut.shape[0] - 1.0]])
    (col0, row0), (col1, row1) = np.sort(crops.apply(cut.affine, corners), 0).clip(0, last)
    return tuple(
        slice(int(np.ceil(low)), int(np.floor(high)) + 1)
        for low, high in ((row0, row1), (col0, col1))
    )  # type: ignore[return-value]


def _seeds(cut: Sample, clicks: NDArray[np.float32]) -> Seeds:
    """The pixels at the user's clicks and their signs: 3 x 3 each, more in a large crop."""
    size = len(cut.image)
    far = max(1, round(CLICK_PX * size / REFERENCE_PX))
    made = []
    for row, col, sign in [(*cut.point, 1.0), *clicks.tolist()]:
        row, col = (int(np.clip(round(place), 0, size - 1)) for place in (row, col))
        area = slice(max(row - far, 0), row + far + 1), slice(max(col - far, 0), col + far + 1)
        made.append((area, sign > 0))
    return made


def _put(values: NDArray[Any], seeds: Seeds, labels: tuple[float, float]) -> None:
    """Give the pixels at clicks the label of their sign, outside or inside; the last one counts."""
    for area, inside in seeds:
        values[area] = labels[inside]


def _unusable(cut: Sample) -> Flag:
    """Why no cut can be trusted, or nothing."""
    region, window = _region(cut, 0.0), _window(cut)
    box = np.asarray(cut.box)
    zoom = np.abs(cut.affine[[1, 0], [1, 0]])
    if ((box[2:] - box[:2]) / zoom < 1.5).any() or region.sum() < 9:
        return "thin"
    row, col = (int(np.clip(round(place), 0, len(region) - 1)) for place in cut.point)
    if not region[row, col]:
        return "click outside"
    if region[window].all():
        return "whole image"
    return "one colour" if cut.image[window].std(axis=(0, 1)).max() < FLAT else ""


def _fallen_back(
    cut: Sample, views: FloatMap, region: BoolMask, flag: Flag, config: EvidenceConfig, seeds: Seeds
) -> Evidence:
    q = views.copy()
    _put(q, seeds, (0.0, 1.0))
    q *= region
    weights = np.zeros(config.n_hypotheses)
    weights[1] = 1.0
    tight = tightness((q > 0.5)[None], cut.box, config.slack) * weights
    return Evidence(q, q > 0.5, weights, tight, 0.5, flag)


def _check(cut: Sample, one_view: FloatMap, views: FloatMap) -> None:
    shape = cut.image.shape[:2]
    if one_view.shape != shape or views.shape != shape:
        raise InputError(
            f"the crop is {shape} and the maps are {one_view.shape} and {views.shape}; give the "
            "network's (S, S) maps of that crop"
        )
    if not (np.isfinite(one_view).all() and np.isfinite(views).all()):
        raise InputError("a map is not finite; its network is damaged, train it again")
