"""A quick refinement equals the slow one for every setting."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path

import pytest
import torch

from openscenes.errors import InputError
from openscenes.lessons.prototypes import refinement
from openscenes.method.ipt import IPTConfig, refine
from openscenes.seeding import torch_generator
from openscenes.widgets.history import History

predicted_disc = run_path(str(Path(__file__).with_name("prototype_disc.py")))["predicted_disc"]
START = refinement.Settings(IPTConfig(temperature=4.0))


def slowly(predicted, settings):
    prediction = predicted.prediction
    return refine(
        prediction.feature(settings.feature), prediction.coarse_mask, prediction.predicted_mask,
        predicted.point, settings.ipt, generator=torch_generator("center", 0, "disc"),
        coarse_probability=prediction.probability,
    )  # fmt: skip


def assert_same(quick, slow):
    names = (
        "mask", "edge_mask", "center_mask", "global_mask", "label_global", "label_merged", "votes"
    )  # fmt: skip
    for name in names:
        assert torch.equal(getattr(quick, name), getattr(slow, name)), name
    for name in slow.confidence:
        torch.testing.assert_close(quick.confidence[name], slow.confidence[name])
    torch.testing.assert_close(quick.threshold_global, slow.threshold_global)
    torch.testing.assert_close(quick.threshold_merged, slow.threshold_merged)


MOVES = {
    "alpha": 0.1, "beta": 0.2, "m": 0.95, "n": 0.4, "center_points": 9, "center_radius_px": 60.0,
    "kernel_px": 15, "iterations": 9, "temperature": 40.0, "feature": "decoder",
    "background": "outside_coarse", "edge": "inner", "fusion": "weighted_sum",
}  # fmt: skip


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("prototypes", [("global", "center", "edge"), ("edge",), ("global",)])
def test_every_move_gives_what_refine_gives(name, prototypes):
    predicted = predicted_disc()
    first = replace(START, ipt=replace(START.ipt, prototypes=prototypes))
    settings = refinement.with_value(first, name, MOVES[name])
    before = refinement.refine_object(predicted, first)
    assert_same(
        refinement.refine_object(predicted, settings, before).refinement,
        slowly(predicted, settings),
    )


def test_moves_add_up_in_any_order():
    predicted, settings = predicted_disc(), START
    refined = refinement.refine_object(predicted, settings)
    for name in [*MOVES, *reversed(MOVES)]:
        settings = refinement.with_value(settings, name, MOVES[name])
        refined = refinement.refine_object(predicted, settings, refined)
        assert_same(refined.refinement, slowly(predicted, settings))


@pytest.mark.parametrize("name", ["alpha", "beta", "m", "n", "fusion"])
def test_a_move_of_the_votes_computes_no_confidence(name, monkeypatch):
    predicted = predicted_disc()
    before = refinement.refine_object(predicted, START)
    monkeypatch.setattr(refinement, "refine", None)
    refined = refinement.refine_object(
        predicted, refinement.with_value(START, name, MOVES[name]), before
    )
    assert refined.refinement.confidence["edge"] is before.refinement.confidence["edge"]


def test_another_object_is_not_taken_for_the_one_before():
    before, other = refinement.refine_object(predicted_disc(), START), predicted_disc(empty=True)
    assert not refinement.refine_object(other, START, before).refinement.mask.any()


def test_an_empty_mask_stays_empty_and_says_so():
    predicted = predicted_disc(empty=True)
    refined = refinement.refine_object(
        predicted,
        refinement.with_value(START, "m", 0.1),
        refinement.refine_object(predicted, START),
    )
    assert not refined.refinement.mask.any()
    assert "empty_coarse" in refinement.measure(refined).flags


def test_the_measures_are_what_the_equations_say():
    predicted = predicted_disc()
    refined = refinement.refine_object(predicted, START)
    measures, coarse = refinement.measure(refined), predicted.prediction.coarse_mask
    k = float(refined.refinement.confidence["global"][coarse].mean())
    assert measures.k_global == pytest.approx(k)
    assert measures.threshold_global == pytest.approx(0.7 * k)
    mask = refined.refinement.mask[0, 0].numpy()
    truth = predicted.truth
    assert measures.iou_after == pytest.approx((mask & truth).sum() / (mask | truth).sum())
    assert measures.changed == int((mask != coarse[0, 0].numpy()).sum()) > 0
    assert measures.radius == 1
    assert "0.700 →" in refinement.rows(measures)["IoU before → after"]


def test_without_truth_there_is_no_iou():
    measures = refinement.measure(refinement.refine_object(predicted_disc(truth=False), START))
    assert measures.iou_before is measures.iou_after is None
    assert refinement.rows(measures)["IoU before → after"] == "no ground truth here"


def test_alpha_takes_what_is_too_much_from_beta_and_the_other_way_round():
    assert refinement.with_value(START, "alpha", 0.6).ipt.beta == pytest.approx(0.4)
    assert refinement.with_value(START, "beta", 0.9).ipt.alpha == pytest.approx(0.1)
    assert refinement.with_value(START, "alpha", 0.1).ipt.beta == START.ipt.beta


@pytest.mark.parametrize(("name", "value", "said"), [("kernel_px", 4, "odd"), ("m", 2.0, "m is 2")])
def test_a_setting_that_no_run_can_mean_is_refused(name, value, said):
    with pytest.raises(InputError, match=said):
        refinement.with_value(START, name, value)


def test_history_goes_back_and_forth_and_forgets_what_was_undone():
    history = History(0)
    for entry, control in ((1, "m"), (2, "n"), (3, "")):
        history.put(entry, control)
    assert [history.back(), history.back(), history.forward()] == [2, 1, 2]
    history.put(9, "m")
    assert history.forward() == 9
    assert [history.back() for _ in range(4)] == [2, 1, 0, 0]


def test_a_slider_that_moves_on_is_one_step_and_two_clicks_are_two():
    history = History(0)
    for entry in (1, 2, 3):
        history.put(entry, "m")
    assert [history.back(), history.forward()] == [0, 3]
    history.put(4, "")
    history.put(5, "")
    assert [history.back(), history.back()] == [4, 3]


def test_a_slider_after_an_undo_is_a_step_of_its_own():
    history = History(0)
    history.put(1, "m")
    history.put(2, "n")
    history.back()
    history.put(7, "m")
    assert [history.back(), history.back()] == [1, 0]


def test_history_is_bounded():
    history = History(0, longest=3)
    for entry in range(1, 9):
        history.put(entry, "")
    assert [history.back() for _ in range(3)] == [7, 6, 6]
