"""Masks: overlap, boxes and run-length codes, by hand and as laws."""

import json

import numpy as np
import pytest

from openscenes import masks
from openscenes.errors import DataError

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


def test_a_window_of_a_code_is_that_part_of_the_frame():
    generator = np.random.default_rng(0)
    for share in [0.0, 0.02, 0.5, 0.98, 1.0] * 60:
        rows, cols = generator.integers(1, 30, size=2)
        drawn = generator.random((rows, cols)) < share
        drawn[generator.integers(0, rows + 1) :] = False
        (row0, row1), (col0, col1) = (np.sort(generator.integers(0, n + 1, 2)) for n in drawn.shape)
        code = masks.encode(drawn)
        shown = masks.decode(code, (row0, col0, row1, col1))
        assert np.array_equal(shown, drawn[row0:row1, col0:col1]) and shown.flags.c_contiguous
        assert masks.code_box(code) == masks.tight_box(drawn)


def test_a_code_with_empty_runs_or_in_a_list_has_its_windows_too():
    listed = {"size": [3, 4], "counts": [1, 2, 0, 0, 3, 1, 5]}
    for code in (listed, masks.encode(masks.decode(listed))):
        assert masks.code_box(code) == (0, 0, 3, 3)
        assert np.array_equal(masks.decode(code, (0, 0, 2, 3)), masks.decode(code)[:2, :3])


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


@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (40, 30), (7, 200)])
def test_a_code_is_read_back_in_each_of_its_forms(shape):
    drawn = np.random.default_rng(shape[0]).random(shape) > 0.6
    code = masks.encode(drawn)
    runs = np.diff(np.flatnonzero(np.diff(np.r_[2, drawn.T.ravel(), 2])), prepend=0)
    listed = [0] * bool(drawn[0, 0]) + [int(run) for run in runs if run]
    for counts in (code["counts"], code["counts"].encode(), listed, [float(run) for run in listed]):
        assert (masks.decode(code | {"counts": counts}) == drawn).all()
        assert masks.check_code(code | {"counts": counts}, shape) == code


def test_a_code_with_runs_of_no_length_is_written_as_ours():
    split = {"size": [2, 2], "counts": [1, 1, 0, 1, 1]}
    drawn = mask(".x", "x.")
    assert (masks.decode(split) == drawn).all()
    assert masks.check_code(split) == masks.encode(drawn)


DAMAGED = {
    "too short": {"size": [3, 4], "counts": [4, 4]},
    "too long": {"size": [3, 4], "counts": [4, 40]},
    "negative": {"size": [3, 4], "counts": [16, -4]},
    "cut off": {"size": [3, 4], "counts": masks.encode(A)["counts"][:-1]},
    "open end": {"size": [3, 4], "counts": masks.encode(A)["counts"] + "P"},
    "other characters": {"size": [3, 4], "counts": "\u00e9\u20ac"},
    "space": {"size": [3, 4], "counts": " "},
    "endless number": {"size": [3, 4], "counts": "P" * 5000 + "0"},
    "no text": {"size": [3, 4], "counts": 12},
    "text in the list": {"size": [3, 4], "counts": ["12"]},
    "huge runs": {"size": [3, 4], "counts": [2**70]},
    "no size": {"counts": [12]},
    "huge size": {"size": [10**9, 10**9], "counts": [10**18]},
    "size beyond 64 bits": {"size": [2**63, 1], "counts": [2**63]},
    "size of text": {"size": "34", "counts": [12]},
    "size of truths": {"size": [True, True], "counts": [1]},
    "no code": [3, 4],
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_code_is_refused_before_pycocotools_sees_it(kind):
    for refused in (masks.decode, masks.code_box, lambda code: masks.decode(code, (0, 0, 1, 1))):
        with pytest.raises(DataError):
            refused(DAMAGED[kind])


def test_a_code_of_another_size_is_refused():
    with pytest.raises(DataError, match="3 x 4 pixels and its image of 4 x 3"):
        masks.check_code(masks.encode(A), (4, 3))


def test_polygons_are_drawn_as_pycocotools_draws_them():
    square = [10, 10, 40, 10, 40, 30, 10, 30]
    code = masks.rasterise([square, [1, 1]], (60, 80))
    assert masks.tight_box(masks.decode(code)) == (10, 10, 30, 40)
    assert masks.decode(code).sum() == 600
    assert masks.rasterise([[1, 1], []], (60, 80)) is None
    beyond = masks.rasterise([[-5, -5, 90, -5, 90, 70, -5, 70]], (60, 80))
    assert masks.decode(beyond).all()


@pytest.mark.parametrize("bad", [
    float("nan"), float("inf"), 1e9, -1e300, 2**70, "7", None, [1],
])  # fmt: skip
def test_a_coordinate_that_would_kill_the_process_is_refused(bad):
    with pytest.raises(DataError):
        masks.rasterise([[10, 10, bad, 10, 40, 30]], (60, 80))


def test_shares_of_the_sides_odd_counts_and_endless_outlines_are_refused():
    with pytest.raises(DataError, match="shares"):
        masks.rasterise([[0.1, 0.1, 0.5, 0.1, 0.5, 0.5]], (60, 80))
    with pytest.raises(DataError, match="pairs"):
        masks.rasterise([[10, 10, 40, 10, 40, 30, 10]], (60, 80))
    with pytest.raises(DataError, match="outline"):
        masks.rasterise([[0, 0, 9000, 9000] * 400], (9000, 9000))
    with pytest.raises(DataError, match="size"):
        masks.rasterise([[10, 10, 40, 10, 40, 30]], (2**63, 80))
    with pytest.raises(DataError, match="are no list"):
        masks.rasterise(7, (60, 80))
