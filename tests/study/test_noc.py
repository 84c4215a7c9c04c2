"""Curves of clicks: NoC and IoU at k by hand, and a simulated user in lockstep."""

import numpy as np
import pytest

from openscenes import masks
from openscenes.data.interactions import next_click
from openscenes.errors import InputError
from openscenes.study.scores import noc as click_loop
from openscenes.study.scores.noc import ClickCurve, Judged, never_reached, noc

CURVES = np.array(
    [
        [0.5, 0.8, 0.95],  # reached at the second
        [0.8, 0.3, 0.2],  # at the first, though it falls again
        [0.1, 0.2, 0.8],  # at the very last: a success
        [0.1, 0.2, 0.79],  # never
    ]
)


def square(row0, col0, row1, col1, shape=(6, 8)):
    mask = np.zeros(shape, bool)
    mask[row0:row1, col0:col1] = True
    return mask


def oracle(truths):
    """Answers with the rows of the truth that are nearer to the first click than the count."""

    def answer(truth, clicks):
        near = np.abs(np.arange(len(truth)) - clicks[0, 0]) < len(clicks)
        return truth & near[:, None]

    return lambda lists, step: list(map(answer, truths, lists))


def judged(mask, truth, void, clicks=()):
    """What the user says to a mask, after clicks."""
    click = next_click(mask, truth, void, [each[:2] for each in clicks])
    return Judged(masks.iou(mask, truth, void), click)


def seen_by_a_user(respond, truths, voids):
    """Masks from arrays of clicks, as the user sees them."""

    def answer(lists, step):
        new = respond([np.array(made, np.float32).reshape(-1, 3) for made in lists], step)
        return list(map(judged, new, truths, voids, lists))

    return answer


def simulate(respond, truths, voids, n_clicks):
    """From empty masks on."""
    nothing = [judged(t & False, t, void) for t, void in zip(truths, voids, strict=True)]
    return click_loop.simulate(seen_by_a_user(respond, truths, voids), nothing, n_clicks)


def refine(respond, predictions, truths, voids, n_clicks):
    """From given masks on."""
    first = list(map(judged, predictions, truths, voids))
    return click_loop.refine(seen_by_a_user(respond, truths, voids), first, n_clicks)


def test_noc_by_hand():
    assert noc(CURVES, 0.8, limit=3).tolist() == [2, 1, 3, 3]
    assert never_reached(CURVES, 0.8, limit=3).tolist() == [False, False, False, True]
    assert noc(CURVES, 0.8).tolist() == [2, 1, 3, 20]


def test_clicks_after_the_limit_do_not_count():
    assert noc(CURVES, 0.8, limit=2).tolist() == [2, 1, 2, 2]
    assert never_reached(CURVES, 0.8, limit=2).tolist() == [False, False, True, True]


def test_success_at_the_twentieth_click_is_told_from_failure():
    curves = np.zeros((2, 20))
    curves[0, 19] = 0.9
    assert noc(curves, 0.9).tolist() == [20, 20]
    assert never_reached(curves, 0.9).tolist() == [False, True]


def test_a_higher_target_never_needs_fewer_clicks():
    curves = np.random.default_rng(0).random((50, 20))
    counts = np.stack([noc(curves, target) for target in (0.2, 0.5, 0.8, 0.95)])
    assert (np.diff(counts, axis=0) >= 0).all()
    literal = [next((k + 1 for k, iou in enumerate(row) if iou >= 0.8), 20) for row in curves]
    assert counts[2].tolist() == literal


def test_a_curve_counts_the_clicks_its_protocol_has_spent():
    clicks, box = ClickCurve(1, CURVES[None]), ClickCurve(3, CURVES[None])
    assert clicks.noc(0.8).tolist() == [[2, 1, 3, 20]]
    assert box.noc(0.8).tolist() == [[4, 3, 5, 20]]
    assert ClickCurve(3, np.stack([CURVES, CURVES[::-1]])).noc(0.8).tolist()[1] == [20, 5, 3, 4]


def test_the_limit_of_a_curve_is_on_all_clicks():
    box = ClickCurve(3, CURVES[None])
    assert box.noc(0.8, limit=4).tolist() == [[4, 3, 4, 4]]
    assert box.never_reached(0.8, limit=4).tolist() == [[False, False, True, True]]
    assert box.never_reached(0.8, limit=5).tolist() == [[False, False, False, True]]
    assert np.array_equal(box.upto(4).iou[0], CURVES[:, :2])


def test_what_is_no_curve_is_refused():
    with pytest.raises(InputError, match=r"must be \(\.\.\., n_objects, n_clicks\).*got \(3,\)"):
        noc(CURVES[0], 0.8)
    with pytest.raises(InputError, match="limit of 0 clicks"):
        never_reached(CURVES, 0.8, limit=0)
    with pytest.raises(InputError, match="costs 4 clicks is over the limit of 3"):
        ClickCurve(4, CURVES[None]).noc(0.8, limit=3)


