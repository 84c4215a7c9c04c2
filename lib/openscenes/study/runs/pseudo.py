"""Pseudo masks of a new scene: one file for all variants that learn from the same masks."""

from dataclasses import replace
from pathlib import Path

import torch

from openscenes.data.examples import Example, from_clicks
from openscenes.kept import alone, kept
from openscenes.method.evolution_config import EvolutionConfig
from openscenes.method.gate import calibrated
from openscenes.method.pseudo import keep_masks, kept_pseudo_masks, pseudo_examples
from openscenes.paths import cache_dir
from openscenes.study.runs import store
from openscenes.study.runs.class_names import true_channels
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import NewScene, Study, new_scene, source
from openscenes.study.runs.evidence import accepted, better_by, with_learned
from openscenes.study.runs.models import Model, run_context
from openscenes.study.runs.recipes import (
    ACCEPTED,
    DOSES,
    FULL,
    OURS,
    Recipe,
    evolution_config,
    source_set,
)

_CODE = (pseudo_examples, calibrated)


def pseudo_file(study: Study, step: Recipe, teacher: Model) -> Path:
    """Where the pseudo masks of a step lie, or would lie; named by all that decides them."""
    config = step_config(study, step)
    made_of = {
        "teacher": teacher.digest,
        "ipt": config.ipt,
        "inference": config.teacher or study.profile.inference,
        "data": scene_data(study, step).digest,
        "user": step.user,
        "crop": study.profile.crop,
        "clicks": study.profile.clicks,
        "seed": step.seed,
        "torch": str(torch.__version__).partition("+")[0],
        "device": study.fabric.device.type,
        "precision": study.precision,
        "code": code_digest(*_CODE),
        "gate": config.gate,
        "labelled": source(study, source_set(step)).digest,
        **better_masks(step),
    }
    return cache_dir() / "pseudo" / f"{store.digest_of(made_of)}.json"


def pseudo_masks(
    study: Study, step: Recipe, teacher: Model, first: Model | None = None
) -> list[Example]:
    """The objects of a step's scene with their pseudo masks; predicted unless they are there.

    Paper: Sec. 3.2 ("offline").  Of two processes, one predicts and the other waits.

    Args:
        first: the model of t = 0, which learned the weights of evidence; None: the teacher.
    """
    file, config = pseudo_file(study, step, teacher), step_config(study, step)
    scene, label = scene_data(study, step), f"{teacher.label}: {step.scene} pseudo masks"
    if kept(file) is None:
        if config.gate == "given":
            named = pseudo_masks(study, replace(step, variant=FULL), teacher, first)
            pairs = zip(named, true_channels(study, step, scene), strict=True)
            keep_masks(file, [replace(one, class_index=channel) for one, channel in pairs])
            return kept_pseudo_masks(file, scene.clicked)
        if share := ACCEPTED.get(step.variant):
            made = pseudo_masks(study, replace(step, variant=OURS), teacher, first)
            keep_masks(file, accepted(study, made, scene.truth, share, step.seed))
            return kept_pseudo_masks(file, scene.clicked)
        if points := DOSES.get(step.variant):
            made = pseudo_masks(study, replace(step, variant="st"), teacher, first)
            keep_masks(file, better_by(study, made, scene.truth, points, step.seed))
            return kept_pseudo_masks(file, scene.clicked)
        with alone(file.with_suffix(".lock"), label):
            inference = config.teacher or study.profile.inference
            inference = with_learned(study, step.lineage()[0], first or teacher, inference)
            network, context = teacher.load(study), run_context(study, step.seed)
            if config.gate == "calibrated":
                labelled = source(study, source_set(step)).examples
                threshold = calibrated(network, labelled, context)
                inference = replace(inference, unknown_below=threshold)
            pseudo_examples(
                network, [from_clicks(one) for one in scene.clicked], context, config.ipt,
                inference, file=file, label=label, gate="constant",
            )  # fmt: skip
    return kept_pseudo_masks(file, scene.clicked)


def better_masks(step: Recipe) -> dict[str, float]:
    """What of a step's masks is the truth: the share that users accepted, or how much is gained."""
    known = {"accepted": ACCEPTED.get(step.variant), "better by": DOSES.get(step.variant)}
    return {name: value for name, value in known.items() if value is not None}


def step_config(study: Study, step: Recipe) -> EvolutionConfig:
    """All settings of a step of evolution."""
    return evolution_config(study.profile, step.scene, step.variant, step.user)


def scene_data(study: Study, step: Recipe) -> NewScene:
    """What a step learns from."""
    user = step.user if step.user == "human" else None
    return new_scene(study, step.scene, user=user, part=step.part)
