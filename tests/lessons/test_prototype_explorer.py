"""The explorer without a browser: gestures in, images and numbers out."""

import re
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from openscenes.data.records import Box, Point
from openscenes.errors import DataError
from openscenes.lessons.prototypes import explorer as prototype_explorer
from openscenes.lessons.prototypes.explorer import PrototypeExplorer
from openscenes.lessons.prototypes.layers import LAYERS, draw
from openscenes.lessons.prototypes.objects import predict_object, reclicked
from openscenes.lessons.prototypes.refinement import Settings
from openscenes.method.ipt import IPTConfig
from openscenes.networks.weights import save_weights
from openscenes.study.pages.foreign_text import in_html
from openscenes.study.runs.data import validation, with_others
from openscenes.study.runs.models import Model
from openscenes.study.scores.masks import IPTVariant, ipt_iou

tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Images of two blobs each, in VOC's layout, as train and as val."""
    return tiny.study(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def model(study, tmp_path_factory):
    """Calibrated on noise, so that its masks are neither all 0 nor all 1."""
    network = tiny.calibrated(study)
    made = Model("prototype-explorer", tmp_path_factory.mktemp("model"), "untrained")
    save_weights(network, made.weights, {})
    return made


@pytest.fixture(scope="module")
def examples(study):
    return with_others(validation(study, "voc"))


@pytest.fixture
def explorer(study, model, examples):
    made = PrototypeExplorer(study, model, {"voc": examples, "few": examples[3:5]})
    yield made
    assert made._callbacks.failures.outputs == ()


def gesture(explorer, **parts):
    number = explorer._canvas.answered + 1
    explorer._canvas.gestures = [{"n": number, "sign": 1, **parts}]


def seq(explorer):
    return int(re.search(r'data-seq="(\d+)"', explorer._numbers.value)[1])


def shown(explorer):
    overlay = np.frombuffer(explorer._canvas.overlay, np.uint8)
    return cv2.cvtColor(cv2.imdecode(overlay, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)


def test_iou_before_and_after_are_those_of_the_tables(study, model, examples, explorer):
    variants = {"mine": IPTVariant("layer4", IPTConfig())}
    scores = ipt_iou(study, model, validation(study, "voc"), variants)
    for position in (0, 4, 7):
        explorer._menus["object"].value = position
        measures = prototype_explorer.measure(explorer.now)
        assert measures.iou_before == pytest.approx(scores["iou"][position])
        assert measures.iou_after == pytest.approx(scores["mine"][position])


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", 0.1), ("beta", 0.2), ("m", 0.1), ("n", 0.99), ("center_points", 20),
     ("center_radius_px", 90.0), ("kernel_px", 31), ("iterations", 12), ("temperature", 200.0),
     ("feature", "decoder"), ("background", "outside_coarse"), ("edge", "inner"),
     ("fusion", "weighted_sum")],
)  # fmt: skip
def test_a_control_moves_its_setting_and_the_image_and_runs_no_network(name, value, explorer):
    before = seq(explorer)
    explorer._controls[name].value = value
    settings = explorer.now.settings
    assert (settings.feature if name == "feature" else getattr(settings.ipt, name)) == value
    assert explorer.n_predictions == 1
    assert seq(explorer) == explorer._canvas.seq == before + 1
    assert "predictions</th>" in explorer._numbers.value


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_of_the_menu_is_shown(name, explorer):
    explorer._menus["layer"].value = name
    assert np.array_equal(shown(explorer), draw(name, explorer.now))
    assert LAYERS[name].title in explorer._canvas.label
    assert in_html(LAYERS[name].legend) in explorer._legend.value


