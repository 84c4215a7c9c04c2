"""`openscenes annotate FOLDER` becomes JupyterLab, whose notebook takes the folder."""

import sys
from runpy import run_path
from types import SimpleNamespace

import pytest

from openscenes.__main__ import main
from openscenes.annotator import launch
from openscenes.annotator.evolve.opening import LateStudy
from openscenes.annotator.screen.example import place_of


def test_the_folder_reaches_the_notebook(tmp_path, monkeypatch, capsys):
    desks = run_path(__file__.replace("test_launch", "desks"))
    desks["write_images"](tmp_path)
    begun = []
    asked = SimpleNamespace(folder=str(tmp_path), options=["--port", "8890"])
    launch.run(asked, lambda *given: begun.append(given))
    ((program, command, environment),) = begun
    assert (program, command[:3]) == (sys.executable, [sys.executable, "-m", "jupyterlab"])
    assert command[3] == str(launch.NOTEBOOK)
    assert command[-2:] == ["--port", "8890"]
    assert "Run All Cells" in capsys.readouterr().out
    monkeypatch.setenv(launch.FOLDER, environment[launch.FOLDER])
    assert place_of(LateStudy()).images == tmp_path


def test_what_is_no_folder_is_refused_before_anything_starts(tmp_path, capsys):
    assert main(["annotate", str(tmp_path / "none")]) == 2
    assert "none; give the folder that holds your images" in capsys.readouterr().err


def test_a_study_that_cannot_be_is_refused_before_it_is_opened():
    with pytest.raises(Exception, match='there is no profile "huge"'):
        LateStudy("huge")
