"""Heat maps write every value and mark what was learned; options stand by setting."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from openscenes.errors import InputError
from openscenes.study.experiments.table_3 import sensitivity_frame
from openscenes.study.figures import matrix as matrix_figures
from openscenes.study.figures.matrix import matrix_figure, sensitivity_figure
from openscenes.study.pages.tables import write_frame
from openscenes.study.scores.continual import Continual
from openscenes.study.scores.statistics import Estimate


def value(mean, half=1.0):
    return Estimate(mean, 0.5, mean - half, mean + half, 3, 20)


def method(matrix):
    cells = {(i, j): value(matrix[i][j]) for i in range(len(matrix)) for j in range(len(matrix))}
    return Continual(cells, value(71.0), value(-4.5), value(2.0), value(4.5))


R = [[80.0, 50.0, 60.0], [76.0, 70.0, 64.0], [74.0, 67.0, 72.0]]
HIGHER = [[90.0, 55.0, 65.0], [88.0, 77.0, 68.0], [86.0, 75.0, 78.0]]


@pytest.fixture(scope="module")
def figure():
    return matrix_figure({"IOG": method(R), "Ours": method(HIGHER)}, "made up")


def frames_of(panel):
    return [patch for patch in panel.patches if isinstance(patch, Rectangle)]


def test_every_mean_and_interval_stands_in_its_cell(figure):
    texts = {(t.get_position()[0], round(t.get_position()[1])): [] for t in figure.axes[0].texts}
    for text in figure.axes[0].texts:
        column, row = text.get_position()
        texts[column, round(row)].append(text.get_text())
    assert texts[1, 0] == ["50.0", "49.0–51.0"]
    assert texts[0, 2] == ["74.0", "73.0–75.0"]
    assert len(texts) == 9


def test_learned_cells_are_framed_and_zero_shot_cells_in_italics(figure):
    panel = figure.axes[0]
    framed = {tuple(round(v + 0.46) for v in frame.get_xy()) for frame in frames_of(panel)}
    assert framed == {(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)}  # (set, step)
    italic = {text.get_text() for text in panel.texts if text.get_style() == "italic"}
    assert italic == {"50.0", "60.0", "64.0"}
    words = " ".join(text.get_text() for text in figure.legends[0].get_texts())
    assert "frame: learned" in words
    assert "zero-shot" in words


def test_one_colour_scale_serves_all(figure):
    first, second, bar = figure.axes
    assert bar.get_ylim() == (50.0, 90.0)
    lowest, highest = first.images[0].get_array()[0, 1], second.images[0].get_array()[0, 0]
    assert to_hex(lowest) == to_hex(matrix_figures.ScalarMappable(cmap="cividis").cmap(0.0))
    assert to_hex(highest) == to_hex(matrix_figures.ScalarMappable(cmap="cividis").cmap(1.0))


def test_text_is_readable_on_its_cell(figure):
    for panel in figure.axes[:2]:
        colours = panel.images[0].get_array()
        for text in panel.texts:
            column, row = text.get_position()
            light = colours[round(row), round(column), :3] @ (0.2126, 0.7152, 0.0722) > 0.45
            assert text.get_color() == ("black" if light else "white")


def test_panels_name_methods_steps_sets_and_summaries(figure):
    first, second, _ = figure.axes
    assert [first.get_title(), second.get_title()] == ["IOG", "Ours"]
    steps = [label.get_text() for label in first.get_yticklabels()]
    assert steps == ["after VOC", "after Cityscapes", "after COCO"]
    assert [label.get_text() for label in first.get_xticklabels()][2] == "on COCO"
    assert first.get_xlabel().splitlines() == [
        "ACC 71.0 [70.0, 72.0]", "BWT -4.5 [-5.5, -3.5]", "FWT +2.0 [+1.0, +3.0]",
        "forgetting +4.5 [+3.5, +5.5]",
    ]  # fmt: skip
    assert figure.get_suptitle() == "made up"
    figure.draw_without_rendering()


def test_matrices_of_other_lengths_are_refused():
    short = method([[80.0, 50.0], [70.0, 60.0]])
    with pytest.raises(InputError, match=r"got \[2, 3\]"):
        matrix_figure({"IOG": method(R), "Ours": short}, "made up")
    with pytest.raises(InputError, match="at most 2 named sets"):
        matrix_figure({"IOG": method(R)}, "made up", ["VOC", "COCO"])


def test_no_method_is_refused():
    with pytest.raises(InputError, match=r"got \[\]"):
        matrix_figure({}, "made up")


ROWS = [
    ("temperature", "0.5", value(-2.0)),
    ("temperature", "2", value(0.5)),
    ("erosion", "7 × 7", value(3.0)),
]


def dots_of(panel):
    return [line for line in panel.lines if line.get_marker() == "o"]


def test_options_stand_under_their_setting():
    figure = sensitivity_figure(ROWS, "made up", "what Table 4 uses")
    first, second = figure.axes
    assert [first.get_title(loc="left"), second.get_title(loc="left")] == ["temperature", "erosion"]
    assert [label.get_text() for label in first.get_yticklabels()] == ["0.5", "2"]
    assert second.get_xlabel() == "difference to what Table 4 uses, points of mIoU"
    assert figure.get_suptitle() == "made up"
    figure.draw_without_rendering()


def test_differences_intervals_and_numbers_are_drawn():
    first, second = sensitivity_figure(ROWS, "made up").axes
    assert [dot.get_xdata()[0] for dot in dots_of(first)] == [-2.0, 0.5]
    intervals = [tuple(line.get_xdata()) for line in first.lines if line.get_linewidth() == 2.0]
    assert intervals == [(-3.0, -1.0), (-0.5, 1.5)]
    assert [text.get_text() for text in second.texts] == ["+3.00 [+2.00, +4.00]"]


def test_a_dot_is_hollow_where_the_interval_holds_zero():
    first, _ = sensitivity_figure(ROWS, "made up").axes
    assert [dot.get_markerfacecolor() == "white" for dot in dots_of(first)] == [False, True]


def test_panels_share_their_scale():
    first, second = sensitivity_figure(ROWS, "made up").axes
    assert first.get_xlim() == second.get_xlim()


def test_a_setting_in_two_places_and_no_rows_are_refused():
    with pytest.raises(InputError, match="sort the rows by setting"):
        sensitivity_figure([ROWS[0], ROWS[2], ROWS[1]], "made up")
    with pytest.raises(InputError, match=r"got settings \[\]"):
        sensitivity_figure([], "made up")


def test_colours_come_from_the_houses_palette():
    source = Path(matrix_figures.__file__).read_text(encoding="utf-8")
    assert "#" not in source.replace("# fmt: skip", "")
    assert "pyplot" not in source
    assert np.all([name in source for name in ("PALETTE", "cividis")])


def test_settings_are_written_whole_and_rounded(tmp_path):
    value = Estimate(1.23456, float("nan"), -0.5, 2.0, 1, 7)
    frame = sensitivity_frame({"COCO": [("vote", "soft", value), ("vote", "hard", value)]})
    assert write_frame(frame, tmp_path, "table_3_sensitivity") == "table_3_sensitivity.csv"
    (path,) = (tmp_path / "tables").iterdir()
    read = pd.read_csv(path)
    assert list(read.columns) == list(frame.columns)
    assert read["change"].tolist() == [1.235, 1.235]
    assert read["option"].tolist() == ["soft", "hard"]
    assert read["std"].isna().all()
