"""From box to accepted object, back and forth, with two windows at one folder."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from openscenes import masks
from openscenes.annotator.screen.drawing import ObjectPainter, alternative, marks, next_step
from openscenes.annotator.screen.toolbar import HELP, KEYS, follow
from openscenes.errors import InputError

desks = SimpleNamespace(**run_path(str(Path(__file__).parent / "desks.py")))


@pytest.fixture
def folder(tmp_path):
    return desks.write_images(tmp_path)


@pytest.fixture
def desk(folder):
    return desks.desk(folder)


def test_box_and_point_make_an_object_that_is_chosen(desk):
    made = desks.click_object(desk)
    assert made.box == (5.0, 10.0, 25.0, 40.0)
    assert [click[:3] for click in made.clicks] == [(12.0, 20.0, 1)]
    assert masks.decode(made.mask).sum() == 20 * 30
    assert made.model == "first"
    assert (desk.chosen, desk.box) == (made.object_id, None)
    assert desk.progress() == "image 1 of 3, 0 objects accepted"


def test_a_correction_is_asked_with_all_clicks_before_it(desk):
    desks.click_object(desk)
    desk.correct(10, 15, -1)
    desk.correct(11, 15, -1)
    assert desk.session.asked[-1][3] == ((10.0, 15.0, -1), (11.0, 15.0, -1))
    assert masks.decode(desk.object.mask).sum() == 18 * 30
    assert [click.sign for click in desk.object.clicks] == [1, -1, -1]


def test_undo_and_redo_walk_through_everything(desk):
    desks.click_object(desk)
    desk.correct(10, 15, -1)
    desk.accept()
    assert (desk.chosen, desk.n_accepted()) == (None, 1)
    desk.undo()
    assert not desk.object.accepted
    desk.undo()
    assert len(desk.object.clicks) == 1
    desk.undo()
    assert (desk.object, desk.objects) == (None, ())
    with pytest.raises(InputError, match="nothing left to take back"):
        desk.undo()
    for _ in range(3):
        desk.redo()
    assert desk.object.accepted
    assert len(desk.object.clicks) == 2


def test_undo_takes_back_a_box_first(desk):
    desks.click_object(desk)
    desk.draw((1, 1, 9, 9))
    assert desk.object is None
    desk.undo()
    assert (desk.box, len(desk.objects)) == (None, 1)


def test_one_goes_back_to_an_earlier_object_and_corrects_it(desk):
    first = desks.click_object(desk)
    desk.accept()
    desks.click_object(desk, (0, 0, 10, 10), (5, 5))
    desk.choose(first.object_id)
    desk.correct(6, 12, -1)
    assert desk.object.object_id == first.object_id
    assert not desk.object.accepted  # what was accepted is no longer what is seen
    assert desk.session.asked[-1][1] == (5.0, 10.0, 25.0, 40.0)


def test_undo_follows_to_the_image_of_the_change(desk):
    made = desks.click_object(desk)
    desk.go(1)
    assert (desk.place, desk.object) == (1, None)
    desk.undo()
    assert desk.place == 0
    desk.redo()
    assert desk.chosen == made.object_id


def test_names_are_remembered_in_the_order_of_their_first_use(desk):
    for name in ("cat", "dog", "dog "):
        desks.click_object(desk)
        desk.name(name)
    assert desk.classes.names() == ("cat", "dog")
    desk.name("")
    assert desk.object.class_name is None


def test_deleting_is_undone(desk):
    desks.click_object(desk)
    desk.delete()
    assert (desk.objects, desk.object) == ((), None)
    desk.undo()
    assert desk.object is not None


def test_what_cannot_be_done_is_said(desk):
    with pytest.raises(InputError, match="no box yet; draw one"):
        desk.point(3, 3)
    with pytest.raises(InputError, match="No object is chosen; draw a box"):
        desk.accept()
    with pytest.raises(InputError, match="This is the first of 3 images"):
        desk.go(-1)
    desk.draw((5, 5, 20, 20))
    with pytest.raises(InputError, match="lies outside the box"):
        desk.point(30, 30)
    assert desk.box is not None  # the box waits for a better point
    assert not desk.objects


def test_another_window_is_seen_before_the_next_action(folder, desk):
    other = desks.desk(folder)
    made = desks.click_object(desk)
    other.refresh()
    other.choose(made.object_id)
    other.delete()
    with pytest.raises(InputError, match="No object is chosen"):
        desk.accept()
    desk.refresh()
    assert desk.chosen is None


def test_a_restart_shows_everything_again(folder, desk):
    desks.click_object(desk)
    desk.name("cat")
    desk.accept()
    desks.click_object(desk, (0, 0, 9, 9), (4, 4))
    again = desks.desk(folder)
    assert (again.place, again.object) == (0, desk.object)  # which goes on to be corrected
    again.correct(3, 3, -1)
    assert len(again.object.clicks) == 2
    assert [(one.class_name, one.accepted) for one in again.objects] == [
        ("cat", True),
        ("cat", False),
    ]
    assert again.progress() == "image 1 of 3, 1 object accepted"
    again.accept()
    once_more = desks.desk(folder)
    assert (once_more.place, once_more.chosen) == (
        1,
        None,
    )  # the first image without an accepted object


def test_a_large_image_is_asked_in_its_own_pixels(tmp_path):
    Image.fromarray(np.zeros((1500, 3000, 3), np.uint8)).save(tmp_path / "large.png")
    desk = desks.desk(tmp_path)
    assert desk.displayed.pixels.shape == (512, 1024, 3)
    made = desks.click_object(desk, (301, 602, 903, 1205), (600, 901))
    assert (made.box, made.clicks[0][:2]) == ((301, 602, 903, 1205), (600, 901))
    assert masks.decode(made.mask).shape == (1500, 3000)
    assert desk.mask_of(made).sum() == pytest.approx(602 * 603 * (1024 / 3000) ** 2, rel=0.01)
    assert marks(desk) == ([301, 602, 903, 1205], [[600, 901, 1]])


def test_another_version_answers_from_now_on(desk):
    first = desks.click_object(desk)
    desk.use(desks.BoxModel("second"))
    assert desk.object.model == "first"
    desk.correct(8, 12, -1)
    assert (desk.object.object_id, desk.object.model) == (first.object_id, "second")


@pytest.mark.parametrize("kind", ["undo", "redo", "accept", "delete"])
def test_keys_with_nothing_to_do_say_so(desk, kind):
    with pytest.raises(InputError, match="nothing left|No object is chosen"):
        follow(desk, {"n": 1, "kind": kind})


def test_gestures_do_what_the_help_line_says(desk):
    follow(desk, {"kind": "box", "box": [5, 10, 25, 40]})
    follow(desk, {"kind": "point", "row": 12, "col": 20, "sign": 1})
    follow(desk, {"kind": "click", "row": 10, "col": 15, "sign": -1})
    follow(desk, {"kind": "accept"})
    assert desk.n_accepted() == 1
    follow(desk, {"kind": "next"})
    assert desk.place == 1
    follow(desk, {"kind": "box", "box": [5, 10, 25, 40]})
    follow(desk, {"kind": "clear"})
    assert desk.box is None
    assert all(f"<kbd>{key}</kbd> {meaning}" in HELP for key, meaning in KEYS)


def test_the_image_is_said_in_words_with_numbers(desk):
    assert "Drag a box" in next_step(desk)
    desk.draw((5, 10, 25, 40))
    assert "Click once inside" in next_step(desk)
    assert "A box is drawn, rows 5 to 25, columns 10 to 40." in alternative(desk)
    desk.point(12, 20)
    desk.name("cat")
    said = alternative(desk)
    assert "0.png, 60 by 40 pixels, image 1 of 3, 0 objects accepted" in said
    assert "Chosen: cat at row 12, column 20, mask of 25.0 % of the image, 1 click" in said
    desk.accept()
    assert "1 object on it, 1 accepted" in alternative(desk)


def test_others_are_painted_once(desk, monkeypatch):
    painter, painted = ObjectPainter(), []
    desks.click_object(desk, (0, 0, 10, 10), (5, 5))
    desk.accept()
    desks.click_object(desk)
    mask_of = desk.mask_of
    monkeypatch.setattr(desk, "mask_of", lambda one: painted.append(one.object_id) or mask_of(one))
    first = painter.overlay(desk)
    desk.correct(6, 12, -1)
    second = painter.overlay(desk)
    assert first != second
    assert painted.count(desk.object.object_id) == 2
    assert len(painted) == 3
    desk.go(1)
    assert painter.overlay(desk) == b""
