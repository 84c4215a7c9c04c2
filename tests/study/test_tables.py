"""The paper's values, the variants of Table 3, and how scores become rows."""

import numpy as np
import pandas as pd
import pytest

from openscenes.method.ipt import IPTConfig
from openscenes.study import tables
from openscenes.study.tables import Block, Table, paper_value, table_3_variants

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
    assert paper_value(3, row, "cityscapes") == value
    assert paper_value(3, row, "coco") is None


@pytest.mark.parametrize(("row", "values"), TABLE_4.items())
def test_values_of_table_4(row, values):
    assert paper_value(4, row, "cityscapes voc") == values[0]
    assert paper_value(4, row, "coco voc+sbd") == values[1]


@pytest.mark.parametrize(("row", "values"), TABLE_6.items())
def test_values_of_table_6_fill_the_other_initial_sets(row, values):
    assert tuple(paper_value(4, row, column) for column in COLUMNS) == values


@pytest.mark.parametrize("row", sorted(set(TABLE_4) - set(TABLE_6)))
@pytest.mark.parametrize("column", ["cityscapes voc+sbd", "coco voc"])
def test_what_the_paper_leaves_out_is_none(row, column):
    assert paper_value(4, row, column) is None


def test_the_file_holds_no_other_value():
    counts = pd.read_csv(tables.PAPER_VALUES).groupby("table").size()
    # of Table 6 only what Table 4 has not
    assert counts.to_dict() == {3: len(TABLE_3), 4: 2 * len(TABLE_4), 6: 2 * len(TABLE_6)}


def test_every_published_row_is_made():
    assert list(tables.TABLE_4_ROWS) == list(TABLE_4)
    assert set(TABLE_3) - {"coarse mask"} <= set(table_3_variants(IPTConfig(), "layer4"))


def test_variants_are_the_papers_and_the_last_is_the_profiles():
    mine = IPTConfig(alpha=0.4, beta=0.6)
    variants = table_3_variants(mine, "decoder")
    assert variants["merge and vote"].config == IPTConfig()
    assert variants["merge and vote"].feature == "layer4"
    assert variants["edge"].config.prototypes == ("edge",)
    assert variants["all three"].config.fusion == "weighted_sum"
    last = variants["as in Table 4 here"]
    assert (last.feature, last.config) == ("decoder", mine)


def test_rows_hold_differences_to_the_row_above_and_to_the_first():
    scores = {"Baseline": [[0.5, 0.6]], "+ST": [[0.6, 0.7]], "+ST +IPT": [[0.9, 0.8]]}
    scores = {label: np.array(values) for label, values in scores.items()}
    rows = tables._rows(4, "cityscapes voc", scores, {"+ST": np.array([[0.25]])})
    assert rows[0].to_above is rows[0].to_first is None
    assert rows[2].to_above.mean == pytest.approx(20.0)
    assert rows[2].to_first.mean == pytest.approx(30.0)
    assert [row.paper for row in rows] == [73.7, 77.3, 78.4]
    assert rows[1].source.mean == pytest.approx(25.0)
    assert rows[2].source is None


def test_every_object_of_every_seed_is_kept():
    objects = pd.DataFrame({"object_id": ["a", "b"], "class_name": ["cat", "dog"], "area": [3, 4]})
    scores = {"one": np.array([[0.1, 0.2], [0.3, 0.4]]), "two": np.array([[0.5, 0.6], [0.7, 0.8]])}
    long = tables._long("scene", scores, objects)
    assert list(long.columns) == [
        "block", "row", "seed", "object_id", "class_name", "area", "iou",
    ]  # fmt: skip
    assert len(long) == 8
    picked = long[(long["row"] == "two") & (long["seed"] == 1) & (long["object_id"] == "b")]
    assert picked["iou"].item() == 0.8


def test_a_block_is_found_by_a_word_of_its_title():
    blocks = (Block("Cityscapes, x", ()), Block("COCO, x", ()))
    table = Table(3, "", blocks, pd.DataFrame(), ())
    assert table.block("COCO") is blocks[1]
