"""Objects with what a network, the image and the user's box say of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from openscenes.data.examples import Example
from openscenes.data.samples import Sample
from openscenes.errors import InputError
from openscenes.masks import BoolMask, iou
from openscenes.method.evidence import Evidence, evidence_of, hypotheses
from openscenes.method.evidence_config import EXACT
from openscenes.method.inference import predictions
from openscenes.method.quality import fitted, signs, witness
from openscenes.method.random_walk import FloatMap
from openscenes.study.plan.on_demand import n_objects_evenly
from openscenes.study.runs.data import Study, validation
from openscenes.study.runs.models import Model, run_context

CLEAR = 5.0  # points of IoU from which on a difference is plain to see
ANSWERS = ("network", "evidence")
MAPS = (
    "network", "network, six views", *(f"cut from p > {high:g}" for _, high in EXACT.certainties),
    "cut without network",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One object, in pixels of its (S, S) crop.

    Attributes:
        one_view, views: the network's probabilities, of one view and of six.
        maps: (K, S, S) hypotheses, named by ``MAPS``.
        found: what evidence makes of them.
    """

    example: Example
    cut: Sample
    one_view: FloatMap
    views: FloatMap
    maps: FloatMap
    found: Evidence

    @property
    def answers(self) -> tuple[BoolMask, BoolMask]:
        """The masks of ``ANSWERS``."""
        return self.one_view > 0.5, self.found.mask

    def iou(self, mask: BoolMask) -> float:
        """IoU with the ground truth, in %."""
        counted = ~self.cut.void
        return 100.0 * iou(mask & counted, self.cut.mask & counted)


def told_of(study: Study, model: Model, where: str, n_objects: int) -> list[Told]:
    """Validation objects of a set, evenly from its list; those that cannot be cut are left out."""
    examples = n_objects_evenly(validation(study, where).examples, n_objects)
    context, made = run_context(study), []
    views = replace(context.inference, tta="six views", clip_to_box=False, evidence=None)
    for chunk, cuts, _, found in predictions(model.load(study), examples, context, views):
        for example, cut, one, six in zip(chunk, cuts, *found.two_maps(), strict=True):
            maps, evidence = hypotheses(cut, one, six, EXACT), evidence_of(cut, one, six, EXACT)
            if maps is not None and not evidence.flag:
                made.append(Told(example, cut, one, six, maps, evidence))
    if not made:
        raise InputError(f"none of {len(examples)} objects of {where} can be cut; take more")
    return made


def by_gain(objects: Sequence[Told], rank: float) -> Told:
    """The object at a rank of what evidence gains, 0 the least and 1 the most."""
    gains = [one.iou(one.found.mask) - one.iou(one.one_view > 0.5) for one in objects]
    return objects[int(np.argsort(gains)[round(rank * (len(objects) - 1))])]


def judged(known: Sequence[Told], new: Sequence[Told]) -> pd.DataFrame:
    """IoU of both answers to new objects, predicted by a line through the signs of known ones.

    Returns:
        A row per object: "network" and "evidence" in %, and "network, predicted" and so on.
    """
    found = np.concatenate([_signs(one) for one in known])
    ious = np.concatenate([_ious(one) for one in known])
    line = fitted(found, ious / 100)
    rows = []
    for one in new:
        predicted = 100 * line.iou(_signs(one))
        row = dict(zip(ANSWERS, _ious(one), strict=True))
        rows.append(row | {f"{n}, predicted": p for n, p in zip(ANSWERS, predicted, strict=True)})
    return pd.DataFrame(rows, index=[one.example.object_id for one in new])


def _signs(one: Told) -> NDArray[np.float64]:
    seen = witness(one.cut, one.one_view, one.views, EXACT)
    return np.array([signs(mask, seen) for mask in one.answers])


def _ious(one: Told) -> NDArray[np.float64]:
    return np.array([one.iou(mask) for mask in one.answers])


def differences(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """True and predicted gain of the second answer over the first, in points, by object."""
    true = frame["evidence"] - frame["network"]
    return true, frame["evidence, predicted"] - frame["network, predicted"]


def judgement_words(frame: pd.DataFrame) -> str:
    """How well the predicted IoU tells the true one, of single masks and of two to compare."""
    true = pd.concat([frame[name] for name in ANSWERS])
    told = pd.concat([frame[f"{name}, predicted"] for name in ANSWERS])
    gain, predicted = differences(frame)
    clear = gain.abs() >= CLEAR
    right = int((np.sign(gain[clear]) == np.sign(predicted[clear])).sum())
    return (
        f"- single masks: the predicted IoU misses the true one by "
        f"{(true - told).abs().mean():.1f} points on average (correlation {true.corr(told):.2f});\n"
        f"- two masks of one object: of {int(clear.sum())} differences of at least {CLEAR:g} "
        f"points, {right} have the sign that was predicted;\n"
        f"- all objects together: the mean gain is {gain.mean():+.1f} points, predicted "
        f"{predicted.mean():+.1f}."
    )
