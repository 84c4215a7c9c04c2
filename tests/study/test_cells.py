"""A block as words: which columns appear, what is bold, what stays empty."""

import pytest

from openscenes.study.pages.markdown import grid
from openscenes.study.scores.results import Block, Row, cells, change, mean, numbers, title_of
from openscenes.study.scores.statistics import Estimate

NAN = float("nan")


def value(mean, low=None, high=None, std=0.5):
    low, high = mean - 1 if low is None else low, mean + 1 if high is None else high
    return Estimate(mean, std, low, high, 1 if std != std else 3, 40)


FIRST = Row("Baseline", 73.7, value(60.0), None, None)
SECOND = Row("+ST", None, value(63.04), value(3.0, 2, 4), value(-1.0, -3, 1))


def test_titles():
    assert title_of("4") == "Table 4"
    assert title_of("4_plus") == "Table 4+"


def test_a_plain_block_by_hand():
    head, rows = cells(Block("COCO", (FIRST, SECOND)))
    assert head == ["", "paper", "ours", "to the row above", "to Baseline"]
    assert rows == [
        ["Baseline", "73.7", "60.0 ± 0.5", "", ""],
        ["+ST", "", "63.0 ± 0.5", "**+3.00** [+2.00, +4.00]", "-1.00 [-3.00, +1.00]"],
    ]


def test_source_columns_appear_where_one_row_has_them():
    source = Row("x", 1.0, value(1.0), None, None, value(91.0), 92.25)
    head, rows = cells(Block("COCO", (FIRST, source)))
    assert head[-2:] == ["VOC val after", "VOC val, paper"]
    assert [row[-2:] for row in rows] == [["", ""], ["91.0 ± 0.5", "92.2"]]
    only_ours = Row("x", 1.0, value(1.0), None, None, value(91.0))
    assert cells(Block("COCO", (FIRST, only_ours)))[0][-1] == "VOC val after"


def test_further_columns_are_the_union_in_order_and_empty_where_a_row_has_none():
    one = Row("a", None, value(1.0), None, None, more={"NoC": "3.1", "never": "0 %"})
    two = Row("b", None, value(1.0), None, None, more={"never": "2 %", "late": "x"})
    head, rows = cells(Block("COCO", (one, two)))
    assert head[5:] == ["NoC", "never", "late"]
    assert [row[5:] for row in rows] == [["3.1", "0 %", ""], ["", "2 %", "x"]]


def test_every_row_has_as_many_cells_as_the_head():
    for source, paper in ((None, None), (value(9.0), None), (value(9.0), 8.0), (None, 8.0)):
        row = Row("x", 1.0, value(1.0), None, None, source, paper, {"more": "y"})
        head, rows = cells(Block("COCO", (FIRST, row)))
        assert {len(line) for line in rows} == {len(head)}


def test_one_seed_shows_no_spread():
    assert mean(value(61.25, std=NAN)) == "61.2"
    assert mean(value(61.25, std=0.34)) == "61.2 ± 0.3"


@pytest.mark.parametrize(
    ("low", "high", "bold"), [(0.1, 1, True), (-1, -0.1, True), (-1, 1, False), (0.0, 1, False)]
)
def test_bold_leaves_out_zero(low, high, bold):
    assert change(value(0.5, low, high)).startswith("**") is bold


def test_numbers_of_nothing_are_no_columns():
    assert change(None) == ""
    assert numbers("ours", None) == {}
    assert numbers("to_first", value(1.23456, 0.5, 2.0)) == {
        "to_first": 1.235, "to_first_std": 0.5, "to_first_low": 0.5, "to_first_high": 2.0,
    }  # fmt: skip


def test_a_cell_of_a_grid_stays_one_cell():
    text = grid(("a|b", "c"), [("1\n2\u2028|3", r"4\|5")])
    assert text.splitlines() == [r"| a\|b | c |", "| --- | --- |", r"| 1 2 \|3 | 4\|5 |"]
