"""Shares of the headroom on scores whose answer is known; evidence masks part by part."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.method.evidence_scenes import planted, scene

from openscenes.errors import InputError
from openscenes.method.evidence import evidence_of
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.study.experiments.headroom import shares, shares_markdown
from openscenes.study.experiments.table_4_plus import (
    BASELINE,
    BOUND,
    OUR_ROW,
    PLAIN_STUDENT,
    TRAINED,
)
from openscenes.study.scores.evidence_masks import PLAIN, WHOLE, made
from openscenes.study.scores.results import Block, Row, Table
from openscenes.study.scores.statistics import estimate

TITLE = "COCO, exact boxes"


def make_table(gains: dict[str, float], n_seeds: int = 2, n_objects: int = 30) -> Table:
    """One block; each row is the baseline and a constant."""
    plain = np.random.default_rng(0).uniform(0.2, 0.5, (n_seeds, n_objects))
    scores = {label: plain + gains.get(label, 0.0) for label in (BASELINE, *TRAINED["iog"], BOUND)}
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
    return {s.student: s for s in shares(make_table({BOUND: 0.04, OUR_ROW: 0.03, "+ST": -0.01}))}


def test_gains_and_shares_are_those_that_were_put_in(found):
    assert list(found) == list(TRAINED["iog"])
    one = found[OUR_ROW]
    assert one.gain.mean == pytest.approx(3)
    assert one.share.mean == pytest.approx(75)
    assert (one.share.low, one.share.high) == pytest.approx((75, 75))
    assert np.isnan(one.share.std)
    assert found[PLAIN_STUDENT].share.mean == pytest.approx(-25)


def test_no_share_is_taken_where_the_bound_wins_nothing():
    assert all(one.share is None for one in shares(make_table({BOUND: -0.02})))


def test_a_share_is_the_ratio_of_mean_gains_not_the_mean_of_ratios():
    table = make_table({BOUND: 0.04})
    row = table.objects["row"] == OUR_ROW
    first = row & (table.objects["seed"] == 0)
    table.objects.loc[first, "iou"] += 0.04  # all of it in one seed, none in the other
    assert {s.student: s for s in shares(table)}[OUR_ROW].share.mean == pytest.approx(50)


def test_a_share_draws_photographs_each_with_all_its_objects():
    tables = [make_table({BOUND: 0.04}), make_table({BOUND: 0.04})]
    for table, name in zip(tables, ("{0}", "{1}/{0}"), strict=True):
        number = table.objects["object_id"].astype(int)
        student = (table.objects["row"] == OUR_ROW) & (number < 15)  # all of it in half of them
        table.objects.loc[student, "iou"] += 0.04
        table.objects["object_id"] = [name.format(f"{n:02}", "ab"[n >= 15]) for n in number]
    alone, two = ({s.student: s for s in shares(one)}[OUR_ROW].share for one in tables)
    assert alone.mean == two.mean == pytest.approx(50)
    assert alone.low > 20 and alone.high < 80
    assert (two.low, two.high) == pytest.approx((0, 100))


def test_the_section_says_what_it_could_tell(found):
    text = shares_markdown(list(found.values()))
    assert "75 % [75, 75]" in text
    assert "**+3.00** [+3.00, +3.00]" in text
    assert text.count("\n| COCO") == len(found)


def test_another_table_is_refused():
    whole = make_table({})
    table = replace(whole, objects=whole.objects[whole.objects["row"] != "+ST"])
    with pytest.raises(InputError, match=r'of table 4_plus has no row "\+ST": Baseline'):
        shares(table)


def test_the_parts_of_evidence_begin_with_the_network_and_end_with_its_masks():
    config = EvidenceConfig(priors=(0.1, 0.1, 0.3, 0.3, 0.1, 0.1))
    cut, wrong = planted()
    found = made(cut, wrong, wrong, config)
    assert np.array_equal(found[PLAIN], wrong > 0.5)
    assert np.array_equal(found[WHOLE], evidence_of(cut, wrong, wrong, config).mask)
    equal = made(cut, wrong, wrong, replace(config, priors=()))
    whole = evidence_of(cut, wrong, wrong, replace(config, priors=())).mask
    differing = whole != equal["with the tightest threshold"]
    assert differing.sum() <= 9  # the click alone, which evidence always holds


def test_where_no_cut_is_possible_every_part_is_the_networks_clipped_map(monkeypatch):
    monkeypatch.setattr("openscenes.study.scores.evidence_masks.hypotheses", lambda *_: None)
    cut, one_view, views = scene(0)
    found = made(cut, one_view, views, EvidenceConfig())
    assert np.array_equal(found["mean of all cuts"], found["and the mean of six views"])
