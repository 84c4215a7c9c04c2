"""The interaction explorer without a browser, and the images that it shares with the figures."""

import re
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest

from openscenes.errors import DataError, InputError
from openscenes.lessons.interactions import explorer as interaction_explorer
from openscenes.lessons.interactions import interaction_figures, layers, trials, user_inputs
from openscenes.lessons.interactions.click_maps import click_map
from openscenes.lessons.interactions.explorer import InteractionExplorer
from openscenes.lessons.interactions.layers import CLICK_MAP, numbers, spoken
from openscenes.lessons.interactions.segmentation import Training, segment
from openscenes.study.figures.palette import PALETTE
from openscenes.study.runs.data import validation

tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Images of two blobs each, in VOC's layout, as train and as val."""
    return tiny.study(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def networks(study):
    """Two, calibrated on noise, so that their masks are neither all 0 nor all 1."""
    return {f"seed {seed} untrained": tiny.calibrated(study, seed).eval() for seed in (1, 2)}


@pytest.fixture(scope="module")
def objects(study):
    examples = validation(study, "voc").examples
    return {"voc": examples[:5], "other": examples[5:8]}


@pytest.fixture
def explorer(study, networks, objects):
    made = InteractionExplorer(study, networks, objects, objects["voc"][1])
    yield made
    assert made._callbacks.failures.outputs == ()


@pytest.fixture(scope="module")
def segmented(study, networks, objects):
    """A subject and the first network's usual segmentation."""
    subject = user_inputs.read_subject(study, objects["voc"][1])
    user_input = user_inputs.usual_input(study, subject.example)
    return subject, segment(Training(study, networks["seed 1 untrained"]), subject, user_input)


def gesture(explorer, kind, **what):
    explorer._canvas.gestures = [{"n": explorer._canvas.answered + 1, "kind": kind, **what}]


def click(explorer, row, col, **what):
    gesture(explorer, "point", row=row, col=col, sign=1, **({"dragging": False} | what))


def seq(explorer):
    return int(re.search(r'data-seq="(\d+)"', explorer._numbers.value).group(1))


def test_networks_are_called_by_what_differs(networks):
    assert list(networks) == ["seed 1 untrained", "seed 2 untrained"]
    assert not any(network.training for network in networks.values())


def test_it_begins_with_the_object_given_as_in_training(explorer, study, objects):
    example = objects["voc"][1]
    assert explorer.user_input == user_inputs.usual_input(study, example)
    assert explorer._menus["object"].value == 1
    assert explorer._canvas.box == [round(side) for side in example.interaction.box]
    assert explorer._canvas.label == spoken(explorer._subject, explorer.segmentation)
    assert f"{explorer.segmentation.iou:.3f}" in explorer._numbers.value


def test_an_object_that_is_not_offered_is_refused(study, networks, objects):
    stranger = replace(objects["voc"][0], object_id="stranger")
    with pytest.raises(InputError, match="object stranger is not among the objects"):
        InteractionExplorer(study, networks, objects, stranger)


def test_a_click_moves_the_point_segments_again_and_is_drawn(explorer, study, networks):
    before, drawn = explorer.segmentation, explorer._canvas.seq
    click(explorer, 30, 44)
    assert explorer.user_input.interaction.point == (30, 44)
    assert explorer._canvas.clicks == [[30, 44, 1]]
    assert explorer._canvas.seq == explorer._tiles.seq == seq(explorer) == drawn + 1
    wanted = segment(
        Training(study, networks["seed 1 untrained"]), explorer._subject, explorer.user_input
    )
    assert np.array_equal(explorer.segmentation.probability, wanted.probability)
    assert not np.array_equal(explorer.segmentation.channels, before.channels)
    overlay = cv2.imdecode(np.frombuffer(explorer._canvas.overlay, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(overlay[..., 3] > 0, explorer.segmentation.mask)


def test_a_drag_is_undone_at_once_and_done_again(explorer):
    first = explorer.user_input
    for step in range(4):
        click(explorer, 20 + step, 30, dragging=step < 3)
    last = explorer.user_input
    click(explorer, 40, 40)
    gesture(explorer, "undo")
    assert explorer.user_input == last
    explorer._buttons["undo"].click()
    assert explorer.user_input == first
    gesture(explorer, "redo")
    assert explorer.user_input == last


def test_a_box_is_drawn_and_sliders_change_it(explorer):
    explorer._mouse.value = "interaction"
    assert explorer._canvas.mode == "interaction"
    gesture(explorer, "box", box=[10, 20, 50, 60])
    assert explorer._canvas.box == [10, 20, 50, 60]
    explorer._sliders["widened"].value = 0.1
    assert explorer._canvas.box == [6, 16, 54, 64]
    gesture(explorer, "undo")
    assert explorer._sliders["widened"].value == 0
    explorer._buttons["reset"].click()
    assert explorer.user_input == user_inputs.usual_input(
        explorer._study, explorer._subject.example
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("heat_map_width_px", 60.0), ("margin_px", 40.0), ("jitter", 0.2)],
)
def test_every_slider_changes_the_input(explorer, name, value):
    before = explorer.segmentation.channels
    explorer._sliders[name].value = value
    assert getattr(explorer.user_input, name) == value
    assert not np.array_equal(explorer.segmentation.channels, before)


def test_another_network_segments_the_same_input(explorer):
    click(explorer, 30, 44)
    user_input, before = explorer.user_input, explorer.segmentation.probability
    explorer._menus["network"].value = "seed 2 untrained"
    assert explorer.user_input == user_input
    assert not np.array_equal(explorer.segmentation.probability, before)


def test_objects_are_chosen_by_scene_menu_and_key(explorer, objects):
    explorer._menus["scene"].value = "other"
    assert explorer._subject.example == objects["other"][0]
    gesture(explorer, "next")
    assert explorer._subject.example == objects["other"][1]
    explorer._menus["object"].value = 2
    explorer._buttons["next"].click()
    assert explorer._subject.example == objects["other"][0]


def test_a_click_map_stays_while_the_point_moves_and_goes_with_the_box(explorer):
    explorer._buttons["map"].click()
    assert explorer._menus["layer"].value == CLICK_MAP
    kept = explorer._canvas.overlay
    assert "best IoU" in explorer._numbers.value
    click(explorer, 30, 44)
    assert explorer._canvas.overlay == kept
    gesture(explorer, "box", box=[10, 20, 50, 60])
    assert explorer._map is None
    assert "try 200 clicks" in explorer._numbers.value


def test_a_negative_click_is_refused_in_a_sentence(explorer):
    before = explorer.user_input
    gesture(explorer, "click", row=3, col=4, sign=-1)
    assert "IOG takes one point inside the object" in explorer._callbacks.message.value
    assert explorer.user_input == before


REFUSED = {
    "scene": lambda e: setattr(e._menus["scene"], "value", "voc"),
    "object": lambda e: setattr(e._menus["object"], "value", 2),
    "network": lambda e: setattr(e._menus["network"], "value", "seed 2 untrained"),
    "slider": lambda e: setattr(e._sliders["margin_px"], "value", 7.0),
    "click": lambda e: click(e, 3, 4),
    "box": lambda e: gesture(e, "box", box=[1, 1, 9, 9]),
    "undo": lambda e: gesture(e, "undo"),
    "redo": lambda e: gesture(e, "redo"),
    "as in training": lambda e: gesture(e, "clear"),
    "next": lambda e: gesture(e, "next"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_changes_nothing(explorer, monkeypatch, name):
    """As where an image was damaged since."""
    explorer._menus["scene"].value = "other"
    click(explorer, 12, 20)
    click(explorer, 13, 21)
    gesture(explorer, "undo")

    def seen():
        parts = [*explorer._menus.by_name.values(), *explorer._sliders.by_name.values()]
        shown = explorer._canvas
        return (
            [part.value for part in parts], explorer._menus["object"].options,
            explorer.user_input, id(explorer.segmentation), explorer._subject.example.object_id,
            shown.image, shown.overlay, shown.box, shown.clicks, shown.label,
        )  # fmt: skip

    def damaged(*_):
        raise DataError("unreadable image: a.jpg (cut short); restore the file.")

    before = seen()
    monkeypatch.setattr(interaction_explorer, "segment", damaged)
    REFUSED[name](explorer)
    assert "unreadable image: a.jpg" in explorer._callbacks.message.value
    assert seen() == before


def test_a_failing_network_shows_in_the_page(study, networks, objects):
    def broken(*arguments, **named):
        raise RuntimeError("no output")

    made = InteractionExplorer(study, dict(networks), objects)
    made._networks = {name: broken for name in networks}
    made._buttons["map"].click()
    (output,) = made._callbacks.failures.outputs
    assert (output["ename"], output["evalue"]) == ("RuntimeError", "no output")


@pytest.mark.parametrize("name", layers.LAYERS)
def test_every_layer_covers_the_image(segmented, name):
    subject, found = segmented
    layer = layers.LAYERS[name](subject, found)
    assert layer.shape == (*subject.shape, 4) and layer.dtype == np.uint8
    assert layers.over(subject.image, layer).shape == subject.image.shape


def test_layers_show_what_they_are_named_after(segmented):
    subject, found = segmented
    seen = layers.in_crop(found)
    point = found.interaction.point
    assert seen[round(point.row), round(point.col)] and not seen.all()
    shade = layers.LAYERS["what the crop leaves out"](subject, found)
    assert np.array_equal(shade[..., 3] > 0, ~seen)
    heat = layers.LAYERS["foreground heat map"](subject, found)
    brightest = np.unravel_index(heat[..., 0].argmax(), subject.shape)
    assert np.abs(np.array(brightest) - np.array(point)).max() <= 2
    difference = layers.LAYERS["difference to the ground truth"](subject, found)
    assert not difference[subject.void].any()
    truth = layers.LAYERS["ground truth"](subject, found)
    assert np.array_equal(truth[..., 3] > 0, subject.truth)


def test_paint_over_a_image_by_hand():
    image, layer = np.full((1, 2, 3), 100, np.uint8), np.zeros((1, 2, 4), np.uint8)
    layer[0, 1] = (200, 0, 100, 51)
    assert layers.over(image, layer).tolist() == [[[100] * 3, [120, 80, 100]]]


def test_tiles_are_the_networks_input_and_output(segmented):
    _, found = segmented
    tiles = layers.channel_tiles(found)
    assert np.array_equal(tiles["2: green"][..., 0], found.sample.image[..., 1])
    size = found.probability.shape[0]
    made = layers.output_tiles(found, 0.5)
    assert all(tile.shape == (size, size, 3) for tile in made.values())
    page = layers.sheet(tiles | made, 5, 640)
    assert page.shape[1] == 640 and page.shape[0] == 2 * (123 + 20 + 6)
    assert (page[:, 123:129] == 255).all()


def test_numbers_say_where_the_click_is(segmented, study, networks):
    subject, found = segmented
    assert numbers(subject, found)["the click is"] == "on the object"
    corner = user_inputs.with_point(found.user_input, user_inputs.Point(0.0, 0.0))
    off = segment(Training(study, networks["seed 1 untrained"]), subject, corner)
    assert numbers(subject, off)["the click is"] == "not on the object"
    assert f"ground truth {subject.truth.sum()}, IoU {found.iou:.2f}" in spoken(subject, found)


def test_the_distance_from_an_outline_by_hand():
    mask = np.zeros((5, 5), bool)
    mask[1:4, 1:4] = True
    distance = interaction_figures.signed_distance(mask)
    assert distance[2].tolist() == [-1, 1, 2, 1, -1]
    assert distance[0, 0] == pytest.approx(-np.sqrt(2))


def test_figures_draw_what_they_are_given(segmented, study, networks, objects):
    subject, found = segmented
    network = networks["seed 1 untrained"]
    user_input = interaction_figures.input_figure(subject, found)
    assert np.array_equal(user_input.axes[1].images[0].get_array(), found.sample.image)
    elsewhere = trials.segment_ways(
        Training(study, network), subject, found.user_input, trials.at_places()
    )
    drawn = interaction_figures.segmentations_figure(subject, elsewhere, "five")
    named = [panel.get_title().partition("\n")[0] for panel in drawn.axes if panel.images]
    assert named == list(trials.PLACES)
    assert drawn.axes[0].get_title().endswith(f"IoU {elsewhere['deepest'].iou:.2f}")
    made = click_map(Training(study, network), subject, found.user_input, 12)
    mapped = interaction_figures.click_map_figure(subject, {"one": made, "two": made})
    shown = mapped.axes[0].images[1].get_array()
    assert np.nanmax(shown) == pytest.approx(made.iou.max())
    for figure in (user_input, drawn, mapped):
        figure.draw_without_rendering()


def test_changes_and_curves_show_means_and_intervals(study, networks, objects):
    trainings = {name: Training(study, network) for name, network in networks.items()}
    frame = trials.scores(trainings, objects["voc"], trials.without_channels())
    changes = trials.changes(frame, "all five")
    panel = interaction_figures.change_figure(changes, "less").axes[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == list(trials.WITHOUT)
    means = [value.mean for value in changes["seed 2 untrained"].values()]
    assert panel.containers[1].lines[0].get_xdata() == pytest.approx(means)
    curve = pd.DataFrame(
        {"network": "a", "scene": "voc", "object_id": ["x", "y"] * 2, "way": [1.0, 1.0, 2.0, 2.0],
         "iou": [0.1, 0.3, 0.4, 0.8]}
    )  # fmt: skip
    panel = interaction_figures.curve_figure(curve, "width", 1.0, log=True).axes[0]
    (line,) = [line for line in panel.lines if line.get_label() == "a"]
    assert line.get_ydata() == pytest.approx([20, 60])
    assert panel.get_title() == "voc (2 objects)"


def test_bands_of_curves_draw_images():
    def height(per_image):
        frame = pd.DataFrame(
            [{"network": "a", "scene": "voc", "object_id": f"voc:{image}/{i}", "way": way,
              "iou": image / 8 * way} for way in (0.5, 1.0) for image in range(8)
             for i in range(per_image)]
        )  # fmt: skip
        panel = interaction_figures.curve_figure(frame, "width", 1.0).axes[0]
        return panel.collections[0].get_paths()[0].get_extents().height

    assert height(9) == pytest.approx(height(1))


def test_colours_come_from_the_palette_and_no_global_state_is_touched():
    for module in (interaction_figures, layers):
        source = Path(module.__file__).read_text(encoding="utf-8")
        assert "pyplot" not in source
        assert not re.search(r'"#[0-9a-fA-F]{6}"', source)
    assert set(PALETTE) >= {"mask", "truth", "click", "box"}
