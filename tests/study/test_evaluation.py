"""One evaluation, one score: kept, clipped to the box or with TTA, of one or the other user."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from openscenes.errors import WeightsError
from openscenes.method.box_region import box_region
from openscenes.method.inference import predictions
from openscenes.paths import cache_dir
from openscenes.study.options import profile_named
from openscenes.study.runs import store
from openscenes.study.runs.data import Study, open_study, validation
from openscenes.study.runs.models import run_context
from openscenes.study.runs.recipes import evolved, inference_config, initial, peer
from openscenes.study.runs.runs import find, train, train_all
from openscenes.study.scores import evaluation, masks
from openscenes.study.scores.evaluation import Evaluation, recipes_of, score
from openscenes.study.scores.masks import ipt_iou, ipt_variants, object_iou

FIRST = initial("voc+sbd", 0)
SECOND = evolved(FIRST, "coco", "st")
IDENTITY = ["object_id", "class_name", "area"]


@pytest.fixture(scope="module")
def study() -> Study:
    made = open_study(profile_named("smoke"), None, "cpu")
    train_all(made, [SECOND, peer("ITIS", 0), peer("DEXTR", 0)])
    return made


def test_a_score_of_a_model_that_is_not_trained_trains_nothing_and_says_what_does(study):
    missing = initial("voc", 78)
    sentence = "smoke seed 78 initial voc is not trained yet; `make models`"
    for question in (
        Evaluation(missing, "coco"), Evaluation(missing, "coco", "ipt"),
        Evaluation(missing, "coco", "clicks"), Evaluation(evolved(missing, "coco", "st"), "coco"),
        Evaluation(peer("iFCN", 78), "voc", "clicks"),
    ):  # fmt: skip
        with pytest.raises(WeightsError, match="seed 78 .*is not trained yet"):
            score(study, question)
    with pytest.raises(WeightsError, match=sentence):
        score(study, Evaluation(missing, "voc"))
    assert not find(study, missing).folder.exists()


def test_recipes_of_questions_are_in_order():
    asked = [Evaluation(SECOND, "coco", "clicks"), Evaluation(FIRST, "voc")]
    assert recipes_of(asked) == (FIRST, SECOND)
    assert recipes_of([]) == ()


def test_an_answer_has_a_line_for_every_object_of_the_set(study):
    for where in ("voc", "cityscapes", "coco"):
        frame = score(study, Evaluation(FIRST, where))
        assert list(frame.columns) == [*IDENTITY, "iou"]
        examples = validation(study, where).examples
        assert list(frame["object_id"]) == [example.object_id for example in examples]
        assert frame["iou"].between(0, 1).all()
        assert frame["iou"].nunique() > 1


def test_a_kept_answer_equals_a_fresh_one(study, monkeypatch):
    asked = Evaluation(FIRST, "coco")
    kept = score(study, asked)
    with monkeypatch.context() as patch:
        patch.setattr(masks, "predictions", None)  # asking a network again would fail
        again = score(study, asked)
    pd.testing.assert_frame_equal(kept, again)
    monkeypatch.setattr(store, "cache_dir", lambda: cache_dir() / "elsewhere")
    fresh = score(study, asked)
    pd.testing.assert_frame_equal(kept, fresh)


def test_the_kinds_and_the_ways_of_asking_have_answers_of_their_own(study):
    plain = score(study, Evaluation(FIRST, "coco"))["iou"]
    ways = {
        "clipped to the box": score(study, Evaluation(FIRST, "coco", clipped=True))["iou"],
        "TTA": score(study, Evaluation(FIRST, "coco", tta=True))["iou"],
        "both": score(study, Evaluation(FIRST, "coco", clipped=True, tta=True))["iou"],
        "human": score(study, Evaluation(FIRST, "coco", user="human"))["iou"],
        "later": score(study, Evaluation(SECOND, "coco"))["iou"],
    }
    for name, scores in ways.items():
        assert not np.allclose(scores, plain), name
    assert not np.allclose(ways["both"], ways["clipped to the box"])
    assert not np.allclose(ways["both"], ways["TTA"])


def test_an_exact_box_can_only_help_a_mask_that_is_confined_to_it(study):
    """Ground truth never leaves its tight box, so nothing right is lost."""
    plain = score(study, Evaluation(FIRST, "coco"))["iou"]
    clipped = score(study, Evaluation(FIRST, "coco", clipped=True))["iou"]
    assert (clipped >= plain - 0.02).all()  # pasting smooths the edge of the box
    assert clipped.mean() > plain.mean()


def predicted_in_crops(study, clipped, tta=False, user="iog"):
    """(probability, region) of every object of COCO's validation set, in crop pixels."""
    how, profile = inference_config(study.profile, clipped, tta, user), study.profile
    labelled = validation(study, "coco", user=user)
    found = []
    for _, _, batch, prediction in predictions(
        train(study, FIRST).load(study), labelled.examples, run_context(study), how
    ):
        region = box_region(batch.boxes, profile.crop.size, how.clip_margin)
        found.append((prediction, region))
    return found


