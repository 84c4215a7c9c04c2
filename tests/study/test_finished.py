"""What counts as finished: everything that decides a page, and its bytes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openscenes.paths import PROJECT
from openscenes.study.runs.finished import pages, pages_of, remember, request_name

KEYS = ("4", "4_plus", "figures")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    names = (
        "tables/table_4.md", "tables/table_4_by_size.csv", "tables/table_4_plus.md",
        "figures/table_4.png", "figures/table_4_plus_exact.png", "figures/figure_4_coco.jpg",
        "figures/scene_coco.jpg",
    )  # fmt: skip
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def request(data: Path | None = None, seeds: int = 1, key: str = "4") -> str:
    return request_name(key, "demo", data, seeds, "auto", None)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("4", ["table_4.png", "table_4.md", "table_4_by_size.csv"]),
        ("4_plus", ["table_4_plus_exact.png", "table_4_plus.md"]),
        ("figures", ["figure_4_coco.jpg", "scene_coco.jpg"]),
    ],
)
def test_each_page_belongs_to_one_experiment(reports: Path, key: str, names: list[str]) -> None:
    assert sorted(path.name for path in pages_of(key, KEYS, reports)) == sorted(names)


def test_what_was_written_is_found_again(reports: Path) -> None:
    name = request()
    assert pages(name) is None
    written = pages_of("4", KEYS, reports)
    remember(name, written)
    assert pages(request()) == [path.resolve() for path in written]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"page.md": 1}', "\0"])
def test_a_damaged_note_counts_as_nothing(reports: Path, text: str, tmp_path: Path) -> None:
    remember("x", pages_of("4", KEYS, reports))
    (tmp_path / "cache" / "finished" / "x.json").write_text(text)
    assert pages("x") is None


@pytest.mark.parametrize("harm", ["edited", "removed"])
def test_a_page_that_is_no_longer_as_it_was_is_not_finished(reports: Path, harm: str) -> None:
    remember("name", pages_of("4", KEYS, reports))
    page = reports / "tables" / "table_4.md"
    page.write_text("by hand") if harm == "edited" else page.unlink()
    assert pages("name") is None


def test_settings_and_data_change_the_name(tmp_path: Path) -> None:
    data = tmp_path / "data"
    images = data / "coco" / "val2017"
    images.mkdir(parents=True)
    (images / "image.png").write_text("one")
    names = [request(), request(seeds=2), request(key="3")]
    names.append(request(data))
    os.utime(images / "image.png", (1, 1))
    names.append(request(data))
    (images / "more.png").write_text("two")
    names.append(request(data))
    assert len(set(names)) == len(names)
    assert request(data) == names[-1]


def test_code_changes_the_name_and_widgets_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "study").mkdir()
    for wing in ("widgets", "lessons", "annotator"):
        (tmp_path / wing).mkdir()
    monkeypatch.setattr("openscenes.__file__", str(tmp_path / "__init__.py"))
    before = request()
    for wing in ("widgets", "lessons", "annotator"):
        (tmp_path / wing / "page.py").write_text("1")
    assert request() == before
    (tmp_path / "study" / "tables.py").write_text("1")
    assert request() != before


def test_asking_imports_no_torch() -> None:
    code = "import sys, openscenes.study.runs.finished; sys.exit('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "lib")}
    asked = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert asked.returncode == 0
