"""A crop comes back into a window of its image, bit by bit as into the whole image."""

import cv2
import numpy as np
import pytest

from openscenes import masks
from openscenes.data import crops, interactions
from openscenes.data.pasting import NOTHING, Pasted, paste, pasted
from openscenes.data.records import Box

SHAPES = [(64, 80), (480, 640), (1024, 2048)]


def whole_frame(probability, affine, shape):
    """As it was done before there were windows."""
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.clip(cv2.warpAffine(probability, affine, shape[::-1], flags=flags), 0.0, 1.0)


def case(seed):
    """A map of a kind, and a box that lies in its image, over the border or outside."""
    rng = np.random.default_rng(seed)
    size, shape = int(rng.choice([16, 32, 128, 256])), SHAPES[seed % 3]
    sides = rng.uniform(1, 0.6 * np.array(shape))
    start = rng.uniform(-0.3, 1.1, 2) * shape
    if seed % 2:  # whole pixels, where maps of 0 and 1 meet the threshold exactly
        sides, start = np.rint(sides), np.rint(start)
    config = crops.CropConfig(size, margin_px=float(rng.choice([0, 4, 30])))
    affine = crops.window_affine(Box(*start, *(start + sides)), config)
    soft = cv2.GaussianBlur(rng.random((size, size), np.float32), (0, 0), rng.uniform(0.5, 5))
    kinds = (soft, (soft > 0.5).astype(np.float32), soft * (soft > 0.52), soft * 0)
    return kinds[seed // 3 % 4].astype(np.float32), affine, shape


@pytest.mark.parametrize("seed", range(48))
def test_a_window_is_a_part_of_the_whole_frame(seed):
    probability, affine, shape = case(seed)
    frame = whole_frame(probability, affine, shape)
    assert np.array_equal(paste(probability, affine, shape), frame)
    for threshold in (0.1, 0.5, np.float64(0.7), 0.9):
        found = pasted(probability, affine, shape, above=threshold)
        assert np.array_equal(found.within((0, 0, *shape)) > threshold, frame > threshold)
        values = found.values >= threshold
        code = masks.encode_part(values, found.row0, found.col0, shape)
        assert code == masks.encode(frame >= threshold)


def test_a_turned_crop_comes_back_as_well():
    turned = crops.turned((64, 80), True, 30.0, 1.2)
    affine = crops.compose(crops.window_affine(Box(10, 20, 40, 60), crops.CropConfig(32)), turned)
    ones = np.ones((32, 32), np.float32)
    assert np.abs(paste(ones, affine, (64, 80)) - whole_frame(ones, affine, (64, 80))).max() < 1e-4


def test_only_what_can_reach_the_threshold_is_computed():
    affine = crops.window_affine(Box(100, 100, 200, 200), crops.CropConfig(64, margin_px=0.0))
    small = np.zeros((64, 64), np.float32)
    small[30:34, 30:34] = 1.0
    everywhere, there = (pasted(small, affine, (480, 640), above=t) for t in (0.0, 0.5))
    assert everywhere.values.shape[0] >= 100 > 24 >= there.values.shape[0]
    assert pasted(small * 0.3, affine, (480, 640), above=0.5) is NOTHING


def test_a_window_is_shown_in_another():
    one = Pasted(np.arange(1, 7).reshape(2, 3), 4, 5)
    assert one.window == (4, 5, 6, 8)
    assert one.within((5, 4, 7, 7)).tolist() == [[0, 4, 5], [0, 0, 0]]
    assert one.within((5, 4, 7, 7), "F").flags.f_contiguous
    assert not one.within((0, 0, 4, 9)).any()
    assert one.on((0, 6, 5, 9)) == (0, 5, 6, 9)
    assert one.on(None) == one.window
    assert NOTHING.on((1, 2, 3, 4)) == (1, 2, 3, 4)


@pytest.mark.parametrize("seed", range(24))
def test_iou_and_next_click_are_those_of_the_whole_frame(seed):
    rng = np.random.default_rng(seed)
    probability, affine, shape = case(seed)
    truth = np.zeros(shape, np.uint8)
    centre = (rng.uniform(0, 1, 2) * shape[::-1]).astype(int)
    cv2.ellipse(truth, centre.tolist(), (9 + seed, 15), 0, 0, 360, 1, -1)
    truth, void = truth > 0, rng.random(shape) > 0.9 if seed % 2 else None
    frame = whole_frame(probability, affine, shape) > 0.5
    found = pasted(probability, affine, shape, above=0.5)
    window = found.on(masks.tight_box(truth))
    place = slice(window[0], window[2]), slice(window[1], window[3])
    shown = [found.within(window) > 0.5, truth[place], None if void is None else void[place]]
    assert masks.iou(*shown) == masks.iou(frame, truth, void)
    clicked = []
    for _ in range(5):
        wanted = interactions.next_click(frame, truth, void, clicked)
        moved = [(row - window[0], col - window[1]) for row, col in clicked]
        click = interactions.next_click(*shown, moved)
        assert (click is None) == (wanted is None)
        if wanted is None:
            break
        assert (click.row + window[0], click.col + window[1], click.sign) == wanted
        clicked.append(wanted[:2])
