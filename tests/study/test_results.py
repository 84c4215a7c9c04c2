"""The paper's values, claims and their verdicts, and how scores become long tables."""

import numpy as np
import pandas as pd
import pytest

from openscenes.study.scores import results
from openscenes.study.scores.results import Block, Claim, Row, Table, claims_of, long, paper_value
from openscenes.study.scores.statistics import Estimate

TABLE_3 = {
    "coarse mask": 73.7, "global": 74.5, "center": 74.1, "edge": 74.3, "all three": 74.8,
    "merge and vote": 75.0,
}  # fmt: skip
TABLE_4 = {
    "Baseline": (73.7, 74.9), "+ST": (77.3, 78.1), "+ST +IPT": (78.4, 79.2),
    "+ST +FA": (78.8, 78.7), "+ST +IPT +FA": (79.4, 80.1), "Upperbound": (82.2, 82.6),
}  # fmt: skip
TABLE_6 = {  # Cityscapes VOC, VOC+SBD; COCO VOC, VOC+SBD
    "Baseline": (73.7, 77.2, 70.8, 74.9),
    "+ST": (77.3, 78.1, 76.8, 78.1),
    "+ST +IPT +FA": (79.4, 79.5, 79.7, 80.1),
}
COLUMNS = ("cityscapes voc", "cityscapes voc+sbd", "coco voc", "coco voc+sbd")


@pytest.mark.parametrize(("row", "value"), TABLE_3.items())
def test_values_of_table_3(row, value):
    assert paper_value("3", row, "cityscapes") == value
    assert paper_value("3", row, "coco") is None


@pytest.mark.parametrize(("row", "values"), TABLE_4.items())
def test_values_of_table_4(row, values):
    assert paper_value("4", row, "cityscapes voc") == values[0]
    assert paper_value("4", row, "coco voc+sbd") == values[1]


@pytest.mark.parametrize(("row", "values"), TABLE_6.items())
def test_values_of_table_6_fill_the_other_initial_sets(row, values):
    assert tuple(paper_value("4", row, column) for column in COLUMNS) == values


@pytest.mark.parametrize("row", sorted(set(TABLE_4) - set(TABLE_6)))
@pytest.mark.parametrize("column", ["cityscapes voc+sbd", "coco voc"])
def test_what_the_paper_leaves_out_is_none(row, column):
    assert paper_value("4", row, column) is None


def test_the_row_named_none_is_a_row_and_not_a_gap():
    assert paper_value("7", "None", "cityscapes") == 73.7


def test_a_table_beyond_the_paper_has_no_published_value():
    assert paper_value("4_plus", "Baseline", "coco voc+sbd") is None


def test_the_file_names_no_cell_twice_and_holds_no_other_value_of_table_3_and_4():
    frame = pd.read_csv(results.PAPER_VALUES, dtype={"table": str})
    assert not frame.duplicated(["table", "row", "column"]).any()
    counts = frame.groupby("table").size()
    assert (counts["3"], counts["4"]) == (len(TABLE_3), 2 * len(TABLE_4))
    assert set(counts.index) == {"1", "2", "3", "4", "5", "6", "7"}
    assert frame["value"].between(1, 100).all()


def found(low, high):
    return Estimate((low + high) / 2, 0.5, low, high, 3, 40)


VERDICTS = [
    (2.0, found(1, 3), "Holds here"),
    (2.0, found(-3, -1), "Does not hold here"),
    (-2.0, found(-3, -1), "Holds here"),
    (2.0, found(-1, 3), "Cannot be told here"),
    (None, found(-1, 3), "Cannot be told here"),
    (None, found(1, 3), "Found here, nothing published"),
    (None, found(-3, -1), "Found here, nothing published"),
]


@pytest.mark.parametrize(("paper", "ours", "verdict"), VERDICTS)
def test_a_verdict_asks_whether_zero_is_left_out_and_then_for_the_sign(paper, ours, verdict):
    assert Claim("a", "b", paper, ours).verdict == verdict


def test_a_claim_in_words_has_both_differences_or_ours_alone():
    assert Claim("+ST", "Baseline", 3.6, found(1, 3)).words == (
        "+ST against Baseline (+2.00, paper +3.6)"
    )
    assert Claim("+ST", "Baseline", None, found(-3, -1)).words == "+ST against Baseline (-2.00)"


def test_claims_pair_the_same_objects_and_subtract_the_papers_values():
    scores = {"a": np.array([[0.5, 0.6]]), "b": np.array([[0.7, 0.8]]), "c": np.array([[0.1, 0.9]])}
    nothing = found(0, 1)
    rows = [Row("a", 70.0, nothing, None, None), Row("b", 73.5, nothing, None, None),
            Row("c", None, nothing, None, None)]  # fmt: skip
    first, second = claims_of(rows, scores, (("b", "a"), ("c", "a")))
    assert (first.better, first.worse, first.paper) == ("b", "a", 3.5)
    assert (first.ours.low, first.ours.mean, first.ours.high) == pytest.approx((20, 20, 20))
    assert second.paper is None
    assert second.ours.mean == pytest.approx(-5.0)
    assert second.verdict == "Cannot be told here"


def test_every_object_of_every_seed_is_kept():
    objects = pd.DataFrame({"object_id": ["a", "b"], "class_name": ["cat", "dog"], "area": [3, 4]})
    scores = {"one": np.array([[0.1, 0.2], [0.3, 0.4]]), "two": np.array([[0.5, 0.6], [0.7, 0.8]])}
    frame = long("scene", scores, objects)
    assert list(frame.columns) == [
        "block", "row", "seed", "object_id", "class_name", "area", "iou",
    ]  # fmt: skip
    assert len(frame) == 8
    picked = frame[(frame["row"] == "two") & (frame["seed"] == 1) & (frame["object_id"] == "b")]
    assert picked["iou"].item() == 0.8


def test_a_block_is_found_by_a_word_of_its_title():
    blocks = (Block("Cityscapes, x", ()), Block("COCO, x", ()))
    table = Table("3", "", blocks, pd.DataFrame(), ())
    assert table.block("COCO") is blocks[1]
    with pytest.raises(StopIteration):
        table.block("KITTI")
