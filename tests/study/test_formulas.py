"""Formulas on web pages: drawn by the browser, code and tags left alone."""

import pytest
from bs4 import BeautifulSoup

from openscenes.errors import InputError
from openscenes.notation import SYMBOLS
from openscenes.study.pages.markup import draw_formulas


def as_mathml(html: str) -> str:
    """Html with its formulas drawn."""
    page = BeautifulSoup(html, "html.parser")
    draw_formulas(page)
    return str(page)


def test_inline_and_displayed_formulas_become_mathml() -> None:
    html = as_mathml("<p>with $x_i &lt; 3$ and</p>$$\n\\frac{a}{b}\n$$")
    assert html.count("<math") == 2
    assert 'display="inline"' in html
    assert 'display="block"' in html
    assert "<msub><mi>x</mi><mi>i</mi></msub>" in html
    assert "<mfrac>" in html
    assert "$" not in html


def test_code_and_attributes_are_left_alone() -> None:
    html = '<pre>cost $a$</pre><code>$y$</code><img alt="the $x$ map"/> <p>$5 or $ 6</p>'
    assert as_mathml(html) == html


def test_every_symbol_of_the_paper_can_be_drawn() -> None:
    for symbol in SYMBOLS:
        assert "<math" in as_mathml(f"<td>${symbol.glyph}$</td>")


def test_a_broken_formula_is_named() -> None:
    with pytest.raises(InputError, match=r"the formula .*frac.* cannot be drawn"):
        as_mathml(r"<p>$\frac$</p>")
