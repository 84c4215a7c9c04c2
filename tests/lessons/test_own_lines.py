"""Lessons show the code that runs, and do not give their exercises away."""

import ast
import json

import pytest

from openscenes.errors import InputError
from openscenes.lessons.own_lines import own_lines, without_words
from openscenes.paths import PROJECT

LESSONS = sorted((PROJECT / "notebooks").glob("lesson_*.ipynb"))
MOST_LINES = 50


def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def test_a_function_is_shown_without_its_words():
    source = 'def f(x: int) -> int:\n    """Words.\n\n    More.\n    """\n    return x + 1\n'
    assert without_words(source) == "def f(x: int) -> int:\n    return x + 1"
    shown = own_lines("method.voting", "majority").data
    assert shown.startswith("`lib/openscenes/method/voting.py`") and "return votes >= 2" in shown
    assert "Paper:" not in shown


def test_a_name_that_is_no_function_is_told():
    with pytest.raises(InputError, match="method.voting has no function vote;"):
        own_lines("method.voting", "vote")


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_lesson_shows_lines_of_the_method(path):
    code = ["".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "code"]
    calls = [ast.parse(text).body[0].value for text in code if text.startswith("own_lines(")]
    assert calls
    for call in calls:
        shown = own_lines(*map(ast.literal_eval, call.args)).data
        assert shown.count("\n") <= MOST_LINES


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_results_of_exercises_are_folded(path):
    texts = ["".join(cell["source"]) for cell in cells(path)]
    first = next(i for i, text in enumerate(texts) if "## Exercises" in text)
    for cell in cells(path)[first:]:
        folded = {"source_hidden": True, "outputs_hidden": True}
        assert cell["cell_type"] == "markdown" or cell["metadata"]["jupyter"] == folded
