"""From a press of *Evolve* to a judgement: what the annotator does in its thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from openscenes.data.examples import ImageCache
from openscenes.interactive.annotator.evolving import evolve_on, split_for, version_in_use
from openscenes.interactive.annotator.judgement import Judgement, judge
from openscenes.interactive.annotator.scene import Split
from openscenes.interactive.annotator.snapshot import Snapshot
from openscenes.interactive.annotator.versions import Version, Versions
from openscenes.interactive.annotator.workspace import Workspace
from openscenes.study.material import Study


@dataclass(frozen=True)
class Candidate:
    """A version that waits for a decision, beside the one in use.

    Attributes:
        held_out: the objects that both were judged on.
    """

    old: Version
    new: Version
    held_out: tuple[Snapshot, ...]
    judgement: Judgement


def evolved(workspace: Workspace, study: Study, accepted: Sequence[Snapshot]) -> Candidate:
    """The paper's step on accepted objects, then the judgement of what came out."""
    own = apart(study)
    return judged(workspace, own, accepted, evolve_on(workspace, own, accepted))


def judged(
    workspace: Workspace, study: Study, accepted: Sequence[Snapshot], new: Version
) -> Candidate:
    """A version beside the one in use, on objects that neither has learned.

    A version that is in use already is shown beside the one that it evolved from.
    """
    own, old = apart(study), version_in_use(workspace, study)
    if old.name == new.name and new.parent is not None:
        old = Versions(workspace.folder).named(new.parent)
    held_out = split_for(workspace, new, accepted).held_out
    return Candidate(old, new, held_out, judge(workspace, own, old, new, held_out))


def waiting(workspace: Workspace) -> Version | None:
    """The newest version that nobody has decided about; None if there is none."""
    undecided = Versions(workspace.folder).undecided()
    return undecided[-1] if undecided else None


def prospect(workspace: Workspace, study: Study, accepted: Sequence[Snapshot]) -> Split:
    """What the next step would learn, and what it would be judged on."""
    return split_for(workspace, version_in_use(workspace, study), accepted)


def apart(study: Study) -> Study:
    """The same study with decoded photographs of its own: two threads share no cache."""
    return replace(study, cache=ImageCache(study.cache.max_bytes), memory=dict(study.memory))
