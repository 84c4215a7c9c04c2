"""One progress bar: lively in a terminal, one plain line now and then in a log."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from tqdm.std import tqdm

Told = Callable[[str, int, int], None]  # label, done, total
_told: Told | None = None


def tell(told: Told | None) -> None:
    """Hand the progress of this process to a function instead of showing it; None shows it."""
    global _told
    _told = told


def say(text: str) -> None:
    """A line on standard error, or to whom this process tells its progress."""
    if _told is None:
        print(text, file=sys.stderr, flush=True)
    else:
        _told(text, 0, 0)


def progress(label: str, total: int, done: int = 0, *, delay_s: float = 0.0) -> tqdm:
    """A bar on standard error with speed and time left; a log gets a line in twenty seconds."""
    interval = 0.5 if sys.stderr.isatty() or _told else 20.0
    shown: type[tqdm] = tqdm if _told is None else _Elsewhere
    return shown(
        total=total, initial=done, desc=label, mininterval=interval, leave=False, delay=delay_s
    )


class _Elsewhere(tqdm):
    """A bar that a process tells instead of showing it."""

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """What was to be written, as numbers."""
        if _told is not None and msg is None:
            _told(str(self.desc).removesuffix(": "), int(self.n), int(self.total or 0))


Item = TypeVar("Item")


def counted(label: str, items: Sequence[Item]) -> Iterator[Item]:
    """The items one by one, and a bar of how many are done once that takes a second."""
    bar = progress(label, len(items), delay_s=1.0)
    try:
        for item in items:
            yield item
            bar.update()
    finally:
        bar.close()
