"""Lessons run in reading order; a page that is whole is not made again."""

import json
from pathlib import Path

import pytest

from openscenes.errors import DataError, InputError
from openscenes.paths import PROJECT
from openscenes.study import command
from openscenes.study.command import from_notebooks, lesson_notebooks, make_lessons
from openscenes.study.pages import tables
from openscenes.study.plan.requirements import missing


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path, dict]]:
    """What is executed, where to, with which parameters; nothing really runs."""
    calls: list[tuple[str, Path, dict]] = []

    def execute(source: Path, page: Path, parameters: dict, *, gpu: str) -> None:
        calls.append((source.stem, page, parameters))
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("page", encoding="utf-8")

    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(command.notebooks, "execute", execute)
    return calls


def test_start_here_comes_first_and_the_seven_lessons_follow() -> None:
    names = [path.stem for path in lesson_notebooks()]
    assert names[0] == "00_start_here"
    assert [name[:8] for name in names[1:]] == [f"lesson_{n}" for n in range(1, 8)]


def test_each_lesson_knows_what_it_is_given() -> None:
    for path in lesson_notebooks():
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        (cell,) = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
        names = {line.split(":")[0] for line in cell["source"]}
        assert {"profile", "data", "device"} <= names


def test_a_second_call_runs_nothing_and_an_edited_page_is_made_again(
    tmp_path: Path, ran: list[tuple[str, Path, dict]]
) -> None:
    first = list(make_lessons("smoke", None, "cpu", tmp_path))
    assert len(ran) == len(first) == len(lesson_notebooks())
    assert ran[0][2] == {"profile": "smoke", "data": "", "device": "cpu"}
    assert all("finished before" in line for line in make_lessons("smoke", None, "cpu", tmp_path))
    (tmp_path / "notebooks" / "00_start_here.ipynb").write_text("by hand", encoding="utf-8")
    list(make_lessons("smoke", None, "cpu", tmp_path))
    assert [call[0] for call in ran[len(first) :]] == ["00_start_here"]


def test_pages_with_photographs_stay_out_of_the_repository(
    tmp_path: Path, ran: list[tuple[str, Path, dict]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "OWN", tmp_path / "own")
    for name in missing(None):
        (tmp_path / "data" / name).mkdir(parents=True)
    list(make_lessons("study", tmp_path / "data", "cpu"))
    assert {page.parent for _, page, _ in ran} == {tmp_path / "own" / "study" / "notebooks"}


def test_what_lessons_lack_is_said_before_the_first_runs(
    tmp_path: Path, ran: list[tuple[str, Path, dict]]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="needs to know where they lie"):
        list(make_lessons("study", None, "cpu"))
    with pytest.raises(DataError, match="the lessons need VOCdevkit.* give a whole data folder"):
        list(make_lessons("study", tmp_path / "data", "cpu"))
    with pytest.raises(InputError, match="cannot be written to .* --reports path/to/folder"):
        list(make_lessons("smoke", None, "cpu", tmp_path / "file"))
    assert not ran


def test_a_path_of_bytes_that_are_no_text_cannot_stand_in_a_notebook(tmp_path: Path) -> None:
    assert from_notebooks(PROJECT / "é\n") == "../é\n"
    with pytest.raises(InputError, match="holds what no text has"):
        from_notebooks(tmp_path / "\udcff")
