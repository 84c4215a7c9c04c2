"""Notebooks tell, lib does: what a source notebook may hold, and what it must say."""

import ast
import json
import re
from pathlib import Path

import pytest

from openscenes.study.experiments.registry import EXPERIMENTS

PROJECT = Path(__file__).resolve().parents[1]
SOURCES = sorted((PROJECT / "notebooks").glob("*.ipynb"))
DOES = (ast.FunctionDef, ast.Lambda, ast.ClassDef, ast.For, ast.While, ast.comprehension)
MAX_LINES = 15


def cells(path: Path) -> list[dict]:
    """Return the cells of a notebook, each source as one text."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell | {"source": "".join(cell["source"])} for cell in notebook["cells"]]


def codes(path: Path) -> list[dict]:
    """Return the code cells of a notebook."""
    return [cell for cell in cells(path) if cell["cell_type"] == "code"]


def test_every_experiment_has_its_notebook_and_no_other_lies_there():
    assert {path.stem for path in SOURCES} >= {found.notebook for found in EXPERIMENTS.values()}
    tables = {path.stem for path in SOURCES if re.match(r"table_|figure_", path.stem)}
    assert tables == {found.notebook for found in EXPERIMENTS.values()}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_source_carries_no_outputs(path):
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in codes(path))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_cells_are_short_and_leave_the_doing_to_the_library(path):
    for cell in codes(path):
        assert len(cell["source"].splitlines()) <= MAX_LINES, cell["source"]
        done = [node for node in ast.walk(ast.parse(cell["source"])) if isinstance(node, DOES)]
        assert done == [], cell["source"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_parameters_are_literals_with_a_type_and_a_word_of_help(path):
    (cell,) = [cell for cell in codes(path) if "parameters" in cell["metadata"].get("tags", [])]
    for line, node in zip(cell["source"].splitlines(), ast.parse(cell["source"]).body, strict=True):
        assert isinstance(node, ast.AnnAssign)
        assert isinstance(node.value, ast.Constant)
        assert re.search(r"  # \w", line), line


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_page_begins_with_its_claim_and_says_what_to_expect_and_to_notice(path):
    prose = [cell["source"] for cell in cells(path) if cell["cell_type"] == "markdown"]
    first = prose[0]
    assert first.startswith("# ")
    for word in ("**", "Paper: ", "Reads: ", "Writes: ", "Time: ", "Kernel: ", "`make setup`"):
        assert word in first, word
    text = "\n".join(prose)
    assert re.search(r"\*Expect\*", text)
    assert re.search(r"\*Notice\*|\*notice\*", text)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_file_that_a_page_announces_is_written_there(path):
    first, text = cells(path)[0]["source"], "\n".join(cell["source"] for cell in codes(path))
    for name in re.findall(r"`tables/(\w+)\.csv`", first):
        assert f'"{name}"' in text
