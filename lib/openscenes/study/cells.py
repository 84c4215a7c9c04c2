"""A block of a table as words: the same cells for markdown, LaTeX and csv."""

from __future__ import annotations

import math

from openscenes.study.statistics import Estimate
from openscenes.study.tables import Block


def title_of(number: str) -> str:
    """Name a table by its key: "Table 4" for 4, "Table 4+" for 4_plus."""
    return f"Table {number.replace('_plus', '+')}"


def cells(block: Block) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a block as words; bold marks intervals that leave out zero."""
    with_source = any(row.source for row in block.rows)
    with_paper_source = any(row.paper_source is not None for row in block.rows)
    first = block.rows[0].label
    more = list(dict.fromkeys(name for row in block.rows for name in row.more))
    head = ["", "paper", "ours", "to the row above", f"to {first}", *more]
    head += ["VOC val after"] if with_source else []
    head += ["VOC val, paper"] if with_paper_source else []
    rows = []
    for row in block.rows:
        line = [row.label, _published(row.paper), mean(row.ours), change(row.to_above)]
        line += [change(row.to_first), *(row.more.get(name, "") for name in more)]
        line += [mean(row.source) if row.source else ""] if with_source else []
        line += [_published(row.paper_source)] if with_paper_source else []
        rows.append(line)
    return head, rows


def _published(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def mean(value: Estimate) -> str:
    """Mean ± sample standard deviation over seeds, in points."""
    spread = "" if math.isnan(value.std) else f" ± {value.std:.1f}"
    return f"{value.mean:.1f}{spread}"


def change(value: Estimate | None) -> str:
    """A difference with its interval, bold where it leaves out zero."""
    if value is None:
        return ""
    bold = "**" if value.differs else ""
    return f"{bold}{value.mean:+.2f}{bold} [{value.low:+.2f}, {value.high:+.2f}]"


def numbers(name: str, value: Estimate | None) -> dict[str, float]:
    """An estimate as columns of a csv."""
    if value is None:
        return {}
    return {
        name: round(value.mean, 3),
        f"{name}_std": round(value.std, 3),
        f"{name}_low": round(value.low, 3),
        f"{name}_high": round(value.high, 3),
    }
