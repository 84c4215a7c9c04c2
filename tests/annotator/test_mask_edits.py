"""Corrections of a mask by hand, as functions of arrays."""

import numpy as np
import pytest

from openscenes.annotator.screen.mask_edits import (
    filled,
    largest,
    reformed,
    rings_of,
    smoothed,
    stroked,
)

SHAPE = (40, 60)


def square(row0, col0, row1, col1):
    mask = np.zeros(SHAPE, bool)
    mask[row0:row1, col0:col1] = True
    return mask


@pytest.mark.parametrize("radius", [0.5, 1.0, 3.0, 8.0])
def test_a_stroke_covers_what_lies_within_its_radius(radius):
    drawn = stroked(SHAPE, [(20, 10), (20, 40)], radius)
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    way = np.hypot(rows - 20, cols - cols.clip(10, 40))
    assert drawn[20, 10:41].all()
    assert drawn[way <= radius - 1].all()
    assert not drawn[way > radius + 1].any()


def test_a_dab_and_a_stroke_beside_the_image():
    assert stroked(SHAPE, [(5, 7)], 0.5).sum() == 1
    assert stroked(SHAPE, [(5, 7)], 0.5)[5, 7]
    assert not stroked(SHAPE, [(-90, -90), (-80, -80)], 3).any()


def test_holes_are_filled_and_the_largest_part_is_kept():
    ring = square(5, 5, 25, 25) & ~square(10, 10, 15, 15)
    assert np.array_equal(filled(ring), square(5, 5, 25, 25))
    assert np.array_equal(largest(ring | square(30, 40, 35, 50)), ring)
    assert np.array_equal(largest(ring), ring)
    assert not largest(np.zeros(SHAPE, bool)).any()


def test_smoothing_takes_a_spike_and_keeps_the_sides():
    spiked = square(10, 10, 30, 30) | square(19, 30, 20, 45)
    calm = smoothed(spiked)
    assert not calm[:, 33:].any()
    assert calm[12:28, 12:28].all()
    assert not calm[:9].any()


def test_outlines_have_few_corners_and_find_holes():
    mask = square(5, 5, 35, 45) & ~square(10, 12, 20, 30)
    outer, inner = rings_of(mask)
    assert (outer["hole"], inner["hole"]) == (False, True)
    assert sorted(outer["points"]) == [[5, 5], [5, 44], [34, 5], [34, 44]]
    assert sorted(inner["points"]) == [[10, 12], [10, 29], [19, 12], [19, 29]]
    assert rings_of(np.zeros(SHAPE, bool)) == []


def test_a_corner_that_moves_changes_the_mask_between_both_outlines_only():
    mask = square(5, 5, 35, 45)
    mask[20, 20] = False  # what no outline has stays
    (before, *_) = (ring["points"] for ring in rings_of(square(5, 5, 35, 45)))
    after = [[34, 55] if point == [34, 44] else point for point in before]
    larger = reformed(mask, before, after, hole=False)
    assert larger[34, 50]
    assert np.array_equal(larger[:, :45], mask[:, :45])
    assert np.array_equal(reformed(larger, after, before, hole=False), mask)
    before, after = ([[8, 8], [8, col], [12, col], [12, 8]] for col in (12, 16))
    hole = reformed(mask, before, after, hole=True)
    assert np.array_equal(mask & ~hole, square(8, 13, 13, 17))
