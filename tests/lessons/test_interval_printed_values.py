"""The differences that a page shows are those of the printed cells."""

from openscenes.lessons.intervals.printed_values import FINDINGS, mixture_markdown


def test_every_statement_has_a_line_with_its_arithmetic():
    lines = mixture_markdown().splitlines()
    assert len(lines) == 2 + len(FINDINGS)
    cells = [[cell.strip() for cell in line.split(" | ")] for line in lines[2:]]
    assert [row[2] for row in cells] == [
        "+1.6", "+2.3", "+1.8", "+0.1", "+4.1", "+1.5", "+3.8", "+0.0", "+1.0"
    ]  # fmt: skip
    assert cells[0][1] == (
        "Table 1, Ours, cityscapes cIoU (79.5) less Table 1, IOG, cityscapes cIoU (77.9)"
    )
