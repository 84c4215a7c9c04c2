"""What IoU two versions' answers likely have on objects of which no truth is known."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from openscenes.annotator.evolve.scene import clicked, image_paths, placed
from openscenes.annotator.store.lines import writing
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.annotator.store.versions import Version
from openscenes.annotator.store.workspace import Workspace
from openscenes.data.examples import from_clicks
from openscenes.kept import keep, kept
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.inference import RunContext
from openscenes.method.quality import Quality, compared, learned_quality
from openscenes.study.profiles import Profile
from openscenes.study.runs.code_digest import code_digest
from openscenes.study.runs.data import Study, source
from openscenes.study.runs.models import run_context
from openscenes.study.runs.store import digest_of, locked

ERRORS_ALLOWED = 1.5  # typical errors of a person's box


def predicted_qualities(
    workspace: Workspace, study: Study, old: Version, new: Version, items: Sequence[Snapshot]
) -> NDArray[np.float64]:
    """(N, 2) predicted IoU in 0-1 of the plain answers of the old version and of the new one.

    Ours: the old version's maps begin the evidence that both are held against, and quality is
    learned with it on the labelled source, once.
    """
    if not items:
        return np.zeros((0, 2))
    scene = [clicked(item) for item in items]
    examples = [from_clicks(one) for one in placed(scene, image_paths(workspace, scene))]
    context = run_context(study)
    quality = _kept_quality(workspace, study, old, context)
    networks = [version.load(study) for version in (old, new)]
    with context.pool() as pool:
        return compared(networks, examples, context, quality, people(study.profile), pool)


def people(profile: Profile) -> EvidenceConfig:
    """Evidence for boxes that people drew."""
    error = profile.clicks.box_jitter
    return EvidenceConfig(box_error=error, slack=min(ERRORS_ALLOWED * error, 0.5))


def _kept_quality(
    workspace: Workspace, study: Study, version: Version, context: RunContext
) -> Quality:
    labelled, config = source(study, version.initial_set), people(study.profile)
    made_of = [version.name, labelled.digest, config, context.crop, context.clicks,
               context.inference, code_digest(learned_quality)]  # fmt: skip
    path = workspace.folder / "judgements" / f"quality-{digest_of(made_of)}.json"
    with writing(path.parent), locked(path.parent):
        if (facts := kept(path)) is not None:
            return Quality(facts["mean_iou"], tuple(facts["centre"]), tuple(facts["slopes"]))
        with context.pool() as pool:
            found = learned_quality(version.load(study), labelled.examples, context, config, pool)
        keep(path, asdict(found))
    return found
