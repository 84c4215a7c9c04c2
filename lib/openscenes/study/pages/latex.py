r"""Tables as LaTeX for a paper: ``\usepackage{booktabs}`` is all that they need."""

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from openscenes.study.scores.results import Table, cells

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

    A hyphen that begins a number is a minus; letters beyond the signs that our tables use are left
    to the document's encoding.
    """
    text = " ".join(text.splitlines())  # an empty line would end a cell
    printed = _CHARACTER.sub(lambda found: _SPECIAL[found.group()], text)
    printed = _NEGATIVE.sub("$-$", printed)
    return _CODE.sub(r"\\texttt{\1}", _BOLD.sub(r"\\textbf{\1}", printed))


def tabular(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""A booktabs tabular of plain cells, each escaped; the first column is on the left.

    A bracket at the beginning of a row must not be taken for an argument of ``\\``.

    Raises:
        ValueError: if a row has another number of cells than the head.
    """
    lines = [[escaped(cell) for cell in row] for row in rows]
    lines = [["{}" * first.startswith(("[", "*")) + first, *rest] for first, *rest in lines]
    frame = pd.DataFrame(lines, columns=list(map(escaped, head)))
    align = "l" + "r" * (len(head) - 1)
    return frame.to_latex(index=False, escape=False, column_format=align).rstrip()


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

    The cells are those of the markdown; the caption says what the images are, how many seeds are
    behind a mean, and what brackets and bold mean.
    """
    blocks = {
        f"{block.title} ({block.rows[0].ours.n_objects} objects)": tabular(*cells(block))
        for block in table.blocks
    }
    caption = f"{table.caption} {_HOW_TO_READ}"
    if not table.like_the_paper:
        caption += " The paper's values are from other data sets and a larger network."
    return floating(caption, f"tab:{table.number}", blocks)


_HOW_TO_READ = (
    "Ours: mean over objects, mean ± standard deviation over seeds. Differences are paired over "
    "objects and seeds; brackets: 95 % bootstrap interval, which draws images and seeds, bold "
    "where it leaves out zero."
)
