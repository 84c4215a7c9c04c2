"""The drawing of the framework shows what the model answered and how it is trained."""

import ast
import io
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from openscenes.method.ipt import IPTConfig
from openscenes.networks.weights import save_weights
from openscenes.study.figures import framework
from openscenes.study.figures.framework import framework_figure, most_changed
from openscenes.study.figures.galleries import _refined
from openscenes.study.profiles import PAPER
from openscenes.study.runs.data import validation, words_of
from openscenes.study.runs.models import Model
from openscenes.study.runs.recipes import FULL, evolution_config

MODEL = "smoke initial voc seed 0"


tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Photographs of two blobs each, in VOC's layout, as train and as val."""
    return tiny.study(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def labelled(study):
    return validation(study, "voc")


@pytest.fixture(scope="module")
def model(study, tmp_path_factory):
    """Calibrated on noise, so that its masks are neither all 0 nor all 1."""
    network = tiny.calibrated(study)
    made = Model("drawn", tmp_path_factory.mktemp("model"), MODEL)
    save_weights(network, made.weights, {})
    return made


@pytest.fixture(scope="module")
def figure(study, labelled, model):
    return framework_figure(study, model, labelled, 3, old=labelled)


def panel(figure, title):
    (found,) = [axes for axes in figure.axes if axes.get_title().startswith(title)]
    return found


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_every_place_holds_a_picture_and_no_two_overlap(figure):
    shown = [axes.get_position() for axes in figure.axes if axes.images]
    assert len(shown) == 18
    for number, one in enumerate(shown):
        assert not any(one.overlaps(other) for other in shown[number + 1 :])
        assert one.x0 >= 0 and one.x1 <= 1 and one.y0 >= 0 and one.y1 <= 1


def test_maps_are_the_refinements_own(study, labelled, model, figure):
    profile = study.profile
    ((sample, _, found, i),) = _refined(
        study, model, [labelled.examples[3]], profile.ipt, profile.inference.feature
    )
    assert np.array_equal(panel(figure, "crop, box").images[0].get_array(), sample.image)
    for letter, name in (("g", "global"), ("c", "center"), ("e", "edge")):
        shown = panel(figure, f"confidence\n$P^{{({letter})}}$").images[0]
        assert np.array_equal(shown.get_array(), found.confidence[name][i, 0].numpy())
        assert shown.get_clim() == (0, 1)
    (points,) = panel(figure, "center $Q$").lines
    drawn = set(zip(points.get_ydata().tolist(), points.get_xdata().tolist(), strict=True))
    assert drawn == {tuple(pair) for pair in found.center_mask[i, 0].nonzero().tolist()}
    threshold = float(found.threshold_merged[i])
    title = panel(figure, "$M_m$").get_title()
    assert title.endswith(f"{profile.ipt.n:g}·{threshold / profile.ipt.n:.2f} = {threshold:.2f}")


def test_merging_and_training_show_the_profiles_numbers(study, figure):
    said, ipt, train = words(figure), study.profile.ipt, study.profile.coco.train
    assert {f"{ipt.alpha:g}", f"{ipt.beta:g}"} <= {text.strip() for text in said}
    (training,) = [text for text in said if "Eq. 11" in text]
    assert f"one cycle up to {train.learning_rate:g}\n{train.batch_size} pairs" in training
    assert f"{train.epochs} epochs\nbackbone's BatchNorm frozen" in training
    (feature,) = [text for text in said if "L}_{feat}" in text]
    assert f"× {study.profile.alignment.feature_weight:g}\n" in feature
    assert f"{words_of(study, validation(study, 'voc'))}; {MODEL}" in said


def test_settings_of_the_paper_are_named_as_they_are():
    config = evolution_config(PAPER, "coco", FULL)
    assert "SGD, constant rate 1e-09\n16 pairs a step, 10 epochs" in framework._training(
        config.train
    )
    assert "frozen" not in framework._training(config.train)
    made = SimpleNamespace(class_words="known (cat): Eq. 7")
    losses = framework._losses(made, config)
    assert [colour for colour, _ in losses] == ["click", "right", "neutral", "right"]
    assert "1 → 0.1 by epoch" in losses[0][1]
    assert losses[2][1].endswith("× 1\nthis object's class is known (cat): Eq. 7")
    assert len(framework._losses(made, replace(config, alignment=None))) == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, r"majority: $p \geq 2$ (Eq. 5, 6)"),
        ({"vote": "weighted_sum"}, "soft vote: each map weighted by its confidence (ours)"),
        ({"fusion": "weighted_sum"}, "0.8 coarse + 0.2 mean $P$ > 1/2"),
    ],
)
def test_the_vote_is_called_by_what_decides(changes, expected):
    assert framework._vote_words(IPTConfig(**changes)) == expected


def test_an_object_without_a_coarse_mask_can_be_drawn(study, labelled, model):
    profile = study.profile
    reasons = {**profile.reasons, "inference": "a test"}
    inference = replace(profile.inference, threshold=1.0)
    blind = replace(profile, inference=inference, reasons=reasons)
    figure = framework_figure(replace(study, profile=blind), model, labelled, 0, old=labelled)
    assert panel(figure, "$M_c$").get_title().endswith("inf = inf")
    assert not panel(figure, "after: refined").get_title().endswith("nan")
    figure.draw_without_rendering()


def test_equal_calls_draw_equal_bytes(study, labelled, model, figure):
    again = framework_figure(study, model, labelled, 3, old=labelled)
    pages = [io.BytesIO(), io.BytesIO()]
    for page, drawn in zip(pages, (figure, again), strict=True):
        drawn.savefig(page, format="png", dpi=50, metadata={"Software": None})
    assert pages[0].getvalue() == pages[1].getvalue()


@pytest.mark.parametrize(("last", "expected"), [(-0.1, 1), (-0.6, 4)])
def test_the_object_is_the_one_that_changes_most(monkeypatch, study, last, expected):
    gains = np.array([0.0, 0.4, -0.3, 0.1, last])
    frame = pd.DataFrame({"iou": 0.5, "refined": 0.5 + gains})
    monkeypatch.setattr(framework, "ipt_iou", lambda *arguments: frame)
    assert most_changed(study, None, None) == expected


def test_nothing_is_written_upright_and_the_mean_stands_beside_the_object(figure, labelled):
    written = [text for text in figure.findobj(Text) if text.get_text()]
    assert written and {text.get_rotation() for text in written} == {0.0}
    (said,) = [text for text in words(figure) if text.startswith("IPT: IoU ")]
    assert said.endswith(f" on average over {len(labelled.examples)} objects")
    told = [framework._change_words(np.array([1.0, -3.0, 1.98]), i) for i in range(2)]
    assert told == [
        "IPT: IoU +1.0 points; +0.0 on average over 3 objects",
        "IPT: IoU -3.0 points, the largest change; +0.0 on average over 3 objects",
    ]
    before, after = (panel(figure, f"{when}: ") for when in ("before", "after"))
    assert before.images[0].get_array().shape == after.images[0].get_array().shape
    assert all("\nIoU " in one.get_title() for one in (before, after))


def test_colours_come_from_the_palette_and_no_global_state_is_touched():
    source = Path(framework.__file__).read_text(encoding="utf-8")
    literals = [n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant)]
    assert "pyplot" not in source
    assert not [text for text in literals if isinstance(text, str) and text.startswith("#")]
