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
    true = {example.object_id: example for example in truth}
    chosen = numpy_generator("accepted", seed).permutation(len(made))[: round(share * len(made))]
    given = list(made)
    for i in chosen.tolist():
        mask = study.cache.mask(true[made[i].object_id])
        given[i] = replace(made[i], supervision=masks.encode(mask))
    return given
