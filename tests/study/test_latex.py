"""LaTeX tables: what is escaped, how cells line up, and that they say what the markdown says."""

import re

import pandas as pd
import pytest

from openscenes.study.pages import tables
from openscenes.study.pages.latex import escaped, floating, latex, tabular
from openscenes.study.scores.results import Block, Row, Table
from openscenes.study.scores.statistics import Estimate

NAN = float("nan")


def value(mean, low=None, high=None, std=0.5):
    low, high = mean - 1 if low is None else low, mean + 1 if high is None else high
    return Estimate(mean, std, low, high, 1 if std != std else 3, 40)


def block(title="Cityscapes, 50 % of VOC_train & SBD", *, source=True):
    home = value(91.0) if source else None
    return Block(
        title,
        (
            Row("Baseline", 73.7, value(60.0), None, None, home),
            Row("+ST", 77.3, value(63.0), value(3.0, 2, 4), value(3.0, 2, 4), home),
            Row("c̄ outside", None, value(59.5, std=NAN), value(-3.5), value(-0.5, -2, 1), home),
        ),
    )


def table(*blocks, like_the_paper=False):
    caption = "mIoU on synthetic scenes (generated, not real images), 3 seeds."
    return Table(4, caption, blocks, pd.DataFrame(), (), like_the_paper)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % of A_1 & B #2", r"50 \% of A\_1 \& B \#2"),
        (r"{a} $b \c ~ ^", r"\{a\} \$b \textbackslash{}c \textasciitilde{} \textasciicircum{}"),
        ("47.1 ± 1.8", r"47.1 $\pm$ 1.8"),
        ("c̄ → 2 ≥ 1", r"$\bar{c}$ $\to$ 2 $\geq$ 1"),
        ("**+1.07** [+0.05, +1.96]", r"\textbf{+1.07} [+0.05, +1.96]"),
        ("**-0.40** [-1.33, +0.36]", r"\textbf{$-$0.40} [$-$1.33, +0.36]"),
        ("Eq. 4-6, VOC-val, 1e-9", "Eq. 4-6, VOC-val, 1e-9"),
        ("`a_b`", r"\texttt{a\_b}"),
        ("2 * 3 * 4", "2 * 3 * 4"),
    ],
)
def test_text_is_escaped_once(text, expected):
    assert escaped(text) == expected


def test_a_tabular_by_hand():
    assert tabular(["", "a_b"], [["+ST", "1"], ["[x]", "-2"]]) == "\n".join(
        [
            r"\begin{tabular}{lr}",
            r"\toprule",
            r" & a\_b \\",
            r"\midrule",
            r"+ST & 1 \\",
            r"{}[x] & $-$2 \\",
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def test_a_row_that_lacks_a_cell_is_refused():
    with pytest.raises(ValueError, match="3 columns passed, passed data had 2 columns"):
        tabular(["", "a", "b"], [["x", "y"]])


def test_every_environment_is_closed_and_every_brace_too():
    text = latex(table(block(), block("COCO", source=False)))
    opened = re.findall(r"\\begin\{(\w+)\}", text)
    assert opened == ["table", "tabular", "tabular"]
    assert re.findall(r"\\end\{(\w+)\}", text) == ["tabular", "tabular", "table"]
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert re.sub(r"\\\$", "", text).count("$") % 2 == 0
    assert text.isascii()


@pytest.mark.parametrize("source", [True, False])
def test_cells_are_those_of_the_markdown(source):
    made = block(source=source)
    lines = tables._block_markdown(made).splitlines()
    wanted = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|") and "---" not in line
    ]
    rows = [line for line in latex(table(made)).splitlines() if line.endswith(r"\\")]
    found = [re.split(r"(?<!\\)&", row.removesuffix(r"\\")) for row in rows]
    assert [[cell.strip() for cell in row] for row in found] == [
        [escaped(cell) for cell in row] for row in wanted
    ]


def test_the_caption_says_what_the_pictures_are_and_whose_the_papers_values_are():
    text = latex(table(block()))
    assert r"\caption{mIoU on synthetic scenes (generated, not real images), 3 seeds." in text
    assert r"95 \% bootstrap interval" in text
    assert "other data sets and a larger network" in text
    assert "other data sets" not in latex(table(block(), like_the_paper=True))
    assert r"\textit{Cityscapes, 50 \% of VOC\_train \& SBD (40 objects)}" in text


def test_other_tables_float_the_same_way():
    text = floating("NoC, 1 seed.", "tab:1", {"": tabular(["a"], [["b"]])})
    assert text.startswith("\\begin{table}[t]\n\\centering\n")
    assert "\\caption{NoC, 1 seed.}\n\\label{tab:1}\n\\begin{tabular}{l}" in text
    assert text.endswith("\\end{tabular}\n\\end{table}\n")


def test_names_of_others_are_printed_and_break_no_cell():
    assert escaped("50%&_#$\\{}~^") == (
        r"50\%\&\_\#\$\textbackslash{}\{\}\textasciitilde{}\textasciicircum{}"
    )
    assert escaped("a\n\nb\rc\u2028d") == "a  b c d"
