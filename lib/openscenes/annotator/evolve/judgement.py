"""Two versions compared on held-out objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from openscenes import masks
from openscenes.amounts import amount
from openscenes.annotator.evolve.advice import (
    AGREEMENT,
    CLASS_IOU,
    FEWEST,
    LABEL_FREE,
    QUALITY,
    SOURCE_IOU,
    Measure,
    Verdict,
    advised,
    measured,
)
from openscenes.annotator.evolve.evolving import evolve_on, split_for, version_in_use
from openscenes.annotator.evolve.kept_predictions import KeptPrediction, kept_predictions
from openscenes.annotator.evolve.predicted_quality import predicted_qualities
from openscenes.annotator.evolve.scene import Split
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.annotator.store.versions import Version, Versions
from openscenes.annotator.store.workspace import Workspace
from openscenes.data.examples import ImageCache
from openscenes.study.runs.data import SOURCE, Study, validation
from openscenes.study.runs.recipes import OURS
from openscenes.study.scores.masks import object_iou


@dataclass(frozen=True)
class Candidate:
    """A version that waits for a decision, beside the one in use, and what both were judged on."""

    old: Version
    new: Version
    held_out: tuple[Snapshot, ...]
    judgement: Judgement


def evolved(
    workspace: Workspace,
    study: Study,
    accepted: Sequence[Snapshot],
    *,
    variant: str = OURS,
    clicks_only: bool = False,
) -> Candidate:
    """A step on accepted objects, as ``evolve_on``, then the judgement of what came out."""
    own = apart(study)
    new = evolve_on(workspace, own, accepted, variant=variant, clicks_only=clicks_only)
    return judged(workspace, own, accepted, new)


def judged(
    workspace: Workspace, study: Study, accepted: Sequence[Snapshot], new: Version
) -> Candidate:
    """A version beside the one in use, on objects that neither has learned.

    A version that is in use already is shown beside the one that it evolved from.
    """
    own, old = apart(study), version_in_use(workspace, study)
    if old.name == new.name and new.parent is not None:
        old = Versions(workspace.folder).before(new)
    held_out = split_for(workspace, new, accepted).held_out
    return Candidate(old, new, held_out, judge(workspace, own, old, new, held_out))


def waiting(workspace: Workspace) -> Version | None:
    """The newest version that is not decided about; None if there is none."""
    undecided = Versions(workspace.folder).undecided()
    return undecided[-1] if undecided else None


def prospect(workspace: Workspace, study: Study, accepted: Sequence[Snapshot]) -> Split:
    """What the next step would learn, and what it would be judged on."""
    return split_for(workspace, version_in_use(workspace, study), accepted)


def apart(study: Study) -> Study:
    """The same study with decoded images of its own: two threads share no cache."""
    return replace(study, cache=ImageCache(study.cache.store_bytes), memory=dict(study.memory))


OWN = (AGREEMENT, QUALITY, *LABEL_FREE)  # measures on a person's objects
TOUCHING = 0.04  # of the box's side: as far as a human's corner misses


@dataclass(frozen=True)
class Judgement:
    """What is known of a candidate beside the version in use.

    Attributes:
        objects: a row per held-out object: object, class_name, corrected, then for each measure
            "<measure> old" and "<measure> new" in 0-1, and change: that of the IoU with the
            accepted mask where it was corrected, of the predicted IoU elsewhere.
        measures: by name, a key of ``TITLES``.
        advice: in a sentence that gives the reasons.
        worth: of the corrected masks as truth, in a sentence; "" where there is none.
    """

    old: str
    new: str
    objects: pd.DataFrame
    measures: Mapping[str, Measure]
    verdict: Verdict
    advice: str
    worth: str = ""

    def table(self) -> pd.DataFrame:
        """One row per measure: objects, old, new, change and its 95 % interval, in points."""
        columns = ["objects", "old", "new", "change", "low", "high"]
        rows = {m.title: m.row for m in self.measures.values()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def judge(
    workspace: Workspace, study: Study, old: Version, new: Version, held_out: Sequence[Snapshot]
) -> Judgement:
    """Score two versions on held-out objects and the source's validation set.

    Where the person corrected a mask, the accepted one stands for the truth, although an earlier
    version drew its first draft; where not, accepting says little about a better mask, and
    measures that need none are taken, IoU as it is predicted first of all. Intervals draw
    objects, not images as the study's do (``advice.measured`` says why).

    Args:
        held_out: objects that neither version has learned; their further clicks are not given.
    """
    before, after = (
        kept_predictions(workspace, study, version, held_out) for version in (old, new)
    )
    quality = predicted_qualities(workspace, study, old, new, held_out)
    objects = _objects(held_out, before, after, quality)
    labelled = validation(study, SOURCE)
    source = [object_iou(study, one.model, labelled) for one in (old, new)]
    measures = _measures(objects) | of_the_source(*source)
    verdict, advice = advised(measures)
    worth = worth_of(held_out)
    return Judgement(old.name, new.name, objects, measures, verdict, advice, worth)


def _objects(
    held_out: Sequence[Snapshot],
    old: Sequence[KeptPrediction],
    new: Sequence[KeptPrediction],
    quality: NDArray[np.float64],
) -> pd.DataFrame:
    rows = []
    for item, before, after, predicted in zip(held_out, old, new, quality, strict=True):
        first, second = scores(item, before), scores(item, after)
        first[QUALITY], second[QUALITY] = (float(iou) for iou in predicted)
        pairs = {f"{name} {when}": values[name] for name in first
                 for when, values in (("old", first), ("new", second))}  # fmt: skip
        counted = AGREEMENT if is_truth(item) else QUALITY
        change = second[counted] - first[counted]
        rows.append({"object": item.object_id, "class_name": item.class_name,
                     "corrected": is_truth(item), **pairs, "change": change})  # fmt: skip
    pairs_of = [f"{name} {when}" for name in OWN for when in ("old", "new")]
    return pd.DataFrame(rows, columns=["object", "class_name", "corrected", *pairs_of, "change"])


def is_truth(item: Snapshot) -> bool:
    """Whether the person corrected or drew the accepted mask, or it came from elsewhere."""
    return item.corrected or not item.model


def changed_share(item: Snapshot) -> float | None:
    """Share of the pixels of draft and accepted mask that are in one of them alone.

    None for an object without a version's draft, which was drawn or imported.
    """
    if item.first_mask is None:
        return None
    return 1.0 - masks.iou(masks.decode(item.first_mask), masks.decode(item.mask))


def worth_of(held_out: Sequence[Snapshot]) -> str:
    """How much of the truth is the person's own, in a sentence.

    What was not changed in a draft is the model's answer: that agrees with it by itself.
    """
    truths = [one for one in held_out if is_truth(one)]
    shares = [share for one in truths if (share := changed_share(one)) is not None]
    if not truths:
        return ""
    drawn = len(truths) - len(shares)
    said = [f"{amount(drawn, 'mask', 'were')} drawn by you or imported"] * bool(drawn)
    if shares:
        n = amount(len(shares), "mask", "are")
        middle = 100 * float(np.median(shares))
        said.append(
            f"{n} a version's draft in which you changed {middle:.0f} % of the pixels (median): "
            "with the rest its model agrees by itself"
        )
    return f"Of the masks that count as truth, {'; '.join(said)}."


def scores(item: Snapshot, prediction: KeptPrediction) -> dict[str, float]:
    """Every measure of one prediction, each in 0-1.

    The four label-free ones want a mask that a person's box and click allow: it holds the click,
    fills the box from side to side, and does not hang on where exactly was clicked.
    """
    mask = masks.decode(prediction.mask)
    row, col = np.clip(np.rint(item.clicks[0][:2]).astype(int), 0, np.array(mask.shape) - 1)
    tight = masks.tight_box(mask)
    return {
        AGREEMENT: masks.iou(mask, masks.decode(item.mask)),
        "hit": float(mask[row, col]),
        "box": 0.0 if tight is None else box_iou(tight, item.box),
        "sides": 0.0 if tight is None else sides_touched(tight, item.box),
        "stability": prediction.stability,
    }


def box_iou(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two half-open boxes (row0, col0, row1, col1)."""
    a, b = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.maximum(sides, 0.0)))
    areas = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]))
    return shared / (areas - shared)


