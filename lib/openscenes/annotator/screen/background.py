"""Long work beside the widget: one thread, its progress reported, its failure shown.

Progress is read from the bars that the method draws on standard error; the rest passes through.
"""

import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from typing import NamedTuple, TextIO, TypeVar

from openscenes.errors import InputError
from openscenes.widgets.callbacks import Callbacks

Made = TypeVar("Made")
_BAR = re.compile(
    r"^(?P<label>.*?): +\d+%\|.*?\| *(?P<done>\d+)/(?P<total>\d+) \[(?P<times>[^\]]*)"
)
_LEFT = re.compile(r"<([\d:]+)")


class Progress(NamedTuple):
    """What one line of a progress bar says; ``left`` is the time to its end, as "00:12" or "".

    A total of 0 is a note without a bar.
    """

    label: str
    done: int
    total: int
    left: str


def parse_bar(line: str) -> Progress | None:
    """Read a line of a progress bar; None where it is none."""
    found = _BAR.match(line.strip())
    if found is None:
        return None
    left = _LEFT.search(found["times"])
    return Progress(
        found["label"], int(found["done"]), int(found["total"]), left[1] if left else ""
    )


class ProgressStream:
    """A stream that takes bars out and lets the rest through."""

    encoding = "utf-8"

    def __init__(self, report: Callable[[Progress], None], rest: TextIO) -> None:
        """``report`` is called in this thread, with the bars that it draws."""
        self.reports, self.rest = {threading.get_ident(): report}, rest

    def write(self, text: str) -> int:
        """Report a bar's line, and a note that ends with "once)"; a wiped bar says nothing."""
        said = parse_bar(text)
        if said is None and text.rstrip().endswith("once)"):
            said = Progress(text.strip(), 0, 0, "")
        if said is not None:
            self.reports.get(threading.get_ident(), _nowhere)(said)
        elif text.strip():
            self.rest.write(text if text.endswith("\n") else f"{text}\n")
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        """Pose as a terminal, so that bars update."""
        return True


@contextmanager
def reported(report: Callable[[Progress], None]) -> Iterator[None]:
    """Report the bars of the work within; a thread that works beside it keeps its own report."""
    beside = sys.stderr
    if not isinstance(beside, ProgressStream):
        with redirect_stderr(ProgressStream(report, beside)):
            yield
        return
    beside.reports[threading.get_ident()] = report
    try:
        yield
    finally:
        del beside.reports[threading.get_ident()]


def _nowhere(_: Progress) -> None:
    """What a thread draws that nobody asked."""


class Background:
    """At most one piece of work at a time; ``doing`` says in words which, or is empty."""

    def __init__(self, callbacks: Callbacks, report: Callable[[Progress], None]) -> None:
        """``report`` is called with progress, in the working thread."""
        self.callbacks, self.report, self.doing = callbacks, report, ""
        self._thread: threading.Thread | None = None

    def start(
        self, doing: str, work: Callable[[], Made], then: Callable[[Made | None], None]
    ) -> None:
        """Begin, and return at once.

        Args:
            doing: what it is, in words.
            work: runs in the thread, beside all callbacks; must share nothing with them.
            then: gets its result under the callbacks' lock; None where it has failed, which is
                shown.
        Raises:
            InputError: if something is running already.
        """
        self.require_idle()
        thread = threading.Thread(
            target=self._run, args=(work, then), name="annotator-work", daemon=True
        )
        self.doing, self._thread = doing, thread
        thread.start()

    def require_idle(self) -> None:
        """Raise an InputError if something is running."""
        if self.doing:
            raise InputError(f"{self.doing} is still running; wait until it is done.")

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end of what runs, for tests and scripts."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, work: Callable[[], Made], then: Callable[[Made | None], None]) -> None:
        made, failure = None, None
        try:
            with reported(self.report):
                made = work()
        except Exception as error:
            failure = error
        self.doing = ""

        def end() -> None:
            try:
                then(made)
            finally:
                if failure is not None:
                    raise failure

        self.callbacks.guarded(end)()