REFUSED = {
    "scene": lambda e: setattr(e._menus["scene"], "value", "few"),
    "object": lambda e: setattr(e._menus["object"], "value", 2),
    "click": lambda e: gesture(e, kind="point", row=3, col=4),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_changes_nothing(explorer, monkeypatch, name):
    """As where an image was damaged since."""
    gesture(explorer, kind="point", row=12, col=20)

    def seen():
        canvas = explorer._canvas
        return (
            [part.value for part in explorer._menus.by_name.values()],
            explorer._menus["object"].options, explorer.n_predictions, id(explorer.now),
            canvas.image, canvas.overlay, canvas.clicks, canvas.label, explorer._numbers.value,
        )  # fmt: skip

    def damaged(*_):
        raise DataError("unreadable image: a.jpg (cut short); restore the file.")

    before = seen()
    monkeypatch.setattr(prototype_explorer, "predict_object", damaged)
    REFUSED[name](explorer)
    assert "unreadable image: a.jpg" in explorer._callbacks.message.value
    assert seen() == before


def test_a_point_on_the_crop_predicts_again_with_the_same_box(explorer, examples):
    gesture(explorer, kind="point", row=12, col=20)
    interaction = explorer.now.predicted.example.interaction
    assert explorer.n_predictions == 2
    assert interaction.box == examples[0].interaction.box
    assert explorer.now.predicted.point.tolist() == [[12, 20]]
    assert explorer._canvas.clicks == [[12, 20, 1]]


def test_a_point_that_is_still_dragged_predicts_nothing(explorer):
    gesture(explorer, kind="point", row=12, col=20, dragging=True)
    assert explorer.n_predictions == 1


def test_a_new_box_waits_for_its_point_and_then_predicts_once(explorer):
    explorer._view.value = "image"
    gesture(explorer, kind="box", box=[5, 40, 60, 76])
    assert explorer.n_predictions == 1
    assert "click inside" in explorer._legend.value
    gesture(explorer, kind="point", row=30, col=58)
    assert explorer.n_predictions == 2
    assert explorer.now.predicted.example.interaction == (
        type(explorer.now.predicted.example.interaction)(Box(5, 40, 60, 76), Point(30, 58))
    )
    assert explorer._canvas.box == [5, 40, 60, 76]
    assert shown(explorer).shape[:2] == explorer.now.predicted.image.shape[:2]


def test_a_negative_click_is_refused_in_a_sentence(explorer):
    gesture(explorer, kind="click", row=3, col=3, sign=-1)
    assert "one point inside the object" in explorer._callbacks.message.value
    assert explorer.n_predictions == 1


def test_a_setting_that_no_run_can_mean_is_refused_and_taken_back(explorer):
    explorer._controls["kernel_px"].value = 4
    assert "odd number" in explorer._callbacks.message.value
    assert explorer._controls["kernel_px"].value == 5
    explorer._controls["m"].value = 0.5
    assert explorer._callbacks.message.value == ""


def test_undo_and_redo_bring_controls_and_clicks_back(explorer):
    explorer._controls["m"].value = 0.2
    gesture(explorer, kind="point", row=12, col=20)
    explorer._buttons["undo"].click()
    assert explorer._canvas.clicks != [[12, 20, 1]]
    gesture(explorer, kind="undo")
    assert explorer._controls["m"].value == 0.7
    explorer._buttons["redo"].click()
    gesture(explorer, kind="redo")
    assert explorer._controls["m"].value == 0.2
    assert explorer._canvas.clicks == [[12, 20, 1]]
    assert explorer.n_predictions == 2


def test_the_two_settings_are_one_button_away(explorer, study):
    explorer._buttons["as_in_table_4"].click()
    profile = study.profile
    assert explorer.now.settings == Settings(profile.ipt, profile.inference.feature)
    explorer._buttons["as_printed"].click()
    assert explorer.now.settings == Settings(IPTConfig())


def test_settings_stay_when_another_object_is_chosen(explorer, examples):
    explorer._controls["m"].value = 0.3
    explorer._menus["scene"].value = "few"
    assert explorer.now.predicted.example is examples[3]
    assert explorer.now.settings.ipt.m == 0.3
    assert len(explorer._menus["object"].options) == 2


def test_the_truth_is_that_of_the_object_clicked_on(study, model, examples):
    one, other = examples[0], examples[1]
    assert one.image == other.image
    moved = reclicked(study, one, one.interaction.box, other.interaction.point)
    assert moved.supervision is other.supervision
    back = reclicked(study, moved, one.interaction.box, one.interaction.point)
    assert back.supervision is one.supervision
    nowhere = reclicked(study, one, one.interaction.box, Point(0.0, 0.0))
    assert nowhere.supervision is None
    assert predict_object(study, model, nowhere).iou is None
    assert len(nowhere.others) == 2
