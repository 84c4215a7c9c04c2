"""A perfect judge's choices, by hand on maps of few pixels, and the table of a smoke study."""

import numpy as np
import pytest

from openscenes.study.options import profile_named
from openscenes.study.runs.data import open_study, validation
from openscenes.study.runs.recipes import initial
from openscenes.study.runs.runs import train
from openscenes.study.scores import oracles


class Cut:
    mask = np.array([[0, 1, 1], [0, 1, 1], [0, 0, 0]], bool)
    void = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 1]], bool)
    box = (0, 1, 3, 3)


def test_the_ranking_of_pixels_by_hand():
    values = np.array([0.1, 0.4, 0.4, 0.8], np.float32)
    truth = np.array([0, 0, 1, 1], bool)
    assert oracles.auc(values, truth) == pytest.approx((1 + 0.5 + 1 + 1) / 4)
    assert oracles.auc(-values, truth) == pytest.approx(1 - 3.5 / 4)
    assert np.isnan(oracles.auc(values, np.ones(4, bool)))


def test_perfect_choices_by_hand():
    left = np.array([[0, 1, 0], [0, 1, 0], [0, 0, 1]], bool)
    right = np.array([[0, 0, 1], [1, 0, 0], [0, 0, 1]], bool)
    nothing = np.zeros((3, 3), bool)
    shaded = np.where(Cut.mask, 0.3, 0.1)
    found = oracles.rows_of(Cut(), {"map": (shaded, 0.5)}, np.stack([left, right, nothing]))
    assert found.loc["map"].tolist() == [1.0, 0.0, 1.0]
    assert found.loc[oracles.VOTE, "IoU"] == 0  # the two agree on void alone
    assert found.loc["perfect ballot: the best of three", "IoU"] == 2 / 4
    # no ballot has the last pixel of the object; the wrong one of ``right`` is voted down
    assert found.loc["perfect vote: right where one of three is", "IoU"] == 3 / 4


def test_the_table_of_a_study(cache):
    study = open_study(profile_named("smoke"), None, "cpu")
    model, labelled = train(study, initial("voc", 0)), validation(study, "voc")
    found = oracles.oracle_table(study, model, labelled, 4)
    maps = [oracles.NETWORK, "global", "center", "edge", "merged", oracles.EVIDENCE]
    assert list(found.index[:5]) == maps[:5] and set(maps) < set(found.index)
    known = found.loc[maps]
    assert known["AUC in the box"].between(0, 1).all()
    assert (known["IoU, best threshold"] >= known["IoU"]).all()
    perfect = found["IoU"].filter(like="perfect")
    assert perfect.iloc[0] >= perfect.iloc[1] >= found.loc[oracles.NETWORK, "IoU"] - 1e-9
