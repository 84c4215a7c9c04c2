"""Files are put in place whole; the cache moves with its variable; OpenMP does not spin."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from openscenes import paths
from openscenes.errors import InputError


def test_cache_dir_follows_the_variable_and_exists(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "deep" / "cache"))
    assert paths.cache_dir() == tmp_path / "deep" / "cache"
    assert paths.cache_dir().is_dir()


@pytest.mark.parametrize("known", [True, False])
def test_a_user_without_a_home_gets_one_in_the_cache(tmp_path, monkeypatch, known):
    def home():
        if not known:
            raise RuntimeError("Could not determine home directory.")
        return tmp_path

    monkeypatch.setattr(paths.Path, "home", home)
    monkeypatch.setenv("HOME", "as it was")
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))
    paths.require_home()
    assert os.environ["HOME"] == ("as it was" if known else str(tmp_path / "cache" / "home"))


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


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    path = tmp_path / "x.csv"
    dead = subprocess.Popen(["true"])
    dead.wait()
    mine = paths.partial_of(path)
    mine.write_text("of a living process")
    left = mine.with_name(mine.name.replace(str(os.getpid()), str(dead.pid)))
    left.mkdir()
    others = (left.with_name(left.name.replace("x.csv", "y.csv")), tmp_path / ".x.csv.1.partial")
    for other in others:
        other.write_text("of another file, or another program")
    with paths.atomic(path) as partial:
        partial.write_text("new")
    assert set(tmp_path.iterdir()) == {path, mine, *others}


def test_two_threads_of_a_process_do_not_write_the_same_partial_file(tmp_path):
    with paths.atomic(tmp_path / "x") as mine, paths.atomic(tmp_path / "x") as yours:
        assert mine != yours
        mine.write_text("mine")
        yours.write_text("yours")
    assert (tmp_path / "x").read_text() == "mine"


def test_a_long_name_leaves_room_for_the_partial_file(tmp_path):
    path = tmp_path / ("ö" * 125 + ".csv")
    with paths.atomic(path) as partial:
        partial.write_text("whole")
    assert path.read_text() == "whole"


@pytest.mark.parametrize("can_exchange", [True, False], ids=["in one step", "put aside"])
def test_a_folder_takes_the_place_of_an_older_one_whole(tmp_path, monkeypatch, can_exchange):
    if not can_exchange:
        monkeypatch.setattr(paths, "_exchanged", lambda one, other: False)
    for words in ("first", "second"):
        with paths.atomic_folder(tmp_path / "site") as folder:
            (folder / words).write_text(words)
    with pytest.raises(RuntimeError), paths.atomic_folder(tmp_path / "site") as folder:
        (folder / "third").write_text("half of")
        raise RuntimeError
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [tmp_path / "site"]


def test_a_folder_that_was_put_aside_when_a_process_was_killed_comes_back(tmp_path):
    aside = tmp_path / ".site.old"
    aside.mkdir()
    (aside / "page").write_text("older")
    with pytest.raises(RuntimeError), paths.atomic_folder(tmp_path / "site"):
        raise RuntimeError
    assert (tmp_path / "site" / "page").read_text() == "older"
    assert not aside.exists()


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


@pytest.fixture
def odd(tmp_path):
    """Places where no folder can be made."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "away").symlink_to("file/x")
    names = {name: tmp_path / name for name in ("file", "pipe", "loop", "file/x", "away")}
    return names | {"long": tmp_path / ("x" * 300), "system": Path("/proc/x")}


@pytest.mark.parametrize("name", ["file", "pipe", "loop", "file/x", "away", "long", "system"])
def test_a_cache_that_is_no_folder_is_refused_in_one_sentence(odd, name, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(odd[name]))
    with pytest.raises(InputError, match=r"^the cache .* is no folder .*OPENSCENES_CACHE=") as said:
        paths.cache_dir()
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("name", ["file", "pipe", "loop", "file/x", "away", "long", "system"])
def test_a_place_for_results_is_tried_before_the_work(odd, name):
    with pytest.raises(InputError, match=r"cannot be written to \(.+\); name another"):
        paths.require_writable(odd[name], "name another")
    assert not paths.is_folder(odd[name])


def test_a_zero_byte_names_no_place():
    with pytest.raises(InputError, match="cannot be written to"):
        paths.require_writable(Path("a\0b"), "name another")
    assert not paths.is_folder(Path("a\0b"))


def test_a_place_for_results_is_made(tmp_path):
    paths.require_writable(tmp_path / "new" / "folder", "")
    assert paths.is_folder(tmp_path / "new" / "folder")


def test_the_cache_is_absolute_and_knows_the_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENSCENES_CACHE", "mine")
    assert paths.cache_dir() == tmp_path / "mine"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENSCENES_CACHE", "~/mine")
    assert paths.cache_dir() == tmp_path / "home" / "mine"
    monkeypatch.setenv("OPENSCENES_CACHE", "~nobody-here/mine")
    with pytest.raises(InputError, match="is no folder"):
        paths.cache_dir()


def test_an_empty_name_is_the_usual_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    monkeypatch.setenv("OPENSCENES_CACHE", "")
    assert paths.cache_dir() == tmp_path / ".cache" / "openscenes"


@pytest.mark.skipif(os.name != "posix", reason="asks whether a process runs")
def test_what_a_killed_process_left_in_the_temporary_folder_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import os, tempfile; from openscenes.paths import scratch\n"
        "tempfile.mkdtemp(**scratch()); os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert len(list(tmp_path.iterdir())) == 1
    own = [Path(tempfile.mkdtemp(**paths.scratch())) for _ in range(2)]
    assert sorted(tmp_path.iterdir()) == sorted(own)
