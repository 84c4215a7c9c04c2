"""Several views of one object come back to the same frame."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from openscenes import masks
from openscenes.data import crops, samples
from openscenes.data.examples import Example, ImageCache
from openscenes.data.records import Box, Interaction, Point
from openscenes.method.beyond.test_time_augmentation import (
    OTHER_VIEWS,
    View,
    cut_view,
    warped_back,
)

CROP = crops.CropConfig(size=64, margin_px=8.0)


@pytest.fixture
def example(tmp_path: Path) -> Example:
    """A bright rectangle on black, off the image's centre."""
    import cv2

    image = np.zeros((90, 120, 3), dtype=np.uint8)
    image[30:60, 20:70] = 200
    cv2.imwrite(str(tmp_path / "a.png"), image)
    interaction = Interaction(Box(30.0, 20.0, 60.0, 70.0), Point(45.0, 40.0))
    return Example("a", tmp_path / "a.png", interaction, None)


@pytest.mark.parametrize("view", [View(), *OTHER_VIEWS])
def test_a_view_and_the_way_back_show_the_object_where_it_was(example, view):
    cache = ImageCache()
    plain = [samples.cut(example, CROP, cache)]
    seen = [cut_view(example, view, CROP, cache)]
    brightness = torch.from_numpy(seen[0].image[..., 0] / 255.0)[None, None]
    back, weight = warped_back(brightness, seen, plain)
    expected = plain[0].image[..., 0] / 255.0
    known = weight[0, 0].numpy() > 0.99
    assert known.mean() > 0.6
    assert np.abs(back[0, 0].numpy() - expected)[known].mean() < 0.02


def test_a_flip_mirrors_crop_click_and_box(example):
    cache = ImageCache()
    plain = cut_view(example, View(), CROP, cache)
    flipped = cut_view(example, View(flip=True), CROP, cache)
    assert np.array_equal(flipped.image, plain.image[:, ::-1])
    assert flipped.point.col == pytest.approx(63 - plain.point.col)
    assert flipped.box.col0 == pytest.approx(64 - plain.box.col1)


def test_zooming_out_shows_more_around_the_object(example):
    cache = ImageCache()
    share = []
    for zoom in (0.8, 1.0, 1.25):
        seen = cut_view(example, View(zoom=zoom), CROP, cache)
        share.append((seen.image[..., 0] > 100).mean())
    assert share[0] < share[1] < share[2]


def test_no_view_looks_at_the_truth(example):
    truth = np.zeros((90, 120), dtype=bool)
    truth[40:50, 40:45] = True
    guided = replace(example, supervision=masks.encode(truth))
    view = View(rotation_deg=10.0)
    blind = cut_view(example, view, CROP, ImageCache())
    knowing = cut_view(guided, view, CROP, ImageCache())
    assert np.array_equal(blind.affine, knowing.affine)
    assert not knowing.mask.any()
