"""User inputs are segmented as the study does, and varied one thing at a time."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest

from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError
from openscenes.lessons.alignment import pairs
from openscenes.lessons.evolution import sequences
from openscenes.lessons.interactions import trials, user_inputs
from openscenes.lessons.interactions.click_maps import ClickMap, click_map, grid_points
from openscenes.lessons.interactions.segmentation import Training, segment, segment_all
from openscenes.method.cutting import crop_maps
from openscenes.method.inference import predictions
from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.runs.data import validation
from openscenes.study.runs.models import run_context
from openscenes.study.scores.masks import map_iou

USER_INPUT = user_inputs.UserInput(Interaction(Box(10, 20, 30, 60), Point(15, 25)), 10.0, 15.0)


tiny = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Images of two blobs each, in VOC's layout, as train and as val."""
    return tiny.study(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def network(study):
    """Calibrated on noise, so that its masks are neither all 0 nor all 1."""
    return tiny.calibrated(study).eval()


@pytest.fixture(scope="module")
def examples(study):
    return validation(study, "voc").examples


@pytest.fixture(scope="module")
def subject(study, examples):
    return user_inputs.read_subject(study, examples[0])


@pytest.fixture(scope="module")
def usual(study, examples):
    return user_inputs.usual_input(study, examples[0])


def test_the_usual_input_is_segmented_as_the_tables_score_it(study, network, subject, usual):
    training = Training(study, network)
    profile, example = study.profile, subject.example
    ((_, [sample], batch, wanted),) = predictions(network, [example], run_context(study))
    found = segment(training, subject, usual)
    assert np.array_equal(found.probability, wanted.probability[0, 0].numpy())
    assert np.array_equal(found.predictor > 0.5, wanted.predicted_mask[0, 0].numpy())
    assert np.array_equal(found.channels, batch.inputs(profile.clicks)[0].numpy())
    (one,) = crop_maps(wanted.probability, [sample])
    assert found.iou == map_iou(study.cache, example, one, profile.inference.threshold)
    assert found.mask.shape == subject.shape


def test_many_inputs_at_once_are_segmented_as_one_by_one(study, network, subject, usual):
    training = Training(study, network)
    inputs = [
        usual,
        user_inputs.with_point(usual, Point(20.0, 30.0)),
        replace(usual, widened=0.3),
        replace(usual, heat_map_width_px=80.0, without=("background",)),
        replace(usual, margin_px=2.0),
    ]
    together = segment_all(training, subject, inputs)
    assert [found.user_input for found in together] == inputs
    for user_input, found in zip(inputs, together, strict=True):
        alone = segment(training, subject, user_input)
        assert np.array_equal(alone.channels, found.channels)
        assert alone.probability == pytest.approx(found.probability, abs=0.02)


def test_the_click_is_where_the_foreground_map_peaks(study, network, subject, usual):
    training = Training(study, network)
    found = segment(training, subject, user_inputs.with_point(usual, Point(30.0, 25.0)))
    row, col = np.unravel_index(found.channels[3].argmax(), found.channels[3].shape)
    point = found.sample.point
    assert (row, col) == (round(point.row), round(point.col))
    rounded = found.in_image[30, 25]
    assert found.at_click == rounded


def test_what_is_left_out_is_constant_and_all_else_as_before(study, network, subject, usual):
    training = Training(study, network)
    seen = segment(training, subject, usual).channels
    blind = segment(training, subject, replace(usual, without=("colours", "foreground")))
    assert blind.channels[:3] == pytest.approx(
        np.broadcast_to(seen[:3].mean((1, 2), keepdims=True), seen[:3].shape), abs=1e-3
    )
    assert not blind.channels[3].any()
    assert np.array_equal(blind.channels[4], seen[4])


def test_a_click_outside_the_image_still_has_a_probability(study, network, subject, usual):
    training = Training(study, network)
    assert (
        0 <= segment(training, subject, user_inputs.with_point(usual, Point(-9, 999))).at_click <= 1
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (10, 20, 30, 60)),
        ({"widened": 0.25}, (5, 10, 35, 70)),
        ({"widened": -0.25}, (15, 30, 25, 50)),
        ({"widened": 9.0}, (0, 0, 64, 80)),
        ({"widened": -0.5}, (20, 40, 22, 42)),
    ],
)
def test_a_box_is_widened_by_hand(changes, expected):
    assert user_inputs.shown_box(replace(USER_INPUT, **changes), (64, 80)) == expected