@pytest.mark.parametrize("user", ["iog", "human"])
@pytest.mark.parametrize("tta", [False, True])
def test_clipped_to_the_box_there_is_nothing_outside_it(study, tta, user):
    free = predicted_in_crops(study, clipped=False, tta=tta, user=user)
    for (plain, _), (prediction, region) in zip(
        free, predicted_in_crops(study, clipped=True, tta=tta, user=user), strict=True
    ):
        assert not prediction.probability[~region].any()
        assert not prediction.coarse_mask[~region].any()
        assert plain.probability[~region].gt(0).all()
        assert prediction.probability[region].equal(plain.probability[region])


def test_six_views_are_a_mean_of_more_than_the_plain_one(study):
    (plain, _), (six, _) = (
        predicted_in_crops(study, False)[0],
        predicted_in_crops(study, False, True)[0],
    )
    assert not plain.probability.equal(six.probability)
    assert six.probability.min() >= 0
    assert six.probability.max() <= 1
    assert plain.class_probability.equal(six.class_probability)


def test_masks_are_read_as_the_profile_says(study):
    frame = score(study, Evaluation(FIRST, "voc"))
    made, labelled = train(study, FIRST), validation(study, "voc")
    pd.testing.assert_frame_equal(frame, object_iou(study, made, labelled))
    strict = replace(study.profile.inference, threshold=0.9)
    assert not np.allclose(object_iou(study, made, labelled, strict)["iou"], frame["iou"])


def test_ipt_answers_every_variant_at_once(study):
    frame = score(study, Evaluation(FIRST, "voc", "ipt"))
    assert list(frame.columns) == [*IDENTITY, "iou", *ipt_variants(study.profile)]
    assert np.allclose(frame["iou"], score(study, Evaluation(FIRST, "voc"))["iou"])
    some = {"edge": ipt_variants(study.profile)["edge"]}
    alone = ipt_iou(study, train(study, FIRST), validation(study, "voc"), some)
    assert np.allclose(alone["edge"], frame["edge"])


def test_a_peer_is_asked_by_clicks_whatever_the_kind(study, monkeypatch):
    seen = []
    monkeypatch.setattr(evaluation.clicks, "first_iou", lambda *a, **_: seen.append(a) or "first")
    monkeypatch.setattr(evaluation.clicks, "click_iou", lambda *a, **_: seen.append(a) or "clicks")
    dextr = peer("DEXTR", 0)
    assert score(study, Evaluation(dextr, "coco")) == "first"
    assert score(study, Evaluation(dextr, "coco", "clicks")) == "clicks"
    assert score(study, Evaluation(FIRST, "coco", "clicks")) == "clicks"
    assert [recipe for _, recipe, *_ in seen] == [dextr, dextr, FIRST]
