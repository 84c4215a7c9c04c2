"""Words that gave way to the field's own stay out of the package, the notebooks and the pages."""

import re

import pytest

from openscenes.paths import PROJECT

# Written with "~" for a blank and "|" inside words, so that this page does not hold them itself.
RETIRED = [
    text.replace("|", "").replace("~", " ")
    for text in (
        "em|bedded~scene", "em|bedded~scenes", "statistics~al|one", "re|newed", "re|newal",
        "asked~in~the~b|ox", "moving~average~la|bels", "sides~and~click~lo|sses", "hint~lo|sses",
        "su|rely", "photo|graph", "photo|graphs", "de|af", "click-de|af", "scen|ery",
        "careful~li|fe", "grows~su|re", "pretty~o|nes",
    )
]  # fmt: skip
FOUND = re.compile(rf"\b(?:{'|'.join(map(re.escape, RETIRED))})\b", re.IGNORECASE)
PAGES = sorted(
    path
    for pattern in ("lib/openscenes/**/*.*", "notebooks/*.ipynb", "README.md", "reports/*.md")
    for path in PROJECT.glob(pattern)
    if path.suffix in {".py", ".js", ".css", ".ipynb", ".md"}
)


def retired(text: str) -> list[str]:
    """Return the retired words of a text, whatever line ends stand within them."""
    return FOUND.findall(" ".join(text.split()))


def test_pages_hold_no_retired_word():
    assert len(PAGES) > 200
    found = {str(path.relative_to(PROJECT)): retired(path.read_text("utf-8")) for path in PAGES}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize("word", RETIRED)
def test_each_is_found_across_a_line_and_in_capitals(word):
    assert retired(f"It is\n{word.replace(' ', chr(10)).upper()}.") == [word.upper()]
    assert retired(f"un{word}ed") == []


def test_other_words_pass():
    assert retired("Synthetic scenes; the embedded cell; a leisurely photographer's image.") == []
