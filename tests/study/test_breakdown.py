"""Groups of objects by hand: who is in which, their means, their changes, how they are drawn."""

import numpy as np
import pandas as pd
import pytest

from openscenes.errors import InputError
from openscenes.study.figures.forest import breakdown_figure
from openscenes.study.options import profile_named
from openscenes.study.runs.store import read_scores
from openscenes.study.scores.breakdown import (
    OTHERS,
    breakdown_markdown,
    by_class,
    by_size,
    rows_of,
    size_limits,
)
from openscenes.study.scores.statistics import paired_difference

AREAS = {"a": 100, "b": 1023, "c": 1024, "d": 9215, "e": 9216, "f": 50_000}
CLASSES = {"a": "cat", "b": "cat", "c": "dog", "d": "cat", "e": "dog", "f": "emu"}
# Per object, the same for both seeds: IoU of the first row, and what the second adds.
FIRST = {"a": 0.2, "b": 0.4, "c": 0.5, "d": 0.7, "e": 0.8, "f": 0.9}
GAIN = {"a": 0.1, "b": 0.3, "c": 0.0, "d": 0.0, "e": -0.1, "f": -0.1}


def long(block="COCO", seed_shift=0.02, n_seeds=2):
    return pd.DataFrame(
        [
            (block, row, seed, name, CLASSES[name], AREAS[name],
             FIRST[name] + (row == "second") * GAIN[name] + seed * seed_shift)
            for row in ("first", "second")
            for seed in range(n_seeds)
            for name in AREAS
        ],
        columns=["block", "row", "seed", "object_id", "class_name", "area", "iou"],
    )  # fmt: skip


def line(frame, group, row):
    (found,) = frame[frame["group"].str.startswith(group) & (frame["row"] == row)].itertuples()
    return found


def test_cocos_limits_belong_to_the_larger_size():
    frame = by_size(long())
    assert list(frame["group"].unique()) == ["small, < 1,024 px", "medium", "large, ≥ 9,216 px"]
    assert list(frame["n_objects"]) == [2] * 6
    assert list(frame["row"]) == ["first", "second"] * 3


def test_means_spread_and_changes_by_hand():
    frame = by_size(long())
    small = line(frame, "small", "second")
    assert small.mean == pytest.approx(100 * (0.3 + 0.7) / 2 + 1.0)  # seeds 0 and +2 points
    assert small.std == pytest.approx(np.sqrt(2))
    assert small.change == pytest.approx(20.0)
    assert small.low == pytest.approx(10.0)  # one object drawn twice
    assert small.high == pytest.approx(30.0)
    large = line(frame, "large", "second")
    assert (large.low, large.change, large.high) == pytest.approx((-10, -10, -10))


def test_the_first_row_has_no_change():
    first = by_size(long())[lambda frame: frame["row"] == "first"]
    assert first[["change", "low", "high"]].isna().all(axis=None)


def test_one_seed_has_no_spread():
    assert by_size(long(n_seeds=1))["std"].isna().all()


def test_sizes_without_objects_are_left_out():
    tiny = long().assign(area=50)
    assert list(by_size(tiny)["group"].unique()) == ["small, < 1,024 px"]


def test_terciles_hold_equally_many_objects_of_each_block():
    other = long("Cityscapes").assign(area=lambda frame: frame["area"] * 10)
    frame = by_size(pd.concat([long(), other]), "terciles")
    assert list(frame["n_objects"]) == [2] * 12
    assert list(frame["group"].unique()[:3]) == [
        "small, < 1,024 px", "medium", "large, ≥ 9,216 px",  # 1023.7 and 9215.3, rounded up
    ]  # fmt: skip
    assert frame.loc[frame["block"] == "Cityscapes", "group"].iloc[0].startswith("small, < 10,2")


def test_other_limits_are_refused():
    with pytest.raises(InputError, match='got "halves"'):
        by_size(long(), "halves")


def test_rare_classes_are_pooled_and_come_last():
    frame = by_class(long(), min_objects=2)
    assert list(frame["group"].unique()) == ["cat", "dog", OTHERS]
    assert list(frame["n_objects"][::2]) == [3, 2, 1]
    assert line(frame, "cat", "first").mean == pytest.approx(100 * (0.2 + 0.4 + 0.7) / 3 + 1.0)
    assert line(frame, OTHERS, "second").change == pytest.approx(-10.0)


def test_five_objects_make_a_class():
    frame = by_class(long().assign(class_name="cat"))
    assert list(frame["group"].unique()) == ["cat"]
    assert list(by_class(long())["group"].unique()) == [OTHERS]


