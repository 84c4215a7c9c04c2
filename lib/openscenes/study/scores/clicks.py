"""Table 1's scores: what a system predicts from its first clicks, and after each further one.

Paper: Sec. 4.2, Table 1.  One simulated user for every system (``next_click``), a
threshold that is fixed for each system on the source's validation set, and IoU in image pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from openscenes import masks
from openscenes.data import pasting
from openscenes.data.examples import Example, ImageCache
from openscenes.data.interactions import Click, next_click
from openscenes.method import click_cut
from openscenes.method.answers import Answers
from openscenes.method.box_region import box_region
from openscenes.method.cutting import CropMap
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.peers.click_sampling import extreme_points
from openscenes.pool import Pool
from openscenes.progress import progress
from openscenes.seeding import numpy_generator
from openscenes.study.profiles import LIMIT, User
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import SOURCE, Labelled, Study, validation
from openscenes.study.runs.models import Model, run_context
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.runs import find
from openscenes.study.runs.store import kept_scores
from openscenes.study.scores.click_systems import NO_CLICKS, Predictor, System, system_of
from openscenes.study.scores.masks import compared, identity, map_iou
from openscenes.study.scores.noc import Judged, Respond, refine, simulate

SWEPT = 3  # free clicks after which a threshold is judged
# What decides a score beside the model; a change in ``click_systems`` itself raises "scoring".
_SCORING_CODE = (
    *(next_click, extreme_points, box_region, simulate, refine), pasting.pasted, masks.iou,
    *(click_cut.mark, Answers),
)  # fmt: skip
SIMULATED = 32  # objects that are clicked on in lockstep


def first_iou(study: Study, recipe: Recipe, model: Model, labelled: Labelled) -> pd.DataFrame:
    """IoU of a peer's first prediction at the threshold of Tables 2 to 7, the same for all systems.

    Returns:
        One row per object: object_id, class_name, area, iou.
    """
    fixed = np.full(len(labelled.examples), study.profile.inference.threshold)
    frame = _clicked(study, recipe, model, labelled, fixed, 1)
    return frame.rename(columns={"click_1": "iou"})


def click_iou(
    study: Study, recipe: Recipe, model: Model, labelled: Labelled, user: User = "iog", *,
    obey: bool = True, evidence: EvidenceConfig | None = None,
) -> pd.DataFrame:  # fmt: skip
    """IoU after each click that a simulated user gives, one row per object.

    ``click_1`` is the first prediction: to one free click, to box and point (three clicks), or to
    four extremes.  No early stopping: every number about clicks comes from one run.

    Args:
        user: who corrects; "human" spreads and slips (``next_click``).
        obey: whether a box-and-point network's corrections go through ``click_cut``.
        evidence: that its answers are weighed with; each then has its own threshold.
    Returns:
        Columns object_id, class_name, area, click_1 ... click_20, or as many as the profile's
        ``n_clicks``.
    """
    if evidence is None:
        chosen = source_thresholds(study, recipe, model, labelled)
    else:
        chosen = np.full(len(labelled.examples), 0.5)
    n_clicks = study.profile.n_clicks
    return _clicked(study, recipe, model, labelled, chosen, n_clicks, user, obey, evidence)


def source_thresholds(
    study: Study, recipe: Recipe, model: Model, labelled: Labelled
) -> NDArray[np.float64]:
    """The probability above which a system's map is a mask, (n_objects,), fixed where labels exist.

    The best on the source's validation set, of the first model of a task sequence, so that
    no new scene chooses it; DEXTR and IOG print nine values on the test set itself.  Where that
    set is itself reported, each half of its images has the threshold that is best on the
    other half, so that no object chooses its own.
    """
    swept = threshold_sweep(study, recipe, model)
    if labelled.digest != validation(study, SOURCE).digest:
        return np.full(len(labelled.examples), best_threshold(swept))
    return np.where(swept["half"] == 0, *(best_threshold(swept, half) for half in (1, 0)))


def best_threshold(swept: pd.DataFrame, half: int | None = None) -> float:
    """The threshold of the best mean IoU, of two alike the one nearer to 0.5.

    Args:
        swept: as ``threshold_sweep`` gives it.
        half: of the images that may choose; all of them if None.
    """
    chosen = swept if half is None else swept[swept["half"] == half]
    means = chosen.drop(columns=["object_id", "half"], errors="ignore").mean()
    close = [float(str(t)) for t, mean in means.items() if mean >= means.max() - 1e-9]
    return min(close, key=lambda t: abs(t - 0.5))


def threshold_sweep(study: Study, recipe: Recipe, model: Model) -> pd.DataFrame:
    """IoU of each object of the source at each threshold, after three clicks (DEXTR: four).

    The simulated user clicks on the masks that the threshold itself makes.

    Returns:
        Columns object_id, half (of the images, every second one), and the profile's thresholds.
    """
    first = study.swept(recipe.lineage()[0])
    scored = model if first is recipe else find(study, first)
    labelled = validation(study, SOURCE)
    thresholds = study.profile.thresholds
    key = _key(study, first, scored, labelled) | {"kind": "thresholds", "thresholds": thresholds}

    def score() -> pd.DataFrame:
        system = system_of(study, first, scored)
        with run_context(study).pool() as pool:
            rows = [
                _sweep(pool, system, chunk, thresholds)
                for chunk in _chunks(labelled, f"thresholds of {scored.label}")
            ]
        columns = [f"{t:g}" for t in thresholds]
        return _halves(labelled).join(pd.DataFrame(np.concatenate(rows).round(5), columns=columns))

    return kept_scores(key, score)


def _halves(labelled: Labelled) -> pd.DataFrame:
    images = [example.image for example in labelled.examples]
    place = {image: n for n, image in enumerate(sorted(set(images)))}
    ids = [example.object_id for example in labelled.examples]
    return pd.DataFrame({"object_id": ids, "half": [place[image] % 2 for image in images]})


def _clicked(
    study: Study, recipe: Recipe, model: Model, labelled: Labelled,
    thresholds: NDArray[np.float64], n_clicks: int, user: User = "iog", obey: bool = True,
    evidence: EvidenceConfig | None = None,
) -> pd.DataFrame:  # fmt: skip
    """IoU after each of ``n_clicks`` clicks, each object's masks cut at its threshold; kept."""
    key = _key(study, recipe, model, labelled) | {"kind": "clicks", "user": user}
    key |= {"thresholds": thresholds.tolist(), "obey": obey}
    if evidence is not None:
        key |= {"evidence": evidence}
    if n_clicks != LIMIT:
        key |= {"n_clicks": n_clicks}

    def score() -> pd.DataFrame:
        system = system_of(study, recipe, model, obey=obey, evidence=evidence)
        done, curves = 0, []
        with run_context(study).pool() as pool:
            for chunk in _chunks(labelled, f"clicks of {model.label}"):
                own = thresholds[done : done + len(chunk)]
                curves.append(_curves(pool, system, chunk, own, n_clicks, user))
                done += len(chunk)
        names = [f"click_{k + 1}" for k in range(n_clicks)]
        identities = pd.DataFrame([identity(example) for example in labelled.examples])
        return identities.join(pd.DataFrame(np.concatenate(curves).round(5), columns=names))

    return kept_scores(key, score)


