"""From two versions' measures to a sentence of advice that names its reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from openscenes.study.runs.recipes import ALL_BEYOND, EVIDENCE_VARIANTS
from openscenes.study.scores.statistics import Estimate, paired_difference

Verdict = Literal["better", "worse", "inconclusive"]
AGREEMENT, SOURCE_IOU, STABILITY = "agreement", "source", "stability"
LABEL_FREE = {
    STABILITY: "same mask for shaken clicks, IoU",
    "hit": "mask holds your click",
    "box": "mask's own box against yours, IoU",
    "sides": "sides of your box that the mask touches",
}
TITLES = {
    AGREEMENT: "IoU with masks that you corrected",
    **{name: f"{title} (label-free)" for name, title in LABEL_FREE.items()},
    SOURCE_IOU: "IoU on the labelled source's validation set",
}
FEWEST = 5  # objects that a measure needs at least
TOLERATED_LOSS = 1.0  # points of the labelled source that a gain on new images may cost
DECIDING = (STABILITY, "hit", "box")  # not sides: as noisy as a hand-drawn box
TRAINED_ON = {  # what a variant was trained on does not judge it
    "box-projection and point losses": ("hit", "box"),
    ALL_BEYOND: ("hit", "box"),
    "clipped to the box": ("box",),
    **dict.fromkeys(EVIDENCE_VARIANTS, ("hit", "box")),
}


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
    """Means of (n,) values in 0-1 and their paired difference, in points."""
    title, n = TITLES[name], len(old)
    if n == 0:
        return Measure(title, 0, float("nan"), float("nan"), None)
    difference = paired_difference(new[None], old[None]) if n >= FEWEST else None
    return Measure(title, n, 100 * float(old.mean()), 100 * float(new.mean()), difference)


def advised(measures: Mapping[str, Measure], variant: str = "") -> tuple[Verdict, str]:
    """The verdict on the new version, and a sentence that gives the reasons.

    Masks that a person corrected come first, since only they are ground truth. Without them the
    label-free measures decide, and only where none of them contradicts another. The rule was
    chosen on 36 pairs of demo models with 120 synthetic objects each, and has seen no others: it
    called 27 of the 29 better whose ground truth said better, and neither of the 2 worse ones.
    On 30 objects it is weaker: of ten draws of those two, it called five better. So a verdict
    without corrected masks is a hint. A gain is not enough where the source is forgotten.

    Args:
        measures: one per key of ``TITLES``.
    """
    verdict, reasons = _on_own(measures, TRAINED_ON.get(variant, ()))
    source = measures[SOURCE_IOU]
    reasons.append(f"{source.title}: {source.change}")
    change = source.difference
    if change is not None and source.sign < 0 and change.mean < -TOLERATED_LOSS:
        verdict = "inconclusive" if verdict == "better" else "worse"
        reasons[-1] += ", so it forgets"
    return verdict, f"{verdict.capitalize()}: {'; '.join(reasons)}."


def _on_own(
    measures: Mapping[str, Measure], trained_on: Sequence[str]
) -> tuple[Verdict, list[str]]:
    """The verdict of the person's own objects alone, and its reasons."""
    agreement = measures[AGREEMENT]
    known = [f"{agreement.title}: {agreement.change}"] if agreement.difference else []
    if agreement.sign:
        drafted = ["they began as an earlier version's drafts, which favours it"]
        return _word(agreement.sign), [*known, *drafted * (agreement.sign < 0)]
    deciding = [measures[name] for name in DECIDING if name not in trained_on]
    telling = [m for m in deciding if m.sign]
    said = [f"{m.title}: {m.change}" for m in telling]
    if len({m.sign for m in telling}) == 2:
        return "inconclusive", [*known, *said, "these contradict each other"]
    if telling:
        return _word(telling[0].sign), [*known, *said, "label-free measures can mislead"]
    n = agreement.n + measures[STABILITY].n
    objects = f"{n} held-out object{'s' * (n != 1)}"
    if max(agreement.n, measures[STABILITY].n) < FEWEST:
        wanted = f"and at least {FEWEST} of a kind are needed, so accept more objects"
        return "inconclusive", [f"{objects}, {wanted}"]
    return "inconclusive", [f"no significant change on {objects}"]


def _word(sign: int) -> Verdict:
    return "better" if sign > 0 else "worse"
