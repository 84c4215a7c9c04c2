"""Callbacks that cannot fail in silence, and never two at once.

A front end may call a kernel on several threads, and an exception in a callback is lost by
default. Here one lock stands around all callbacks of a widget, what the user can mend is said in
one sentence, and anything else becomes an error in the page, which also fails the notebook's run.
"""

import threading
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

from ipywidgets import HTML, Layout, Output, VBox

from openscenes.errors import OpenScenesError
from openscenes.study.pages.foreign_text import in_html


class Callbacks:
    """The callbacks of one widget.

    Attributes:
        message: the sentence of the last error that its user can mend, empty when it is mended.
        failures: errors of ours, each with its traceback.
        shown: both, to be put under the widget.
        lock: held while a callback runs; take it where the state is changed otherwise.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.message = HTML().add_class("os-message")
        self.failures = Output().add_class("os-failures")
        self.shown = VBox([self.message, self.failures], layout=Layout(width="100%"))
        self._depth = 0

    def guarded(self, function: Callable[..., object]) -> Callable[..., None]:
        """The function as a callback: one at a time, every exception shown."""

        @wraps(function)
        def callback(*arguments: Any, **named: Any) -> None:
            with self.lock:
                self._begin()
                try:
                    function(*arguments, **named)
                except OpenScenesError as error:
                    self.message.value = _sentence(error)
                except Exception as error:
                    self.failures.outputs = (*self.failures.outputs, _error_output(error))
                finally:
                    self._depth -= 1

        return callback

    def _begin(self) -> None:
        """Forget what was mended, but not within a callback that another one called."""
        if self._depth == 0:
            self.message.value = ""
        self._depth += 1


def _sentence(error: OpenScenesError) -> str:
    return f'<span role="alert">{in_html(str(error))}</span>'


def _error_output(error: Exception) -> dict[str, Any]:
    """What a cell shows of an exception, in the notebook format."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    name = type(error).__name__
    return {"output_type": "error", "ename": name, "evalue": str(error), "traceback": lines}
