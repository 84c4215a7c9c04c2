"""What another initial set is worth: differences between blocks, on the same objects."""

import numpy as np
import pandas as pd
import pytest

from openscenes.errors import InputError
from openscenes.study.experiments.table_6 import gap_markdown
from openscenes.study.scores.results import Block, Row, Table
from openscenes.study.scores.statistics import estimate


def make_table(worth: dict[str, float]) -> Table:
    """Two scenes, two initial sets, two rows; the larger set is better by ``worth``."""
    blocks, lines = [], []
    for scene in ("Cityscapes", "COCO"):
        plain = np.random.default_rng(1).uniform(0.2, 0.5, (2, 9))
        for name, larger in (("VOC", False), ("VOC+SBD", True)):
            title = f"{scene}, initial model on {name}"
            scores = {row: plain + larger * gain for row, gain in worth.items()}
            published = {"Baseline": 77.2 if larger else 73.7}
            blocks.append(
                Block(
                    title,
                    tuple(
                        Row(row, published.get(row), estimate(values), None, None)
                        for row, values in scores.items()
                    ),
                )
            )
            lines += [
                {"block": title, "row": row, "seed": s, "object_id": str(i), "iou": iou}
                for row, values in scores.items()
                for s, by_object in enumerate(values)
                for i, iou in enumerate(by_object)
            ]
    return Table("6", "", tuple(blocks), pd.DataFrame(lines), ())


def test_gaps_are_paired_and_stand_beside_the_papers():
    text = gap_markdown(make_table({"Baseline": 0.035, "+ST": 0.0}))
    assert "| Cityscapes | Baseline | +3.5 | **+3.50** [+3.50, +3.50] |" in text
    assert "| COCO | +ST |  | +0.00 [+0.00, +0.00] |" in text
    assert text.count("\n| C") == 4


def test_a_table_without_two_initial_sets_is_refused():
    table = make_table({"Baseline": 0.0})
    alone = Table("4", "", table.blocks[:1], table.objects, ())
    with pytest.raises(InputError, match=r"two blocks of Cityscapes, got 1; give the table"):
        gap_markdown(alone)
