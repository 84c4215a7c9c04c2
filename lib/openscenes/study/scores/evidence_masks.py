"""What each part of evidence brings, on masks alone: of a scene's training objects.

Ours: all of this. The truth is that of Table 4's bound; nothing is chosen by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from openscenes import masks
from openscenes.data import samples
from openscenes.data.crops import CropConfig
from openscenes.data.examples import Example, ImageCache
from openscenes.data.samples import Sample
from openscenes.kept import kept
from openscenes.masks import BoolMask
from openscenes.method.evidence import evidence_of, hypotheses
from openscenes.method.evidence_config import NETWORK_MAPS, EvidenceConfig
from openscenes.method.inference import InferenceConfig, predictions
from openscenes.method.random_walk import FloatMap
from openscenes.method.tightness import allowed_region, tightest, tightness
from openscenes.progress import progress
from openscenes.study.profiles import Scene, User
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Study, new_scene
from openscenes.study.runs.evidence import with_learned
from openscenes.study.runs.models import Model, run_context
from openscenes.study.runs.pseudo import pseudo_file
from openscenes.study.runs.recipes import Recipe, inference_config
from openscenes.study.runs.runs import find
from openscenes.study.runs.store import kept_scores

PLAIN, WHOLE = "the network's mask", "learned weights: evidence masks"
Asked = tuple[Example, CropConfig, Sample, FloatMap, FloatMap, EvidenceConfig]


def mask_iou(study: Study, first: Recipe, model: Model, scene: Scene, user: User) -> pd.DataFrame:
    """IoU with the truth, in pixels of the crop, of the masks that lead to those of evidence.

    Args:
        first, model: the initial model, which predicts.
    Returns:
        A row per training object of the scene: object_id, and a column per kind of mask.
    """
    config = inference_config(study.profile, False, True, user, evidence=True)
    config = with_learned(study, first, model, config)
    objects = new_scene(study, scene, user=user)
    made_of = {
        "model": model.digest, "data": objects.digest, "user": user, "inference": config,
        "crop": study.profile.crop, "code": code_digest(_score),
    }  # fmt: skip
    return kept_scores(made_of, lambda: _score(study, model, objects.truth, config))


def _score(
    study: Study, model: Model, truth: tuple[Example, ...], config: InferenceConfig
) -> pd.DataFrame:
    network, context, rows = model.load(study), run_context(study), []
    evidence, views = config.evidence or EvidenceConfig(), replace(config, evidence=None)
    bar = progress(f"evidence masks of {model.label}", len(truth))
    with context.pool() as pool:
        asked = (
            (example, context.crop, cut, *maps, evidence)
            for chunk, cuts, _, found in predictions(network, truth, context, views, pool)
            for example, cut, *maps in zip(chunk, cuts, *found.two_maps(), strict=True)
        )
        for row in pool.ordered(_row, asked):
            rows.append(row)
            bar.update()
    bar.close()
    return pd.DataFrame(rows)


def _row(cache: ImageCache, asked: Asked) -> dict[str, object]:
    example, crop, cut, one_view, views, config = asked
    whole = samples.cut(example, crop, cache)
    found = made(cut, one_view, views, config)
    counted = ~whole.void
    return {"object_id": example.object_id} | {
        name: masks.iou(mask & counted, whole.mask & counted) for name, mask in found.items()
    }


def made(
    cut: Sample, one_view: FloatMap, views: FloatMap, config: EvidenceConfig
) -> dict[str, BoolMask]:
    """Each kind of mask of one object, (S, S), one part of evidence after the other.

    Paper: none.  ``method.evidence.evidence_of`` has the equations.
    """
    region = allowed_region(cut.box, len(views), config.slack)
    clipped = views * region
    raw, filtered = (
        hypotheses(cut, one_view, views, replace(config, filter_px=size))
        for size in (0, config.filter_px)
    )
    nothing = np.repeat(clipped[None], config.n_hypotheses, axis=0)
    raw, filtered = (nothing if one is None else one for one in (raw, filtered))
    cuts = raw[NETWORK_MAPS:]

    def weighed(maps: FloatMap) -> FloatMap:
        weights = tightness(maps > 0.5, cut.box, config.slack).clip(1e-3) ** config.power
        return np.asarray(np.tensordot(weights / weights.sum(), maps, 1))

    def level(q: FloatMap) -> BoolMask:
        return tightest(q, cut.box, config.slack)[0]

    return {
        PLAIN: one_view > 0.5,
        "clipped to the box": one_view * region > 0.5,
        "and the mean of six views": clipped > 0.5,
        "and the tightest threshold": level(clipped),
        "one cut": cuts[len(cuts) // 2 - 1] > 0.5,
        "mean of all cuts": cuts.mean(0) > 0.5,
        "weighed by tightness": weighed(cuts) > 0.5,
        "on filtered colours": weighed(filtered[NETWORK_MAPS:]) > 0.5,
        "with the network's maps": weighed(filtered) > 0.5,
        "with the tightest threshold": level(weighed(filtered)),
        WHOLE: evidence_of(cut, one_view, views, config).mask,
        "mean of them and six clipped views": evidence_of(
            cut, one_view, views, replace(config, cautious=True)
        ).mask,
    }


def fallen_back(study: Study, steps: Iterable[Recipe]) -> Counter[str]:
    """How many pseudo masks of steps on evidence are the clipped views alone, by reason.

    Masks of evidence count under ""; a step whose masks are not kept counts nothing.
    """
    counts = Counter[str]()
    for step in map(study.stand_in, steps):
        assert step.parent is not None
        facts = kept(pseudo_file(study, step, find(study, step.parent))) or {}
        if "flags" in facts:
            counts.update(facts["flags"].values())
            counts[""] += len(facts["masks"]) - len(facts["flags"])
    return counts


def fallen_back_words(counts: Counter[str]) -> str:
    """One sentence of them; empty where no mask is kept."""
    reasons = [f"{n} {reason}" for reason, n in counts.most_common() if reason and n]
    if not reasons:
        none = f"None of {counts.total():,} kept pseudo masks fell back to clipped views."
        return none if counts.total() else ""
    fallen = f"{counts.total() - counts['']:,} fell back to clipped views"
    return f"Of {counts.total():,} kept pseudo masks {fallen}: {', '.join(reasons)}."