def sides_touched(tight: Sequence[float], box: Sequence[float]) -> float:
    """Share of a box's four sides that a mask's tight box comes near, from within or without."""
    wanted = np.asarray(box, dtype=float)
    near = np.maximum(TOUCHING * np.tile(wanted[2:] - wanted[:2], 2), 1.0)
    return float((np.abs(np.asarray(tight) - wanted) <= near).mean())


def _measures(objects: pd.DataFrame) -> dict[str, Measure]:
    corrected, made = objects["corrected"].to_numpy(dtype=bool), {}
    for name in OWN:
        counted = corrected if name == AGREEMENT else ~corrected | (name == QUALITY)
        pair = (objects.loc[counted, f"{name} {when}"].to_numpy(dtype=float)
                for when in ("old", "new"))  # fmt: skip
        made[name] = measured(name, *pair)
    return made


def of_the_source(old: pd.DataFrame, new: pd.DataFrame) -> dict[str, Measure]:
    """Two versions on the labelled source: all objects, and the class whose mean lost most.

    Args:
        old, new: columns class_name and iou (0-1), of the same objects in the same order.
    """
    names, ious = old["class_name"], [one["iou"].to_numpy() for one in (old, new)]
    sizes = names.value_counts()
    losses = pd.Series(ious[1] - ious[0]).groupby(names.to_numpy()).mean()[sizes >= FEWEST]
    there = (names == losses.idxmin()).to_numpy() if len(losses) else np.zeros(len(names), bool)
    return {
        SOURCE_IOU: measured(SOURCE_IOU, *ious),
        CLASS_IOU: measured(CLASS_IOU, *(one[there] for one in ious)),
    }
