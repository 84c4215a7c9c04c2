"""What stands beside a table: rows in another order, curves cut at the budget, csv files."""

import numpy as np
import pandas as pd
import pytest

from openscenes.errors import InputError
from openscenes.study.experiments.table_3 import sensitivity_frame
from openscenes.study.pages.tables import write_frame
from openscenes.study.profiles import profile_named
from openscenes.study.scores.breakdown import rows_of, size_limits
from openscenes.study.scores.noc import ClickCurve
from openscenes.study.scores.statistics import Estimate

OBJECTS = pd.DataFrame({"row": ["a", "b", "c"] * 2, "iou": range(6)})


def test_rows_come_in_the_order_that_is_asked_for():
    found = rows_of(OBJECTS, ("c", "a"))
    assert list(found["row"].unique()) == ["c", "a"]
    assert list(found["iou"]) == [2, 5, 0, 3]


def test_a_row_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"no row d; choose among a, b, c"):
        rows_of(OBJECTS, ("a", "d"))


@pytest.mark.parametrize(("first", "left"), [(1, 20), (3, 18), (4, 17)])
def test_a_curve_ends_with_the_twentieth_click(first, left):
    curve = ClickCurve(first, np.arange(20.0).reshape(1, 1, 20)).upto(20)
    assert curve.first + curve.iou.shape[2] - 1 == 20
    assert list(curve.iou[0, 0]) == list(range(left))


def test_photographs_are_measured_by_cocos_limits_and_generated_pictures_by_terciles():
    assert size_limits(profile_named("demo")) == "terciles"
    assert size_limits(profile_named("study")) == "coco"


def test_readings_are_written_whole_and_rounded(tmp_path):
    value = Estimate(1.23456, float("nan"), -0.5, 2.0, 1, 7)
    frame = sensitivity_frame({"COCO": [("vote", "soft", value), ("vote", "hard", value)]})
    assert write_frame(frame, tmp_path, "table_3_sensitivity") == "table_3_sensitivity.csv"
    (path,) = (tmp_path / "tables").iterdir()
    read = pd.read_csv(path)
    assert list(read.columns) == list(frame.columns)
    assert read["change"].tolist() == [1.235, 1.235]
    assert read["option"].tolist() == ["soft", "hard"]
    assert read["std"].isna().all()
