"""Long work in a thread: its progress is reported, its failure is shown."""

import sys
import threading

import pytest

from openscenes.annotator.screen.background import Background, Progress, parse_bar
from openscenes.errors import InputError
from openscenes.progress import progress
from openscenes.widgets.callbacks import Callbacks


@pytest.fixture
def callbacks():
    return Callbacks()


def test_a_bar_is_read():
    line = "\r25 annotations st+ipt+fa 1/3:  33%|███▎      | 1/3 [00:02<00:06,  3.0s/it, loss=0.2]"
    assert parse_bar(line) == Progress("25 annotations st+ipt+fa 1/3", 1, 3, "00:06")
    assert parse_bar("0it [00:00, ?it/s]") is None
    assert parse_bar("UserWarning: something") is None


def test_progress_of_the_method_is_reported_and_the_rest_passes(callbacks, capsys):
    said, results = [], []
    background = Background(callbacks, said.append)

    def work():
        bar = progress("learning", 4)
        bar.update(4)
        bar.refresh()
        bar.close()
        print("a warning", file=sys.stderr)
        return threading.current_thread().name

    background.start("Learning", work, results.append)
    background.wait(10)
    assert results == ["annotator-work"]
    assert said[0] == Progress("learning", 0, 4, "?") or said[0].total == 4
    assert said[-1].done == 4
    assert "a warning" in capsys.readouterr().err
    assert background.doing == ""


def test_only_one_thing_at_a_time(callbacks):
    gate, results = threading.Event(), []
    background = Background(callbacks, lambda _: None)
    background.start("Evolving", gate.wait, results.append)
    with pytest.raises(InputError, match="Evolving is still running; wait"):
        background.start("Judging", gate.wait, results.append)
    gate.set()
    background.wait(10)
    background.start("Judging", lambda: 2, results.append)
    background.wait(10)
    assert results == [True, 2]


def test_a_failure_is_shown_and_the_end_is_told(callbacks):
    results = []
    background = Background(callbacks, lambda _: None)
    background.start("Evolving", lambda: 1 / 0, results.append)
    background.wait(10)
    assert results == [None]
    (shown,) = callbacks.failures.outputs
    assert (shown["output_type"], shown["ename"]) == ("error", "ZeroDivisionError")


def test_what_the_user_can_mend_is_one_sentence(callbacks):
    def work():
        raise InputError("Accept more objects.")

    background = Background(callbacks, lambda _: None)
    background.start("Evolving", work, lambda _: None)
    background.wait(10)
    assert "Accept more objects." in callbacks.message.value
    assert callbacks.failures.outputs == ()
