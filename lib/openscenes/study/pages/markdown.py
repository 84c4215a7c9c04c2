"""Pieces of a markdown page: tables whose bars are escaped, and sections that open on a click."""

from __future__ import annotations

from collections.abc import Sequence


def grid(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A markdown table; a bar inside a cell is escaped."""
    rows = [head, ["---"] * len(head), *lines]
    escaped = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in escaped)


def folded(summary: str, body: str) -> str:
    """A section that shows its summary until it is clicked on.

    Ours: the empty lines around the body are what lets a viewer read markdown inside html.
    """
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def counted(n: int, noun: str) -> str:
    """Such as "1 claim" and "2 claims"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
