"""Large images are displayed small, and every click finds its way back."""

import numpy as np
import pytest

from openscenes.annotator.screen.displayed_image import displayed
from openscenes.data.records import Box, Point


def test_a_small_image_is_shown_as_it_is():
    image = np.zeros((40, 60, 3), np.uint8)
    seen = displayed(image, 60)
    assert seen.pixels is image
    assert seen.point_in_image(3.0, 4.0) == Point(3.0, 4.0)
    mask = np.eye(40, 60, dtype=bool)
    assert seen.mask_displayed(mask) is mask


def test_a_point_by_hand():
    """8 x 12 displayed as 2 x 3: the upper left pixel covers rows 0-3, its centre is 1.5."""
    seen = displayed(np.zeros((8, 12, 3), np.uint8), 3)
    assert seen.pixels.shape == (2, 3, 3)
    assert seen.scale == (4.0, 4.0)
    assert seen.point_in_image(0, 0) == Point(1.5, 1.5)
    assert seen.box_in_image(0, 1, 2, 3) == Box(0.0, 4.0, 8.0, 12.0)
    assert seen.box_in_image(-1, 0, 5, 3) == Box(0.0, 0.0, 8.0, 12.0)


def test_there_and_back():
    seen = displayed(np.zeros((400, 617, 3), np.uint8), 100)
    point, box = Point(17.25, 80.5), Box(3.0, 10.0, 50.0, 90.0)
    assert seen.point_displayed(*seen.point_in_image(*point)) == pytest.approx(point)
    assert seen.box_displayed(seen.box_in_image(*box)) == pytest.approx(box)


def test_a_mask_is_shown_where_it_lies():
    mask = np.zeros((400, 600), bool)
    mask[100:200, 300:450] = True
    small = displayed(np.zeros((400, 600, 3), np.uint8), 60).mask_displayed(mask)
    assert small.shape == (40, 60)
    expected = np.zeros((40, 60), bool)
    expected[10:20, 30:45] = True
    assert np.array_equal(small, expected)
