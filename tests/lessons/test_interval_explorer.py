"""The interval explorer redraws for every control; images say in words what they show."""

import cv2
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection

from openscenes.lessons.intervals import interval_figures
from openscenes.lessons.intervals.explorer import IntervalExplorer, StudiesPainter
from openscenes.lessons.intervals.sampling import SimulatedStudies, StudyDesign, simulate_studies
from openscenes.study.figures.palette import PALETTE
from openscenes.study.scores.statistics import Estimate

WORLD = np.random.default_rng(0).normal(0.0, 3.0, (3, 60))
LOW, HIGH = np.array([-1.0, 0.5, 1.5, -3.0]), np.array([1.0, 2.0, 3.0, -1.0])
STUDIES = SimulatedStudies(StudyDesign(10, 1, 1.0), (LOW + HIGH) / 2, LOW, HIGH)


@pytest.fixture
def explorer():
    return IntervalExplorer({"a": WORLD, "b": 3 * WORLD}, StudyDesign(50, 2, 1.0))


def test_it_begins_with_the_plan(explorer):
    assert explorer.studies.design == StudyDesign(50, 2, 1.0)
    image = cv2.imdecode(np.frombuffer(explorer.canvas.image, np.uint8), cv2.IMREAD_UNCHANGED)
    assert list(image.shape[1::-1]) == explorer.canvas.size
    assert explorer.canvas.label == interval_figures.studies_words(explorer.studies)


def test_every_control_redraws(explorer):
    moves = {"world": "b", "n_objects": 500, "n_seeds": 5, "difference": -2.0}
    for n, (name, value) in enumerate(moves.items(), start=2):
        before = explorer.canvas.image
        explorer.controls[name].value = value
        assert explorer.canvas.seq == n
        assert explorer.canvas.image != before
        assert f'data-seq="{n}"' in explorer.numbers.value
    assert explorer.studies.design == StudyDesign(500, 5, -2.0)
    assert not explorer.callbacks.failures.outputs


def test_numbers_follow_and_nothing_is_divided_by_zero(explorer):
    assert "objects for 80 %" in explorer.numbers.value
    explorer.controls["difference"].value = 0.0
    assert "objects for 80 %" not in explorer.numbers.value
    assert f"{explorer.studies.coverage:.0%}" in explorer.numbers.value


def test_a_failure_is_shown(explorer):
    explorer.worlds = {}
    explorer.controls["n_seeds"].value = 3
    assert explorer.callbacks.failures.outputs[0]["ename"] == "KeyError"


def test_it_begins_with_a_design_of_its_own():
    made = IntervalExplorer({"a": WORLD})
    assert "os-interval" in made.widget._dom_classes
    assert (made.design, made.controls["n_objects"].value) == (StudyDesign(), 200)


def test_intervals_are_coloured_by_what_they_tell():
    panel = interval_figures.studies_figure(STUDIES).axes[0]
    lines = next(c for c in panel.collections if isinstance(c, LineCollection))
    colours = ["#" + "".join(f"{round(255 * v):02X}" for v in c[:3]) for c in lines.get_colors()]
    ours, grey = PALETTE["ours"], PALETTE["neutral"]
    assert colours == [ours, grey, ours, ours]  # by mean: [-3, -1], [-1, 1], [0.5, 2], [1.5, 3]
    dots = next(c for c in panel.collections if not isinstance(c, LineCollection))
    white = [bool((c[:3] == 1).all()) for c in dots.get_facecolors()]
    assert white == [True, False, False, True]  # those that miss +1


def test_the_title_says_it_in_words():
    assert interval_figures.studies_words(STUDIES) == (
        "4 studies of 10 objects and 1 seed, truth +1.0: 75% leave out zero, 50% hold the truth, "
        "mean width 1.8"
    )


def test_a_kept_frame_gives_the_same_pixels_as_a_new_one():
    painter, designs = (
        StudiesPainter(),
        (StudyDesign(20, 2, 0.0), StudyDesign(500, 5, -2.0), StudyDesign(20, 2, 0.0)),
    )
    images = [painter.painted(simulate_studies(WORLD, design)) for design in designs]
    anew = [StudiesPainter().painted(simulate_studies(WORLD, design)) for design in designs]
    assert all((one == other).all() for one, other in zip(images, anew, strict=True))
    assert (images[0] != images[1]).any()
    assert images[0].dtype == np.uint8 and (images[0][..., 3] == 255).all()


def test_the_painter_shows_the_static_figure():
    studies = simulate_studies(WORLD, StudyDesign(20, 2, 0.0))
    figure = interval_figures.studies_figure(studies)
    figure.set_dpi(100)
    agg = FigureCanvasAgg(figure)
    agg.draw()
    differs = (np.asarray(agg.buffer_rgba()) != StudiesPainter().painted(studies)).any(axis=2)
    assert differs.mean() < 0.02  # what is drawn over what, where lines cross


def test_all_resamples_are_drawn():
    above, below = interval_figures.resample_figure([1.0, 2.0, 3.0]).axes
    assert sum(bar.get_height() for bar in below.patches[:-1]) == 27
    assert above.get_title().startswith("mean +2.00, 95 % of all resamples in [+1.22, +2.78]")


def test_rows_of_intervals_keep_their_order_and_say_their_numbers():
    rows = {"x": Estimate(1.0, 0.1, 0.5, 1.5, 3, 9), "y": Estimate(0.2, 0.1, -0.5, 0.9, 3, 9)}
    panel = interval_figures.intervals_figure(rows, "t").axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["x", "y"]
    assert [text.get_text() for text in panel.texts] == [
        "+1.00 [+0.50, +1.50]", "+0.20 [-0.50, +0.90]"
    ]  # fmt: skip


def test_a_power_figure_has_a_column_for_each_world_and_a_curve_for_each_number_of_seeds():
    figure = interval_figures.power_figure({"a": WORLD, "b": 3 * WORLD}, 1.0, (1, 3))
    assert len(figure.axes) == 4
    curves = [line for line in figure.axes[0].lines if "seed" in str(line.get_label())]
    assert [line.get_label() for line in curves] == ["1 seed", "3 seeds"]
    assert all(0 <= y <= 100 for line in curves for y in line.get_ydata())
    easy, hard = (axis.lines[1].get_ydata() for axis in figure.axes[:2])
    assert np.sum(easy) > np.sum(hard)