def test_groups_together_are_the_whole():
    objects = long()
    for frame in (by_size(objects), by_class(objects, min_objects=2)):
        second = frame[frame["row"] == "second"]
        whole = objects[objects["row"] == "second"]["iou"].mean()
        mean = (second["mean"] * second["n_objects"]).sum() / second["n_objects"].sum()
        assert mean == pytest.approx(100 * whole)


def test_intervals_agree_with_the_paired_difference_of_the_group():
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0, 1, (2, 3, 40))
    objects = pd.DataFrame(
        [
            ("COCO", row, seed, i, "cat", 50, value)
            for row, scores in (("first", first), ("second", second))
            for seed, values in enumerate(scores)
            for i, value in enumerate(values)
        ],
        columns=["block", "row", "seed", "object_id", "class_name", "area", "iou"],
    )
    found, plain = line(by_size(objects), "small", "second"), paired_difference(second, first)
    assert found.change == pytest.approx(plain.mean)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=1.0)


def test_a_row_that_lacks_objects_is_named():
    objects = long()
    gap = objects[~((objects["row"] == "second") & (objects["object_id"] == "c"))]
    with pytest.raises(InputError, match='row "second" lacks 2 scores'):
        by_size(gap)


def test_a_class_called_like_a_gap_is_a_class():
    names = {"a": "NA", "b": "None", "c": "a|b\n<b>"}
    objects = pd.DataFrame(
        [("COCO", row, 0, name, names[name], 9.0, iou)
         for row, iou in (("first", 0.25), ("second", 0.5)) for name in names],
        columns=["block", "row", "seed", "object_id", "class_name", "area", "iou"],
    )  # fmt: skip
    read = read_scores(objects.to_csv(index=False))
    frame = by_class(read, min_objects=1)
    assert set(frame["group"]) == set(names.values())
    text = breakdown_markdown(frame, "class")
    assert "| NA | 1 | 25.0 |" in text and "| None | 1 | 25.0 |" in text
    assert r"| a\|b\\n&lt;b&gt; | 1 |" in text


def test_markdown_writes_a_line_per_group_and_bold_where_zero_is_left_out():
    text = breakdown_markdown(by_size(long()), "size")
    assert "## COCO\n\n| size | objects | first | second |\n| --- | --- | --- | --- |\n" in text
    assert "| small, < 1,024 px | 2 | 31.0 | 51.0 (**+20.0** [+10.0, +30.0]) |" in text
    assert "| medium | 2 | 61.0 | 61.0 (+0.0 [+0.0, +0.0]) |" in text
    assert "Of 3 such intervals about 0 would" in text


@pytest.fixture(scope="module")
def figure():
    frame = by_size(pd.concat([long(), long("Cityscapes")]))
    return breakdown_figure(frame, "six objects")


def test_the_figure_has_a_panel_per_block_and_later_row(figure):
    assert len(figure.axes) == 2
    assert [panel.get_title() for panel in figure.axes] == ["second", "second"]
    assert [panel.get_ylabel() for panel in figure.axes] == ["COCO", "Cityscapes"]
    assert figure.get_suptitle() == "six objects"
    assert "change to first" in figure.get_supxlabel()
    figure.draw_without_rendering()


def test_the_figure_draws_each_change_its_interval_and_the_mean(figure):
    panel = figure.axes[0]
    dots = [line for line in panel.lines if line.get_marker() == "o"]
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([20.0, 0.0, -10.0])
    assert [dot.get_markerfacecolor() == "white" for dot in dots] == [False, True, False]
    intervals = [tuple(line.get_xdata()) for line in panel.lines if line.get_linewidth() == 2.0]
    assert np.allclose(intervals, [(10, 30), (0, 0), (-10, -10)])
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["small, < 1,024 px (2)", "medium (2)", "large, ≥ 9,216 px (2)"]
    assert [text.get_text() for text in panel.texts] == ["51.0", "61.0", "76.0", "mIoU"]
    bottom, top = panel.get_ylim()
    assert bottom > top


ROWS = pd.DataFrame({"row": ["a", "b", "c"] * 2, "iou": range(6)})


def test_rows_come_in_the_order_that_is_wanted():
    found = rows_of(ROWS, ("c", "a"))
    assert list(found["row"].unique()) == ["c", "a"]
    assert list(found["iou"]) == [2, 5, 0, 3]


def test_a_row_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"no row d; choose among a, b, c"):
        rows_of(ROWS, ("a", "d"))


def test_real_images_are_measured_by_cocos_limits_and_synthetic_ones_by_terciles():
    assert size_limits(profile_named("demo")) == "terciles"
    assert size_limits(profile_named("study")) == "coco"
