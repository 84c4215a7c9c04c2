"""Lesson 7: what is told of an object, and how a judgement is made of it."""

from types import SimpleNamespace

import pandas as pd
import pytest
from tests.method.evidence_scenes import planted, scene

from openscenes.lessons.evidence import told
from openscenes.method.evidence import evidence_of, hypotheses
from openscenes.method.evidence_config import EXACT

FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)


def told_of(name, cut, one_view, views):
    maps = hypotheses(cut, one_view, views, EXACT)
    found = evidence_of(cut, one_view, views, EXACT)
    return told.Told(SimpleNamespace(object_id=name), cut, one_view, views, maps, found)


@pytest.fixture(scope="module")
def objects():
    cut, wrong = planted()
    return [told_of("planted", cut, wrong, wrong), *(told_of(f"{n}", *scene(n)) for n in range(4))]


def test_maps_have_their_names(objects):
    assert len(told.MAPS) == EXACT.n_hypotheses == len(objects[0].maps)


def gain(one):
    network, evidence = map(one.iou, one.answers)
    return evidence - network


def test_objects_are_chosen_by_the_rank_of_their_gain(objects):
    assert told.by_gain(objects, 1.0) is max(objects, key=gain)
    assert told.by_gain(objects, 0.0) is min(objects, key=gain)
    network, evidence = map(objects[0].iou, objects[0].answers)
    assert network < 40 < 95 < evidence


def test_quality_is_fitted_on_known_objects_and_predicts_new_ones(objects):
    frame = told.judged(objects[:3], objects)
    assert list(frame.index) == [one.example.object_id for one in objects]
    true, predicted = told.differences(frame)
    assert true["planted"] > 50 and predicted["planted"] > 0
    assert ((frame >= 0) & (frame <= 100)).all(axis=None)


def test_the_words_count_what_is_clear():
    frame = pd.DataFrame({
        "network": [50.0, 50.0, 50.0], "evidence": [60.0, 44.0, 51.0],
        "network, predicted": [50.0, 50.0, 50.0], "evidence, predicted": [58.0, 52.0, 50.0],
    })  # fmt: skip
    words = told.judgement_words(frame)
    assert "of 2 differences of at least 5 points, 1 have the sign" in words
    assert "the mean gain is +1.7 points, predicted +3.3" in words
