"""Curves say what was measured, start where a system starts, and keep their colours."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from openscenes.errors import InputError
from openscenes.study.figures import curves as curve_figures
from openscenes.study.figures.curves import (
    MARKERS,
    click_figure,
    noc_figure,
    reached,
    subset_figure,
    system_styles,
)
from openscenes.study.figures.palette import PALETTE, SERIES
from openscenes.study.scores.noc import ClickCurve
from openscenes.study.scores.results import Block, Row, Table
from openscenes.study.scores.statistics import estimate, paired_difference

# Two seeds, two objects, three clicks.
IOU = np.array([[[0.2, 0.9, 0.8], [0.4, 0.5, 0.6]], [[0.2, 0.3, 0.8], [0.4, 0.5, 0.8]]])


def series_of(names=("VOC", "Cityscapes")):
    curves = {
        "iFCN": ClickCurve(1, IOU),
        "DEXTR": ClickCurve(4, IOU[..., :1]),
        "Ours": ClickCurve(3, IOU[..., 1:]),
    }
    return {name: dict(curves) for name in names}


@pytest.fixture(scope="module")
def figure():
    return click_figure(series_of(), "made up")


def curves_of(panel):
    return [line for line in panel.lines if line.get_marker() in MARKERS]


def test_a_curve_is_the_mean_over_seeds_and_objects_from_its_first_click(figure):
    ifcn, dextr, ours = curves_of(figure.axes[0])
    assert list(ifcn.get_xdata()) == [1, 2, 3]
    assert list(ifcn.get_ydata()) == pytest.approx([30, 55, 75])
    assert list(dextr.get_xdata()) == [4]
    assert list(ours.get_xdata()) == [3, 4]
    assert list(ours.get_ydata()) == pytest.approx([55, 75])


def test_bands_are_the_intervals_of_the_mean():
    rng = np.random.default_rng(0)
    iou = rng.uniform(0, 1, (3, 60, 2))
    panel = click_figure({"VOC": {"Ours": ClickCurve(1, iou)}}, "made up").axes[0]
    edges = panel.collections[0].get_paths()[0].get_extents()
    found = [estimate(iou[..., click]) for click in range(2)]
    assert edges.y0 == pytest.approx(min(e.low for e in found), abs=1.0)
    assert edges.y1 == pytest.approx(max(e.high for e in found), abs=1.0)


def test_bands_draw_images_with_all_their_objects():
    """Six objects of each image that score alike are no more than one of it."""
    single = np.random.default_rng(0).uniform(0, 1, (1, 10, 2))
    images = [f"set:{image}" for image in range(10) for _ in range(6)]
    whole = ClickCurve(1, np.repeat(single, 6, axis=1), images).upto(2)
    curves = (whole, whole._replace(images=None), ClickCurve(1, single))
    panels = [click_figure({"VOC": {"Ours": curve}}, "made up").axes[0] for curve in curves]
    heights = [one.collections[0].get_paths()[0].get_extents().height for one in panels]
    assert heights[0] == pytest.approx(heights[2])
    assert heights[0] > 1.5 * heights[1]


def test_a_single_answer_has_an_error_bar_and_no_band(figure):
    panel = figure.axes[0]
    assert len(panel.collections) == 2
    (bar,) = [line for line in panel.lines if list(line.get_xdata()) == [4, 4]]
    low, high = bar.get_ydata()
    assert low == pytest.approx(20)
    assert high == pytest.approx(40)


def test_targets_are_lines_and_words(figure):
    titles = [panel.get_title() for panel in figure.axes]
    assert titles == ["VOC (2 objects), target 85 %", "Cityscapes (2 objects), target 80 %"]
    for panel, target in zip(figure.axes, (85, 80), strict=True):
        assert [line.get_ydata()[0] for line in panel.lines if line.is_dashed()] == [target]


def test_a_set_without_target_is_drawn_without_line():
    (panel,) = click_figure(series_of(["CamVid"]), "made up").axes
    assert panel.get_title() == "CamVid (2 objects)"
    assert not any(line.is_dashed() for line in panel.lines)


def test_reached_stays_reached():
    assert reached(IOU[0], 0.85).tolist() == [[0, 1, 1], [0, 0, 0]]
    assert reached(IOU[0], 0.6).tolist() == [[0, 1, 1], [0, 0, 1]]


def test_shares_of_objects_and_what_noc_counts():
    figure = noc_figure({"VOC": {"iFCN": ClickCurve(1, IOU)}}, "made up", {"VOC": 0.8}, 3)
    (curve,) = curves_of(figure.axes[0])
    shares = curve.get_ydata() / 100
    assert list(shares) == pytest.approx([0, 0.25, 0.75])
    noc = np.mean([2, 3, 3, 3])  # click of the first success, 3 where there is none
    assert 1 + np.sum(1 - shares[:-1]) == pytest.approx(noc)


def test_noc_needs_every_target():
    with pytest.raises(InputError, match="no target IoU is given for CamVid"):
        noc_figure(series_of(["CamVid"]), "made up")


def test_the_legend_says_what_each_training_starts_from():
    figure = noc_figure(series_of(), "made up", beginnings={"iFCN": "ImageNet", "Ours": "random"})
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words[:3] == ["iFCN (ImageNet)", "DEXTR (from click 4)", "Ours (from click 3, random)"]


def test_a_legend_outside_names_every_system_and_its_start(figure):
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["iFCN", "DEXTR (from click 4)", "Ours (from click 3)", "95 % interval"]
    assert all(panel.get_legend() is None for panel in figure.axes)
    assert figure.get_suptitle() == "made up"
    figure.draw_without_rendering()


def test_a_system_keeps_its_style_in_every_panel_and_ours_is_the_houses():
    series = series_of()
    del series["Cityscapes"]["iFCN"]
    figure = click_figure(series, "made up")
    first, second = ({to_hex(line.get_color()) for line in curves_of(p)} for p in figure.axes)
    assert second < first
    assert system_styles(series)["Ours"] == (PALETTE["ours"], "o")


def test_seven_systems_have_seven_colours_and_markers():
    names = ["Ours", *"ABCDEF"]
    styles = system_styles({"VOC": {name: ClickCurve(1, IOU) for name in names}})
    assert {colour for colour, _ in styles.values()} == set(SERIES)
    assert {marker for _, marker in styles.values()} == set(MARKERS)


def test_colours_come_from_the_houses_palette():
    assert "#" not in Path(curve_figures.__file__).read_text().replace("# fmt: skip", "").replace(
        "  # ", ""
    )


@pytest.mark.parametrize("curve", [ClickCurve(1, IOU[0]), ClickCurve(19, IOU)])
def test_curves_of_other_shapes_are_refused(curve):
    with pytest.raises(InputError, match="the curve of iFCN starts at click"):
        click_figure({"VOC": {"iFCN": curve}}, "made up")


PAPER = {"None": 73.7, "25 %": 78.3, "50 %": 78.9, "75 %": 79.2, "Full": 79.3}


@cache
def small_life(n_seeds=2):
    rng, rows, lines = np.random.default_rng(1), [], []
    start = rng.uniform(0.3, 0.6, (n_seeds, 8))
    for i, (label, paper) in enumerate(PAPER.items()):
        scores = start + 0.01 * i + (rng.normal(0, 0.02, start.shape) if i else 0)
        first = paired_difference(scores, start) if i else None
        rows.append(Row(label, paper, estimate(scores), first, first))
        lines += [
            {"block": "Cityscapes", "row": label, "seed": seed, "object_id": str(k), "iou": iou}
            for seed, values in enumerate(scores)
            for k, iou in enumerate(values)
        ]
    block = Block("Cityscapes", tuple(rows))
    return Table(7, "made up.", (block,), pd.DataFrame(lines), ())


def test_a_small_life_draws_changes_intervals_and_the_papers_changes():
    table = small_life()
    (panel,) = subset_figure(table).axes
    rows = table.blocks[0].rows
    (ours,) = [line for line in panel.lines if line.get_marker() == "o"]
    assert list(ours.get_ydata()) == [0.0, *(row.to_first.mean for row in rows[1:])]
    intervals = [tuple(line.get_ydata()) for line in panel.lines if line.get_linewidth() == 2.5]
    assert intervals == [(row.to_first.low, row.to_first.high) for row in rows[1:]]
    published = [line for line in panel.lines if line.get_marker() == "D"]
    changes = [line.get_ydata()[0] for line in published]
    assert changes == pytest.approx([4.6, 5.2, 5.5, 5.6])
    assert all(line.get_markerfacecolor() == "none" for line in published)


def test_a_small_life_names_its_shares_and_our_means():
    table = small_life()
    (panel,) = subset_figure(table).axes
    labels = [label.get_text() for label in panel.get_xticklabels()]
    assert labels == [f"{row.label}\n{row.ours.mean:.1f}" for row in table.blocks[0].rows]


def test_seeds_of_a_small_life_average_to_its_line():
    table = small_life(n_seeds=3)
    (panel,) = subset_figure(table).axes
    seeds = [line.get_ydata() for line in panel.lines if line.get_alpha() == 0.35]
    (ours,) = [line for line in panel.lines if line.get_marker() == "o"]
    assert len(seeds) == 3
    assert np.mean(seeds, axis=0) == pytest.approx(ours.get_ydata())


def test_one_seed_has_no_lines_beside_the_mean():
    (panel,) = subset_figure(small_life(n_seeds=1)).axes
    assert not [line for line in panel.lines if line.get_alpha() == 0.35]
