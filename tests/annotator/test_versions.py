"""Versions are added, taken up, left again; nothing is overwritten, whatever is killed."""

import json
import os
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock
from safetensors.numpy import save

from openscenes.annotator.store import lines
from openscenes.annotator.store.history import append_line, decisions, in_use, read_lines
from openscenes.annotator.store.versions import NEWEST, Versions
from openscenes.errors import DataError, InputError
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
    (folder / "model.safetensors").write_bytes(WEIGHTS)
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


def test_people_call_a_version_by_its_number_and_date(versions: Versions) -> None:
    candidate(versions, "b", "a")
    versions.accept("b")
    first = versions.history()[0].time[:10]
    assert [versions.title(name) for name in ("a", "b", "c")] == [
        f"version 0 of {first}", f"version 1 of {first}", "c",
    ]  # fmt: skip


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


DAMAGED = {
    "cut": b'{"label": "b", "par',
    "junk": b"\xff\x00\xff",
    "deep": b"[" * 100_000,
    "list": b"[]",
    "empty": b"{}",
    "own_parent": b'{"label": "b", "profile": "smoke", "parent": "b"}',
    "outside": b'{"label": "b", "profile": "smoke", "parent": "../a"}',
    "no_parent": b'{"label": "b", "profile": "smoke"}',
    "parent_number": b'{"label": "b", "profile": "smoke", "parent": 1}',
    "label_lines": b'{"label": "b\\nc", "profile": "smoke", "parent": "a"}',
    "profile_null": b'{"label": "b", "profile": null, "parent": "a"}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_description_leaves_the_other_versions(versions: Versions, content) -> None:
    for name in "bc":
        candidate(versions, name, "a")
    versions.accept("b")
    about = versions.folder / "b/about.json"
    about.write_bytes(content)
    assert [version.name for version in versions.all()] == ["a", "c"]
    assert [version.name for version in versions.undecided()] == ["c"]
    assert versions.complaint() == (
        "version b could not be used; version a stands in for b, which was in use; all others "
        "count."
    )
    assert versions.current().name == "a"
    assert not versions.is_whole("b") and versions.is_whole("a")
    before = said(versions)
    with pytest.raises(InputError, match="No version is called 'b'"):
        versions.accept("b")
    assert said(versions) == before
    assert versions.rollback().name == versions.current().name == "a"
    assert versions.complaint() == "version b could not be used; all others count."
    about.unlink()
    about.mkdir()
    assert [version.name for version in versions.all()] == ["a", "c"]


def test_damaged_weights_leave_the_version_before(versions: Versions) -> None:
    versions.accept(candidate(versions, "b", "a"))
    weights = versions.folder / "b/model.safetensors"
    for content in (WEIGHTS[:-1], WEIGHTS[:9], b""):
        weights.write_bytes(content)
        assert versions.current().name == "a"
        with pytest.raises(DataError, match="Version b cannot be used: .*safetensors is cut short"):
            versions.read("b")
    weights.write_bytes(WEIGHTS)
    assert versions.current().name == "b" and versions.complaint() == ""


def test_a_decision_that_stands_there_twice_counts_once(versions: Versions) -> None:
    versions.accept(candidate(versions, "b", "a"))
    file = versions.folder / "history.jsonl"
    file.write_bytes(file.read_bytes() * 2)
    assert in_use(versions.history()) == ["a", "b", "a", "b"]
    file.write_bytes(b"".join(line * 2 for line in file.read_bytes().splitlines(keepends=True)[:4]))
    assert in_use(versions.history()) == ["a", "b"]
    assert versions.rollback().name == "a"


def test_nothing_is_decided_where_what_comes_then_is_damaged(versions: Versions) -> None:
    versions.accept(candidate(versions, "b", "a"))
    (versions.folder / "a/about.json").write_text("{")
    before = said(versions)
    with pytest.raises(DataError, match="is no JSON"):
        versions.rollback()
    assert said(versions) == before and versions.current().name == "b"
    with pytest.raises(DataError, match="is no JSON"):
        versions.lineage(versions.current())


def test_versions_that_come_from_each_other_are_told(versions: Versions) -> None:
    for name, parent in (("b", "d"), ("c", "b"), ("d", "c")):
        candidate(versions, name, parent)
    with pytest.raises(
        DataError, match="Version c cannot be used: by .*d/about.json, it comes from"
    ):
        versions.lineage(versions.named("c"))
    candidate(versions, "e", "unknown")
    with pytest.raises(InputError, match="Version unknown is not whole"):
        versions.lineage(versions.named("e"))


def test_an_adopted_copy_that_is_damaged_is_made_anew(versions: Versions, tmp_path: Path) -> None:
    model = Model("a", tmp_path / "runs/a", "smoke initial")
    for name, content in (("about.json", b"{"), ("model.safetensors", WEIGHTS[:-4])):
        (versions.folder / "a" / name).write_bytes(content)
        assert not versions.is_whole("a")
        assert versions.adopt(STUDY, model).label == "smoke initial"
        assert versions.is_whole("a") and len(versions.history()) == 2


@pytest.mark.parametrize(
    "name", ["../a", "a/../../b", "/a", "<b>a", "a\nb", "", ".", "..", 7, None]
)
def test_a_name_from_the_history_stays_in_the_folder(versions: Versions, name) -> None:
    for folder in ("a", "b"):
        (versions.workspace / folder).mkdir()
        (versions.workspace / folder / "model.safetensors").write_bytes(WEIGHTS)
    for what in ("added", "accepted"):
        append_line(versions.folder / "history.jsonl",
                    {"what": what, "version": name, "time": "", "by": ""})  # fmt: skip
    assert [version.name for version in versions.all()] == ["a"]
    assert versions.current().name == "a"
    assert versions.complaint() == (
        f"2 lines of {versions.folder / 'history.jsonl'} could not be read; all others count."
    )
    if isinstance(name, str):
        with pytest.raises(InputError, match=r"No version is called .*; name one of: a\.$"):
            versions.accept(name)


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_a_history_that_is_no_file_is_told(versions: Versions, kind) -> None:
    path = versions.folder / "history.jsonl"
    path.unlink()
    {"pipe": os.mkfifo, "folder": os.mkdir}[kind](path)
    for act in (versions.history, versions.all, versions.complaint, lambda: versions.add("a")):
        with pytest.raises(DataError, match=f"{path} is a"):
            act()


def test_decisions_that_cannot_be_written_are_refused(versions: Versions, monkeypatch) -> None:
    candidate(versions, "b", "a")
    before = (versions.folder / "history.jsonl").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for module, name in ((lines, "_write_all"), (FileLock, "acquire")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, full)
            for act in (versions.accept, versions.refuse):
                with pytest.raises(InputError, match="cannot be written to .No space left"):
                    act("b")
        assert (versions.folder / "history.jsonl").read_bytes() == before
    assert versions.accept("b").name == "b"


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
