"""The model behind the annotator: the version in use, with the branch that takes corrections."""

from __future__ import annotations

from openscenes.interactive.annotator.evolving import SEED, version_in_use
from openscenes.interactive.annotator.session import Session
from openscenes.interactive.annotator.versions import Version
from openscenes.interactive.annotator.workspace import Workspace
from openscenes.interactive.trained import trained
from openscenes.study.material import Study
from openscenes.study.models import Model
from openscenes.study.peer_runs import load_refinable
from openscenes.study.recipes import initial, refiner_of


def session_in_use(study: Study, workspace: Workspace) -> Session:
    """The workspace's version in use; in a new workspace, the study's initial model.

    What of the initial model and its refinement branch is missing in the cache is trained, and
    said before.

    Raises:
        InputError: if the workspace was begun with another profile.
    """
    _beginning(study)
    return session_of(study, version_in_use(workspace, study))


def session_of(study: Study, version: Version) -> Session:
    """A version, ready to be asked and corrected.

    Ours: the refinement branch was taught to the first model of the life; it is put onto what
    has evolved from it, as the study does.
    """
    first, branch = _beginning(study)
    return Session(study, load_refinable(study, branch, first, version.model), version.name)


def _beginning(study: Study) -> list[Model]:
    """The initial model, and the branch that was taught to it."""
    first = initial(study.profile.initial_sets[-1], SEED)
    return trained(study, [first, refiner_of(first)])
