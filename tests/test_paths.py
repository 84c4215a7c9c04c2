"""Files are put in place whole; the cache moves with its variable; OpenMP does not spin."""

import os
import subprocess
import sys

import pytest

from openscenes import paths


def test_cache_dir_follows_the_variable_and_exists(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "deep" / "cache"))
    assert paths.cache_dir() == tmp_path / "deep" / "cache"
    assert paths.cache_dir().is_dir()


def test_the_project_is_the_folder_above_the_source_root():
    assert (paths.PROJECT / "lib" / "openscenes" / "paths.py").is_file()


def test_a_reader_sees_the_old_file_until_the_block_ends(tmp_path):
    path = tmp_path / "new folder" / "table.csv"
    with paths.atomic(path) as partial:
        partial.write_text("first")
        assert not path.exists()
    with paths.atomic(path) as partial:
        partial.write_text("second")
        assert path.read_text() == "first"
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), paths.atomic(path) as partial:
        partial.write_text("half of")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_processes_do_not_write_the_same_partial_file(tmp_path, monkeypatch):
    with paths.atomic(tmp_path / "x") as mine:
        mine.write_text("mine")
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with paths.atomic(tmp_path / "x") as yours:
            assert yours != mine
            yours.write_text("yours")
        assert (tmp_path / "x").read_text() == "yours"
    assert (tmp_path / "x").read_text() == "mine"


def ask_openmp(environment):
    code = (
        "import sys, os, openscenes; assert 'torch' not in sys.modules;"
        "print(os.environ['OMP_WAIT_POLICY'], os.environ['GOMP_SPINCOUNT'])"
    )
    environment = {"PYTHONPATH": ":".join(sys.path), **environment}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True
    )
    return run.stdout.split()


def test_importing_the_package_stops_openmp_from_spinning_before_torch_comes():
    assert ask_openmp({}) == ["PASSIVE", "0"]


def test_a_user_may_decide_otherwise():
    chosen = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "7"}
    assert ask_openmp(chosen) == ["ACTIVE", "7"]
