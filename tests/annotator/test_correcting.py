"""Corrections at the desk beside clicks, each one step of the log."""

from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

from openscenes import masks
from openscenes.annotator.exchange.exported import exported_images
from openscenes.annotator.screen.correcting import in_order, outlines, tidy
from openscenes.annotator.screen.drawing import ObjectPainter, Part, described, next_step
from openscenes.annotator.screen.steps_panel import go_to, step_in_words
from openscenes.annotator.screen.toolbar import follow
from openscenes.annotator.store.log import Log
from openscenes.errors import InputError

desks = run_path(str(Path(__file__).with_name("desks.py")))
STROKE = {"kind": "stroke", "points": [[30, 12], [30, 38]], "radius": 2.0, "sign": 1}


@pytest.fixture
def desk(tmp_path):
    made = desks["desk"](desks["write_images"](tmp_path))
    desks["click_object"](made)
    return made


def mask_of(desk):
    return masks.decode(desk.object.mask)


def lines(desk):
    return Log(desk.workspace.log_path).read_new()


def test_a_stroke_is_a_line_of_the_log_and_outlives_a_click(desk):
    before = mask_of(desk)
    follow(desk, STROKE)
    (row, col), line = (30, 20), lines(desk)[-1]
    assert (line.action, line.stroke.radius, line.stroke.sign) == ("brushed", 2.0, 1)
    assert line.stroke.points == ((30.0, 12.0), (30.0, 38.0))
    assert mask_of(desk)[row, col] and not before[row, col]
    assert line.corrected
    follow(desk, STROKE | {"sign": -1, "points": [[10, 20], [10, 30]]})
    desk.correct(8, 12, 1)
    assert mask_of(desk)[row, col] and not mask_of(desk)[10, 25]
    assert lines(desk)[-1].stroke is None
    desk.undo()
    desk.undo()
    desk.undo()
    assert np.array_equal(mask_of(desk), before)
    desk.redo()
    assert mask_of(desk)[row, col]


def test_a_stroke_on_what_is_inside_already_stays_when_the_model_changes_its_mind(desk):
    follow(desk, STROKE | {"points": [[12, 15], [12, 35]]})
    desk.correct(12, 20, -1)  # this model takes the whole row away
    assert mask_of(desk)[12, 15:35].all()


def test_sides_of_a_box_move_before_and_after_the_point(desk):
    follow(desk, {"kind": "sides", "box": [5, 10, 28, 44]})
    made = desk.object
    assert (made.box, made.action) == ((5, 10, 28, 44), "boxed")
    assert made.first_mask == made.mask
    assert mask_of(desk)[5:28, 10:44].all()
    with pytest.raises(InputError):
        follow(desk, {"kind": "sides", "box": [20, 30, 28, 44]})  # without its point
    desk.clear()
    desk.draw((1, 1, 9, 9))
    follow(desk, {"kind": "sides", "box": [1, 1, 9, 12]})
    assert desk.box == (1, 1, 9, 12)


@pytest.mark.parametrize(
    ("action", "done"), [("filled", True), ("trimmed", False), ("smoothed", False)]
)
def test_whole_masks_are_tidied(desk, action, done):
    follow(desk, STROKE | {"sign": -1, "points": [[15, 25], [15, 26]], "radius": 1.0})
    follow(desk, STROKE | {"points": [[35, 50], [36, 52]]})
    assert not mask_of(desk)[15, 25] and mask_of(desk)[35, 50]
    tidy(desk, action)
    assert mask_of(desk)[15, 25] == done
    assert mask_of(desk)[35, 50] == (action != "trimmed")


def test_a_corner_of_the_outline_moves(desk):
    (ring,) = outlines(desk)
    after = [[24, 50] if point == [24, 39] else point for point in ring["points"]]
    follow(desk, {"kind": "ring", "hole": False, "before": ring["points"], "after": after})
    assert lines(desk)[-1].action == "reshaped"
    assert mask_of(desk)[24, 45] and mask_of(desk)[5:25, 10:40].all()


TRIANGLE = [[5, 10], [25, 10], [25, 40]]


