"""Text from outside on a page: names of files, classes and versions, and what errors quote.

It stays plain text: it can make no tag, no link, no formula and no line break.
"""

import html
import re
from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font

from openscenes.files import one_line

SENTENCE, NAME = 2000, 60  # characters that are shown
_MARKS = re.compile(r"([\\`*_{}\[\]()#|~$^])")
_MISSING = "\ufffd"


def in_html(text: str, limit: int = SENTENCE) -> str:
    """As one line of HTML, between tags or within the quotes of an attribute."""
    return html.escape(one_line(text, limit))


def in_markdown(text: str, limit: int = SENTENCE) -> str:
    """Within a line of markdown, in a notebook too, where dollar signs mean formulas."""
    return _MARKS.sub(r"\\\1", html.escape(one_line(text, limit), quote=False))


def in_figure(text: str, limit: int = NAME) -> str:
    """As one line of a figure; characters that its font lacks are replaced."""
    shown = (one if ord(one) in _drawable() else _MISSING for one in one_line(text, limit))
    return "".join(shown).replace("$", r"\$")


@cache
def _drawable() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties())).get_charmap())
