"""The change of each object, by hand."""

import pandas as pd
import pytest

from openscenes.study.figures.forest import _changes, objects_figure
from openscenes.study.scores.results import Block, Row, Table
from openscenes.study.scores.statistics import Estimate

ESTIMATE = Estimate(50.0, 1.0, 49.0, 51.0, 2, 2)
BLOCK = Block("COCO", tuple(Row(name, None, ESTIMATE, None, None) for name in ("first", "second")))
OBJECTS = pd.DataFrame(
    [
        ("COCO", "first", 0, "a", 0.2), ("COCO", "first", 1, "a", 0.4),
        ("COCO", "second", 0, "a", 0.5), ("COCO", "second", 1, "a", 0.5),
        ("COCO", "first", 0, "b", 0.9), ("COCO", "first", 1, "b", 0.9),
        ("COCO", "second", 0, "b", 0.8), ("COCO", "second", 1, "b", 0.9),
    ],
    columns=["block", "row", "seed", "object_id", "iou"],
)  # fmt: skip


def test_seeds_are_averaged_before_objects_are_compared():
    changes = _changes(OBJECTS, BLOCK)
    assert list(changes["row"].unique()) == ["second"]
    assert list(changes["change"]) == pytest.approx([20.0, -5.0])


def test_the_figure_has_a_panel_for_each_block():
    figure = objects_figure(Table("4", "two objects", (BLOCK,), OBJECTS, ()))
    (panel,) = figure.axes
    assert panel.get_title() == "COCO"
    assert "first" in panel.get_xlabel()
