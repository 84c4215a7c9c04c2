"""The table of symbols tells the truth about the code, and misses no equation."""

import ast
import re
from pathlib import Path

import pytest

from openscenes.notation import EQUATIONS, SYMBOLS, Symbol, as_markdown

PACKAGE = Path(__file__).resolve().parents[1] / "lib" / "openscenes"
COLUMNS = 5


def identifiers(source):
    """Every name that code defines or uses; text in strings does not count."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        for field in ("id", "arg", "attr", "name"):
            value = getattr(node, field, None)
            found |= {value} if isinstance(value, str) else set()
    return found


def lost(symbols, package=PACKAGE):
    """The symbols whose name is not an identifier of their module."""
    paths = {s: package / (s.module.replace(".", "/") + ".py") for s in symbols}
    return [
        f"{s.module}: {s.name}"
        for s, path in paths.items()
        if not path.is_file() or s.name not in identifiers(path.read_text(encoding="utf-8"))
    ]


def test_every_name_is_an_identifier_of_its_module():
    assert lost(SYMBOLS) == []


def test_a_lost_name_is_seen(tmp_path):
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "ipt.py").write_text('"""votes"""\nlabel = "votes"  # votes\n')
    symbol = Symbol("votes", "p", "", "", (5,), "Sec. 3.2", "method.ipt")
    assert lost([symbol], tmp_path) == ["method.ipt: votes"]
    (tmp_path / "method" / "ipt.py").write_text("def majority(votes): ...")
    assert lost([symbol], tmp_path) == []


def test_every_equation_is_covered_and_no_other():
    assert {number for symbol in SYMBOLS for number in symbol.equations} == set(EQUATIONS)


def test_no_name_stands_twice_in_one_module():
    places = [(symbol.module, symbol.name) for symbol in SYMBOLS]
    assert len(set(places)) == len(places)


def test_the_table_has_one_whole_row_for_each_symbol():
    lines = as_markdown().splitlines()
    assert len(lines) == 2 + len(SYMBOLS)
    assert {line.count("|") for line in lines} == {COLUMNS + 1}


def test_a_row_by_hand():
    symbol = Symbol("votes", "p", "(B,)", "how many", (5, 6), "Sec. 3.2", "method.voting")
    row = as_markdown([symbol]).splitlines()[2]
    assert row == "| $p$ | `method.voting`: `votes` | (B,) | how many | Eq. 5, 6 |"


@pytest.mark.parametrize("symbol", SYMBOLS, ids=lambda s: s.name)
def test_a_symbol_is_complete(symbol):
    assert all((symbol.glyph, symbol.shape, symbol.meaning))
    assert symbol.glyph.count("{") == symbol.glyph.count("}")
    assert re.fullmatch(r"Sec\. [34]\.\d", symbol.section)
    assert symbol.where.startswith("Eq. " if symbol.equations else "Sec. ")
