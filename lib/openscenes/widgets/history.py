"""Undo and redo over anything that can be kept."""

from typing import Generic, TypeVar

T = TypeVar("T")


class History(Generic[T]):
    """What was looked at, to go back and forth; one entry per control moved, not per pixel slid."""

    def __init__(self, first: T, *, longest: int = 50) -> None:
        self._entries: list[tuple[str, T]] = [("", first)]
        self._now, self._longest = 0, longest

    @property
    def now(self) -> T:
        """The entry at which one stands."""
        return self._entries[self._now][1]

    def put(self, entry: T, control: str) -> None:
        """Add an entry; a control ("" for none) that moves on replaces its own last entry."""
        kept = self._entries[: self._now + 1]
        newest = self._now == len(self._entries) - 1
        if newest and control and kept[-1][0] == control:
            kept = kept[:-1]
        self._entries = [*kept, (control, entry)][-self._longest :]
        self._now = len(self._entries) - 1

    def beside(self, way: str) -> T:
        """The entry that ``back`` or ``forward``, as ``way`` says, would go to."""
        beside = self._now + (-1 if way == "back" else 1)
        return self._entries[min(max(beside, 0), len(self._entries) - 1)][1]

    def back(self) -> T:
        """Go one entry back, if there is one."""
        self._now = max(self._now - 1, 0)
        return self.now

    def forward(self) -> T:
        """Go one entry forth, if there is one."""
        self._now = min(self._now + 1, len(self._entries) - 1)
        return self.now
