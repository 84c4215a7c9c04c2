"""Names of others stay words in HTML, in markdown and in figures."""

import io
from html.parser import HTMLParser

import mistune
import pytest
from matplotlib.figure import Figure

from openscenes.study.pages.foreign_text import in_figure, in_html, in_markdown

NAMES = {
    "tag": "<img src=x onerror=alert(1)>",
    "quotes": "\"'><script>alert(1)</script>",
    "formula": "$x_1^2$",
    "no formula": r"$\nothing{ $a_",
    "escaped dollar": r"\$5 and $6",
    "entity": "&lt;b&gt;",
    "markdown": "[a](javascript:alert(1)) **b** `c` |d| # e ~~f~~",
    "line breaks": "a\nb\r\nc\u2028d",
    "control": "\0\x1b[31m\u202e",
    "half": "\ud800",
    "letters": "猫 👩‍🚒 كأس",
    "long": "a" * 10_000,
    "empty": "",
}
each_name = pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))


class Read(HTMLParser):
    """Collect tags and text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@each_name
def test_html_shows_the_words(name):
    read = Read(f'<p title="{in_html(name, 200)}">{in_html(name, 200)}</p>')
    ((tag, attributes),) = read.tags
    assert (tag, list(attributes)) == ("p", ["title"])
    assert read.text == attributes["title"]
    assert read.text.isprintable()
    assert len(in_html("a" * 10_000, 200)) == 200


@each_name
def test_markdown_shows_the_words(name):
    page = mistune.html(f"*Not drawn: {in_markdown(name, 200)} end*")
    assert {tag for tag, _ in Read(page).tags} == {"p", "em"}
    plain = in_markdown(name, 200)
    assert plain.count("$") == plain.count(r"\$")
    assert "\n" not in plain


@each_name
def test_a_figure_shows_the_words(name):
    figure = Figure(figsize=(3, 1))
    text = figure.text(0, 0, f"{in_figure(name)}: {in_figure(name)}")
    figure.savefig(io.BytesIO(), format="png")
    shown, is_math = text._preprocess_math(text.get_text())
    assert not is_math
    assert "\n" not in shown


def test_plain_names_are_shown_as_they_are():
    assert in_figure("a cup, 1-2") == in_html("a cup, 1-2") == in_markdown("a cup, 1-2")
    assert in_figure("a $5 cup") == r"a \$5 cup"
