"""The graph cut: it mends a shifted mask, clicks hold, nothing to cut changes nothing."""

import cv2
import numpy as np
import pytest

from openscenes.errors import InputError
from openscenes.networks.graph_cut import GraphCutConfig, graph_cut

SIZE = 64
INSIDE, OUTSIDE, NOBODY = (32.0, 32.0, 1.0), (4.0, 4.0, -1.0), (0.0, 0.0, 0.0)


@pytest.fixture
def scene():
    """A noisy red square on a noisy green ground, and its mask."""
    truth = np.zeros((SIZE, SIZE), bool)
    truth[16:48, 16:48] = True
    colours = np.where(truth[..., None], (180, 40, 40), (40, 160, 60))
    noise = np.random.default_rng(0).normal(scale=8, size=colours.shape)
    return (colours + noise).clip(0, 255).astype(np.uint8), truth


def blurred(mask, shift=0):
    """A soft probability that has moved from the truth."""
    return cv2.GaussianBlur(np.roll(mask, shift, axis=1).astype(np.float32), (0, 0), 3)


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_a_shifted_mask_moves_to_the_border_of_the_colours(scene):
    image, truth = scene
    probability = blurred(truth, shift=3)
    cut = graph_cut(image, probability, np.array([INSIDE, OUTSIDE]))
    assert cut.dtype == bool and cut.shape == truth.shape
    assert iou(probability > 0.5, truth) < 0.85 < 0.97 < iou(cut, truth)


@pytest.mark.parametrize(("sign", "row", "col"), [(1.0, 8, 8), (-1.0, 32, 40)])
def test_a_click_holds_against_network_and_colours(scene, sign, row, col):
    image, truth = scene
    config = GraphCutConfig(click_radius_px=2)
    cut = graph_cut(image, blurred(truth), np.array([INSIDE, (row, col, sign)]), config)
    assert (cut[row - 1 : row + 2, col - 1 : col + 2] == (sign > 0)).all()
    assert cut[row - 2, col] == cut[row, col - 2] == (sign > 0)
    assert cut[40, 20] and not cut[60, 60]


def test_of_two_near_clicks_each_keeps_its_own_pixel(scene):
    image, truth = scene
    cut = graph_cut(image, blurred(truth), np.array([(20, 14, 1.0), (20, 16, -1.0)]))
    assert cut[20, 14] and not cut[20, 16]


def test_where_the_network_is_certain_nothing_changes(scene):
    image, truth = scene
    wrong = np.where(np.roll(truth, 6, axis=0), 0.99, 0.01)
    cut = graph_cut(image, wrong, np.array([(40.0, 32.0, 1.0)]))
    assert np.array_equal(cut, wrong > 0.5)


@pytest.mark.parametrize("clicks", [np.zeros((0, 3)), np.array([NOBODY])])
def test_without_a_click_the_threshold_decides(scene, clicks):
    image, truth = scene
    probability = blurred(truth, shift=3)
    config = GraphCutConfig(threshold=0.3)
    assert np.array_equal(graph_cut(image, probability, clicks, config), probability > 0.3)


@pytest.mark.parametrize("level", [0.0, 0.2, 0.8, 1.0])
def test_a_mask_of_everything_or_nothing_stays(scene, level):
    probability = np.full((SIZE, SIZE), level)
    cut = graph_cut(scene[0], probability, np.array([INSIDE, OUTSIDE]))
    assert cut.all() if level > 0.5 else not cut.any()


def test_a_side_of_three_pixels_is_no_sample(scene):
    probability = np.zeros((SIZE, SIZE))
    probability[32, 31:34] = 0.9
    cut = graph_cut(scene[0], probability, np.array([OUTSIDE]))
    assert np.array_equal(cut, probability > 0.5)


def test_the_same_call_gives_the_same_mask_whatever_opencv_drew_before(scene):
    image, truth = scene
    rough = np.clip(blurred(truth, 5) * 0.8 + 0.1, 0, 1)
    noisy = np.random.default_rng(1).integers(0, 256, image.shape, dtype=np.uint8) // 2 + image // 2
    cuts = []
    for seed in (1, 2, 3):
        cv2.setRNGSeed(seed)
        cuts.append(graph_cut(noisy, rough, np.array([INSIDE])))
    assert all(np.array_equal(cut, cuts[0]) for cut in cuts)


def test_nothing_that_was_given_is_written_over(scene):
    image, truth = scene
    given = (image, blurred(truth), np.array([INSIDE, OUTSIDE]))
    copies = [part.copy() for part in given]
    graph_cut(*given)
    assert all(np.array_equal(one, other) for one, other in zip(given, copies, strict=True))


def test_errors_say_what_to_do(scene):
    image, truth = scene
    with pytest.raises(InputError, match=r"probability \(3, 3\).*give \(H, W, 3\) uint8"):
        graph_cut(image, np.zeros((3, 3)), np.array([INSIDE]))
    with pytest.raises(InputError, match="of float64"):
        graph_cut(image / 255.0, blurred(truth), np.array([INSIDE]))
    with pytest.raises(InputError, match=r"clicks \(3,\)"):
        graph_cut(image, blurred(truth), np.array(INSIDE))
    with pytest.raises(InputError, match=r"certain is 0\.2; give a number between 0\.5 and 1"):
        GraphCutConfig(certain=0.2)