def test_the_user_clicks_and_the_curve_follows_the_answers():
    truths = [square(0, 0, 5, 3), square(1, 2, 4, 7, shape=(5, 9))]
    seen = []

    def respond(clicks, step):
        seen.append((step, [each.tolist() for each in clicks]))
        assert all(each.dtype == np.float32 and each.shape[1] == 3 for each in clicks)
        return oracle(truths)(clicks, step)

    curves = simulate(respond, truths, [None, None], n_clicks=4)
    # rows 1, then 0-2, then 0-3, then 0-4 of five; row 2, then all three
    assert curves.dtype == np.float64
    assert np.allclose(curves, [[0.2, 0.6, 0.8, 1], [1 / 3, 1, 1, 1]])
    assert seen[0] == (0, [[[1, 1, 1]], [[2, 3, 1]]])
    # of what is missing, rows 2-4 are the deepest; then rows 1 and 3 are equally deep
    assert seen[1] == (1, [[[1, 1, 1], [3, 1, 1]], [[2, 3, 1], [1, 2, 1]]])
    assert [step for step, _ in seen] == [0, 1, 2, 3]
    assert [len(each[1]) for _, each in seen] == [1, 2, 2, 2]


def test_a_perfect_object_keeps_its_iou_whatever_is_answered():
    truth = square(1, 1, 4, 4)

    def respond(clicks, step):
        return [truth if step == 0 else ~truth, square(step, 0, step + 1, 1)]

    curves = simulate(respond, [truth, square(0, 0, 6, 1)], [None, None], n_clicks=3)
    assert curves[0].tolist() == [1, 1, 1]
    assert np.allclose(curves[1], 1 / 6)


def test_nobody_is_asked_when_all_are_perfect():
    truth, steps = square(1, 1, 4, 4), []

    def respond(clicks, step):
        steps.append(step)
        return [truth]

    assert simulate(respond, [truth], [None], n_clicks=5).tolist() == [[1.0] * 5]
    assert steps == [0]


def test_clicks_are_not_repeated_and_signs_follow_the_error():
    truth, lists = square(1, 1, 4, 4), []

    def respond(clicks, step):
        lists.append(clicks[0].copy())
        return [np.zeros_like(truth) if step < 2 else np.ones_like(truth)]

    simulate(respond, [truth], [None], n_clicks=4)
    assert lists[-1][:, 2].tolist() == [1, 1, 1, -1]
    assert len({tuple(place) for place in lists[-1][:, :2].tolist()}) == 4
    assert all(truth[int(row), int(col)] == (sign > 0) for row, col, sign in lists[-1])


def test_void_pixels_count_neither_for_clicks_nor_for_iou():
    truth, void = square(0, 0, 6, 4), square(0, 2, 6, 4)
    clicks = []

    def respond(lists, step):
        clicks.extend(lists[0].tolist())
        return [square(0, 0, 6, 1)]

    curve = simulate(respond, [truth], [void], n_clicks=1)
    assert curve.tolist() == [[0.5]] and clicks == [[0, 0, 1]]


def test_refinement_starts_from_the_given_answers():
    truth, start = square(1, 1, 4, 4), square(1, 1, 4, 7)
    clicks = []

    def respond(lists, step):
        clicks.append(lists[0].tolist())
        return [truth]

    curves = refine(respond, [start], [truth], [None], n_clicks=2)
    assert curves.tolist() == [[0.5, 1, 1]]
    assert clicks == [[[2, 5, -1]]]


def test_simulating_is_refining_an_empty_mask():
    truths = [square(0, 0, 5, 3), square(2, 2, 6, 7)]
    empty = [mask & False for mask in truths]
    ours = simulate(oracle(truths), truths, [None, None], 3)
    assert np.array_equal(refine(oracle(truths), empty, truths, [None, None], 3)[:, 1:], ours)


def test_objects_in_lockstep_are_objects_one_by_one():
    truths = [square(0, 0, 5, 3), square(1, 2, 4, 7), square(2, 2, 6, 8)]
    together = simulate(oracle(truths), truths, [None] * 3, 4)
    for i, truth in enumerate(truths):
        assert np.array_equal(simulate(oracle([truth]), [truth], [None], 4)[0], together[i])


def test_what_cannot_be_clicked_is_refused():
    truth = square(1, 1, 4, 4)
    with pytest.raises(InputError, match="object 1 of the batch has no pixel to click on"):
        simulate(oracle([truth, truth]), [truth, truth], [None, truth], 2)


@pytest.mark.parametrize(("first", "left"), [(1, 20), (3, 18), (4, 17)])
def test_a_curve_ends_with_the_twentieth_click(first, left):
    curve = ClickCurve(first, np.arange(20.0).reshape(1, 1, 20)).upto(20)
    assert curve.first + curve.iou.shape[2] - 1 == 20
    assert list(curve.iou[0, 0]) == list(range(left))
