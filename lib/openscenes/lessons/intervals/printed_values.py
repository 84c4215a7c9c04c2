"""What the paper's own tables mix, by the arithmetic of its printed values."""

from openscenes.study.pages.markdown import grid
from openscenes.study.scores.results import paper_value

Cell = tuple[str, str, str]  # table, row, column

# What is said, the two cells (the first less the second), and how one can read it.
FINDINGS: tuple[tuple[str, Cell, Cell, str], ...] = (
    (
        "Cityscapes: evolution gives +2.3 over IOG (Sec. 4.2)",
        ("1", "Ours", "cityscapes cIoU"), ("1", "IOG", "cityscapes cIoU"),
        "the table's IOG is the published one; the text's is the authors' own run, "
        "77.2 in Table 6",
    ),
    (
        "the same, from the authors' own run",
        ("6", "+ST +IPT +FA", "cityscapes voc+sbd"), ("6", "Baseline", "cityscapes voc+sbd"),
        "this is the +2.3; none of the differences comes with an interval",
    ),
    (
        "COCO: +1.8 over the best other system",
        ("1", "Ours", "coco cIoU"), ("1", "DEXTR", "coco cIoU"),
        "DEXTR is given four clicks, ours three",
    ),
    (
        "abstract: 79.4 on Cityscapes beside 80.1 on COCO",
        ("1", "Ours", "cityscapes cIoU"), ("4", "+ST +IPT +FA", "cityscapes voc"),
        "79.4 starts from VOC, 80.1 from VOC+SBD; with VOC+SBD Cityscapes is 79.5",
    ),
    (
        "Table 4: one baseline for both columns",
        ("4", "Baseline", "coco voc+sbd"), ("6", "Baseline", "coco voc"),
        "its COCO column starts from VOC+SBD, its Cityscapes column from VOC",
    ),
    (
        "FA gives 1.4 on Cityscapes (Sec. 4.3)",
        ("4", "+ST +FA", "cityscapes voc"), ("4", "+ST", "cityscapes voc"),
        "the printed cells give 1.5: rounding, or another run",
    ),
    (
        "Table 2: IOG* at t = 2 is fine-tuned on Cityscapes",
        ("4", "Upperbound", "cityscapes voc"), ("2", "IOG", "cityscapes t = 2*"),
        "so far below the bound that COCO must have been learned in between",
    ),
    (
        "Table 2: IOG on Cityscapes at t = 1, no star",
        ("2", "IOG", "cityscapes t = 1"), ("1", "IOG", "cityscapes cIoU"),
        "no difference: the model of Table 1, that has not seen Cityscapes at all",
    ),
    (
        "Table 7: a quarter of the images gives most of the gain",
        ("7", "Full", "cityscapes"), ("7", "25%", "cityscapes"),
        "three more quarters add one point; the authors' own run of IOG is 0.7 from the "
        "published one",
    ),
)  # fmt: skip


def mixture_markdown() -> str:
    """Each statement of the paper beside the difference of the printed cells that it rests on."""
    head = ("what is said", "printed cells", "difference", "how to read it")
    lines = [
        (said, f"{_words(first)} less {_words(second)}",
         f"{_value(first) - _value(second):+.1f}", reading)
        for said, first, second, reading in FINDINGS
    ]  # fmt: skip
    return grid(head, lines)


def _words(cell: Cell) -> str:
    number, row, column = cell
    return f"Table {number}, {row}, {column} ({_value(cell):.1f})"


def _value(cell: Cell) -> float:
    value = paper_value(*cell)
    assert value is not None, cell
    return value