def test_jitter_depends_on_its_draw_and_grows_with_its_deviation():
    few, many = (
        np.array(
            [
                user_inputs.shown_box(replace(USER_INPUT, jitter=j, draw=d), (640, 800))
                for d in range(40)
            ]
        )
        for j in (0.01, 0.1)
    )
    assert len(np.unique(few, axis=0)) == 40
    offsets = (many[20:] - np.array(USER_INPUT.interaction.box)) / [20, 40, 20, 40]
    assert 0.05 < offsets.std() < 0.15
    again = user_inputs.shown_box(replace(USER_INPUT, jitter=0.1, draw=3), (640, 800))
    assert np.array_equal(again, many[3])


@pytest.mark.parametrize("box", [Box(0, 0, 1, 1), Box(63, 79, 64, 80), Box(90, 90, 99, 99)])
def test_every_box_keeps_two_pixels_inside_the_image(box):
    user_input = replace(USER_INPUT, interaction=Interaction(box, Point(0, 0)))
    row0, col0, row1, col1 = user_inputs.shown_box(user_input, (64, 80))
    assert row1 - row0 >= 2 and col1 - col0 >= 2
    assert row0 >= 0 and col0 >= 0 and row1 <= 64 and col1 <= 80


def test_a_new_box_is_shown_as_it_was_drawn_and_keeps_a_point_inside():
    given = replace(USER_INPUT, widened=0.3, jitter=0.2)
    around = user_inputs.with_box(given, Box(12, 20, 20, 40))
    assert user_inputs.shown_box(around, (64, 80)) == (12, 20, 20, 40)
    assert around.interaction.point == Point(15, 25)
    elsewhere = user_inputs.with_box(given, Box(40, 40, 51, 61))
    assert elsewhere.interaction.point == Point(45, 50)


def test_an_object_without_truth_is_refused(study, examples):
    with pytest.raises(InputError, match="has no ground truth to compare with; take one of"):
        user_inputs.read_subject(study, replace(examples[0], supervision=None))


def test_a_grid_lies_in_the_middle_of_its_box():
    points, step = grid_points((10, 20, 20, 40), 50)
    assert step == 2
    assert points.min(axis=0).tolist() == [10, 20] and points.max(axis=0).tolist() == [18, 38]
    assert len(points) == 50
    points, step = grid_points((0, 0, 7, 7), 4)
    assert step == 4 and sorted({tuple(p) for p in points.tolist()}) == [
        (1, 1),
        (1, 5),
        (5, 1),
        (5, 5),
    ]


def test_a_click_map_holds_the_score_of_each_click(study, network, subject, usual):
    training = Training(study, network)
    found = click_map(training, subject, usual, n=12)
    k = len(found.points) // 2
    point = Point(*map(float, found.points[k]))
    alone = segment(training, subject, user_inputs.with_point(usual, point))
    assert found.iou[k] == pytest.approx(alone.iou, abs=0.05)
    assert found.inside[k] == subject.truth[tuple(found.points[k])]
    shown = found.in_image(subject.shape)
    assert shown[tuple(found.points[k])] == pytest.approx(found.iou[k])
    assert np.isfinite(shown).sum() <= len(found.points) * found.step**2


def test_a_click_map_in_words():
    found = ClickMap(
        np.array([[0, 0], [0, 2], [2, 0]]), np.array([0.5, 0.9, 0.1]),
        np.array([True, True, False]), 2,
    )  # fmt: skip
    assert found.words() == (
        "3 clicks, every 2 px: best IoU 0.90, on the object 0.70 on average and 0.50 at worst, "
        "outside it 0.10"
    )
    assert np.isnan(found.in_image((4, 4))[3, 3])


