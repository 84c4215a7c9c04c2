"""Weights of evidence that a study's first models learned, and masks that users accepted."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from openscenes import masks
from openscenes.data.examples import Example
from openscenes.kept import alone, keep, kept
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.evidence_learning import learned
from openscenes.method.inference import InferenceConfig
from openscenes.paths import cache_dir
from openscenes.seeding import numpy_generator
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Study, source
from openscenes.study.runs.models import Model, run_context
from openscenes.study.runs.recipes import Recipe, source_set
from openscenes.study.runs.store import digest_of


def with_learned(
    study: Study, first: Recipe, model: Model, inference: InferenceConfig
) -> InferenceConfig:
    """An inference setting whose weights of evidence a first model learned on its source.

    All that evolves from the model takes the same weights: no new scene has a say.

    Args:
        first: the initial model's recipe.
        inference: one without evidence comes back as it is.
    """
    if inference.evidence is None:
        return inference
    labelled = source(study, source_set(first))
    made_of = {
        "model": model.digest, "inference": inference, "data": labelled.digest,
        "seed": first.seed, "crop": study.profile.crop, "code": code_digest(learned),
    }  # fmt: skip
    file = cache_dir() / "evidence" / f"{digest_of(made_of)}.json"
    if kept(file) is None:
        with alone(file.with_suffix(".lock"), f"the weights of evidence of {model.label}"):
            if kept(file) is None:
                context = run_context(study, first.seed)
                with context.pool() as pool:
                    found = learned(model.load(study), labelled.examples, context, inference, pool)
                keep(file, asdict(found))
    return replace(inference, evidence=EvidenceConfig(**(kept(file) or {})))


def accepted(
    study: Study, made: Sequence[Example], truth: Sequence[Example], share: float, seed: int
) -> list[Example]:
    """Pseudo masks, of which a share of the objects has the mask that its user accepted: the truth.

    Ours: users correct until a mask is right; the objects are drawn at random, and more of them
    take in the fewer.
    """
    order = numpy_generator("accepted", seed).permutation(len(made))
    return _given(study, made, truth, order[: round(share * len(made))].tolist())


def better_by(
    study: Study, made: Sequence[Example], truth: Sequence[Example], points: float, seed: int
) -> list[Example]:
    """Pseudo masks of which so many are the truth that their mean IoU is higher by ``points``.

    Ours: a dose, to see how a student responds; it needs a truth that no student of the paper has.
    Objects are drawn at random, one after the other, until the dose is reached; more points take in
    the fewer. Where all are the truth before, the dose is less.
    """
    true = {example.object_id: example for example in truth}
    gained, n = 0.0, 0
    order = numpy_generator("accepted", seed).permutation(len(made)).tolist()
    while gained < points / 100.0 * len(made) and n < len(made):
        one = made[order[n]]
        gained += 1.0 - masks.iou(
            masks.decode(one.supervision), study.cache.mask(true[one.object_id])
        )
        n += 1
    return _given(study, made, truth, order[:n])


def _given(
    study: Study, made: Sequence[Example], truth: Sequence[Example], chosen: Sequence[int]
) -> list[Example]:
    """The examples, of which the chosen ones have their true mask."""
    true = {example.object_id: example for example in truth}
    given = list(made)
    for i in chosen:
        mask = study.cache.mask(true[made[i].object_id])
        given[i] = replace(made[i], supervision=masks.encode(mask))
    return given
