"""Formulas of a web page as MathML, which every browser draws without fetching anything."""

from __future__ import annotations

import re
from html import unescape

from latex2mathml.converter import convert

from openscenes.errors import InputError

# Code is left alone, and so is everything inside a tag (text alternatives, addresses).
_APART = re.compile(r"(<pre\b.*?</pre>|<code\b.*?</code>|<svg\b.*?</svg>|<[^>]+>)", re.DOTALL)
_DISPLAYED = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
_INLINE = re.compile(r"\$(?!\s)([^$]+?)(?<!\s)\$")


def as_mathml(html: str) -> str:
    """A page with its ``$...$`` and ``$$...$$`` as MathML.

    Raises:
        InputError: if a formula is no LaTeX that can be drawn.
    """
    pieces = _APART.split(html)
    return "".join(p if _APART.fullmatch(p) else _with_formulas(p) for p in pieces)


def _with_formulas(text: str) -> str:
    displayed = _DISPLAYED.sub(lambda found: _formula(found.group(1), "block"), text)
    return _INLINE.sub(lambda found: _formula(found.group(1), "inline"), displayed)


def _formula(latex: str, display: str) -> str:
    try:
        return convert(unescape(latex).strip(), display=display)
    except Exception as error:  # the library's errors share no class of their own
        raise InputError(
            f"the formula {unescape(latex).strip()!r} cannot be drawn ({type(error).__name__}); "
            "correct it in its notebook, or write it with simpler commands"
        ) from error
