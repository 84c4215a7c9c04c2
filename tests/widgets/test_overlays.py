"""Layers by hand on a few pixels, and what arrives after encoding."""

import cv2
import matplotlib
import numpy as np
import pytest

from openscenes.study.figures.palette import PALETTE
from openscenes.widgets import overlays


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def test_a_tint_has_its_colour_inside_an_opaque_rim_on_it_and_nothing_outside():
    mask = np.zeros((6, 6), bool)
    mask[1:5, 1:5] = True
    layer = overlays.tint(mask, "#E69F00", 0.4)
    assert layer.shape == (6, 6, 4) and layer.dtype == np.uint8
    assert tuple(layer[2, 2]) == (0xE6, 0x9F, 0x00, 102)
    assert tuple(layer[1, 1]) == (0xE6, 0x9F, 0x00, 255)
    assert not layer[~mask].any()


def test_a_tint_without_outline_is_even():
    layer = overlays.tint(np.ones((3, 3), bool), "#000001", 1.0, outline=False)
    assert (layer == (0, 0, 1, 255)).all()


def test_the_rim_follows_the_image_border_and_grows_with_the_image():
    assert (overlays.tint(np.ones((5, 5), bool), "#ffffff")[0, :, 3] == 255).all()
    wide = overlays.tint(np.ones((1200, 10), bool), "#ffffff")[:, 5, 3]
    assert (wide[:3] == 255).all() and wide[3] == 128


def test_a_comparison_names_the_four_kinds_of_pixel():
    mask, truth = np.array([[1, 1, 0, 0]], bool), np.array([[1, 0, 1, 0]], bool)
    layer = overlays.comparison(mask, truth)
    names = ("right", "too much", "missed")
    assert [tuple(pixel[:3]) for pixel in layer[0, :3]] == [rgb(PALETTE[name]) for name in names]
    assert not layer[0, 3].any()


def test_void_pixels_are_neither_right_nor_wrong():
    mask, truth = np.array([[1, 1, 0]], bool), np.array([[1, 0, 1]], bool)
    assert not overlays.comparison(mask, truth, np.ones((1, 3), bool)).any()


def test_votes_from_none_to_three():
    layer = overlays.votes(np.array([[0, 1, 2, 3]], np.uint8))
    assert not layer[0, 0].any()
    assert [tuple(pixel[:3]) for pixel in layer[0, 1:]] == [rgb(c) for c in overlays.VOTE_COLOURS]


def test_heat_is_cividis_from_dark_to_bright_and_cuts_what_lies_outside():
    layer = overlays.heat(np.array([[0.0, 0.5, 1.0, -3.0, 7.0]]), alpha=1.0)
    ends = [tuple(c) for c in matplotlib.colormaps["cividis"]([0, 128, 255], bytes=True)]
    assert [tuple(pixel) for pixel in layer[0]] == [*ends, ends[0], ends[2]]


def test_heat_leaves_what_is_no_number_clear():
    assert not overlays.heat(np.array([[np.nan]])).any()


def test_a_layer_survives_png_and_a_image_nearly_survives_jpeg():
    layer = np.random.default_rng(0).integers(0, 256, (9, 7, 4), np.uint8)
    back = cv2.imdecode(np.frombuffer(overlays.encode_png(layer), np.uint8), cv2.IMREAD_UNCHANGED)
    assert (back[..., [2, 1, 0, 3]] == layer).all()
    image = np.full((16, 16, 3), (250, 10, 90), np.uint8)
    back = cv2.imdecode(np.frombuffer(overlays.encode_jpeg(image), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(back[..., ::-1].astype(int) - image).max() <= 4


@pytest.mark.parametrize("name", ["right", "too much", "missed"])
def test_the_colours_are_those_of_the_figures(name):
    truth = np.array([[True]]) if name != "too much" else np.array([[False]])
    mask = np.array([[name != "missed"]])
    assert tuple(overlays.comparison(mask, truth)[0, 0, :3]) == rgb(PALETTE[name])


@pytest.mark.parametrize("hole", [0.3, np.nan])
def test_a_heat_map_with_a_table_of_colours_has_the_very_same_pixels(hole):
    values = np.linspace(-0.1, 1.1, 40 * 30).reshape(40, 30)
    values[7, 7] = hole
    png = np.frombuffer(overlays.encode_heat(values, 0.6), np.uint8)
    back = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
    assert (back[..., [2, 1, 0, 3]] == overlays.heat(values, 0.6)).all()


def test_a_heat_map_with_a_table_of_colours_is_small():
    values = np.sin(np.outer(np.linspace(0, 3, 200), np.linspace(1, 5, 200))) ** 2
    assert len(overlays.encode_heat(values)) < 0.8 * len(overlays.encode_png(overlays.heat(values)))
