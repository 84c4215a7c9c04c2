"""One progress bar: lively in a terminal, one plain line now and then in a log."""

from __future__ import annotations

import sys

from tqdm.std import tqdm


def progress(label: str, total: int, done: int = 0) -> tqdm:
    """A bar on standard error with speed and time left; a log gets a line in twenty seconds."""
    interval = 0.5 if sys.stderr.isatty() else 20.0
    return tqdm(total=total, initial=done, desc=label, mininterval=interval, leave=False)
