"""The files of one version of a model, and what is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from safetensors import SafetensorError, safe_open

from openscenes.annotator.store.history import is_name
from openscenes.annotator.store.image_files import kind_of
from openscenes.annotator.store.lines import shown
from openscenes.annotator.store.snapshot import is_plain
from openscenes.errors import DataError, InputError
from openscenes.files import read_json, reason
from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.profiles import InitialSet
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import Model

ABOUT, WEIGHTS = "about.json", "model.safetensors"


@dataclass(frozen=True)
class Version:
    """One trained model of a workspace, named by the digest of what made it; see ``about.json``."""

    name: str
    folder: Path
    about: Mapping[str, Any]

    @property
    def label(self) -> str:
        """What it is, in words."""
        return str(self.about["label"])

    @property
    def parent(self) -> str | None:
        """The version that it evolved from; None for an initial model."""
        return self.about["parent"]

    @property
    def initial_set(self) -> InitialSet:
        """What the initial model of its lineage has learned."""
        named = self.about.get("initial_set")
        for known in get_args(InitialSet):
            if named == known:
                return known
        raise DataError(f"{shown(self.folder / ABOUT)} names no initial_set; put the file back.")

    @property
    def model(self) -> Model:
        """The same as a model of a study."""
        return Model(self.name, self.folder, self.label)

    def load(self, study: Study) -> OpenSceneNet:
        """The network, on the CPU, in evaluation mode."""
        return self.model.load(study)


def about_initial(study: Study, model: Model, initial_set: InitialSet) -> dict[str, Any]:
    """The description of a study's initial model as a version."""
    return {
        "label": model.label, "parent": None, "profile": study.profile.name,
        "initial_set": initial_set, "made_of": {"model": model.digest},
    }  # fmt: skip


def read_version(folder: Path) -> Version:
    """The version of a folder, whose name is its own.

    Raises:
        InputError: if its weights are missing.
        DataError: if they are cut short, or its description is, or is missing.
    """
    if kind_of(folder / WEIGHTS) != "file":
        raise InputError(
            f"Version {folder.name} is not whole: {shown(folder / WEIGHTS)} is missing; put the "
            "file back, roll back, or begin with a new workspace."
        )
    try:
        cut_short = _is_cut_short(folder / WEIGHTS)
    except OSError as error:
        raise DataError(
            f"{shown(folder / WEIGHTS)} cannot be read ({reason(error)}); mend it."
        ) from error
    if cut_short:
        raise DataError(
            f"Version {folder.name} cannot be used: {shown(folder / WEIGHTS)} is cut short; put "
            "the file back, or roll back."
        )
    about = read_json(folder / ABOUT, "description")
    if fault := _fault(folder.name, about):
        raise DataError(
            f"Version {folder.name} cannot be used: {shown(folder / ABOUT)} has {fault}; put the "
            "file back, or roll back."
        )
    return Version(folder.name, folder, about)


def _is_cut_short(weights: Path) -> bool:
    """Whether a file of weights is not as long as its head says; nothing is loaded."""
    with weights.open("rb") as file:
        head = file.read(9)
    if head[8:] != b"{":  # no head: what it is is told when it is loaded
        return not head
    try:
        with safe_open(weights, framework="numpy"):
            return False
    except SafetensorError:
        return True


def _fault(name: str, about: object) -> str:
    """What is wrong with a version's description, in words; "" where nothing is."""
    if not isinstance(about, dict):
        return "no description of a version"
    if not all(is_plain(about.get(key)) for key in ("label", "profile")):
        return "no label and profile"
    parent = about.get("parent", "")
    for other in (parent, about.get("before")):
        if other is not None and (not is_name(other) or other == name):
            return f"no other version as parent, but {other!r:.40}"
    return ""
