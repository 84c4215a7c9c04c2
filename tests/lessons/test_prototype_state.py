"""A quick look equals the slow one for every setting; the network is asked by ``ask`` alone."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path

import pytest
import torch

from openscenes.errors import InputError
from openscenes.lessons.prototypes import state
from openscenes.method.ipt import IPTConfig, refine
from openscenes.seeding import torch_generator
from openscenes.widgets.history import History

answered = run_path(str(Path(__file__).with_name("prototype_disc.py")))["answered"]
START = state.Settings(IPTConfig(temperature=4.0))


def slowly(asked, settings):
    prediction = asked.prediction
    return refine(
        prediction.feature(settings.feature), prediction.coarse_mask, prediction.predicted_mask,
        asked.point, settings.ipt, generator=torch_generator("center", 0, "disc"),
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
    asked = answered()
    first = replace(START, ipt=replace(START.ipt, prototypes=prototypes))
    settings = state.with_value(first, name, MOVES[name])
    before = state.look(asked, first)
    assert_same(state.look(asked, settings, before).refinement, slowly(asked, settings))


def test_moves_add_up_in_any_order():
    asked, settings = answered(), START
    seen = state.look(asked, settings)
    for name in [*MOVES, *reversed(MOVES)]:
        settings = state.with_value(settings, name, MOVES[name])
        seen = state.look(asked, settings, seen)
        assert_same(seen.refinement, slowly(asked, settings))


@pytest.mark.parametrize("name", ["alpha", "beta", "m", "n", "fusion"])
def test_a_move_of_the_votes_computes_no_confidence(name, monkeypatch):
    asked = answered()
    before = state.look(asked, START)
    monkeypatch.setattr(state, "refine", None)
    seen = state.look(asked, state.with_value(START, name, MOVES[name]), before)
    assert seen.refinement.confidence["edge"] is before.refinement.confidence["edge"]


def test_another_object_is_not_taken_for_the_one_before():
    before, other = state.look(answered(), START), answered(empty=True)
    assert not state.look(other, START, before).refinement.mask.any()


def test_an_empty_mask_stays_empty_and_says_so():
    asked = answered(empty=True)
    seen = state.look(asked, state.with_value(START, "m", 0.1), state.look(asked, START))
    assert not seen.refinement.mask.any()
    assert "empty_coarse" in state.read(seen).flags


def test_the_reading_is_what_the_equations_say():
    asked = answered()
    seen = state.look(asked, START)
    reading, coarse = state.read(seen), asked.prediction.coarse_mask
    k = float(seen.refinement.confidence["global"][coarse].mean())
    assert reading.k_global == pytest.approx(k)
    assert reading.threshold_global == pytest.approx(0.7 * k)
    mask = seen.refinement.mask[0, 0].numpy()
    truth = asked.truth
    assert reading.iou_after == pytest.approx((mask & truth).sum() / (mask | truth).sum())
    assert reading.changed == int((mask != coarse[0, 0].numpy()).sum()) > 0
    assert reading.radius == 1
    assert "0.700 →" in state.rows(reading)["IoU before → after"]


def test_without_truth_there_is_no_iou():
    reading = state.read(state.look(answered(truth=False), START))
    assert reading.iou_before is reading.iou_after is None
    assert state.rows(reading)["IoU before → after"] == "no ground truth here"


def test_alpha_takes_what_is_too_much_from_beta_and_the_other_way_round():
    assert state.with_value(START, "alpha", 0.6).ipt.beta == pytest.approx(0.4)
    assert state.with_value(START, "beta", 0.9).ipt.alpha == pytest.approx(0.1)
    assert state.with_value(START, "alpha", 0.1).ipt.beta == START.ipt.beta


@pytest.mark.parametrize(("name", "value", "said"), [("kernel_px", 4, "odd"), ("m", 2.0, "m is 2")])
def test_a_setting_that_no_run_can_mean_is_refused(name, value, said):
    with pytest.raises(InputError, match=said):
        state.with_value(START, name, value)


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
