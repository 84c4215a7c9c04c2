"""What undo can take back of one window, and redo bring back."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import NamedTuple

from openscenes.annotator.store.snapshot import Snapshot

MOST_STEPS = 5_000  # a window may be as old as its folder


class Step(NamedTuple):
    """One action: the object before it (None: there was none) and after it."""

    before: Snapshot | None
    after: Snapshot

    @property
    def without(self) -> Snapshot:
        """The object as undo leaves it."""
        return self.before or replace(self.after, deleted=True)


def together(steps: Sequence[Step]) -> list[Step]:
    """The newest of some steps, the last one first: one, or all of a class that was renamed."""
    last = steps[-1].after
    batch = takewhile(
        lambda one: (one.after.action, one.after.time) == (last.action, last.time), reversed(steps)
    )
    return list(batch) if last.action == "renamed" else [steps[-1]]


class Steps:
    """What undo can take back of one window, and redo bring back, as the log tells; newest last."""

    def __init__(self) -> None:
        self.done: list[Step] = []
        self.undone: list[Step] = []

    def take_in(self, before: Snapshot | None, line: Snapshot) -> None:
        """Follow one line of the window; an import is no step, nor is another file."""
        if line.action == "undone":
            self._move(self.done, self.undone, line)
        elif line.action == "redone":
            self._move(self.undone, self.done, line)
        elif line.action not in ("imported", "moved"):
            self.done.append(Step(before, line))
            del self.done[:-MOST_STEPS]
            self.undone.clear()

    def _move(self, source: list[Step], target: list[Step], line: Snapshot) -> None:
        """Move the step that the line took back or brought back; refused ones above it are gone."""
        for place in reversed(range(len(source))):
            step = source[place]
            result = step.without if target is self.undone else step.after
            if result.content == line.content:
                target.append(step)
                del source[place:]
                return