def _key(study: Study, recipe: Recipe, model: Model, labelled: Labelled) -> dict[str, Any]:
    """What decides the scores: the model, the objects, the code."""
    return {
        "model": model.digest, "recipe": recipe.kind, "data": labelled.digest,
        "clicks": [example.interaction for example in labelled.examples],
        "code": code_digest(*_SCORING_CODE), "scoring": 3,
    }  # fmt: skip


def _chunks(labelled: Labelled, label: str) -> Iterator[Sequence[Example]]:
    """The objects, as many at a time as are clicked on in lockstep, behind a progress bar."""
    bar = progress(label, len(labelled.examples))
    for start in range(0, len(labelled.examples), SIMULATED):
        chunk = labelled.examples[start : start + SIMULATED]
        yield chunk
        bar.update(len(chunk))
    bar.close()


def _curves(
    pool: Pool[ImageCache],
    system: System,
    chunk: Sequence[Example],
    thresholds: Sequence[float] | NDArray[np.float64],
    n_clicks: int,
    user: User = "iog",
) -> NDArray[np.float64]:
    """(n, n_clicks) IoU: the first prediction, then corrections."""
    respond = _user(pool, chunk, system.look(chunk, pool), thresholds, user=user)
    if not system.protocol_clicks:
        return simulate(respond, _before(pool, chunk, user), n_clicks)
    first = respond([()] * len(chunk), 0)
    if not system.corrects:
        return np.repeat(refine(respond, first, 0), n_clicks, axis=1)
    return refine(respond, first, n_clicks - 1)


