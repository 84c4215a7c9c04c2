"""The canvas without a browser: what it sends, and how it takes gestures."""

import threading

import cv2
import numpy as np
import pytest

from openscenes.errors import InputError
from openscenes.widgets.canvas import Canvas, after, canvas

PICTURE = np.full((20, 40, 3), (200, 100, 50), np.uint8)


def gesture(n, kind="point", **about):
    return {"n": n, "kind": kind, **about}


def test_it_carries_the_image_with_its_size_and_words():
    made = canvas(PICTURE, label="an orange field", width_px=80, mode="point")
    shown = cv2.imdecode(np.frombuffer(made.image, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == PICTURE.shape
    assert np.abs(shown[..., ::-1].astype(int) - PICTURE).max() <= 3
    assert (made.size, made.width_px, made.mode) == ([40, 20], 80, "point")
    assert (made.label, made.layout.flex, made.layout.width) == (
        "an orange field",
        "0 0 auto",
        "80px",
    )


def test_a_high_image_is_shown_narrower_and_none_is_wider_than_a_small_window():
    assert canvas(np.zeros((400, 100, 3), np.uint8), label="", width_px=512).width_px == 160
    assert canvas(np.zeros((10, 100, 3), np.uint8), label="", width_px=900).width_px == 640


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_it_refuses_what_is_no_image(wrong):
    with pytest.raises(InputError, match="a canvas shows .* uint8 RGB; convert it first"):
        canvas(wrong, label="")


def test_another_image_comes_with_nothing_drawn_on_it():
    made = canvas(PICTURE, label="one")
    made.box, made.clicks, made.overlay = [1, 2, 3, 4], [[2, 3, 1]], b"png"
    made.show(PICTURE[:10], label="two")
    assert (made.box, made.clicks, made.overlay, made.label) == ([], [], b"", "two")
    assert made.size == [40, 10]


def test_every_gesture_of_a_busy_time_reaches_the_observer_once_and_in_order():
    made, seen = Canvas(), []
    made.observe(lambda change: seen.append(change["new"]["n"]), "gesture")
    made.set_state({"gestures": [gesture(1)]})
    made.set_state({"gestures": [gesture(1), gesture(2, "box", box=[0, 0, 2, 2]), gesture(3)]})
    made.set_state({"gestures": [gesture(3)]})
    assert (seen, made.answered) == ([1, 2, 3], 3)


def test_a_gesture_counts_as_answered_only_when_its_observer_has_returned():
    made, answered = Canvas(), []
    made.observe(lambda _: answered.append(made.answered), "gesture")
    made.set_state({"gestures": [gesture(1)]})
    assert (answered, made.answered) == ([0], 1)


def test_an_observer_that_raises_does_not_stop_the_gestures_after_it():
    made, seen = Canvas(), []

    def observer(change):
        seen.append(change["new"]["n"])
        if change["new"]["n"] == 1:
            raise ValueError("first")

    made.observe(observer, "gesture")
    with pytest.raises(ValueError, match="first"):
        made.gestures = [gesture(1)]
    made.gestures = [gesture(1), gesture(2)]
    assert (seen, made.answered) == ([1, 2], 2)


def test_a_box_forgets_the_clicks_and_a_further_click_is_added():
    box, clicks = after(gesture(1, "box", box=[1, 2, 9, 8]), [0, 0, 4, 4], [[1, 1, 1]])
    assert (box, clicks) == ([1, 2, 9, 8], [])
    box, clicks = after(gesture(2, "point", row=5, col=6, sign=1), box, clicks)
    box, clicks = after(gesture(3, "click", row=2, col=3, sign=-1), box, clicks)
    assert (box, clicks) == ([1, 2, 9, 8], [[5, 6, 1], [2, 3, -1]])
    assert after(gesture(4, "point", row=7, col=7, sign=1), box, clicks) == (box, [[7, 7, 1]])
    assert after(gesture(5, "accept"), box, clicks) == (box, clicks)
    assert after(gesture(6, "clear"), box, clicks) == ([], [])


def test_its_script_is_the_file_beside_it_and_nobody_watches_that_file():
    before = threading.active_count()
    made = Canvas()
    assert "export default { render }" in str(made._esm)
    assert threading.active_count() == before
