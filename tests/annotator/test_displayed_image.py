"""Large images are displayed small, and masks with them."""

import numpy as np

from openscenes.annotator.screen.displayed_image import displayed


def test_a_small_image_is_shown_as_it_is():
    image = np.zeros((40, 60, 3), np.uint8)
    seen = displayed(image, 60)
    assert seen.pixels is image
    mask = np.eye(40, 60, dtype=bool)
    assert seen.mask_displayed(mask) is mask


def test_a_large_image_is_shown_smaller():
    seen = displayed(np.zeros((8, 12, 3), np.uint8), 3)
    assert seen.pixels.shape == (2, 3, 3)
    assert seen.shape == (8, 12)


def test_a_mask_is_shown_where_it_lies():
    mask = np.zeros((400, 600), bool)
    mask[100:200, 300:450] = True
    small = displayed(np.zeros((400, 600, 3), np.uint8), 60).mask_displayed(mask)
    assert small.shape == (40, 60)
    expected = np.zeros((40, 60), bool)
    expected[10:20, 30:45] = True
    assert np.array_equal(small, expected)
