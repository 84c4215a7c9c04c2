"""Networks that a lesson runs: each is read from its file once."""

from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import Model


def loaded(study: Study, model: Model) -> OpenSceneNet:
    """A trained network, cached by the study."""
    return study.remembered(("network", model.digest), lambda: model.load(study))
