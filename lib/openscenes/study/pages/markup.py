"""What a browser needs of a page: formulas that it draws, headings by the names links use."""

import re
from collections import Counter
from urllib.parse import unquote

from bs4 import BeautifulSoup, NavigableString, Tag
from latex2mathml.converter import convert

from openscenes.errors import InputError

_FORMULA = re.compile(r"(\$\$.+?\$\$|\$(?!\s)[^$]+?(?<!\s)\$)", re.DOTALL)


def draw_formulas(page: BeautifulSoup) -> None:
    """Replace ``$...$`` and ``$$...$$`` by MathML, which every browser draws by itself.

    Code is left alone, and so is everything inside a tag (text alternatives, addresses).
    """
    for text in page.find_all(string=_FORMULA):
        if text.find_parent(["pre", "code", "svg", "style"]) is None:
            pieces = _FORMULA.split(str(text))
            text.replace_with(*(_drawn(p) if _FORMULA.fullmatch(p) else p for p in pieces))


def slug(heading: str) -> str:
    """The name of a heading in a link, as GitHub has it; of Jupyter's name the same."""
    return re.sub(r"[^\w -]", "", unquote(heading).strip().lower()).replace(" ", "-")


def name_headings(page: BeautifulSoup) -> None:
    """Name headings as links of markdown do; of two of one name the second ends in "-1"."""
    seen: Counter[str] = Counter()
    for heading in page.find_all(re.compile("^h[1-6]$")):
        anchor = heading.find("a", class_="anchor-link")
        if anchor is not None:
            anchor.extract()
        name = slug(heading.get_text())
        heading["id"] = f"{name}-{seen[name]}" if seen[name] else name
        seen[name] += 1


def _drawn(formula: str) -> Tag | NavigableString:
    latex, display = formula.strip("$").strip(), "block" if formula[:2] == "$$" else "inline"
    try:
        drawn = BeautifulSoup(convert(latex, display=display), "html.parser").math
        assert drawn is not None
        return (
            drawn.wrap(Tag(name="span", attrs={"class": "formula"}))
            if display == "block"
            else drawn
        )
    except Exception as error:  # the library's errors share no class of their own
        raise InputError(
            f"the formula {latex!r} cannot be drawn ({type(error).__name__}); "
            "correct it in its notebook, or write it with simpler commands"
        ) from error
