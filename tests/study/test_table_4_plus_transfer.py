"""How much of a teacher reaches its student, on scores whose answer is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from openscenes.errors import InputError
from openscenes.study.experiments.table_4_plus import (
    BOTH,
    TEACHERS,
    TRAINED,
    transfer_markdown,
    transfers,
)
from openscenes.study.scores.results import Block, Row, Table
from openscenes.study.scores.statistics import estimate

STUDENTS = {steps[0]: label for label, steps in TRAINED["iog"].items() if len(steps) == 1}
TITLE = "COCO, exact boxes"


def make_table(gains: dict[str, float], n_seeds: int = 2, n_objects: int = 30) -> Table:
    """One block; each row is the baseline and a constant."""
    plain = np.random.default_rng(0).uniform(0.2, 0.5, (n_seeds, n_objects))
    labels = ["Baseline", "+ST", *TEACHERS.values(), *(STUDENTS[v] for v in TEACHERS)]
    scores = {label: plain + gains.get(label, 0.0) for label in labels}
    lines = [
        {"block": TITLE, "row": label, "seed": seed, "object_id": str(i), "iou": iou}
        for label, values in scores.items()
        for seed, by_object in enumerate(values)
        for i, iou in enumerate(by_object)
    ]
    rows = tuple(Row(label, None, estimate(values), None, None) for label, values in scores.items())
    return Table("4_plus", "", (Block(TITLE, rows),), pd.DataFrame(lines), ())


@pytest.fixture(scope="module")
def found():
    """Of the box 4 points reach the student as 1; of the views, nothing is there to give."""
    boxed = {"+ST": 0.02, "clipped to the box": 0.04, STUDENTS["clipped to the box"]: 0.01}
    return transfers(make_table(boxed))


def test_gains_and_share_are_those_that_were_put_in(found):
    one = found[0]
    assert (one.block, one.teacher) == (TITLE, "clipped to the box")
    assert one.teacher_gain.mean == pytest.approx(4)
    assert one.student_gain.mean == pytest.approx(1)
    assert one.beyond_plain.mean == pytest.approx(-1)
    assert one.share.mean == pytest.approx(25)
    assert (one.share.low, one.share.high) == pytest.approx((25, 25))
    assert np.isnan(one.share.std)


def test_no_share_is_taken_of_nothing(found):
    assert [one.teacher for one in found] == list(TEACHERS.values())
    assert [one.share is None for one in found] == [False, True, True]


def test_a_teacher_that_harms_has_no_share():
    harmed = make_table({BOTH: -0.05, "TTA (6 views)": 0.03})
    assert [one.share is None for one in transfers(harmed)] == [True, False, True]


def test_a_share_is_the_ratio_of_mean_gains_not_the_mean_of_ratios():
    table = make_table({"clipped to the box": 0.04})
    row = table.objects["row"] == STUDENTS["clipped to the box"]
    first = row & (table.objects["seed"] == 0)
    table.objects.loc[first, "iou"] += 0.04  # all of it in one seed, none in the other
    assert transfers(table)[0].share.mean == pytest.approx(50)


def test_the_section_says_what_it_could_tell(found):
    text = transfer_markdown(found)
    assert "1 of 3 lines" in text
    assert "25 % [25, 25]" in text
    assert "**+4.00** [+4.00, +4.00]" in text
    assert text.count("\n| COCO") == 3


def test_another_table_is_refused():
    whole = make_table({})
    table = replace(whole, objects=whole.objects[whole.objects["row"] != "+ST"])
    with pytest.raises(InputError, match=r'of table 4_plus has no row "\+ST": Baseline'):
        transfers(table)
