"""Classes: keys, the one that stays, another name everywhere at once, and undo of it."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from openscenes.annotator.screen.class_colours import COLOURS, class_colours, ink_on
from openscenes.annotator.screen.classes import FILE
from openscenes.errors import InputError

desks = SimpleNamespace(**run_path(str(Path(__file__).parent / "desks.py")))


@pytest.fixture
def desk(tmp_path):
    return desks.desk(desks.write_images(tmp_path))


def classes_of(desk):
    return [one.class_name for one in desk.annotations.objects()]


def test_the_last_class_stays_and_a_key_sets_it_before_or_after(desk):
    desk.name("cat")  # before anything is drawn
    desks.click_object(desk)
    assert desk.object.class_name == "cat"
    desk.name("dog")
    desk.accept()
    desks.click_object(desk)
    assert classes_of(desk) == ["dog", "dog"]
    desk.name_by_key(1)
    assert classes_of(desk) == ["dog", "cat"]
    desk.accept()
    desk.name_by_key(2)  # the next one's: what is accepted has a class
    assert (classes_of(desk), desk.classes.label) == (["dog", "cat"], "dog")
    desk.name("")
    desks.click_object(desk)
    desk.accept()
    desk.name_by_key(2)  # just accepted, and without class
    assert classes_of(desk) == ["dog", "cat", "dog"]
    with pytest.raises(InputError, match="key 3 has no class: the list has 2"):
        desk.name_by_key(3)


def test_keys_stay_when_the_first_object_of_a_class_goes(desk):
    for name in ("cat", "dog", "cat"):
        desk.clear()
        desk.name(name)
        desks.click_object(desk)
    desk.choose(desk.objects[0].object_id)
    desk.delete()
    assert desk.classes.names() == ("cat", "dog")
    again = desks.desk(desk.workspace.images)
    assert again.classes.names() == ("cat", "dog")


def test_a_class_is_renamed_everywhere_at_once_and_undone_at_once(desk):
    for place, name in ((0, "cat"), (1, "cat"), (2, "dog")):
        desk.lay(place)
        desk.name(name)
        desks.click_object(desk)
    desk.classes.rename("cat", " tiger ")
    assert (classes_of(desk), desk.classes.names()) == (
        ["tiger", "tiger", "dog"], ("tiger", "dog"),
    )  # fmt: skip
    desk.undo()
    assert (classes_of(desk), desk.classes.names()) == (["cat", "cat", "dog"], ("cat", "dog"))
    assert desk.place == 2  # it stays where one is
    desk.redo()
    assert (classes_of(desk), desk.classes.names()) == (
        ["tiger", "tiger", "dog"], ("tiger", "dog"),
    )  # fmt: skip
    desk.undo()
    desk.undo()
    assert len(desk.annotations.objects()) == 2  # the step before: the dog
    lines = [one.action for one in type(desk.annotations.log)(desk.workspace.log_path).read_new()]
    assert lines.count("renamed") == 2


def test_two_classes_become_one_and_undo_parts_them(desk):
    for name in ("cat", "dog"):
        desk.clear()
        desk.name(name)
        desks.click_object(desk)
    desk.classes.rename("cat", "dog")
    assert (classes_of(desk), desk.classes.names()) == (["dog", "dog"], ("dog",))
    desk.undo()
    assert (classes_of(desk), set(desk.classes.names())) == (["cat", "dog"], {"cat", "dog"})


def test_a_rename_is_not_undone_where_another_window_went_on(desk):
    desk.name("cat")
    made = desks.click_object(desk)
    desk.classes.rename("cat", "tiger")
    desks.desk(desk.workspace.images).annotations.name(made.object_id, "lion")
    with pytest.raises(InputError, match="changed in another window"):
        desk.undo()


def test_a_list_that_was_written_before_gives_the_keys_and_an_unused_class_goes(desk):
    (desk.workspace.folder / FILE).write_text("person\n\n car \nperson\n")
    assert desk.classes.names() == ("person", "car")
    desk.name_by_key(2)
    desks.click_object(desk)
    with pytest.raises(InputError, match="1 object has the class car"):
        desk.classes.drop("car")
    desk.classes.drop("person")
    assert desk.classes.names() == ("car",)


@pytest.mark.parametrize(("old", "new"), [("cat", " "), ("lion", "cat")])
def test_what_cannot_be_renamed(desk, old, new):
    desk.name("cat")
    with pytest.raises(InputError, match="cannot be called"):
        desk.classes.rename(old, new)


def test_colours_go_round_and_can_be_read():
    names = [str(number) for number in range(13)]
    colours = class_colours(names)
    assert colours["12"] == colours["0"]
    assert len({colours[name] for name in names[:12]}) == len(COLOURS) == 12
    assert {ink_on("#F0E442"), ink_on("#0072B2")} == {"#000000", "#ffffff"}
