"""Names of an export that every system takes, and names of other tools that find their image."""

import unicodedata
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from openscenes.annotator.exchange.image_names import ImageNames
from openscenes.annotator.exchange.imported import LeftOut
from openscenes.annotator.exchange.imports import import_objects
from openscenes.annotator.exchange.names import file_names, plain, same_name
from openscenes.annotator.exchange.voc_layout import lines_of

tools = SimpleNamespace(**run_path(str(Path(__file__).with_name("exchanging.py"))))
NFD = unicodedata.normalize("NFD", "café")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("day 1/cup (2)", "day_1_cup_2_"),
        ("line\nbreak\ttab\0nul,comma", "line_break_tab_nul_comma"),
        ("caf\u00e9", "caf\u00e9"),
        (NFD, "caf\u00e9"),
        ("con", "_con"),
        ("LPT1.draft", "_LPT1.draft"),
        ("console", "console"),
        (".hidden", "_.hidden"),
        ("-rf", "_-rf"),
        ("..", "_.."),
        ("", "_"),
        ("\udcff", "_"),
        ("a\u202eb", "a_b"),
    ],
    ids=lambda text: ascii(text),
)
def test_a_plain_name_holds_nothing_that_a_system_or_a_list_minds(text, wanted):
    assert plain(text) == wanted


def test_long_names_are_shortened_and_stay_different():
    long = ["\u8a9e" * 150 + end for end in "ab"]
    names = file_names(long)
    assert len(set(names)) == 2
    assert all(150 < len(name.encode()) <= 200 and name.startswith("\u8a9e") for name in names)
    assert file_names(long) == names


def test_names_that_some_system_takes_for_one_are_numbered():
    given = ["a", "A", "caf\u00e9", NFD, "x y", "x_y", "x/y"]
    names = file_names(given)
    assert names == ["a", "A_2", "caf\u00e9", "caf\u00e9_2", "x_y_2", "x_y", "x_y_3"]
    assert len({same_name(name) for name in names}) == len(given)


def test_ten_thousand_equal_names_take_no_time():
    assert file_names(["?"] * 10_000)[-1] == "__10000"


def test_a_class_name_is_one_line_of_labels():
    names = ["cup\n9 dog", "cup\\n9 dog", " tea\tpot", "\x00", "x" * 300]
    lines = lines_of(names)
    assert lines[:4] == ["cup\\n9 dog", "cup\\n9 dog (2)", "tea\\tpot", "\\x00"]
    assert all(line.isprintable() and len(line) <= 200 for line in lines) and lines[4][-3:] == "..."


@pytest.mark.parametrize(
    ("given", "there"),
    [
        ("images/a.jpg", "a.jpg"),
        ("images\\a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("/mnt/set/a.jpg", "a.jpg"),
        ("C:\\set\\a.jpg", "a.jpg"),
        ("..\\..\\media\\upload\\4\\cb0618f6-my_cup.jpg", "my cup.jpg"),
        ("/data/local-files/?d=set/a.jpg", "a.jpg"),
        ("a.jpg", "a.JPG"),
        ("A.JPG", "deep/down/a.jpg"),
        ("my cup.jpg", "my%20cup.jpg"),
        ("my%20cup.jpg", "my cup.jpg"),
        ("https://example.org/x/my%20cup.jpg?size=1#top", "my cup.jpg"),
        ("file:///mnt/a.jpg", "a.jpg"),
        ("a.jpg ", "a.jpg"),
        ("caf\u00e9.jpg", f"{NFD}.jpg"),
        (f"{NFD}.jpg", "caf\u00e9.jpg"),
        ("day1_my_cup.jpg", "day1/my cup.jpg"),
        ("50%.jpg", "50%.jpg"),
        ("a\\b.jpg", "a\\b.jpg"),
    ],
    ids=lambda text: ascii(text),
)
def test_a_name_finds_the_one_image_that_it_can_mean(tmp_path, given, there):
    here = tools.world(tmp_path / "set", there, "other.jpg")
    found = ImageNames(here.workspace).image("", given)
    assert found.relative_to(tmp_path / "set").as_posix() == there


@pytest.mark.parametrize(
    ("given", "there", "wanted"),
    [
        ("a.jpg", ["a.jpg", "x/a.jpg"], "a.jpg"),
        ("set/a.jpg", ["a.jpg", "x/a.jpg"], "a.jpg"),
        ("set/x/a.jpg", ["a.jpg", "x/a.jpg", "y/x/a.jpg"], "x/a.jpg"),
        ("Day1/a.jpg", ["day1/a.jpg", "day2/a.jpg"], "day1/a.jpg"),
        ("a.JPG", ["a.jpg", "a.JPG"], "a.JPG"),
        ("set/A.jpg", ["x/a.jpg", "y/A.jpg"], "y/A.jpg"),
        ("x%20y.jpg", ["x%20y.jpg", "x y.jpg"], "x%20y.jpg"),
        ("x_y.jpg", ["x_y.jpg", "x y.jpg"], "x_y.jpg"),
        ("x_y_2.jpg", ["x_y.jpg", "x y.jpg"], "x y.jpg"),
    ],
)
def test_of_several_images_the_one_that_agrees_most_is_meant(tmp_path, given, there, wanted):
    here = tools.world(tmp_path / "set", *there)
    found = ImageNames(here.workspace).image("", given)
    assert found.relative_to(tmp_path / "set").as_posix() == wanted


def test_a_path_in_coco_url_comes_before_the_name(tmp_path):
    here = tools.world(tmp_path / "set", "x/a.jpg", "a.jpg")
    names = ImageNames(here.workspace)
    assert names.image("x/a.jpg", "a.jpg").parent.name == "x"
    assert names.image("gone.jpg", "a.jpg").parent.name == "set"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/", "?", "b.jpg", "../../a", "http://a.org/?a.jpg"]
)
def test_a_name_that_means_no_image_is_told(tmp_path, name):
    here = tools.world(tmp_path / "set", "a.jpg")
    with pytest.raises(LeftOut, match="have no image here"):
        ImageNames(here.workspace).image("", name)


def test_names_of_several_images_are_told_with_the_choice(tmp_path):
    here = tools.world(tmp_path / "set", "x/a.jpg", "y/a.jpg", "b.jpg")
    images = [
        tools.entry(1, "images/a.jpg"),
        tools.entry(2, "b.jpg"),
        tools.entry(3, "../../etc/passwd"),
    ]
    source = tools.coco_file(
        tmp_path, images, [tools.drawn(1, 1), tools.drawn(2, 2), tools.drawn(3, 3)]
    )
    report = import_objects(here.annotations, here.workspace, source)
    assert report.n_added == 1
    assert report.notes == (
        "1 object has the name of several images here, such as 'images/a.jpg' for x/a.jpg, "
        "y/a.jpg; write the folder before it.",
        "1 object has no image here, such as '../../etc/passwd'.",
    )
