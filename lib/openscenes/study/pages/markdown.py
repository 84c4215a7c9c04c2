"""Pieces of a markdown page: tables whose bars are escaped, folds, and a marked block."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

_BAR = re.compile(r"(?<!\\)\|")  # that is not escaped already


def grid(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """A markdown table; in a cell bars are escaped, and line breaks become blanks."""
    rows = [head, ["---"] * len(head), *lines]
    escaped = [[_BAR.sub(r"\|", " ".join(str(cell).splitlines())) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in escaped)


def folded(summary: str, body: str) -> str:
    """A section that shows its summary until it is clicked on.

    The empty lines around the body are what lets a viewer read markdown inside html.
    """
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def counted(n: int, noun: str) -> str:
    """Such as "1 claim" and "2 claims"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def marked(name: str, block: str) -> str:
    """A generated block between its markers; ``with_block`` finds it by its name."""
    return f"<!-- generated: {name} -->\n{block}\n<!-- end of {name} -->"


def block_of(name: str, page: str) -> str:
    """The generated block of that name; "" where a page has none."""
    found = re.search(_between(name), page, re.DOTALL)
    return found.group() if found else ""


def with_block(name: str, page: str, block: str) -> str:
    """A page with another generated block in the place of its own of that name."""
    return re.sub(_between(name), lambda _: block, page, flags=re.DOTALL)


def _between(name: str) -> str:
    before, after = (re.escape(line) for line in marked(name, "").split("\n\n"))
    return rf"(?<={before}\n).*?(?=\n{after})"
