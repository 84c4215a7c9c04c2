"""The weights of evidence, learned on labelled source objects in looks that no network has seen.

Ours: all of it. On its own training images a network hardly errs, so that they would say to trust
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from openscenes.data.examples import Example, ImageCache
from openscenes.data.samples import Sample
from openscenes.masks import BoolMask, iou
from openscenes.method.evidence import hypotheses, weights_of
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.inference import InferenceConfig, RunContext, predictions
from openscenes.method.other_looks import in_other_looks
from openscenes.method.random_walk import FloatMap
from openscenes.method.tightness import tightest, tightness
from openscenes.networks.openscene import OpenSceneNet
from openscenes.pool import Pool

POWERS = (1.0, 2.0, 4.0, 8.0, 16.0)
FACTORS = (0.0, 0.5, 2.0)  # of a prior, one after the other
SLACKS = (0.0, 1.0, 1.5)  # in typical errors of the user's boxes
SWEEPS = 2
LEAST_GAIN = 0.002  # of mean IoU: fewer is chance


@dataclass(frozen=True)
class Case:
    """One labelled object: (K, S, S) hypotheses, their tightness (K,), its box and its mask."""

    found: FloatMap
    tight: NDArray[np.float64]
    box: tuple[float, ...]
    truth: BoolMask


def learned(
    network: OpenSceneNet,
    labelled: Sequence[Example],
    context: RunContext,
    inference: InferenceConfig,
    pool: Pool[ImageCache],
) -> EvidenceConfig:
    """Choose power, priors and slack by the mean IoU of masks of labelled objects.

    Paper: none.
    Ours: ``config.n_learned`` objects, evenly out of all, each in another look and with a box that
    errs as the new scene's user does; of the new scene nothing is seen.

    Args:
        labelled: objects with ground truth; fewer than two leave the config as it is.
        inference: how they are predicted; its ``evidence`` is the config to begin with.
    """
    config = inference.evidence or EvidenceConfig()
    known = [example for example in labelled if example.labelled]
    if len(known) < 2:
        return config
    chosen, looked = in_other_looks(known, config.n_learned, context, config.box_error)
    views = replace(inference, evidence=None, clip_to_box=False)
    asked = [
        (cut, one_view, probability)
        for _, cuts, _, found in predictions(network, chosen, looked, views)
        for cut, one_view, probability in zip(cuts, *found.two_maps(), strict=True)
    ]
    best, most = config, -1.0
    for slack in SLACKS if config.box_error else SLACKS[:1]:
        tried = replace(config, slack=min(slack * config.box_error, 0.5), priors=())
        tasks = [(*one, tried) for one in asked]
        cases = [case for case in pool.ordered(_case, tasks) if case is not None]
        tried, score = fitted(cases, tried)
        if score > most + LEAST_GAIN:
            best, most = tried, score
    return best


def _case(
    _cache: ImageCache, asked: tuple[Sample, FloatMap, FloatMap, EvidenceConfig]
) -> Case | None:
    cut, one_view, views, config = asked
    found = hypotheses(cut, one_view, views, config) if cut.mask.any() else None
    if found is None:
        return None
    size = min(len(cut.mask), config.side_px)
    found = np.stack([_resized(one, size) for one in found])
    truth = _resized(cut.mask.astype(np.float32), size) > 0.5
    box = tuple(side * size / len(cut.mask) for side in cut.box)
    return Case(found, tightness(found > 0.5, box, config.slack), box, truth)


def _resized(values: FloatMap, size: int) -> FloatMap:
    return np.asarray(cv2.resize(values, (size, size), interpolation=cv2.INTER_AREA))


def fitted(cases: Sequence[Case], config: EvidenceConfig) -> tuple[EvidenceConfig, float]:
    """The config with the power and the priors that give the best masks, and their mean IoU.

    Paper: none.  One number after the other is exchanged for its best value, a few times.
    """
    if not cases:
        return config, 0.0
    best = replace(config, priors=config.priors or (1.0,) * config.n_hypotheses)
    most = mean_iou(cases, best)
    for _ in range(SWEEPS):
        before = most
        for k in range(-1, config.n_hypotheses):
            scored = [(mean_iou(cases, one), one) for one in _neighbours(best, k)]
            score, one = max(scored, key=lambda pair: pair[0], default=(0.0, best))
            if score > most + LEAST_GAIN:
                best, most = one, score
        if most == before:
            break
    total = sum(best.priors)
    return replace(best, priors=tuple(round(one / total, 6) for one in best.priors)), most


def _neighbours(config: EvidenceConfig, k: int) -> list[EvidenceConfig]:
    """The config with other powers (k = -1), or other priors of hypothesis k."""
    if k < 0:
        return [replace(config, power=power) for power in POWERS if power != config.power]
    made = [
        (*config.priors[:k], factor * config.priors[k], *config.priors[k + 1 :])
        for factor in FACTORS
    ]
    return [replace(config, priors=one) for one in made if sum(one) > 0]


def mean_iou(cases: Sequence[Case], config: EvidenceConfig) -> float:
    """Mean IoU of the masks of evidence with the truth, each above its own threshold.

    Paper: none.
    """
    total = 0.0
    for case in cases:
        q = np.tensordot(weights_of(case.tight, config).astype(np.float32), case.found, 1)
        mask = tightest(q, case.box, config.slack)[0]
        total += iou(mask, case.truth)
    return total / len(cases)
