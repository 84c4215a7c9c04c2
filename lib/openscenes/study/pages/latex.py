r"""Tables as LaTeX for a paper: ``\usepackage{booktabs}`` is all that they need."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from openscenes.errors import InputError
from openscenes.study.scores.results import Block, Table, cells

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"$<$", ">": r"$>$", "±": r"$\pm$", "×": r"$\times$", "→": r"$\to$", "≥": r"$\geq$",
    "≤": r"$\leq$", "−": r"$-$", "–": "--", "—": "---", "…": r"\dots{}", "c̄": r"$\bar{c}$",
    "α": r"$\alpha$", "β": r"$\beta$", "δ": r"$\delta$", "·": r"$\cdot$", "²": r"$^2$",
}  # fmt: skip
_CHARACTER = re.compile("|".join(re.escape(found) for found in sorted(_SPECIAL, key=len)[::-1]))
_NEGATIVE = re.compile(r"(?<![\w.)\]$-])-(?=\d)")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_CODE = re.compile(r"`(.+?)`")


def escaped(text: str) -> str:
    r"""Text as LaTeX prints it; markdown's ``**bold**`` and `` `code` `` become commands.

    Ours: a hyphen that begins a number is a minus; letters beyond the signs that our tables use
    are left to the document's encoding.
    """
    printed = _CHARACTER.sub(lambda found: _SPECIAL[found.group()], text)
    printed = _NEGATIVE.sub("$-$", printed)
    return _CODE.sub(r"\\texttt{\1}", _BOLD.sub(r"\\textbf{\1}", printed))


def tabular(head: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    """A booktabs tabular of plain cells, each escaped.

    Args:
        head: names of the columns.
        rows: as many cells as the head has, in each.
        align: one of l, c, r for each column.
    Raises:
        InputError: if a row or the alignment has another number of columns than the head.
    """
    if len(align) != len(head) or set(align) - set("lcr"):
        raise InputError(
            f'the alignment is "{align}" for {len(head)} columns; give one of l, c, r for each'
        )
    for row in rows:
        if len(row) != len(head):
            raise InputError(
                f"the row {', '.join(row)!r} has {len(row)} cells and the head {len(head)}; give "
                "every column a cell, empty where there is nothing to say"
            )
    lines = [rf"\begin{{tabular}}{{{align}}}", r"\toprule", _line(head), r"\midrule"]
    return "\n".join([*lines, *map(_line, rows), r"\bottomrule", r"\end{tabular}"])


def _line(cells: Sequence[str]) -> str:
    r"""One row; a bracket at its beginning must not be taken for an argument of ``\\``."""
    joined = " & ".join(escaped(cell) for cell in cells)
    return ("{}" if joined.startswith(("[", "*")) else "") + joined + r" \\"


def floating(caption: str, label: str, tabulars: Mapping[str, str]) -> str:
    """A floating table of one or more tabulars, each below its title.

    Args:
        caption: plain text, escaped here.
        label: what ``ref`` finds it by.
        tabulars: title, escaped here, or "" for none -> LaTeX of ``tabular``.
    """
    parts = [r"\begin{table}[t]", r"\centering", r"\footnotesize"]
    parts += [rf"\caption{{{escaped(caption)}}}", rf"\label{{{label}}}"]
    for title, body in tabulars.items():
        parts += [rf"\par\medskip\textit{{{escaped(title)}}}\par\smallskip"] if title else []
        parts.append(body)
    return "\n".join([*parts, r"\end{table}", ""])


def latex(table: Table) -> str:
    """The whole table as a floating LaTeX table, one tabular per block.

    Ours: the same cells as the markdown; the caption says what the pictures are, how many seeds
    stand behind a mean, and what brackets and bold mean.
    """
    blocks = {
        f"{block.title} ({block.rows[0].ours.n_objects} objects)": _block(block)
        for block in table.blocks
    }
    caption = f"{table.caption} {_HOW_TO_READ}"
    if not table.like_the_paper:
        caption += " The paper's values are from other data sets and a larger network."
    return floating(caption, f"tab:{table.number}", blocks)


_HOW_TO_READ = (
    "Ours: mean over objects, mean ± standard deviation over seeds. Differences are paired over "
    "objects and seeds; brackets: 95 % bootstrap interval, bold where it leaves out zero."
)


def _block(block: Block) -> str:
    head, rows = cells(block)
    return tabular(head, rows, "l" + "r" * (len(head) - 1))
