"""Dask's dashboard: refused without bokeh, else served on the loopback address alone."""

import importlib.util
import urllib.request

import pytest

from openscenes.__main__ import main
from openscenes.study.graph import prepare
from openscenes.study.graph.clusters import local_workers
from openscenes.study.graph.wanted import Place, Wanted
from openscenes.study.graph.workers import Slot
from openscenes.study.options import profile_named
from openscenes.study.runs.data import open_study

MODELS = ["models", "--profile", "smoke", "--device", "cpu", "--seeds", "61", "--dashboard"]


def test_without_bokeh_the_command_says_what_to_install(monkeypatch, capsys) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "bokeh" else found(name, *a)
    )
    assert main(MODELS) == 2
    told = capsys.readouterr().err
    assert told.endswith(
        "the dashboard needs bokeh, which is not installed: pip install bokeh, or leave out "
        "--dashboard\n"
    )
    assert told.count("\n") == 1


def test_one_process_says_that_it_has_none(monkeypatch, capsys) -> None:
    monkeypatch.setattr("openscenes.study.graph.clusters.require_dashboard", lambda: None)
    study = open_study(profile_named("smoke"), None, "cpu")
    assert list(prepare.done(study, Wanted(())(study), Place(workers=1, dashboard=True))) == []
    told = capsys.readouterr().err
    assert told == "dashboard: none, as one process does all; ask for more with WORKERS=2\n"


def test_a_dashboard_is_served_on_the_loopback_address(capsys) -> None:
    pytest.importorskip("bokeh", reason="bokeh, which draws it, is missing")
    with local_workers([Slot({"host_gib": 1.0})] * 2, dashboard=True) as client:
        label, _, address = capsys.readouterr().err.strip().partition(": ")
        assert (label, address) == ("dashboard", client.dashboard_link)
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=20) as page:
            assert b"Bokeh" in page.read()
