"""Versions of a model in a workspace: kept side by side, taken up and left again, never lost.

A version is a folder that is written once. Which one is in use follows from an append-only history
of what was decided, so that going back is one more line and no file is ever overwritten.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openscenes.amounts import amount
from openscenes.annotator.store.history import Decision, What, decide, decisions, in_use, n_unread
from openscenes.annotator.store.image_files import kind_of
from openscenes.annotator.store.lines import shown, writing
from openscenes.annotator.store.version_files import (
    ABOUT,
    WEIGHTS,
    Version,
    about_initial,
    read_version,
)
from openscenes.errors import DataError, InputError, OpenScenesError
from openscenes.files import one_line
from openscenes.paths import atomic
from openscenes.study.profiles import InitialSet
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import Model
from openscenes.study.runs.store import locked, put_json

NEWEST = "newest"


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
        return [self.read(name) for name in self._added() if self.is_whole(name)]

    def title(self, name: str) -> str:
        """A version as people call it, "version 2 of 2026-11-29"; the first one has number 0.

        A name that is none of them stays as it is, such as that of a model of the repository.
        """
        added = {d.version: d.time[:10] for d in reversed(self.history()) if d.what == "added"}
        if name not in added:
            return name
        return f"version {self._added().index(name)} of {added[name]}"

    def complaint(self) -> str:
        """One sentence about versions and decisions that cannot be used; "" where all can."""
        n, damaged = n_unread(self._history_file), []
        if n:
            damaged = [f"{amount(n, 'line')} of {shown(self._history_file)} could not be read"]
        damaged += [f"version {name} could not be used" for name in self._added()
                    if not self.is_whole(name) and kind_of(self.folder / name)]  # fmt: skip
        taken, current = in_use(self.history()), self.current()
        if current is not None and current.name != taken[-1]:
            damaged.append(f"version {current.name} stands in for {taken[-1]}, which was in use")
        return f"{'; '.join(damaged)}; all others count." if damaged else ""

    def named(self, name: str) -> Version:
        """The version of a name or its beginning, or the newest undecided one; else InputError."""
        known = self.undecided()[-1:] if name == NEWEST else self.all()
        fitting = [v for v in known if name == NEWEST or (name and v.name.startswith(name))]
        if len(fitting) != 1:
            raise InputError(self._no_such(name, len(fitting)))
        return fitting[0]

    def current(self) -> Version | None:
        """The version in use; None before the first one.

        Where its files are damaged, the one that was in use before it stands in; see
        ``complaint``.
        """
        usable = (name for name in reversed(in_use(self.history())) if self.is_whole(name))
        return next((self.read(name) for name in usable), None)

    def read(self, name: str) -> Version:
        """A version by its whole name; InputError or DataError if its files are damaged."""
        return read_version(self.folder / name)

    def is_whole(self, name: str) -> bool:
        """Whether a version's files are there and can be used."""
        try:
            return bool(self.read(name))
        except OpenScenesError:
            return False

    def lineage(self, version: Version) -> list[Version]:
        """A version and all it evolved from, the oldest first; DataError if these go in a ring."""
        line = [version]
        while (parent := line[-1].parent) is not None:
            if parent in {one.name for one in line}:
                raise DataError(
                    f"Version {version.name} cannot be used: by {shown(line[-1].folder / ABOUT)}, "
                    f"it comes from {parent}, which comes from it; put the file back, or roll back."
                )
            line.append(self.read(parent))
        return line[::-1]

    def before(self, version: Version) -> Version:
        """The version that one evolved from; rounds in between are none.

        Raises:
            InputError, DataError: if it evolved from none, or that one is damaged.
        """
        return self.read(str(version.about.get("before") or version.parent))

    def undecided(self) -> list[Version]:
        """Finished versions that were neither accepted nor refused yet."""
        decided = {d.version for d in self.history() if d.what in ("accepted", "refused")}
        return [version for version in self.all() if version.name not in decided]

    def adopt(
        self, study: Study, model: Model, *, initial_set: InitialSet = "voc+sbd", by: str = ""
    ) -> Version:
        """Take over a study's initial model; the first one is in use from then on.

        Args:
            model: trained; its weights are copied, so that the workspace stands alone, also over
                a copy that is damaged.
            initial_set: what it has learned, which is the pool that evolution draws from.
        Raises:
            InputError: if the model is not trained.
        """
        if not model.weights.is_file():
            raise InputError(
                f"The model {model.label} is not trained yet; train it, as `make table-4` does, "
                "then adopt it."
            )
        about = about_initial(study, model, initial_set)
        folder = self.folder / model.digest
        with self._locked():
            if not self.is_whole(model.digest):
                put_json(folder / ABOUT, about)
                with atomic(folder / WEIGHTS) as partial:
                    shutil.copyfile(model.weights, partial)
        version = self.add(model.digest, by=by)
        if self.current() is None:
            self.accept(version.name, by=by)
        return version

    def add(self, name: str, *, by: str = "") -> Version:
        """Count a finished folder as a version; a second call changes nothing."""
        version = self.read(name)
        with self._locked():
            if ("added", name) not in {(d.what, d.version) for d in self.history()}:
                self._decide("added", name, by)
        return version

    def accept(self, name: str, *, by: str = "") -> Version:
        """Take a version into use; one that is in use stays so."""
        with self._locked():
            version = self.named(name)
            if in_use(self.history())[-1:] != [version.name]:
                self._decide("accepted", version.name, by)
        return version

    def refuse(self, name: str, *, by: str = "") -> Version:
        """Say that a version not in use is not wanted; it is kept, and may be accepted later."""
        with self._locked():
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
        Raises:
            InputError: if there is none before, or another window has changed it meanwhile.
        """
        with self._locked():
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
            before = self.read(taken[-2])
            self._decide("rolled back", taken[-1], by)
        return before

    @property
    def _history_file(self) -> Path:
        return self.folder / "history.jsonl"

    def _decide(self, what: What, version: str, by: str) -> None:
        decide(self._history_file, what, version, by)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with writing(self.folder), locked(self.folder):
            yield

    def _added(self) -> list[str]:
        return list(dict.fromkeys(d.version for d in self.history() if d.what == "added"))

    def _no_such(self, name: str, n_fitting: int) -> str:
        known = ", ".join(version.name for version in self.all()) or "none yet"
        if name == NEWEST:
            return f"No version waits for a decision (versions: {known}); evolve one first."
        found = "No version is" if n_fitting == 0 else f"{n_fitting} versions are"
        return f"{found} called {one_line(repr(name))}; name one of: {known}."
