"""Scores of clicks: one threshold per system from the source, and what each column means."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from openscenes.paths import cache_dir
from openscenes.study import click_study
from openscenes.study.click_curves import LIMIT
from openscenes.study.click_study import (
    THRESHOLDS,
    click_iou,
    first_iou,
    source_threshold,
    threshold_sweep,
)
from openscenes.study.evaluation import object_iou
from openscenes.study.material import open_study, validation
from openscenes.study.profiles import profile_named
from openscenes.study.questions import Question, answer
from openscenes.study.recipes import evolved, initial, peer, reading
from openscenes.study.runs import model

FIRST = initial("voc+sbd", 0)
SECOND = evolved(FIRST, "coco", "st")
CLICKS = [f"click_{k}" for k in range(1, LIMIT + 1)]


@pytest.fixture(scope="module")
def study():
    return open_study(profile_named("smoke"), None, "cpu")


def swept(values):
    return lambda *_: pd.DataFrame({"threshold": THRESHOLDS, "iou": values})


CHOICES = [
    ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.7], 0.8),
    ([0.9, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.7], 0.1),
    ([0.5] * 9, 0.5),
    ([0.6, 0.5, 0.5, 0.6, 0.5, 0.5, 0.5, 0.6, 0.6], 0.4),
    ([0.5, 0.5, 0.5, 0.5, 0.5, 0.5 + 1e-12, 0.5, 0.5, 0.5], 0.5),
    ([0.5, 0.5, 0.5, 0.5, 0.5, 0.5 + 1e-6, 0.5, 0.5, 0.5], 0.6),
]


@pytest.mark.parametrize(("values", "chosen"), CHOICES)
def test_the_best_of_nine_is_chosen_and_ties_go_to_one_half(monkeypatch, values, chosen):
    monkeypatch.setattr(click_study, "threshold_sweep", swept(values))
    assert source_threshold(None, None, None) == chosen


def test_nine_thresholds():
    assert THRESHOLDS == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def test_a_sweep_at_one_half_is_the_first_answers_score_on_the_source(study):
    sweep = threshold_sweep(study, FIRST, model(study, FIRST))
    half = sweep["iou"][sweep["threshold"] == 0.5].item()
    plain = answer(study, Question(FIRST, "voc"))["iou"].mean()
    assert half == pytest.approx(plain, abs=2e-3)
    assert sweep["iou"].nunique() > 1


def test_an_evolved_model_has_the_threshold_of_its_first_one(study, monkeypatch):
    made = model(study, FIRST)
    first = threshold_sweep(study, FIRST, made)
    monkeypatch.setattr(click_study, "system_of", None)  # nothing is asked any more
    evolved_model = model(study, SECOND, train=False)
    assert evolved_model.digest != made.digest
    pd.testing.assert_frame_equal(threshold_sweep(study, SECOND, evolved_model), first)


@pytest.fixture(scope="module")
def curves(study):
    labelled = validation(study, "coco")
    return click_iou(study, SECOND, model(study, SECOND), labelled)


def test_a_line_for_every_object_and_a_column_for_every_click(study, curves):
    assert list(curves.columns) == ["object_id", "class_name", "area", *CLICKS]
    examples = validation(study, "coco").examples
    assert list(curves["object_id"]) == [example.object_id for example in examples]
    values = curves[CLICKS].to_numpy()
    assert ((values >= 0) & (values <= 1)).all()


def test_the_first_column_is_the_answer_to_box_and_point(study, curves):
    made, labelled = model(study, SECOND), validation(study, "coco")
    frame = first_iou(study, SECOND, made, labelled)
    assert list(frame.columns) == ["object_id", "class_name", "area", "iou"]
    assert (frame["iou"] == curves["click_1"]).all()
    how = reading(study.profile, confined=False, views=False)
    from dataclasses import replace

    at = replace(how, threshold=source_threshold(study, SECOND, made))
    masks = object_iou(study, made, labelled, at)["iou"]
    assert np.allclose(frame["iou"], masks, atol=5e-3)


def test_clicks_are_kept_and_not_asked_for_again(study, curves, monkeypatch):
    monkeypatch.setattr(click_study, "system_of", None)
    again = click_iou(study, SECOND, model(study, SECOND), validation(study, "coco"))
    pd.testing.assert_frame_equal(again, curves)


def test_a_fresh_run_gives_the_kept_clicks(study, curves, monkeypatch):
    monkeypatch.setattr(click_study, "cache_dir", lambda: cache_dir() / "elsewhere")
    fresh = click_iou(study, SECOND, model(study, SECOND), validation(study, "coco"))
    pd.testing.assert_frame_equal(fresh, curves)


def test_a_system_that_takes_no_corrections_stays_where_it_is(study):
    dextr = peer("DEXTR", 0)
    frame = click_iou(study, dextr, model(study, dextr), validation(study, "coco"))
    values = frame[CLICKS].to_numpy()
    assert (values == values[:, :1]).all()
    assert (first_iou(study, dextr, model(study, dextr), validation(study, "coco"))["iou"]
            == frame["click_1"]).all()  # fmt: skip


class Painter:
    """Answers 0.65 where the object is as soon as it has two clicks, 0.35 before."""

    def __init__(self, truths, protocol_clicks, corrects=True):
        self.truths, self.protocol_clicks, self.corrects = truths, protocol_clicks, corrects
        self.seen = []

    def asked(self, _chunk):
        return self

    def answer(self, clicks):
        self.seen.append([len(given) for given in clicks])
        return [
            np.where(truth, 0.65 if len(given) >= 2 else 0.35, 0.05).astype(np.float32)
            for truth, given in zip(self.truths, clicks, strict=True)
        ]


@pytest.fixture
def chunk(study):
    return validation(study, "coco").examples[:2]


def painter(study, chunk, protocol_clicks, corrects=True):
    truths = [study.cache.supervision(example)[0] for example in chunk]
    return Painter(truths, protocol_clicks, corrects)


def test_free_clicks_begin_with_one_and_stop_where_nothing_is_wrong(study, chunk):
    system = painter(study, chunk, 0)
    curves = click_study._curves(study, system, chunk, 0.5)
    assert curves.shape == (2, LIMIT)
    assert curves[:, 0].tolist() == [0.0, 0.0]
    assert (curves[:, 1:] == 1.0).all()
    assert system.seen[:2] == [[1, 1], [2, 2]]


def test_a_box_answers_before_the_first_correction(study, chunk):
    system = painter(study, chunk, 3)
    curves = click_study._curves(study, system, chunk, 0.5)
    assert curves[:, :3].tolist() == [[0.0, 0.0, 1.0]] * 2
    assert system.seen[:3] == [[0, 0], [1, 1], [2, 2]]
    assert curves.shape == (2, LIMIT)


def test_the_threshold_decides_what_a_mask_is(study, chunk):
    low = click_study._curves(study, painter(study, chunk, 3), chunk, 0.3)
    assert (low == 1.0).all()
    high = click_study._curves(study, painter(study, chunk, 3), chunk, 0.7)
    assert (high == 0.0).all()


def test_a_sweep_asks_free_clicks_three_times_and_others_once(study, chunk):
    free = painter(study, chunk, 0)
    sweep = click_study._sweep(study, free, chunk)
    # two clicks give 0.65: right below that, nothing above
    assert sweep.tolist() == [[1.0] * 6 + [0.0] * 3] * 2
    box = painter(study, chunk, 3)
    assert click_study._sweep(study, box, chunk).tolist() == [[1.0] * 3 + [0.0] * 6] * 2
    assert box.seen == [[0, 0]]


def test_every_object_is_in_one_chunk():
    labelled = SimpleNamespace(examples=tuple(range(70)))
    chunks = list(click_study._chunks(labelled, "clicks"))
    assert [len(chunk) for chunk in chunks] == [32, 32, 6]
    assert [item for chunk in chunks for item in chunk] == list(range(70))
    assert list(click_study._chunks(SimpleNamespace(examples=()), "clicks")) == []


def test_fewer_clicks_are_the_beginning_of_more(study):
    labelled = validation(study, "voc")
    recipe = peer("iFCN", 0)
    made = model(study, recipe)
    many = click_iou(study, recipe, made, labelled)
    reasons = {**study.profile.reasons, "n_clicks": "test"}
    short = replace(study.profile, n_clicks=4, reasons=reasons)
    few = click_iou(replace(study, profile=short), recipe, made, labelled)
    assert list(few.columns) == [*many.columns[:3], *CLICKS[:4]]
    pd.testing.assert_frame_equal(few, many[few.columns])
