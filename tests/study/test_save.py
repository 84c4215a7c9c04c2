"""Figures on pages: the same bytes again, few of them, and no colour lost."""

import io

import numpy as np
import PIL.Image
import pytest
from matplotlib.figure import Figure

from openscenes.errors import InputError
from openscenes.study.figures.few_bytes import FARTHEST, N_COLOURS, as_jpeg, as_png
from openscenes.study.figures.save import show_data, show_figure

PNG, JPEG = b"\x89PNG", b"\xff\xd8\xff"


def noise():
    figure = Figure(figsize=(4, 4))
    figure.subplots().imshow(np.random.default_rng(0).random((400, 400, 3)))
    return figure


def lines():
    figure = Figure(figsize=(4, 4))
    figure.subplots().plot([0, 1, 0])
    return figure


def test_lines_stay_sharp_and_pictures_become_small():
    assert show_figure(lines(), "a line").data.startswith(PNG)
    assert show_figure(noise(), "noise").data.startswith(JPEG)
    buffer = io.BytesIO()
    lines().savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    assert 2 * len(show_figure(lines(), "a line").data) < len(buffer.getvalue())


def test_what_is_kept_as_a_file_is_a_png_of_the_same_bytes(tmp_path):
    kept = tmp_path / "noise.png"
    shown = show_figure(noise(), "noise", kept)
    assert shown.data == kept.read_bytes()
    assert shown.data.startswith(PNG)
    assert show_figure(noise(), "noise", kept).data == shown.data
    assert shown.alt == "noise"


def hills(dot=(204, 121, 167)):
    """Shades of grey and green, an area in a colour of its own, and a dot of four pixels."""
    row, col = np.mgrid[:300, :400]
    green = (110 + 50 * np.sin(row / 70) + 50 * np.cos(col / 60)).astype(np.uint8)
    pixels = np.stack([green // 2, green, green // 3 + row // 10], axis=2).astype(np.uint8)
    pixels[20:60, 20:60] = 213, 94, 0
    pixels[200:202, 300:302] = dot
    return PIL.Image.fromarray(pixels)


def pixels(content):
    return np.asarray(PIL.Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def test_few_colours_keep_an_area_and_a_dot_as_they_are():
    drawn = hills()
    found, exact = pixels(as_png(drawn)), np.asarray(drawn).astype(int)
    assert len(np.unique(exact.reshape(-1, 3), axis=0)) > 2 * N_COLOURS
    assert len(np.unique(found.reshape(-1, 3), axis=0)) == N_COLOURS
    for row, col in ((30, 30), (200, 300)):
        assert (found[row, col] == exact[row, col]).all()
    farthest = np.sqrt(np.square(found - exact).sum(axis=2).max())
    assert farthest <= FARTHEST and np.abs(found - exact).mean() < 2


def test_lines_keep_their_pixels_and_noise_its_colours():
    """A drawing of few colours loses none, nor does what 256 colours cannot show."""
    few = PIL.Image.fromarray(np.asarray(hills()) // 64 * 64)
    noise = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8))
    for drawn in (few, noise, PIL.Image.new("RGB", (1, 1), "red")):
        assert (pixels(as_png(drawn)) == np.asarray(drawn)).all()


def test_a_jpeg_keeps_the_colour_of_a_thin_line():
    drawn = np.full((64, 64, 3), 128, np.uint8)
    drawn[:, 33] = 0, 114, 178
    found = pixels(as_jpeg(PIL.Image.fromarray(drawn)))
    assert np.abs(found[:, 33] - drawn[0, 33]).max() < 24  # 58 where four pixels share a colour


@pytest.mark.parametrize("keep", ["False", "", 0, None], ids=repr)
def test_images_of_others_are_not_kept_by_a_word(keep):
    with pytest.raises(InputError, match="real_images is .*; give True or False"):
        show_data(None, noise, alt="noise", keep=keep)
