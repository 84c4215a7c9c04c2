"""The next-click simulator: by hand, its ties, and against a transform of the whole image."""

import cv2
import numpy as np
import pytest

from openscenes.data.interactions import Click, depth, next_click
from openscenes.seeding import numpy_generator

EMPTY = np.zeros((7, 9), bool)


def rectangle(row0, col0, row1, col1, shape=(7, 9)):
    mask = np.zeros(shape, bool)
    mask[row0:row1, col0:col1] = True
    return mask


def literal(prediction, truth, void, clicked):
    """Two distance transforms of the whole padded image, as the published simulators have it."""
    maps = []
    for error in (truth & ~prediction & ~void, prediction & ~truth & ~void):
        padded = np.pad(error.astype(np.uint8), 1)
        distances = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        for place in clicked:
            distances[place] = 0
        maps.append(distances)
    positive = maps[0].max() > maps[1].max()
    chosen = maps[0] if positive else maps[1]
    rows, cols = np.where(chosen == chosen.max())
    return (rows[0], cols[0], 1 if positive else -1) if chosen.max() > 0 else None


def test_the_first_click_is_the_deepest_pixel_of_the_object():
    assert next_click(EMPTY, rectangle(1, 2, 4, 5)) == Click(row=2, col=3, sign=1)


def test_row_and_column_keep_their_places():
    # at (1, 6) the object is missing; at (6, 1) it is there: swapping them turns the sign
    prediction, truth = rectangle(5, 0, 7, 3), rectangle(5, 0, 7, 3) | rectangle(0, 5, 3, 8)
    assert next_click(prediction, truth) == (1, 6, 1)
    assert next_click(prediction.T.copy(), truth.T.copy()) == (6, 1, 1)
    assert next_click(truth, prediction) == (1, 6, -1)


def test_the_deeper_error_wins_and_not_the_larger():
    truth, prediction = rectangle(0, 0, 3, 3), rectangle(5, 0, 7, 9)
    assert (prediction & ~truth).sum() > (truth & ~prediction).sum()
    assert next_click(prediction, truth) == (1, 1, 1)


def test_of_equally_deep_errors_the_click_is_negative():
    assert next_click(rectangle(3, 5, 6, 8), rectangle(0, 0, 3, 3)) == (4, 6, -1)


def test_of_equally_deep_pixels_the_first_in_raster_order_is_clicked():
    assert next_click(EMPTY, rectangle(1, 1, 5, 5)) == (2, 2, 1)
    assert next_click(EMPTY, rectangle(4, 0, 7, 3) | rectangle(3, 6, 6, 9)) == (4, 7, 1)


def test_a_clicked_pixel_is_not_clicked_again():
    truth = rectangle(1, 1, 5, 5)
    assert next_click(EMPTY, truth, clicked=[(2, 2)]) == (2, 3, 1)
    assert next_click(EMPTY, truth, clicked=[(2, 2), (2, 3), (0, 0), (6, 8)]) == (3, 2, 1)


def test_the_border_counts_as_outside():
    assert next_click(EMPTY, ~EMPTY) == (3, 3, 1)


def test_void_pixels_are_no_error_and_bound_the_depth():
    truth, void = rectangle(0, 0, 7, 9), rectangle(0, 3, 7, 9)
    assert next_click(EMPTY, truth, void) == (1, 1, 1)
    assert next_click(EMPTY, void, void) is None


def test_without_an_error_nobody_clicks():
    truth = rectangle(1, 2, 4, 5)
    assert next_click(truth, truth) is None
    assert next_click(EMPTY, EMPTY) is None
    assert next_click(EMPTY, rectangle(2, 3, 3, 4), clicked=[(2, 3)]) is None


@pytest.mark.parametrize("seed", range(30))
def test_the_box_around_the_error_is_enough(seed):
    rng = np.random.default_rng(seed)

    def blobs(threshold):
        noise = rng.normal(size=(48, 64)).astype(np.float32)
        return cv2.GaussianBlur(noise, (0, 0), 4) > threshold

    prediction, truth, void = blobs(0.02), blobs(0.02), blobs(0.1)
    clicked = []
    for _ in range(4):
        click = next_click(prediction, truth, void, clicked)
        assert click == literal(prediction, truth, void, clicked)
        clicked.append(click[:2])


def person(*parts):
    return numpy_generator("person", *parts)


def test_a_person_clicks_the_error_that_the_exact_user_clicks_but_not_always_its_deepest_pixel():
    truth = rectangle(10, 10, 31, 41, (60, 60))
    clicks = [next_click(np.zeros_like(truth), truth, generator=person(k)) for k in range(400)]
    assert {click.sign for click in clicks} == {1}
    inside = [click for click in clicks if truth[click.row, click.col]]
    assert 0.94 < len(inside) / len(clicks) < 1.0  # one in twenty slips, half of them within
    depths = np.array([depth(truth)[click.row, click.col] for click in inside])
    assert len({(click.row, click.col) for click in inside}) > 200
    # drawn in proportion to depth: the mean is that of depth squared over depth
    expected = np.square(depth(truth)).sum() / depth(truth).sum()
    assert depths.mean() == pytest.approx(expected, rel=0.05)
    assert all(0 <= c.row < 60 and 0 <= c.col < 60 for c in clicks)


def test_a_person_repeats_herself_from_the_same_seed_and_no_click():
    truth = rectangle(2, 2, 6, 8)
    first = next_click(EMPTY, truth, generator=person(0))
    assert first == next_click(EMPTY, truth, generator=person(0))
    pixels = [tuple(map(int, place)) for place in np.argwhere(truth)]
    assert next_click(EMPTY, truth, clicked=pixels, generator=person(0)) is None
    (left,) = {next_click(EMPTY, truth, None, pixels[1:], person(k)) for k in (3, 4)}
    assert left == (*pixels[0], 1)