def test_an_outline_drawn_from_nothing_is_an_object_of_the_users_own(desk):
    desk.clear()
    asked = len(desk.session.asked)
    desk.name("leaf")
    assert "corner after corner" in next_step(desk, "polygon")
    follow(desk, {"kind": "outline", "points": TRIANGLE})
    made, mask = desk.object, mask_of(desk)
    rows, cols = np.mgrid[:40, :60]
    deep = (cols - 10) * 20 - (rows - 5) * 30  # 0 on the slanting side, negative below it
    below = (rows <= 25) & (cols >= 10)
    assert mask[below & (deep <= 0)].all() and not mask[~below | (deep > 30)].any()
    assert (made.action, made.model, made.class_name) == ("drawn", "", "leaf")
    assert made.corrected and "no clicks" in described(desk, made)
    assert (outlines(desk)[0]["points"], len(desk.session.asked)) == (TRIANGLE, asked)
    words = [step_in_words(step.after) for step in desk.annotations.steps()[0]]
    assert words[-1].startswith("drawn: leaf")
    desk.undo()
    assert desk.object is None and len(desk.objects) == 1
    desk.redo()
    desk.correct(*made.clicks[0][:2], -1)  # by hand is by hand: the model takes nothing away
    assert (mask_of(desk) >= mask).all() and desk.object.n_clicks == 1
    desk.undo()
    desk.accept()
    ((image,), _) = exported_images(desk.annotations, desk.workspace)
    assert np.array_equal(masks.decode(image.objects[0].mask), mask)


def test_an_outline_beyond_the_image_ends_at_its_border(desk):
    follow(desk, {"kind": "outline", "points": [[-9, -9], [-9, 99], [99, 99], [99, -9]]})
    assert mask_of(desk).all()
    follow(desk, {"kind": "outline", "points": [[7, 9]] * 3})
    assert np.argwhere(mask_of(desk)).tolist() == [[7, 9]]


def test_corners_stay_where_the_user_puts_them(desk):
    follow(desk, {"kind": "outline", "points": TRIANGLE})
    flat = [*TRIANGLE[:2], [25, 25], TRIANGLE[2]]  # a corner that the mask does not show
    ring = {"kind": "ring", "hole": False, "before": TRIANGLE, "after": flat}
    follow(desk, ring)
    moved = [*flat[:2], [30, 25], flat[3]]
    follow(desk, ring | {"before": flat, "after": moved})
    assert outlines(desk) == [{"hole": False, "points": moved}]
    assert mask_of(desk)[28, 25]
    desk.undo()
    assert not mask_of(desk)[28, 25]
    follow(desk, STROKE)
    assert len(outlines(desk)) == 2  # traced anew


def test_order_of_overlap_is_kept_and_painted(desk):
    first = desk.chosen
    second = desks["click_object"](desk, (10, 20, 30, 50), (12, 45)).object_id
    assert [one.object_id for one in in_order(desk.objects)] == [first, second]
    follow(desk, {"kind": "lower"})
    assert [one.object_id for one in in_order(desk.objects)] == [second, first]
    with pytest.raises(InputError, match="no other object in the way"):
        follow(desk, {"kind": "lower"})
    desk.clear()
    follow(desk, {"kind": "choose", "row": 15, "col": 30})
    assert desk.chosen == first
    follow(desk, {"kind": "lower"})
    for object_id in (first, second):
        desk.choose(object_id)
        desk.accept()
    ((image,), _) = exported_images(desk.annotations, desk.workspace)
    assert [one.object_id for one in image.objects] == [first, second]
    follow(desk, {"kind": "choose", "row": 15, "col": 30})
    assert desk.chosen == second
    with pytest.raises(InputError, match="No object lies at row 39"):
        follow(desk, {"kind": "choose", "row": 39, "col": 0})


def test_classes_have_their_colours_and_parts_their_own_pixels(desk):
    desk.name("cat")
    desk.accept()
    desks["click_object"](desk, (20, 30, 38, 58), (30, 50))
    desk.name("dog")
    whole = ObjectPainter().layer(desk)
    cat, dog = whole[15, 20, :3], whole[30, 50, :3]
    assert (cat != dog).any() and not whole[0, 0].any()
    part = Part.seen([10.0, 20.0, 30.0, 60.0, 0.5], (40, 60))
    assert (part.window, part.shape) == ((10, 20, 30, 60), (10, 20))
    layer = ObjectPainter().layer(desk, part)
    assert layer.shape == (10, 20, 4)
    assert (layer[2, 3, :3] == cat).all() and (layer[9, 10, :3] == dog).all()
    assert Part.seen([], (40, 60)) is None and Part.seen([5, 5, 5, 9, 1], (40, 60)) is None


def test_steps_are_listed_and_gone_back_to(desk):
    first = mask_of(desk)
    follow(desk, STROKE)
    desk.correct(8, 12, -1)
    done, _ = desk.annotations.steps()
    words = [step_in_words(step.after).split(":")[0] for step in done]
    assert words == ["box and point", "brush, 4 px wide", "click outside"]
    go_to(desk, 1)
    assert np.array_equal(mask_of(desk), first)
    assert [len(steps) for steps in desk.annotations.steps()] == [1, 2]
    go_to(desk, 3)
    assert not mask_of(desk)[8, 30]


def test_nothing_by_hand_without_an_object(desk):
    desk.clear()
    for gesture in (STROKE, {"kind": "raise"}, {"kind": "sides", "box": [1, 1, 5, 5]}):
        with pytest.raises(InputError, match="No object is chosen"):
            follow(desk, gesture)
