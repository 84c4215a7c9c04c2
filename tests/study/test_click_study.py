"""Scores of clicks: one threshold per system from the source, and what each column means."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from openscenes.data import crops
from openscenes.method.cutting import CropMap
from openscenes.paths import cache_dir
from openscenes.pool import Pool, Sent
from openscenes.study.options import profile_named
from openscenes.study.profiles import LIMIT, THRESHOLDS
from openscenes.study.runs import store
from openscenes.study.runs.data import open_study, validation
from openscenes.study.runs.recipes import evolved, inference_config, initial, peer
from openscenes.study.runs.runs import find, train, train_all
from openscenes.study.scores import clicks as click_study
from openscenes.study.scores.clicks import (
    best_threshold,
    click_iou,
    first_iou,
    threshold_sweep,
)
from openscenes.study.scores.evaluation import Evaluation, score
from openscenes.study.scores.masks import object_iou

FIRST = initial("voc+sbd", 0)
SECOND = evolved(FIRST, "coco", "st")
CLICKS = [f"click_{k}" for k in range(1, LIMIT + 1)]


@pytest.fixture(scope="module")
def study():
    made = open_study(profile_named("smoke"), None, "cpu")
    train_all(made, [SECOND])
    return made


def swept(*by_object):
    """What a sweep gives, the objects in both halves in turn."""
    columns = [f"{t:g}" for t in THRESHOLDS]
    frame = pd.DataFrame(by_object, columns=columns)
    return frame.assign(half=[n % 2 for n in range(len(by_object))])


CHOICES = [
    ([0.1, 0.2, 0.3, 0.4, 0.3], 0.7),
    ([0.9, 0.2, 0.3, 0.4, 0.5], 0.1),
    ([0.5] * 5, 0.5),
    ([0.6, 0.6, 0.5, 0.5, 0.6], 0.3),
    ([0.5, 0.5, 0.5, 0.5 + 1e-12, 0.5], 0.5),
    ([0.5, 0.5, 0.5, 0.5 + 1e-6, 0.5], 0.7),
]


@pytest.mark.parametrize(("values", "chosen"), CHOICES)
def test_the_best_of_five_is_chosen_and_ties_go_to_one_half(values, chosen):
    assert best_threshold(swept(values)) == chosen


def test_half_of_the_photographs_chooses_alone():
    frame = swept([0.9, 0, 0, 0, 0], [0, 0, 0, 0.8, 0])
    assert [best_threshold(frame, half) for half in (None, 0, 1)] == [0.1, 0.1, 0.7]


def test_no_object_chooses_the_threshold_that_it_is_judged_at(study, monkeypatch):
    source, scene = validation(study, "voc"), validation(study, "coco")
    halves = click_study._halves(source)
    assert set(halves["half"]) == {0, 1}
    images = [example.image for example in source.examples]
    assert all(len(set(half)) == 1 for _, half in halves["half"].groupby(images))
    # the first half is best at 0.1, the other at 0.7, and 0.1 wins together
    best = np.where(halves["half"].to_numpy()[:, None] == 0, [[1, 0, 0, 0, 0]], [[0, 0, 0, 0.1, 0]])
    frame = halves.join(pd.DataFrame(best, columns=[f"{t:g}" for t in THRESHOLDS]))
    monkeypatch.setattr(click_study, "threshold_sweep", lambda *_: frame)
    at_home = click_study.source_thresholds(study, FIRST, None, source)
    assert (at_home == np.where(halves["half"] == 0, 0.7, 0.1)).all()
    abroad = click_study.source_thresholds(study, FIRST, None, scene)
    assert (abroad == 0.1).all()
    assert len(abroad) == len(scene.examples)


def test_a_sweep_at_one_half_is_the_first_answers_score_on_the_source(study):
    sweep = threshold_sweep(study, FIRST, train(study, FIRST))
    plain = score(study, Evaluation(FIRST, "voc"))["iou"]
    assert sweep["0.5"].mean() == pytest.approx(plain.mean(), abs=2e-3)
    assert sweep[[f"{t:g}" for t in THRESHOLDS]].mean().nunique() > 1


def test_a_sweep_promises_free_clicks_what_the_table_then_measures(study, monkeypatch):
    """A user who clicks on what the threshold shows, and not on masks cut at one half."""
    recipe, labelled = peer("iFCN", 0), validation(study, "voc")
    made = train(study, recipe)
    sweep = threshold_sweep(study, recipe, made)
    for t in (0.1, 0.7):
        fixed = np.full(len(labelled.examples), t)
        monkeypatch.setattr(click_study, "source_thresholds", lambda *_, f=fixed: f)
        after = click_iou(study, recipe, made, labelled)["click_3"]
        assert np.allclose(sweep[f"{t:g}"], after, atol=1e-4)


def test_an_evolved_model_has_the_threshold_of_its_first_one(study, monkeypatch):
    made = train(study, FIRST)
    first = threshold_sweep(study, FIRST, made)
    monkeypatch.setattr(click_study, "system_of", None)  # nothing is asked any more
    evolved_model = find(study, SECOND)
    assert evolved_model.digest != made.digest
    pd.testing.assert_frame_equal(threshold_sweep(study, SECOND, evolved_model), first)


@pytest.fixture(scope="module")
def curves(study):
    labelled = validation(study, "coco")
    return click_iou(study, SECOND, train(study, SECOND), labelled)


def test_a_line_for_every_object_and_a_column_for_every_click(study, curves):
    assert list(curves.columns) == ["object_id", "class_name", "area", *CLICKS]
    examples = validation(study, "coco").examples
    assert list(curves["object_id"]) == [example.object_id for example in examples]
    values = curves[CLICKS].to_numpy()
    assert ((values >= 0) & (values <= 1)).all()


def test_the_first_column_is_the_answer_to_box_and_point(study, curves):
    made, labelled = train(study, SECOND), validation(study, "coco")
    how = inference_config(study.profile, clipped=False, tta=False)
    (chosen,) = set(click_study.source_thresholds(study, SECOND, made, labelled))
    masks = object_iou(study, made, labelled, replace(how, threshold=chosen))["iou"]
    assert np.allclose(curves["click_1"], masks, atol=5e-3)


def test_tables_2_to_7_ask_every_system_at_the_same_threshold(study, monkeypatch):
    dextr, labelled = peer("DEXTR", 0), validation(study, "voc")
    monkeypatch.setattr(click_study, "source_thresholds", None)  # is not asked
    frame = first_iou(study, dextr, train(study, dextr), labelled)
    assert list(frame.columns) == ["object_id", "class_name", "area", "iou"]
    sweep = threshold_sweep(study, dextr, train(study, dextr))
    assert study.profile.inference.threshold == 0.5
    assert np.allclose(frame["iou"], sweep["0.5"], atol=1e-4)


def test_clicks_are_kept_and_not_asked_for_again(study, curves, monkeypatch):
    monkeypatch.setattr(click_study, "system_of", None)
    again = click_iou(study, SECOND, train(study, SECOND), validation(study, "coco"))
    pd.testing.assert_frame_equal(again, curves)


def test_a_fresh_run_gives_the_kept_clicks(study, curves, monkeypatch):
    monkeypatch.setattr(store, "cache_dir", lambda: cache_dir() / "elsewhere")
    fresh = click_iou(study, SECOND, train(study, SECOND), validation(study, "coco"))
    pd.testing.assert_frame_equal(fresh, curves)


def test_a_system_that_takes_no_corrections_stays_where_it_is(study):
    dextr = peer("DEXTR", 0)
    frame = click_iou(study, dextr, train(study, dextr), validation(study, "coco"))
    values = frame[CLICKS].to_numpy()
    assert (values == values[:, :1]).all()


class Painter:
    """Answers 0.65 where the object is as soon as it has two clicks, 0.35 before."""

    def __init__(self, truths, protocol_clicks, corrects=True):
        self.truths, self.protocol_clicks, self.corrects = truths, protocol_clicks, corrects
        self.seen = []

    def look(self, _chunk, _pool):
        return self

    def predict(self, clicks, _thresholds):
        self.seen.append([len(given) for given in clicks])
        maps = [
            np.where(truth, 0.65 if len(given) >= 2 else 0.35, 0.05).astype(np.float32)
            for truth, given in zip(self.truths, clicks, strict=True)
        ]
        return [CropMap(Sent(one), crops.identity(), one.shape) for one in maps]


@pytest.fixture
def chunk(study):
    return validation(study, "coco").examples[:2]


def alone(study):
    """No processes beside this one."""
    return Pool(0, study.cache)


def painter(study, chunk, protocol_clicks, corrects=True):
    truths = [study.cache.supervision(example)[0] for example in chunk]
    return Painter(truths, protocol_clicks, corrects)


def test_free_clicks_begin_with_one_and_stop_where_nothing_is_wrong(study, chunk):
    system = painter(study, chunk, 0)
    curves = click_study._curves(alone(study), system, chunk, [0.5] * 2, LIMIT)
    assert curves.shape == (2, LIMIT)
    assert curves[:, 0].tolist() == [0.0, 0.0]
    assert (curves[:, 1:] == 1.0).all()
    assert system.seen[:2] == [[1, 1], [2, 2]]


def test_a_box_answers_before_the_first_correction(study, chunk):
    system = painter(study, chunk, 3)
    curves = click_study._curves(alone(study), system, chunk, [0.5] * 2, LIMIT)
    assert curves[:, :3].tolist() == [[0.0, 0.0, 1.0]] * 2
    assert system.seen[:3] == [[0, 0], [1, 1], [2, 2]]
    assert curves.shape == (2, LIMIT)


def test_the_threshold_decides_what_a_mask_is(study, chunk):
    low = click_study._curves(alone(study), painter(study, chunk, 3), chunk, [0.3] * 2, LIMIT)
    assert (low == 1.0).all()
    high = click_study._curves(alone(study), painter(study, chunk, 3), chunk, [0.7] * 2, LIMIT)
    assert (high == 0.0).all()


def test_a_person_clicks_elsewhere_but_the_same_when_asked_again(study, chunk):
    def asked(user):
        truths = [study.cache.supervision(example)[0] for example in chunk]
        system = Told(truths, 0)
        click_study._curves(alone(study), system, chunk, [0.5] * 2, 3, user)
        return system.told

    assert asked("human") == asked("human") != asked("iog") == asked("iog")


class Told(Painter):
    """Never finds the object, and remembers where it was told to look."""

    def predict(self, clicks, _thresholds):
        self.told = [given.tolist() for given in clicks]
        return [
            CropMap(Sent(np.zeros(t.shape, np.float32)), crops.identity(), t.shape)
            for t in self.truths
        ]


def test_each_object_has_its_own_threshold(study, chunk):
    curves = click_study._curves(alone(study), painter(study, chunk, 3), chunk, [0.3, 0.7], LIMIT)
    assert curves.tolist() == [[1.0] * LIMIT, [0.0] * LIMIT]


def test_a_sweep_asks_for_the_first_click_once_and_for_more_at_each_threshold(study, chunk):
    free = painter(study, chunk, 0)
    sweep = click_study._sweep(alone(study), free, chunk, THRESHOLDS)
    # two clicks give 0.65: right below that, nothing above
    assert sweep.tolist() == [[1.0] * 3 + [0.0] * 2] * 2
    # at 0.1 and 0.3 the first answer is right, at 0.5 the second: then no further click is given
    assert free.seen == [[1, 1], *[[2, 2]], *[[2, 2], [3, 3]] * 2]
    box = painter(study, chunk, 3)
    swept_once = click_study._sweep(alone(study), box, chunk, THRESHOLDS)
    assert swept_once.tolist() == [[1.0] * 2 + [0.0] * 3] * 2
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
    made = train(study, recipe)
    many = click_iou(study, recipe, made, labelled)
    reasons = {**study.profile.reasons, "n_clicks": "test"}
    short = replace(study.profile, n_clicks=4, reasons=reasons)
    few = click_iou(replace(study, profile=short), recipe, made, labelled)
    assert list(few.columns) == [*many.columns[:3], *CLICKS[:4]]
    pd.testing.assert_frame_equal(few, many[few.columns])
