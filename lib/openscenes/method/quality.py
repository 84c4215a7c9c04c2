"""Quality without labels: the IoU that an answer likely has, from the image and the user's clicks.

Ours: all of it. Mask Scoring R-CNN (Huang 2019) lets a network predict the IoU of its own mask;
here it is a line through a few signs that no network controls, so that it compares two networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from openscenes.data.examples import Example, ImageCache
from openscenes.data.samples import Sample
from openscenes.errors import InputError
from openscenes.masks import BoolMask, iou
from openscenes.method.evidence import hypotheses, weights_of
from openscenes.method.evidence_config import NETWORK_MAPS, EvidenceConfig
from openscenes.method.inference import RunContext, predictions
from openscenes.method.other_looks import in_other_looks
from openscenes.method.random_walk import FloatMap
from openscenes.method.tightness import allowed_region, tightness
from openscenes.networks.openscene import OpenSceneNet
from openscenes.pool import Pool

SIGNS = ("tightness", "click", "evidence", "weighted agreement", "agreement", "colours")
RIDGE = 3.0  # in objects: how much the line is drawn towards a flat one
AROUND = 0.15  # of the box's side: the surroundings that an object's colours are told from
GREYS = 32  # grey levels that count as one colour, in each channel


@dataclass(frozen=True)
class Witness:
    """What is known of one object beside any answer.

    Attributes:
        cut: its plain crop.
        found: (K, S, S) bool, the cuts of ``evidence.hypotheses``; the clipped map where none is.
        weights: (K,) float64 of sum 1.
        mean: (S, S) float32, their weighted mean.
        slack: as ``EvidenceConfig.slack``.
    """

    cut: Sample
    found: BoolMask
    weights: NDArray[np.float64]
    mean: FloatMap
    slack: float


def witness(cut: Sample, one_view: FloatMap, views: FloatMap, config: EvidenceConfig) -> Witness:
    """The cuts of an object, weighed by tightness.

    Paper: none.
    Ours: without the network's own maps, with which its own answer agrees, right or wrong.

    Args:
        one_view, views: (S, S) maps of one network in [0, 1]; every answer is held against these.
    """
    made = hypotheses(cut, one_view, views, config)
    if made is None:  # no cut is possible
        inside = (views * allowed_region(cut.box, len(views), config.slack)).astype(np.float32)
        return Witness(cut, inside[None] > 0.5, np.ones(1), inside, config.slack)
    weights = weights_of(tightness(made > 0.5, cut.box, config.slack), config)[NETWORK_MAPS:]
    weights, cuts = weights / max(weights.sum(), 1e-9), made[NETWORK_MAPS:]
    mean = np.tensordot(weights.astype(np.float32), cuts, 1)
    return Witness(cut, cuts > 0.5, weights, mean, config.slack)


def signs(mask: BoolMask, seen: Witness) -> NDArray[np.float64]:
    """What speaks for an answer: (6,) float64 in [0, 1], named by ``SIGNS``.

    Paper: none.  With m the answer, h_k the cuts, w_k their weights and q their mean:
    its tightness; whether it holds the click; ``sum(m q) / sum(max(m, q))``;
    ``sum_k w_k IoU(m, h_k)``; ``mean_k IoU(m, h_k)``; ``1 - sum_c sqrt(f_c b_c)``, with f and b
    the shares of colour c in the mask and around it.

    Args:
        mask: (S, S), an answer to the witness's crop.
    """
    if mask.shape != seen.mean.shape:
        raise InputError(
            f"the answer is {mask.shape} and the crop {seen.mean.shape}; give the mask of the crop"
        )
    agreement = np.array([iou(mask, one) for one in seen.found])
    row, col = (int(np.clip(round(at), 0, len(mask) - 1)) for at in seen.cut.point)
    soft = (seen.mean * mask).sum() / max(np.maximum(seen.mean, mask).sum(), 1e-9)
    return np.array([
        tightness(mask[None], seen.cut.box, seen.slack)[0], mask[row, col], soft,
        seen.weights @ agreement, agreement.mean(), _apart(mask, seen.cut),
    ], dtype=np.float64)  # fmt: skip


def _apart(mask: BoolMask, cut: Sample) -> float:
    """How far the colours of a mask are from those around it, 0 to 1."""
    near = allowed_region(cut.box, len(mask), AROUND)
    coarse = (cut.image // GREYS).astype(int)
    code = (coarse[..., 0] * 8 + coarse[..., 1]) * 8 + coarse[..., 2]
    inside, outside = (
        np.bincount(code[part], minlength=512) for part in (mask & near, near & ~mask)
    )
    if not (inside.any() and outside.any()):
        return 0.0
    return float(1.0 - np.sqrt(inside / inside.sum() * outside / outside.sum()).sum())


@dataclass(frozen=True)
class Quality:
    """A line from signs to IoU: the value of the mean signs, and a slope for each.

    Attributes:
        mean_iou: of the answers that it was drawn through.
        centre, slopes: one value per sign.
    """

    mean_iou: float
    centre: tuple[float, ...]
    slopes: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.centre) == len(self.slopes) == len(SIGNS):
            raise InputError(
                f"a Quality has {len(self.centre)} centres and {len(self.slopes)} slopes; give one "
                f"for each of {len(SIGNS)} signs, or fit it again"
            )

    def iou(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 6) signs -> (...) predicted IoU in [0, 1].

        Paper: none.  ``clip(y + s . (x - c), 0, 1)``.
        """
        line = self.mean_iou + (found - np.array(self.centre)) @ np.array(self.slopes)
        return np.asarray(line.clip(0.0, 1.0))


