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