def _sweep(
    pool: Pool[ImageCache], system: System, chunk: Sequence[Example], thresholds: Sequence[float]
) -> NDArray[np.float64]:
    """(n, n_thresholds) IoU after the protocol's clicks, or three free ones, per threshold."""
    predictor = system.look(chunk, pool)
    if not system.protocol_clicks:
        nothing = _before(pool, chunk)
        given = [[] if one.click is None else [one.click] for one in nothing]
        first = predictor.predict(_arrays(given), [0.5] * len(chunk))
        users = [_user(pool, chunk, copy(predictor), [t] * len(chunk), first) for t in thresholds]
        return np.stack([simulate(user, nothing, SWEPT)[:, -1] for user in users], axis=1)
    maps = predictor.predict([NO_CLICKS] * len(chunk), [0.5] * len(chunk))
    tasks = ((example, one, thresholds) for example, one in zip(chunk, maps, strict=True))
    return np.array(list(pool.ordered(_swept, tasks)))


def _swept(cache: ImageCache, task: tuple[Example, CropMap, Sequence[float]]) -> list[float]:
    example, one, thresholds = task
    return [map_iou(cache, example, one, threshold) for threshold in thresholds]


def _user(
    pool: Pool[ImageCache],
    chunk: Sequence[Example],
    predictor: Predictor,
    thresholds: Sequence[float] | NDArray[np.float64],
    first: list[CropMap] | None = None,
    user: User = "iog",
) -> Respond:
    """A simulated user, who sees the maps above each object's threshold.

    Args:
        first: what is predicted from the first click, where that is known.
    """

    def respond(clicks: Sequence[Sequence[Click]], step: int) -> list[Judged]:
        known = first if step == 0 else None
        maps = predictor.predict(_arrays(clicks), thresholds) if known is None else known
        tasks = zip(chunk, maps, thresholds, clicks, strict=True)
        return list(pool.ordered(_judge, ((*task, user) for task in tasks)))

    return respond


def _arrays(clicks: Sequence[Sequence[Click]]) -> list[NDArray[np.float32]]:
    return [np.array(given, np.float32).reshape(-1, 3) for given in clicks]


def _before(pool: Pool[ImageCache], chunk: Sequence[Example], user: User = "iog") -> list[Judged]:
    """What the user says before anything is predicted."""
    return list(pool.ordered(_judge, ((example, None, 0.5, (), user) for example in chunk)))


def _judge(
    cache: ImageCache, task: tuple[Example, CropMap | None, float, Sequence[Click], User]
) -> Judged:
    """IoU of a map above a threshold, and the next click, in pixels of the image."""
    example, one, threshold, clicks, user = task
    (row0, col0, *_), mask, truth, void = compared(cache, example, one, threshold)
    made = [(click.row - row0, click.col - col0) for click in clicks]
    person = numpy_generator("correction", example.object_id, len(clicks))
    click = next_click(mask, truth, void, made, person if user == "human" else None)
    if click is not None:
        click = Click(click.row + row0, click.col + col0, click.sign)
    return Judged(masks.iou(mask, truth, void), click)
