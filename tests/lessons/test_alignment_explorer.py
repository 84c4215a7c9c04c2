"""The alignment explorer without a browser: a click chooses, sliders move numbers, undo returns."""

import re
from pathlib import Path
from runpy import run_path

import cv2
import numpy as np
import pandas as pd
import pytest

from openscenes.errors import DataError, InputError
from openscenes.lessons.alignment import alignment_figures, effect, pairs
from openscenes.lessons.alignment import pair_view as views
from openscenes.lessons.alignment.explorer import AlignmentExplorer
from openscenes.lessons.alignment.layers import LAYERS, draw
from openscenes.lessons.alignment.pairs import Alignment
from openscenes.lessons.intervals import sampling
from openscenes.study.profiles import DEMO, SMOKE
from openscenes.study.scores.statistics import paired_difference


@pytest.fixture(scope="module")
def alignment(tmp_path_factory) -> Alignment:
    made = run_path(str(Path(__file__).with_name("alignment_untrained.py")))
    return made["untrained"](tmp_path_factory.mktemp("models"))


@pytest.fixture
def explorer(alignment):
    made = AlignmentExplorer({"coco": alignment})
    yield made
    assert made._callbacks.failures.outputs == ()


def gesture(explorer, **what):
    explorer.scatter.gestures = [{"n": explorer.scatter.answered + 1, **what}]


