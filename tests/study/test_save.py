"""Figures on pages: the same bytes again, small where they hold pictures."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from openscenes.errors import InputError
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


def test_what_is_kept_as_a_file_is_a_png_of_the_same_bytes(tmp_path):
    kept = tmp_path / "noise.png"
    shown = show_figure(noise(), "noise", kept)
    assert shown.data == kept.read_bytes()
    assert shown.data.startswith(PNG)
    assert show_figure(noise(), "noise", kept).data == shown.data
    assert shown.alt == "noise"


@pytest.mark.parametrize("keep", ["False", "", 0, None], ids=repr)
def test_images_of_others_are_not_kept_by_a_word(keep):
    with pytest.raises(InputError, match="real_images is .*; give True or False"):
        show_data(None, noise, alt="noise", keep=keep)
