"""Masks that are better by a dose: as many points as asked, nested; and their figure."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from openscenes import masks
from openscenes.data.examples import Example
from openscenes.data.records import Interaction
from openscenes.errors import InputError
from openscenes.study.experiments.dose import Response, frame, pairs
from openscenes.study.figures.dose import dose_figure
from openscenes.study.runs.evidence import better_by
from openscenes.study.scores.statistics import estimate

N = 40


@pytest.fixture(scope="module")
def scene():
    """Squares of 10 x 10 px, of which each pseudo mask misses some rows."""
    truth, made, true = [], [], {}
    for i in range(N):
        mask = np.zeros((20, 20), bool)
        mask[5:15, 5:15] = True
        missed = mask.copy()
        missed[5 : 5 + i % 8] = False
        one = Example(f"{i}", None, Interaction((5, 5, 15, 15), (10, 10)), masks.encode(missed))
        made.append(one)
        truth.append(replace(one, supervision=None))
        true[one.object_id] = mask
    study = SimpleNamespace(cache=SimpleNamespace(mask=lambda example: true[example.object_id]))
    return study, made, truth, true


def mean_iou(made, true):
    return 100 * np.mean([masks.iou(masks.decode(e.supervision), true[e.object_id]) for e in made])


def test_masks_are_better_by_as_many_points_as_asked_and_one_object_more_at_most(scene):
    study, made, truth, true = scene
    for points in (1.0, 2.0, 5.0, 10.0):
        better = better_by(study, made, truth, points, seed=0)
        gained = mean_iou(better, true) - mean_iou(made, true)
        assert points <= gained + 1e-9 < points + 100 / N
        assert [e.object_id for e in better] == [e.object_id for e in made]


def test_more_points_take_in_the_fewer_and_seeds_draw_others(scene):
    study, made, truth, _ = scene

    def changed(points, seed=0):
        found = better_by(study, made, truth, points, seed)
        return {e.object_id for e, old in zip(found, made, strict=True) if e != old}

    assert changed(1.0) < changed(5.0) < changed(10.0)
    assert changed(5.0, seed=1) != changed(5.0)


def test_where_truth_has_no_more_to_give_all_are_the_truth(scene):
    study, made, truth, true = scene
    assert mean_iou(better_by(study, made, truth, 99.0, seed=0), true) == 100


def test_the_figure_and_the_frame_say_what_each_dose_did():
    gains = [estimate(np.full((2, 5), value)) for value in (0.005, 0.02)]
    figure = dose_figure([(1.0, gains[0]), (5.2, gains[1])], "made up")
    (panel,) = figure.axes
    diagonal, line = (one.get_xydata().tolist() for one in panel.lines[1:3])
    assert diagonal == [[0, 0], [5.2, 5.2]]
    assert np.allclose(line, [[0, 0], [1.0, 0.5], [5.2, 2.0]])
    figure.draw_without_rendering()
    response = Response(5.0, 5.2, gains[1])
    assert pairs([response]) == [(5.2, gains[1])]
    found = frame([response])
    assert found.loc[0, ["asked", "dose", "change", "n_seeds", "n_objects"]].tolist() == [
        5.0, 5.2, pytest.approx(2.0), 2, 5,
    ]  # fmt: skip
    with pytest.raises(InputError, match="figure of doses needs at least one"):
        dose_figure([], "made up")