def test_clicks_lie_where_their_names_say(subject, usual):
    places = {name: trials.place(subject, usual, name) for name in trials.PLACES}
    on = {name: subject.truth[round(p.row), round(p.col)] for name, p in places.items()}
    assert on == {
        "deepest": True, "anywhere inside": True, "near the border": True,
        "just outside": False, "corner of the box": bool(on["corner of the box"]),
    }  # fmt: skip
    assert trials.place(subject, usual, "just outside") == places["just outside"]


def test_trials_ask_every_network_about_every_object_in_every_way(study, network, examples):
    other = OpenSceneNet(study.profile.network).eval()
    trainings = {"a": Training(study, network), "b": Training(study, other)}
    training = trainings["a"]
    frame = trials.scores(trainings, examples[:3], trials.varied("widened", [0.0, 0.5]))
    assert len(frame) == 2 * 3 * 2
    subject = user_inputs.read_subject(study, examples[2])
    user_input = replace(user_inputs.usual_input(study, examples[2]), widened=0.5)
    found = frame[(frame["network"] == "a") & (frame["object_id"] == examples[2].object_id)]
    assert found[found["way"] == 0.5]["iou"].item() == pytest.approx(
        segment(training, subject, user_input).iou, abs=0.05
    )
    table = trials.means(frame)
    assert table.loc[("a", 0.5), "all"] == pytest.approx(
        100 * frame[(frame["network"] == "a") & (frame["way"] == 0.5)]["iou"].mean(), abs=0.051
    )
    differences = trials.changes(frame, 0.0)
    assert list(differences) == ["a", "b"]
    assert list(differences["a"]) == [0.0, 0.5] and differences["a"][0.0].mean == 0
    change = frame[frame["network"] == "a"].groupby("way")["iou"].mean().diff()[0.5]
    assert differences["a"][0.5].mean == pytest.approx(100 * change)


def test_changes_draw_images():
    def interval(per_image):
        frame = trials.pd.DataFrame(
            [{"network": "a", "object_id": f"voc:{image}/{i}", "way": way, "iou": way * image / 8}
             for way in (0.0, 1.0) for image in range(8) for i in range(per_image)]
        )  # fmt: skip
        found = trials.changes(frame, 0.0)["a"][1.0]
        return found.low, found.high

    assert interval(9) == pytest.approx(interval(1))


def places_frame():
    """Two networks: a click outside harms one by 0, 0.1 and 0.4 and the insensitive one by 0."""
    lost = {"sensitive": (0.1, 0.4, 0.0), "insensitive": (0.0, 0.0, 0.0)}
    rows = [
        {"network": name, "object_id": str(i), "scene": "voc", "way": way, "iou": 0.8 - value * k}
        for name, values in lost.items()
        for i, value in enumerate(values)
        for k, way in enumerate(("deepest", "just outside"))
    ]
    return trials.pd.DataFrame(rows)


def test_the_sensitive_network_and_objects_by_rank():
    frame = places_frame()
    assert trials.by_click_sensitivity(frame) == ["sensitive", "insensitive"]
    assert trials.by_click_sensitivity(frame[::-1]) == ["sensitive", "insensitive"]
    objects = ["first", "second", "third"]
    ranks = [trials.by_rank(frame, objects, "sensitive", share) for share in (0.0, 0.5, 1.0)]
    assert ranks == ["third", "first", "second"]


def test_objects_of_all_sets_are_offered(monkeypatch, study):
    monkeypatch.setattr(
        user_inputs,
        "validation",
        lambda study, name: SimpleNamespace(examples=[f"{name}{i}" for i in range(9)]),
    )
    found = user_inputs.validation_objects(study, 3)
    assert found["coco"] == ["coco0", "coco4", "coco8"]
    assert user_inputs.flat(found) == [*found["voc"], *found["cityscapes"], *found["coco"]]


@pytest.mark.parametrize("value", [0, -1, 2.5, "3", True, None], ids=str)
def test_a_lesson_counts_in_whole_numbers(value):
    with pytest.raises(InputError, match="^n_objects is .*; give a whole number from 1"):
        user_inputs.validation_objects(None, value)
    with pytest.raises(InputError, match="^n_pairs is .*; give a whole number from 1"):
        pairs.alignments(None, value)
    with pytest.raises(InputError, match="^seeds is .*; give a whole number from 1"):
        sequences.needed(value)
