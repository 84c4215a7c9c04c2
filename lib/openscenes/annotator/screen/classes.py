"""The classes of a folder, in the order of their keys, and the one that the next object gets."""

from collections import Counter
from pathlib import Path

from openscenes.annotator.store.lines import writing
from openscenes.annotator.store.objects import Annotations
from openscenes.errors import InputError
from openscenes.files import one_line, read_text
from openscenes.paths import atomic

FILE = "classes.txt"  # in the workspace: one name a line, in the order of their keys
LONGEST_NAME = 100  # characters of a class
N_KEYS = 9
_JOINERS = "\u200c\u200d"  # within words of some scripts, and within emoji


class Classes:
    """The classes of a folder: those of ``classes.txt``, then others that objects have.

    A name that is used stays in the file, so that its key stays. Whoever knows the classes before
    can write that file.

    Attributes:
        label: of the next object; "" for none.
    """

    def __init__(self, annotations: Annotations, workspace: Path) -> None:
        self.annotations, self.path, self.label = annotations, workspace / FILE, ""

    def names(self) -> tuple[str, ...]:
        """All of them; those that cannot be typed are left out."""
        used = (one.class_name or "" for one in self.annotations.objects())
        both = dict.fromkeys([*self._kept(), *used])
        return tuple(name for name in both if name and one_line(name, LONGEST_NAME) == name)

    def counts(self) -> Counter[str]:
        """How many objects of all images have each."""
        return Counter(one.class_name or "" for one in self.annotations.objects())

    def by_key(self, number: int) -> str:
        """The class of a key, from 1 on; InputError where it has none."""
        names = self.names()
        if not 1 <= number <= min(len(names), N_KEYS):
            raise InputError(
                f"The key {number} has no class: the list has {len(names)}; add one below it."
            )
        return names[number - 1]

    def take(self, typed: str) -> str:
        """The next object gets this class, which the list has from now on; "" for none."""
        self.label = typed_name(typed)
        if self.label and self.label not in self._kept():
            self._keep([*self.names(), self.label])
        return self.label

    def rename(self, old: str, typed: str) -> None:
        """Rename a class everywhere; where the other is one already, both become one.

        Raises:
            InputError: without a name, or a class of the old one.
        """
        new = typed_name(typed)
        if not new or old not in self.names():
            raise InputError(
                f"The class {one_line(old)!r} cannot be called {one_line(new)!r}; choose a class "
                "of the list, then type its new name."
            )
        if new != old:
            self.annotations.rename(old, new)
            self._renamed(old, new)

    def drop(self, name: str) -> None:
        """Take a class that no object has off the list; InputError where one has it."""
        if n := self.counts()[name]:
            raise InputError(
                f"{n} object{'s have' if n > 1 else ' has'} the class {one_line(name)}; rename the "
                "class, or delete them first."
            )
        self._keep([one for one in self._kept() if one != name])
        self.label = "" if self.label == name else self.label

    def follow(self, was: str | None, now: str | None) -> None:
        """Undo or redo of a renamed class has changed objects: the list follows."""
        if was and now and was != now:
            if self.counts()[was]:  # it was one with another
                self._keep([*self._kept(), now])
            else:
                self._renamed(was, now)

    def _renamed(self, old: str, new: str) -> None:
        self.label = new if self.label == old else self.label
        kept = [new if one == old else one for one in self._kept()]
        self._keep(kept)

    def _kept(self) -> list[str]:
        if not self.path.is_file():
            return []
        lines = read_text(self.path, "list of classes").splitlines()
        return list(dict.fromkeys(name for line in lines if (name := line.strip())))

    def _keep(self, names: list[str]) -> None:
        with writing(self.path), atomic(self.path) as partial:
            lines = (f"{name}\n" for name in dict.fromkeys(names))
            partial.write_text("".join(lines), encoding="utf-8")


def typed_name(text: str) -> str:
    """A class name as it is kept: one line, blanks joined; InputError for what nobody can read."""
    name = " ".join(text.split())
    if len(name) > LONGEST_NAME:
        raise InputError(
            f"A class name has at most {LONGEST_NAME} characters, and this one has {len(name)}; "
            "shorten it."
        )
    if not all(one.isprintable() or one in _JOINERS for one in name):
        raise InputError(
            f"The class name {one_line(name)} holds characters that cannot be seen; type it anew."
        )
    return name