def overlay(canvas):
    return cv2.imdecode(np.frombuffer(canvas.overlay, np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_click_on_a_prototype_chooses_its_pair(alignment, explorer):
    shown = views.scatter_of(alignment, pairs.BEFORE, 0)
    for expected in (3, 0):
        row, col = shown.new[expected]
        gesture(explorer, kind="point", row=int(row), col=int(col), sign=1)
        assert explorer.choice.pair == expected
        assert explorer.controls["pair"].value == expected
    assert f"pair {explorer.choice.pair}," in explorer.scatter.label


def test_undo_redo_and_next_on_the_scatter(explorer):
    first = explorer.choice
    gesture(explorer, kind="next")
    moved = explorer.choice
    assert moved.pair == (first.pair + 1) % 6
    gesture(explorer, kind="undo")
    assert explorer.choice == first
    gesture(explorer, kind="redo")
    assert explorer.choice == moved


def test_the_floor_moves_b_and_not_a(explorer):
    before = explorer.view
    explorer.controls["floor"].value = 1.0
    assert explorer.view.terms.pixel < before.terms.pixel
    assert explorer.view.proto == before.proto
    explorer.buttons["own_settings"].click()
    assert explorer.choice.floor == SMOKE.alignment.probability_floor
    assert explorer.controls["floor"].value == pytest.approx(explorer.choice.floor)


def test_another_model_is_another_image_of_the_same_pair(explorer):
    image, pair = explorer.scatter.image, explorer.choice.pair
    explorer.controls["model"].value = "+ST +FA"
    assert explorer.scatter.image != image
    assert explorer.choice.pair == pair
    assert explorer.view.proto != explorer.view.before


def test_every_layer_is_drawn_and_said(explorer):
    drawn = set()
    for name, layer in LAYERS.items():
        explorer.controls["layer"].value = name
        assert layer.title in explorer.new.label
        assert overlay(explorer.new).shape == (32, 32, 4)
        drawn.add(explorer.new.overlay)
    assert len(drawn) == len(LAYERS)


def test_the_readout_follows_the_images(explorer):
    explorer.controls["weight"].value = 0.5
    found = re.search(r'data-seq="(\d+)"', explorer.numbers.value)
    assert int(found[1]) == explorer.scatter.seq
    assert "L_feat = 0.5 ×" in explorer.numbers.value


@pytest.mark.parametrize("name", ["undo", "redo", "next", "pair", "floor", "own_settings"])
def test_what_is_refused_changes_nothing(explorer, monkeypatch, name):
    """As where an image was damaged since."""
    for _ in range(2):
        gesture(explorer, kind="next")
    gesture(explorer, kind="undo")

    def damaged(*_):
        raise DataError("unreadable image: a.jpg (cut short); restore the file.")

    def seen():
        return (
            explorer.choice, id(explorer.view), explorer.scatter.overlay, explorer.new.overlay,
            [part.value for part in explorer.controls.by_name.values()], explorer.numbers.value,
        )  # fmt: skip

    before = seen()
    monkeypatch.setattr(views, "view_pair", damaged)
    match name:
        case "pair" | "floor":
            explorer.controls[name].value = explorer.controls[name].max
        case "own_settings":
            explorer.buttons[name].click()
        case _:
            gesture(explorer, kind=name)
    assert "unreadable image: a.jpg" in explorer._callbacks.message.value
    assert seen() == before


def test_an_error_in_a_callback_is_shown_and_kept(alignment, monkeypatch):
    explorer = AlignmentExplorer({"coco": alignment})
    monkeypatch.setattr("openscenes.lessons.alignment.pair_view.view_pair", None)
    explorer.controls["floor"].value = 0.5
    (failure,) = explorer._callbacks.failures.outputs
    assert failure["output_type"] == "error"


def test_layers_are_clear_where_no_cell_counts(alignment):
    outputs = views.view_pair(alignment, views.first_choice({"coco": alignment}))
    layer = draw("distance", outputs.drawn)
    outside = cv2.resize(outputs.drawn.maps.share, (32, 32), interpolation=cv2.INTER_NEAREST) == 0
    assert (layer[outside] == 0).all() and (layer[~outside][:, 3] > 0).all()


def test_prototypes_lie_in_the_image_where_they_are_drawn(alignment):
    shown = views.scatter_of(alignment, pairs.BEFORE, 0)
    for marks in (shown.old, shown.new):
        assert (marks >= 0).all() and (marks < alignment_figures.SCATTER_PX).all()
        rows, cols = marks.round().astype(int).T
        assert (shown.image[rows, cols] != 255).any(axis=1).all()


def test_static_images_show_what_the_explorer_shows(alignment):
    choice = views.first_choice({"coco": alignment})
    page = views.pair_page(alignment, choice)
    titles = [panel.get_title() for panel in page.axes]
    assert titles[1:7] == [layer.title for layer in LAYERS.values()]
    both = views.clouds_page(alignment, [pairs.BEFORE, "+ST"])
    assert len(both.axes) == 2
    assert both.axes[0].get_xlim() == both.axes[1].get_xlim()


def test_the_gradient_of_maximum_squares_is_a_line():
    panel = alignment_figures.indecision_figure().axes[1]
    p, gradient = panel.lines[0].get_data()
    np.testing.assert_allclose(gradient, 2 - 4 * p, atol=1e-9)
    p, gradient = panel.lines[1].get_data()
    np.testing.assert_allclose(gradient, np.log((1 - p) / p), atol=1e-6)


def test_the_weight_falls_to_a_tenth_in_a_line(alignment):
    ends = alignment_figures.decay_figure({"one": alignment.evolution}).axes[0].lines[0].get_ydata()
    assert ends[0] == 1
    assert len(ends) == alignment.evolution.train.epochs


def test_a_model_that_is_the_first_one_has_not_moved(alignment, monkeypatch):
    same = dict.fromkeys(pairs.SHOWN, alignment.models[pairs.BEFORE])
    same[pairs.ALL_MODULES] = alignment.models[pairs.ALL_MODULES]
    still = Alignment(alignment.study, "coco", same, n_pairs=6)
    frame = effect.shifts([still]).set_index(["model", "measure"])
    assert frame.loc["+ST", ["change", "low", "high", "spread"]].abs().to_numpy().max() < 1e-9
    assert frame.loc[(pairs.ALL_MODULES, "A"), "change"] != 0
    assert len(effect.shifts_figure(effect.shifts([still])).axes) == len(effect.MEASURES)


def test_gains_are_paired_differences_of_the_report(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    rows = ("+ST", "+ST +FA", "+ST +IPT", "+ST +IPT +FA")
    scores = {row: rng.uniform(size=(2, 5)) for row in rows}
    lines = [
        {"block": effect.BLOCK.format(scene, "VOC+SBD"), "seed": seed, "object_id": f"o{i}",
         **{row: scores[row][seed, i] for row in rows}}
        for scene in ("COCO", "Cityscapes") for seed in range(2) for i in range(5)
    ]  # fmt: skip
    (tmp_path / "tables").mkdir()
    pd.DataFrame(lines).to_csv(tmp_path / "tables" / "table_4_objects.csv", index=False)
    monkeypatch.setattr(sampling, "shown_folder", lambda profile: tmp_path)
    monkeypatch.setattr(effect, "PROJECT", tmp_path)
    frame = effect.gains(DEMO)
    assert list(frame["scene"]) == ["Cityscapes", "Cityscapes", "COCO", "COCO"]
    expected = paired_difference(scores["+ST +FA"], scores["+ST"])
    assert frame["change"][0] == pytest.approx(expected.mean)
    assert frame["low"][0] == pytest.approx(expected.low)
    assert "2 trainings, 5 objects" in effect.gains_words(frame, DEMO).data


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.1, 0.3, "helps"), (-0.3, -0.1, "harms"), (-0.1, 0.1, "not significant")],
)
def test_an_interval_decides_the_verdict(low, high, words):
    assert words in effect._verdict(pd.Series({"low": low, "high": high}))


def test_without_a_report_the_error_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "shown_folder", lambda profile: tmp_path)
    with pytest.raises(InputError, match="make table-4"):
        effect.gains(DEMO)
