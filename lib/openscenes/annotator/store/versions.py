"""Versions of a model in a workspace: kept side by side, taken up and left again, never lost.

A version is a folder that is written once. Which one is in use follows from an append-only history
of what was decided, so that going back is one more line and no file is ever overwritten.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openscenes.annotator.store.history import Decision, What, decide, decisions, in_use
from openscenes.errors import InputError
from openscenes.networks.openscene import OpenSceneNet
from openscenes.paths import atomic
from openscenes.study.profiles import InitialSet
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import Model
from openscenes.study.runs.store import locked, put_json

NEWEST = "newest"
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
    def model(self) -> Model:
        """The same as a model of a study."""
        return Model(self.name, self.folder, self.label)

    def load(self, study: Study) -> OpenSceneNet:
        """The network, on the CPU, in evaluation mode."""
        return self.model.load(study)


@dataclass(frozen=True)
class Versions:
    """All versions below ``<workspace>/versions`` and the decisions about them.

    Safe against a kill at any moment and against two windows: every decision is one line, written
    under a lock, and a version counts once its weights, a model file, lie there whole.
    """

    workspace: Path

    @property
    def folder(self) -> Path:
        """Where the versions lie."""
        return Path(self.workspace) / "versions"

    def history(self) -> list[Decision]:
        """All decisions, the oldest first; a line that a crash cut short is passed over."""
        return decisions(self._history_file)

    def all(self) -> list[Version]:
        """Every finished version, in the order in which they were added."""
        added = dict.fromkeys(d.version for d in self.history() if d.what == "added")
        return [self._read(name) for name in added if self._finished(name)]

    def named(self, name: str) -> Version:
        """The version of a name or its beginning, or the newest undecided one; else InputError."""
        known = self.undecided()[-1:] if name == NEWEST else self.all()
        fitting = [v for v in known if name == NEWEST or (name and v.name.startswith(name))]
        if len(fitting) != 1:
            raise InputError(self._no_such(name, len(fitting)))
        return fitting[0]

    def current(self) -> Version | None:
        """The version in use, None before the first one."""
        taken = in_use(self.history())
        return self._read(taken[-1]) if taken else None

    def lineage(self, version: Version) -> list[Version]:
        """A version and all it evolved from, the oldest first."""
        before = [] if version.parent is None else self.lineage(self._read(version.parent))
        return [*before, version]

    def undecided(self) -> list[Version]:
        """Finished versions that were neither accepted nor refused yet."""
        decided = {d.version for d in self.history() if d.what in ("accepted", "refused")}
        return [version for version in self.all() if version.name not in decided]

    def adopt(
        self, study: Study, model: Model, *, initial_set: InitialSet = "voc+sbd", by: str = ""
    ) -> Version:
        """Take over a study's initial model; the first one is in use from then on.

        Args:
            study: whose model it is.
            model: trained; its weights are copied, so that the workspace stands alone.
            initial_set: what it has learned, which is the pool that evolution draws from.
        Raises:
            InputError: if the model is not trained.
        """
        if not model.weights.is_file():
            raise InputError(
                f"The model {model.label} is not trained yet; train it, as `make table-4` does, "
                "then adopt it."
            )
        about = {"label": model.label, "parent": None, "profile": study.profile.name,
                 "initial_set": initial_set, "made_of": {"model": model.digest}}  # fmt: skip
        folder = self.folder / model.digest
        with locked(self.folder):
            if not self._finished(model.digest):
                put_json(folder / ABOUT, about)
                with atomic(folder / WEIGHTS) as partial:
                    shutil.copyfile(model.weights, partial)
        version = self.add(model.digest, by=by)
        if self.current() is None:
            self.accept(version.name, by=by)
        return version

    def add(self, name: str, *, by: str = "") -> Version:
        """Count a finished folder as a version; a second call changes nothing."""
        version = self._read(name)
        with locked(self.folder):
            if ("added", name) not in {(d.what, d.version) for d in self.history()}:
                self._decide("added", name, by)
        return version

    def accept(self, name: str, *, by: str = "") -> Version:
        """Take a version into use; one that is in use stays so."""
        with locked(self.folder):
            version = self.named(name)
            if in_use(self.history())[-1:] != [version.name]:
                self._decide("accepted", version.name, by)
        return version

    def refuse(self, name: str, *, by: str = "") -> Version:
        """Say that a version not in use is not wanted; it is kept, and may be accepted later."""
        with locked(self.folder):
            version, history = self.named(name), self.history()
            if in_use(history)[-1:] == [version.name]:
                raise InputError(
                    f"Version {version.name} is in use; roll back to leave it, instead of "
                    "refusing it."
                )
            if [d.what for d in history if d.version == version.name][-1:] != ["refused"]:
                self._decide("refused", version.name, by)
        return version

    def rollback(self, *, leaving: str | None = None, by: str = "") -> Version:
        """Go back to the version that was in use before; again, and one further back.

        Args:
            leaving: the version that the caller sees in use; None does not check it.
        Returns:
            The version that is in use now.
        Raises:
            InputError: if there is none before, or another window has changed it meanwhile.
        """
        with locked(self.folder):
            taken = in_use(self.history())
            if len(taken) < 2:
                raise InputError(
                    "The first version is in use; there is nothing to go back to before an "
                    "evolved version was accepted."
                )
            if leaving is not None and leaving != taken[-1]:
                raise InputError(
                    f"Version {taken[-1]} is in use, no longer {leaving}; look at it before "
                    "rolling back."
                )
            self._decide("rolled back", taken[-1], by)
        return self._read(taken[-2])

    @property
    def _history_file(self) -> Path:
        return self.folder / "history.jsonl"

    def _decide(self, what: What, version: str, by: str) -> None:
        decide(self._history_file, what, version, by)

    def _finished(self, name: str) -> bool:
        return (self.folder / name / WEIGHTS).is_file()

    def _read(self, name: str) -> Version:
        folder = self.folder / name
        if not self._finished(name):
            raise InputError(
                f"Version {name} is not whole: {folder / WEIGHTS} is missing; put the file back, "
                "or begin with a new workspace."
            )
        return Version(name, folder, json.loads((folder / ABOUT).read_text(encoding="utf-8")))

    def _no_such(self, name: str, n_fitting: int) -> str:
        known = ", ".join(version.name for version in self.all()) or "none yet"
        if name == NEWEST:
            return f"No version waits for a decision (versions: {known}); evolve one first."
        found = "No version is" if n_fitting == 0 else f"{n_fitting} versions are"
        return f"{found} called {name!r}; name one of: {known}."
