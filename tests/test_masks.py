"""Masks: overlap, boxes and run-length codes, by hand and as laws."""

import json

import numpy as np
import pytest

from openscenes import masks

# pycocotools 2.0.11 under NumPy 2
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)


def mask(*rows):
    return np.array([[pixel == "x" for pixel in row] for row in rows])


A = mask("xx..", "xx..", "....")
B = mask(".xx.", ".xx.", "....")


def test_iou_by_hand():
    assert masks.iou(A, B) == pytest.approx(2 / 6)
    assert masks.iou(A, A) == 1.0
    assert masks.iou(A, ~A) == 0.0


def test_void_counts_neither_in_the_intersection_nor_in_the_union():
    void = mask("x...", ".x..", "..x.")
    assert masks.iou(A, B, void) == pytest.approx(1 / 4)
    assert masks.iou(A, B, np.ones_like(A)) == 1.0


def test_two_empty_masks_agree_and_an_empty_one_misses():
    nothing = np.zeros_like(A)
    assert masks.iou(nothing, nothing) == 1.0
    assert masks.iou(nothing, A) == 0.0


def test_tight_box_is_half_open():
    assert masks.tight_box(mask("....", ".xx.", "...x")) == (1, 1, 3, 4)
    assert masks.tight_box(np.zeros((3, 4), bool)) is None


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (40, 31)])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_codes_survive_a_json_file(shape, share):
    drawn = np.random.default_rng(0).random(shape) < share
    code = json.loads(json.dumps(masks.encode(drawn)))
    assert code["size"] == list(shape)
    decoded = masks.decode(code)
    assert decoded.dtype == bool
    assert np.array_equal(decoded, drawn)


def test_codes_do_not_depend_on_memory_order():
    drawn = np.random.default_rng(0).random((5, 8)) < 0.5
    assert masks.encode(np.asfortranarray(drawn)) == masks.encode(drawn)


def squared_distances(mask):
    """By brute force over all pairs of pixels."""
    inside, outside = np.argwhere(mask), np.argwhere(~mask)
    squared = np.zeros(mask.shape, dtype=int)
    between = ((inside[:, None] - outside[None]) ** 2).sum(-1)
    squared[tuple(inside.T)] = between.min(1)
    return squared


def blob(side=64):
    rows, cols = np.mgrid[:side, :side]
    ellipse = ((rows - 30) / 25) ** 2 + ((cols - 33) / 18) ** 2 < 1
    return ellipse & ~(((rows - 24) / 5) ** 2 + ((cols - 33) / 7) ** 2 < 1)


def test_distances_are_the_roots_of_whole_numbers():
    expected = squared_distances(blob())
    assert np.array_equal(
        masks.distance_to_outside(blob()), np.sqrt(expected, dtype=np.float64).astype(np.float32)
    )


def test_distances_do_not_depend_on_where_in_memory_the_result_lies():
    """OpenCV's own do, in their last bits, on processors for which it has vector code."""
    draw = np.random.default_rng(0)
    first, kept = masks.distance_to_outside(blob(57)), []
    for _ in range(100):
        kept.append(np.empty(draw.integers(1000, 20000), dtype=np.uint8))
        assert np.array_equal(masks.distance_to_outside(blob(57)), first)
