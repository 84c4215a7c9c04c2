"""One progress bar: lively in a terminal, one plain line now and then in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm.std import tqdm


def progress(label: str, total: int, done: int = 0, *, delay_s: float = 0.0) -> tqdm:
    """A bar on standard error with speed and time left; a log gets a line in twenty seconds."""
    interval = 0.5 if sys.stderr.isatty() else 20.0
    return tqdm(
        total=total, initial=done, desc=label, mininterval=interval, leave=False, delay=delay_s
    )


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
