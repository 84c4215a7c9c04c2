"""The model behind the annotator: the version in use, with the branch that takes corrections."""

from __future__ import annotations

from openscenes.annotator.evolve.evolving import SEED, version_in_use
from openscenes.annotator.evolve.session import Session
from openscenes.annotator.store.versions import Version
from openscenes.annotator.store.workspace import Workspace
from openscenes.study.plan.on_demand import trained
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import Model
from openscenes.study.runs.recipes import initial, refiner_of
from openscenes.study.runs.refinement import load_refinable


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
