"""From two versions' measures to a sentence of advice that names its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from openscenes.study.scores.statistics import Estimate, paired_difference

Verdict = Literal["better", "worse", "inconclusive"]
AGREEMENT, QUALITY, SOURCE_IOU, CLASS_IOU = "agreement", "quality", "source", "class"
LABEL_FREE = {
    "stability": "same mask for shaken clicks, IoU",
    "hit": "mask holds your click",
    "box": "mask's own box against yours, IoU",
    "sides": "sides of your box that the mask touches",
}
TITLES = {
    AGREEMENT: "IoU with masks that you corrected",
    QUALITY: "IoU predicted from image and clicks (label-free)",
    **{name: f"{title} (label-free)" for name, title in LABEL_FREE.items()},
    SOURCE_IOU: "IoU on the labelled source's validation set",
    CLASS_IOU: "IoU on its class that lost most",
}
FEWEST = 5  # objects that a measure needs at least
TOLERATED_LOSS = {QUALITY: 0.5, SOURCE_IOU: 0.75, CLASS_IOU: 6.0}  # points that count as none


@dataclass(frozen=True)
class Measure:
    """One measure of both versions, in points (0-100).

    Attributes:
        n: objects that it was taken on.
        old, new: means; nan without objects.
        difference: new - old, paired by object; None for too few objects.
    """

    title: str
    n: int
    old: float
    new: float
    difference: Estimate | None

    @property
    def change(self) -> str:
        """The difference in words."""
        d = self.difference
        if d is None:
            return f"too few objects ({self.n})"
        return f"{d.mean:+.1f} points ({d.low:+.1f} to {d.high:+.1f}, {self.n} objects)"

    @property
    def row(self) -> list[float]:
        """Objects, old, new, the difference's mean, low and high end."""
        d = self.difference
        numbers = [float("nan")] * 3 if d is None else [d.mean, d.low, d.high]
        return [self.n, self.old, self.new, *numbers]

    @property
    def sign(self) -> int:
        """1 or -1 where the interval leaves out zero, else 0."""
        if self.difference is None or not self.difference.differs:
            return 0
        return 1 if self.difference.mean > 0 else -1


def measured(name: str, old: NDArray[np.float64], new: NDArray[np.float64]) -> Measure:
    """Means of (n,) values in 0-1 and their paired difference, in points.

    The interval draws objects one by one, where the study's draw images, each with all its
    objects: the rule of ``advised`` was chosen with it, and held-out images are few. Objects of
    one image err alike, so it is too narrow where images hold several.
    """
    title, n = TITLES[name], len(old)
    if n == 0:
        return Measure(title, 0, float("nan"), float("nan"), None)
    difference = paired_difference(new[None], old[None]) if n >= FEWEST else None
    return Measure(title, n, 100 * float(old.mean()), 100 * float(new.mean()), difference)


def advised(measures: Mapping[str, Measure]) -> tuple[Verdict, str]:
    """The verdict on the new version, and a sentence that gives the reasons.

    Masks that a person corrected come first, since only they are ground truth. Without them the
    predicted IoU decides (``method.quality``); the other label-free measures are only shown. A
    gain is not enough where the source, or a class of it, is forgotten: "worse" is to be refused.
    The rule was chosen on 132 planted updates of two synthetic scenes, of which it refuses 64 of
    71 harmful ones and 1 of 30 good ones; on two scenes of another seed it refuses 65 of 73 and 3
    of 29 (``tests/bench/long/planted_updates.py``). What it misses there costs the scene up to 5
    points, the source up to 1.5, or a class of it 15, less than 40 held-out objects can show.

    Args:
        measures: one per key of ``TITLES``.
    """
    verdict, reasons = _on_own(measures)
    reasons.append(f"{measures[SOURCE_IOU].title}: {measures[SOURCE_IOU].change}")
    if _lost(measures, CLASS_IOU):
        reasons.append(f"{measures[CLASS_IOU].title}: {measures[CLASS_IOU].change}")
    if _lost(measures, SOURCE_IOU) or _lost(measures, CLASS_IOU):
        verdict = "worse"
        reasons[-1] += ", so it forgets"
    return verdict, f"{verdict.capitalize()}: {'; '.join(reasons)}."


def _on_own(measures: Mapping[str, Measure]) -> tuple[Verdict, list[str]]:
    """The verdict of the person's own objects alone, and its reasons."""
    agreement, quality = measures[AGREEMENT], measures[QUALITY]
    known = [f"{agreement.title}: {agreement.change}"] if agreement.difference else []
    if agreement.sign:
        drafted = ["they began as an earlier version's drafts, which favours it"]
        return _word(agreement.sign), [*known, *drafted * (agreement.sign < 0)]
    if quality.sign > 0 or _lost(measures, QUALITY):
        said = f"{quality.title}: {quality.change}"
        return _word(quality.sign), [*known, said, "label-free measures can mislead"]
    n = quality.n
    objects = f"{n} held-out object{'s' * (n != 1)}"
    if n < FEWEST:
        return "inconclusive", [f"{objects}, and at least {FEWEST} are needed, so accept more"]
    return "inconclusive", [f"no significant change on {objects}"]


def _lost(measures: Mapping[str, Measure], name: str) -> bool:
    """Whether a measure has fallen, by more than is tolerated."""
    change = measures[name].difference
    return measures[name].sign < 0 and change is not None and change.mean < -TOLERATED_LOSS[name]


def _word(sign: int) -> Verdict:
    return "better" if sign > 0 else "worse"
