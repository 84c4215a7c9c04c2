"""Parameters of notebooks, as people and papermill give them."""

from pathlib import Path

import pytest

from openscenes.errors import InputError
from openscenes.settings import count_parameter, folder_parameter, text_parameter

NO_TEXT = {
    "whole number": 1, "number": 1.0, "truth": True, "none": None, "list": ["a"],
    "bytes": b"a",
}  # fmt: skip


@pytest.mark.parametrize("value", NO_TEXT.values(), ids=list(NO_TEXT))
@pytest.mark.parametrize("parameter", [text_parameter, folder_parameter])
def test_what_is_no_text_is_asked_for_as_text(parameter, value):
    with pytest.raises(InputError, match=r"^folder is .*, and text is wanted; .* -r folder "):
        parameter("folder", value)


def test_text_and_paths_are_text():
    assert text_parameter("data", "") == ""
    assert folder_parameter("data", Path("a") / "b") == str(Path("a/b"))


def test_a_folder_may_be_called_by_a_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "2024").mkdir()
    assert folder_parameter("folder", 2024) == "2024"
    with pytest.raises(InputError, match=r"folder is 2023, .* -r folder 2023\.$"):
        folder_parameter("folder", 2023)


@pytest.mark.parametrize("value", [0, -1, 1.5, 2.0, True, "3", None, 10**30])
def test_a_count_is_a_whole_number(value):
    with pytest.raises(InputError, match="^seeds is .*; give a whole number from 1 to 1000000"):
        count_parameter("seeds", value)
    assert count_parameter("seeds", 3) == 3
