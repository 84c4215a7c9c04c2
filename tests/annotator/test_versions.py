"""Versions are added, taken up, left again; nothing is overwritten, whatever is killed."""

import json
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save

from openscenes.annotator.store.history import append_line, decisions, in_use, read_lines
from openscenes.annotator.store.versions import NEWEST, Versions
from openscenes.errors import InputError
from openscenes.study.runs.models import Model
from openscenes.study.runs.store import put_json

STUDY = SimpleNamespace(profile=SimpleNamespace(name="smoke"))
WEIGHTS = save({"layer": np.zeros(3, np.float32)})


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    """An initial model "a" in use."""
    made = Versions(tmp_path / "workspace")
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    made.adopt(STUDY, Model("a", folder, "smoke initial"), by="ann")
    return made


def candidate(versions: Versions, name: str, parent: str) -> str:
    folder = versions.folder / name
    about = {"label": f"evolved {name}", "parent": parent, "profile": "smoke"}
    put_json(folder / "about.json", about)
    (folder / "model.safetensors").write_bytes(name.encode())
    return versions.add(name, by="ann").name


def said(versions: Versions) -> list[tuple[str, str]]:
    return [(decision.what, decision.version) for decision in versions.history()]


def test_the_adopted_model_is_copied_and_in_use(versions: Versions) -> None:
    current = versions.current()
    assert current is not None
    assert current.model.weights.read_bytes() == WEIGHTS
    assert (current.name, current.parent, current.label) == ("a", None, "smoke initial")
    assert said(versions) == [("added", "a"), ("accepted", "a")]
    assert {decision.by for decision in versions.history()} == {"ann"}


def test_adopting_again_changes_nothing(versions: Versions, tmp_path: Path) -> None:
    before = (versions.folder / "a").joinpath("model.safetensors").stat().st_mtime_ns
    versions.adopt(STUDY, Model("a", tmp_path / "runs/a", "smoke initial"))
    assert (versions.folder / "a").joinpath("model.safetensors").stat().st_mtime_ns == before
    assert len(versions.history()) == 2


def test_an_untrained_model_cannot_be_adopted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="x is not trained yet; train it"):
        Versions(tmp_path).adopt(STUDY, Model("x", tmp_path / "x", "x"))
    assert Versions(tmp_path).current() is None


def test_a_candidate_waits_until_it_is_accepted(versions: Versions) -> None:
    candidate(versions, "b", "a")
    assert versions.current().name == "a"
    assert [version.name for version in versions.undecided()] == ["b"]
    assert versions.accept(NEWEST).name == versions.current().name == "b"
    assert versions.undecided() == []
    assert [version.name for version in versions.lineage(versions.current())] == ["a", "b"]
    assert versions.accept("b").name == "b"
    assert said(versions).count(("accepted", "b")) == 1


def test_a_refused_version_is_kept_and_may_be_accepted_later(versions: Versions) -> None:
    candidate(versions, "b", "a")
    versions.refuse("b")
    versions.refuse("b")
    assert versions.current().name == "a"
    assert said(versions).count(("refused", "b")) == 1
    assert [version.name for version in versions.all()] == ["a", "b"]
    assert versions.accept("b").name == versions.current().name
    with pytest.raises(InputError, match="Version b is in use; roll back to leave it"):
        versions.refuse("b")


def test_rolling_back_goes_one_step_back_each_time(versions: Versions) -> None:
    for name, parent in (("b", "a"), ("c", "b")):
        versions.accept(candidate(versions, name, parent))
    assert versions.rollback().name == versions.current().name == "b"
    assert versions.rollback(leaving="b").name == "a"
    with pytest.raises(InputError, match="there is nothing to go back to"):
        versions.rollback()
    assert said(versions)[-2:] == [("rolled back", "c"), ("rolled back", "b")]
    assert versions.accept("c").name == "c"
    assert versions.rollback().name == "a"
    assert {version.name for version in versions.all()} == {"a", "b", "c"}


def test_another_windows_change_is_not_rolled_back_unseen(versions: Versions) -> None:
    versions.accept(candidate(versions, "b", "a"))
    with pytest.raises(InputError, match="Version b is in use, no longer a"):
        versions.rollback(leaving="a")
    assert versions.current().name == "b"


def test_a_version_is_found_by_the_beginning_of_its_name(versions: Versions) -> None:
    candidate(versions, "bcd", "a")
    candidate(versions, "bce", "a")
    assert versions.named("bcd").name == versions.named("bcd"[:3]).name
    with pytest.raises(InputError, match="2 versions are called 'bc'; name one of: a, bcd, bce"):
        versions.named("bc")
    for unknown in ("x", ""):
        with pytest.raises(InputError, match=f"No version is called '{unknown}'"):
            versions.named(unknown)


def test_nothing_waits_where_all_is_decided(versions: Versions) -> None:
    with pytest.raises(InputError, match=r"No version waits for a decision \(versions: a\)"):
        versions.accept(NEWEST)


def test_a_line_cut_short_by_a_crash_is_no_decision(versions: Versions) -> None:
    file = versions.folder / "history.jsonl"
    whole = file.read_bytes()
    candidate(versions, "b", "a")
    versions.accept("b")
    for length in range(len(whole), file.stat().st_size, 29):
        torn = Versions(versions.workspace)
        file.write_bytes(file.read_bytes()[: length + 1])
        torn.add("b")
        assert [v.name for v in torn.all()] == ["a", "b"]
        assert torn.accept("b").name == torn.current().name == "b"


def test_a_version_without_weights_is_none(versions: Versions) -> None:
    put_json(versions.folder / "b/about.json", {"label": "b", "parent": "a", "profile": "smoke"})
    with pytest.raises(InputError, match="Version b is not whole"):
        versions.add("b")
    assert [version.name for version in versions.all()] == ["a"]
    assert ("added", "b") not in said(versions)


def test_two_windows_write_every_decision(versions: Versions) -> None:
    names = [f"v{i}" for i in range(8)]
    for name in names:
        candidate(versions, name, "a")
    windows = [Thread(target=Versions(versions.workspace).accept, args=(name,)) for name in names]
    for window in windows:
        window.start()
    for window in windows:
        window.join()
    accepted = [version for what, version in said(versions) if what == "accepted"]
    assert sorted(accepted) == ["a", *names]
    assert accepted[-1] == versions.current().name


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    assert list(read_lines(file)) == []
    append_line(file, {"a": "é\n"})
    file.write_bytes(file.read_bytes() + b'{"a": ')
    append_line(file, {"b": 2})
    file.write_bytes(file.read_bytes() + b"[1]\n")
    assert list(read_lines(file)) == [{"a": "é\n"}, {"b": 2}]
    assert json.loads(file.read_text().splitlines()[0]) == {"a": "é\n"}
    assert decisions(file) == [] and in_use([]) == []