def fitted(found: NDArray[np.float64], ious: NDArray[np.float64]) -> Quality:
    """Ridge regression of IoU on standardised signs, without negative slopes.

    Paper: none.  ``s = argmin |y - y_mean - Z s|^2 + lambda |s|^2`` (Hoerl 1970); signs of negative
    slope are left out, one by one, since each is one that speaks for an answer.

    Args:
        found: (N, 6) signs of answers with known (N,) IoU in 0-1.
    Raises:
        InputError: for fewer than two answers.
    """
    if len(found) < 2 or found.shape != (len(ious), len(SIGNS)):
        raise InputError(
            f"quality is fitted on {found.shape} signs of {len(ious)} answers; give at least two "
            f"answers of {len(SIGNS)} signs each"
        )
    centre, scale = found.mean(0), found.std(0) + 1e-6
    z, y = (found - centre) / scale, ious - ious.mean()
    used, slopes = list(range(len(SIGNS))), np.zeros(len(SIGNS))
    while used:
        part = z[:, used]
        solved = np.linalg.solve(part.T @ part + RIDGE * np.eye(len(used)), part.T @ y)
        if solved.min() >= 0:
            slopes[used] = solved / scale[used]
            break
        used.pop(int(solved.argmin()))
    return Quality(float(ious.mean()), tuple(centre.tolist()), tuple(slopes.tolist()))


def learned_quality(
    network: OpenSceneNet,
    labelled: Sequence[Example],
    context: RunContext,
    config: EvidenceConfig,
    pool: Pool[ImageCache],
) -> Quality:
    """Fit quality on labelled source objects in looks that no network has seen.

    Paper: none.
    Ours: ``config.n_learned`` objects as in ``evidence_learning.learned``; of each three answers,
    of one view, of six and of the evidence. Of the new scene nothing is seen.

    Raises:
        InputError: if no objects are labelled.
    """
    known = [example for example in labelled if example.labelled]
    if not known:
        raise InputError(
            f"quality is learned on labelled objects, got {len(labelled)} without ground truth; "
            "give objects of the source"
        )
    chosen, looked = in_other_looks(known, config.n_learned, context, config.box_error)
    asked = _maps(network, chosen, looked, config)
    told = [one for one in pool.ordered(_labelled, asked) if one is not None]
    if not told:
        raise InputError(
            "quality is learned on labelled objects, and no mask has a pixel; give others"
        )
    return fitted(np.concatenate([one for one, _ in told]), np.concatenate([y for _, y in told]))


def compared(
    networks: Sequence[OpenSceneNet],
    examples: Sequence[Example],
    context: RunContext,
    quality: Quality,
    config: EvidenceConfig,
    pool: Pool[ImageCache],
) -> NDArray[np.float64]:
    """(N, n_networks) predicted IoU of each network's plain answers to the same objects.

    Paper: none.
    Ours: all answers are held against cuts that begin with the first network's maps.

    Args:
        networks: the one that was trusted so far first.
    """
    plain = replace(context.inference, evidence=None)  # which would answer for both
    answers = [
        mask[0] > plain.threshold
        for network in networks
        for one in predictions(network, examples, context, plain)
        for mask in one.prediction.probability.float().cpu().numpy()
    ]
    by_object = [np.stack(answers[i :: len(examples)]) for i in range(len(examples))]
    asked = zip(_maps(networks[0], examples, context, config), by_object, strict=True)
    return np.array([quality.iou(found) for found in pool.ordered(_signs, asked)])


Asked = tuple[Sample, FloatMap, FloatMap, EvidenceConfig]


def _maps(
    network: OpenSceneNet, examples: Sequence[Example], context: RunContext, config: EvidenceConfig
) -> Iterator[Asked]:
    views = replace(context.inference, tta="six views", clip_to_box=False, evidence=None)
    for one in predictions(network, examples, context, views):
        for cut, *maps in zip(one.samples, *one.prediction.two_maps(), strict=True):
            yield cut, maps[0], maps[1], config


def _signs(_cache: ImageCache, asked: tuple[Asked, BoolMask]) -> NDArray[np.float64]:
    """(n, 6) signs of (n, S, S) answers."""
    seen = witness(*asked[0])
    return np.array([signs(mask, seen) for mask in asked[1]])


def _labelled(
    _cache: ImageCache, asked: Asked
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Signs and IoU of three answers to an object with a mask: of one view, six, the evidence."""
    truth = asked[0].mask
    if not truth.any():
        return None
    seen = witness(*asked)
    answers = [one > 0.5 for one in (asked[1], asked[2], seen.mean)]
    return (
        np.array([signs(mask, seen) for mask in answers]),
        np.array([iou(mask, truth) for mask in answers]),
    )
