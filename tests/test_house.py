"""The measures of `make house` on a package small enough to count by hand."""

import ast
import json
import sys
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

SOURCE = '''"""A module."""
# fmt: skip

class Known:
    """Ours: a class."""

    @property
    def size(self) -> int:
        """Docstrings count as lines."""
        return 1

    @staticmethod
    def made(first, *rest: int, last: int = 0): ...

    def _hidden(self, other): ...


def way(
    a: int,
    b,
) -> int:
    def inner(c: int, **more):
        return c
    return inner(a)
'''
# Table -> equation, a longer way to it, and a contents page that is no caller of what it returns.
PACKAGE = {
    "method/ipt.py": "def equation():\n    return 1\n",
    "study/tables.py": (
        "from shelf.method.ipt import equation\ndef short():\n    return equation()\n"
    ),
    "study/rows.py": "from shelf.study.tables import short\ndef long():\n    return short()\n",
    "study/contents.py": "from shelf.study.tables import short\ndef table():\n    return short\n",
}


@pytest.fixture(scope="module")
def house():
    return SimpleNamespace(**run_path(str(Path(__file__).with_name("house.py"))))


@pytest.fixture
def package(tmp_path):
    for path, text in PACKAGE.items():
        (tmp_path / "shelf" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "shelf" / path).write_text(text)
    return tmp_path / "shelf"


def by_name(house):
    return {f.name: (f, in_class) for f, in_class in house.functions(ast.parse(SOURCE))}


def test_a_function_is_as_long_as_what_is_read_without_decorators(house):
    lengths = {name: house.length(f) for name, (f, _) in by_name(house).items()}
    assert lengths == {"size": 3, "made": 1, "_hidden": 1, "way": 7, "inner": 2}


def test_self_needs_no_type_and_every_other_argument_does(house):
    flags = {name: house.typed(*pair) for name, pair in by_name(house).items()}
    assert flags == {
        "size": [], "made": [False, True, True], "_hidden": [False], "way": [True, False],
        "inner": [True, False],
    }  # fmt: skip
    assert house.share([True, True, True, False]) == "75.0 % (1 without)"


def test_public_is_what_a_stranger_can_reach(house):
    names = [node.name for node in house.public(ast.parse(SOURCE).body)]
    assert names == ["Known", "size", "made", "way"]


@pytest.mark.parametrize(("part", "value"), [(0.5, 5), (0.9, 9), (0.91, 10), (1.0, 10)])
def test_a_percentile_is_one_of_the_values(house, part, value):
    assert house.nearest_rank(range(10, 0, -1), part) == value


def test_a_package_is_measured(house, package):
    equation = PACKAGE["method/ipt.py"] + "import shelf.study.rows\n" * 300
    (package / "method" / "ipt.py").write_text(equation)
    (package / "study" / "known.py").write_text(SOURCE)
    (package / "study" / "style.css").write_text("a {\n}\n")
    rows = {name: value for name, value, _ in house.code_rows(package)}
    n_lines = sum(text.count("\n") for text in (SOURCE, *PACKAGE.values())) + 300
    assert rows["lines of lib/, Python"] == str(n_lines)
    assert rows["lines of lib/, other files"] == "2 .css"
    assert (rows["modules"], rows["functions"]) == ("5", "9")
    assert rows["files over 300 lines"] == "1: method/ipt.py (302)"
    assert rows["function length, median"] == "2 lines"
    assert rows["arguments typed"] == "50.0 % (4 without)"
    assert rows["public names documented"] == "25.0 % (6 without)"
    assert rows["upward imports"] == "1: shelf.method.ipt imports shelf.study.rows"
    assert (rows["`# fmt: skip`"], rows["`Ours:` elsewhere"]) == ("1", "1")


@pytest.mark.parametrize(
    ("statements", "way"),
    [
        ("[rows.long() for _ in range(n)]\ntables.short()\nrows.long()", "tables"),
        ("[contents.table()() for _ in range(n)]", "contents tables"),
        ("made = contents.table()\nassert n == 2\nmade()", "tables"),
    ],
)
def test_a_way_is_the_shortest_stack_and_what_the_notebook_names(
    house, package, tmp_path, monkeypatch, statements, way
):
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "shelf"]:
        monkeypatch.delitem(sys.modules, name)
    cells = [
        ("markdown", [], "words"),
        ("code", ["parameters"], "n = 0"),
        ("code", [], f"from shelf.study import contents, rows, tables\n{statements}"),
        ("code", [], "raise AssertionError('all equations were entered before')"),
    ]
    notebook = tmp_path / "table.ipynb"
    written = [
        {"cell_type": kind, "metadata": {"tags": tags}, "source": [text]}
        for kind, tags, text in cells
    ]
    notebook.write_text(json.dumps({"cells": written}))
    ways = house.Ways(package, {"Eq. 1": "equation"})
    house.run_cells(notebook, {"n": 2}, ways)
    expected = [*(f"study/{name}.py" for name in way.split()), "method/ipt.py"]
    assert house.chain(ways.found["Eq. 1"], package) == " -> ".join(expected)
    assert sys.getprofile() is None


def test_an_equation_that_was_renamed_gets_one_sentence(house, package):
    with pytest.raises(SystemExit, match=r"^0 functions of shelf are called gone, .*\.$"):
        house.Ways(package, {"Eq. 1": "gone"})


def test_every_equation_has_its_function(house):
    assert house.Ways(house.LAW.PACKAGE, house.EQUATIONS).missing() == list(house.EQUATIONS)


def test_the_ten_files_are_those_of_their_section(house):
    text = "`a.py`\n## The ten files\n| `method/ipt.py` |\n| `method/pool.py` |\n## Next\n`b.py`"
    assert house.reading_list(text) == ["method/ipt.py", "method/pool.py"]
    assert house.reading_list("`a.py`") == []
