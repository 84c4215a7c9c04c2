"""Layers show what they say they show; figures are made of them; lesson figures hold their law."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path

import numpy as np
import pandas as pd
import pytest
import torch

from openscenes.data import crops
from openscenes.data.records import Box
from openscenes.lessons.prototypes import prototype_figures, refinement
from openscenes.lessons.prototypes.layers import LAYERS, draw, on_image, words
from openscenes.method.ipt import IPTConfig
from openscenes.widgets.overlays import heat

predicted_disc = run_path(str(Path(__file__).with_name("prototype_disc.py")))["predicted_disc"]
SETTINGS = refinement.Settings(IPTConfig(temperature=4.0))


@pytest.fixture(scope="module")
def refined():
    return refinement.refine_object(predicted_disc(), SETTINGS)


def array(values):
    return values[0, 0].numpy()


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_has_the_size_of_the_crop_and_shows_something(name, refined):
    layer = draw(name, refined)
    assert layer.shape == (32, 32, 4)
    assert layer.dtype == np.uint8
    assert layer[..., 3].any()


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("refined", "mask"), ("selection edge", "edge_mask"), ("label merged", "label_merged"),
     ("label global", "label_global"), ("selection global", "global_mask")],
)  # fmt: skip
def test_a_mask_is_coloured_where_it_is_and_clear_elsewhere(name, attribute, refined):
    assert np.array_equal(
        draw(name, refined)[..., 3] > 0, array(getattr(refined.refinement, attribute)) > 0
    )


@pytest.mark.parametrize("name", ["global", "center", "edge", "merged"])
def test_a_confidence_is_a_heat_map(name, refined):
    assert np.array_equal(draw(name, refined), heat(array(refined.refinement.confidence[name])))


def test_changed_pixels_are_those_that_the_measures_count(refined):
    assert (draw("changed", refined)[..., 3] > 0).sum() == refinement.measure(refined).changed


def test_errors_without_truth_show_the_mask():
    alone = refinement.refine_object(predicted_disc(truth=False), SETTINGS)
    assert np.array_equal(draw("errors", alone), draw("refined", alone))
    assert np.array_equal(draw("coarse errors", alone), draw("coarse", alone))


def test_a_layer_on_the_image_stays_inside_the_crop(refined):
    image = np.zeros((40, 60, 3), np.uint8)
    affine = crops.window_affine(Box(5, 10, 21, 26), crops.CropConfig(size=32, margin_px=0.0))
    predicted = replace(refined.predicted, image=image, affine=affine)
    placed = on_image(draw("merged", refined), predicted)
    assert placed.shape == (40, 60, 4)
    rows, cols = np.nonzero(placed[..., 3])
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (5, 20, 10, 25)


def test_the_words_name_the_layer_the_object_and_the_numbers(refined):
    text = words("merged", refined, refinement.measure(refined))
    assert "confidence: merged" in text
    assert "object without label in disc" in text
    assert "IoU 0.700 before" in text
    assert f"{refinement.measure(refined).changed} pixels" in text


def test_the_static_figure_shows_the_layers_themselves(refined):
    figure = prototype_figures.prototype_figure(refined, ("coarse", "merged", "errors"), columns=2)
    panels = [panel for panel in figure.axes if panel.images]
    assert [panel.get_title() for panel in panels] == [
        LAYERS[name].title for name in ("coarse", "merged", "errors")
    ]
    for panel, name in zip(panels, ("coarse", "merged", "errors"), strict=True):
        assert np.array_equal(panel.images[1].get_array(), draw(name, refined))
    assert "IoU 70.0 →" in figure.get_suptitle()


def test_the_threshold_figure_draws_k_and_its_part(refined):
    figure, measures = prototype_figures.threshold_figure(refined), refinement.measure(refined)
    for panel, k, cut in zip(
        figure.axes, (measures.k_global, measures.k_merged),
        (measures.threshold_global, measures.threshold_merged), strict=True,
    ):  # fmt: skip
        assert [line.get_xdata()[0] for line in panel.lines] == pytest.approx([k, cut])


def test_numbers_are_written_into_their_cells():
    grid = torch.tensor([[1.0, 2.5], [0.0, -1.25]])
    figure = prototype_figures.numbers_figure({"a": grid, "b": grid > 0})
    (first, second) = [panel for panel in figure.axes if panel.images]
    assert [text.get_text() for text in first.texts] == ["1", "2.50", "0", "-1.25"]
    assert [text.get_text() for text in second.texts] == ["1", "1", "0", "0"]


def test_distances_beyond_the_limit_are_those_whose_exponential_is_zero():
    distances = torch.tensor([1.0, 50.0, 103.9, 104.1])
    gone = torch.exp(-distances) == 0
    assert torch.equal(gone, distances > prototype_figures.UNDERFLOW)
    figure = prototype_figures.distances_figure({"mine": distances})
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "mine: zero for 25%"


def test_a_higher_temperature_is_never_surer():
    figure = prototype_figures.temperature_figure(predicted_disc(), SETTINGS, [0.1, 4, 400])
    spread = [np.ptp(panel.images[0].get_array()) for panel in figure.axes[:3]]
    assert spread[0] > spread[1] > spread[2]


@pytest.fixture
def scores():
    return pd.DataFrame({"iou": [0.5, 0.5, 0.5, 0.5], "vote": [0.9, 0.5, 0.5004, 0.1]})


def test_ranks_count_whom_a_variant_helps_and_harms(scores):
    row = prototype_figures.ranks_table(scores, ["vote"]).loc["vote"]
    assert row[["helped", "left", "harmed"]].tolist() == [1, 2, 1]
    assert row[["best", "worst"]].tolist() == [40.0, -40.0]
    figure = prototype_figures.ranks_figure(scores, ["vote"])
    assert figure.axes[0].lines[0].get_ydata().tolist() == pytest.approx([40, 0.04, 0, -40])
    assert "helps 1, harms 1" in figure.axes[0].get_legend().get_texts()[0].get_text()


@pytest.mark.parametrize(("share", "position"), [(1.0, 0), (0.0, 3), (0.6, 2)])
def test_an_object_is_chosen_by_rank(scores, share, position):
    assert prototype_figures.at_rank(scores, "vote", share) == position
