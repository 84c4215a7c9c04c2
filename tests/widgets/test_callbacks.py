"""No exception of a callback is lost, and no two callbacks run at once."""

import threading
import time

import nbformat

from openscenes.errors import InputError
from openscenes.widgets.callbacks import Callbacks


def fail(error):
    raise error


def test_a_failure_is_shown_as_an_error_that_the_notebook_format_knows():
    callbacks = Callbacks()
    callbacks.guarded(fail)(ZeroDivisionError("by zero"))
    (shown,) = callbacks.failures.outputs
    assert (shown["output_type"], shown["ename"]) == ("error", "ZeroDivisionError")
    assert any("in fail" in line for line in shown["traceback"])
    nbformat.validate(nbformat.from_dict(shown), ref="error", version=4)
    assert callbacks.message.value == ""


def test_failures_are_kept_all():
    callbacks = Callbacks()
    for error in (KeyError("a"), ValueError("b")):
        callbacks.guarded(fail)(error)
    assert [shown["ename"] for shown in callbacks.failures.outputs] == ["KeyError", "ValueError"]


def test_what_a_user_can_mend_is_one_sentence_until_it_is_mended():
    callbacks = Callbacks()
    callbacks.guarded(fail)(InputError("The box is <2 px wide; draw a larger one."))
    assert "The box is &lt;2 px wide; draw a larger one." in callbacks.message.value
    assert callbacks.failures.outputs == ()
    callbacks.guarded(lambda: None)()
    assert callbacks.message.value == ""


def test_a_callback_that_calls_another_keeps_its_sentence():
    callbacks = Callbacks()
    inner = callbacks.guarded(fail)
    callbacks.guarded(lambda: inner(InputError("Choose a folder.")))()
    assert "Choose a folder." in callbacks.message.value


def test_arguments_arrive():
    callbacks, seen = Callbacks(), []
    callbacks.guarded(lambda *args, **named: seen.append((args, named)))(1, b=2)
    assert seen == [((1,), {"b": 2})]


def test_callbacks_of_many_threads_take_turns():
    callbacks, inside, most = Callbacks(), [], []

    def visit():
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.002)
        inside.pop()

    threads = [threading.Thread(target=callbacks.guarded(visit)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8
