"""What is refused at the desk changes neither screen nor log; damaged images are passed over."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from openscenes import masks
from openscenes.annotator.screen.classes import LONGEST_NAME
from openscenes.annotator.screen.drawing import ObjectPainter, alternative, marks
from openscenes.annotator.screen.loop_figure import first_image
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.workspace import open_workspace
from openscenes.errors import DataError, InputError
from openscenes.widgets.canvas import canvas

desks = SimpleNamespace(**run_path(str(Path(__file__).parent / "desks.py")))


@pytest.fixture
def folder(tmp_path):
    return desks.write_images(tmp_path, 4)


@pytest.fixture
def desk(folder):
    return desks.desk(folder)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:200])


def state(desk):
    """All that is seen and kept."""
    log = desk.workspace.log_path
    return (
        desk.place, desk.facts, desk.chosen, desk.box, desk.prediction, id(desk.displayed),
        desk.session.label, log.read_bytes() if log.exists() else b"",
    )  # fmt: skip


def refused(desk, action, *arguments, words="has changed since it was put up|image"):
    before = state(desk)
    with pytest.raises((InputError, DataError), match=words) as raised:
        action(*arguments)
    assert state(desk) == before
    assert "\n" not in str(raised.value)


def test_a_damaged_first_image_is_passed_and_listed(folder):
    cut_short(folder / "0.png")
    desk = desks.desk(folder)
    assert (desk.path.name, desk.place) == ("1.png", 1)
    assert list(desk.folder.why()) == ["0.png"]
    assert "unreadable image" in desk.folder.why()["0.png"]
    refused(desk, desk.go, -1, words="first of 4 images, 1 of which cannot be shown; there is")
    figure, words = first_image(desk)
    assert "1.png: image 2 of 4" in figure.axes[0].get_title()
    assert "Image 1.png" in words


def test_damaged_images_after_the_untouched_ones_lead_back_to_a_good_one(folder):
    desk = desks.desk(folder)
    for _ in range(2):
        desks.click_object(desk)
        desk.accept()
        desk.go(1)
    for name in ("2.png", "3.png"):
        cut_short(folder / name)
    assert desks.desk(folder).path.name == "1.png"


def test_a_folder_of_damaged_images_ends_in_one_sentence(folder):
    for path in folder.glob("*.png"):
        cut_short(path)
    with pytest.raises(DataError, match=r"None of 4 images in .* can be shown \(0.png: "):
        desks.desk(folder)


@pytest.mark.parametrize("harm", [cut_short, Path.unlink], ids=["damaged", "removed"])
def test_next_and_previous_pass_over_what_cannot_be_read(folder, desk, harm):
    for name in ("1.png", "2.png"):
        harm(folder / name)
    desk.go(1)
    assert desk.path.name == "3.png"
    assert sorted(desk.folder.left_out) == [folder / "1.png", folder / "2.png"]
    desk.go(-1)
    assert desk.path.name == "0.png"


def test_a_mended_image_comes_back(folder, desk):
    whole = (folder / "1.png").read_bytes()
    cut_short(folder / "1.png")
    desk.go(1)
    (folder / "1.png").write_bytes(whole)
    desk.go(-1)
    assert (desk.path.name, desk.folder.left_out) == ("1.png", {})


def test_an_image_that_cannot_be_read_is_not_laid(folder, desk):
    desks.click_object(desk)
    desk.draw((1, 1, 9, 9))
    cut_short(folder / "1.png")
    refused(desk, desk.lay, 1, words="unreadable image")
    for name in ("2.png", "3.png"):
        (folder / name).unlink()
    refused(desk, desk.go, 1, words="last of 4 images, 3 of which cannot be shown")
    desk.point(4, 4)
    assert desk.object.image == "0.png"


@pytest.mark.parametrize("harm", [cut_short, Path.unlink], ids=["damaged", "removed"])
def test_undo_that_leads_to_no_image_is_passed_over(folder, desk, harm):
    first = desks.click_object(desk)
    desk.go(1)
    desks.click_object(desk)
    desk.go(1)
    harm(folder / "1.png")
    refused(
        desk, desk.undo, words="1.png of that step is gone or cannot be read, so the step stays"
    )
    desk.undo()
    assert (desk.path.name, desk.objects) == ("0.png", ())
    desk.go(2)
    harm(folder / "0.png")
    refused(desk, desk.redo, words="gone or cannot be read")
    assert not desk.annotations.can_redo
    assert first.object_id in desk.annotations


def test_undo_finds_a_renamed_image(folder, desk):
    desks.click_object(desk)
    (folder / "0.png").rename(folder / "4.png")
    again = desks.desk(folder)
    again.annotations = type(desk.annotations)(
        Log(desk.workspace.log_path), desk.annotations.window
    )
    again.undo()
    assert again.path.name == "4.png"


@pytest.mark.parametrize("harm", ["another picture", "damaged", "removed"])
def test_the_model_never_sees_another_picture_than_the_person(folder, desk, harm):
    made = desks.click_object(desk)
    desk.draw((1, 1, 9, 9))
    match harm:
        case "another picture":
            (folder / "0.png").write_bytes((folder / "3.png").read_bytes())
        case "damaged":
            cut_short(folder / "0.png")
        case "removed":
            (folder / "0.png").unlink()
    asked = len(desk.session.asked)
    refused(desk, desk.point, 4, 4)
    desk.choose(made.object_id)
    refused(desk, desk.correct, 6, 12, -1)
    assert len(desk.session.asked) == asked
    desk.accept()  # what was seen may still be taken
    assert desk.n_accepted() == 1


@pytest.mark.parametrize("kind", ["point", "correct", "accept", "delete", "name", "undo", "redo"])
def test_a_log_that_cannot_be_written_leaves_the_desk_as_it_was(desk, monkeypatch, kind):
    desks.click_object(desk)
    desk.correct(10, 15, -1)
    desk.undo()
    arguments = {"point": (4, 4), "correct": (6, 12, -1), "name": ("cat",)}.get(kind, ())
    if kind == "point":
        desk.draw((1, 1, 9, 9))

    def full(*_):
        raise InputError("The disk is full; make room.")

    monkeypatch.setattr(Log, "append", full)
    refused(desk, getattr(desk, kind), *arguments, words="The disk is full")


def test_a_model_that_cannot_answer_leaves_the_desk_as_it_was(desk, monkeypatch):
    desks.click_object(desk)

    def refuse(*_):
        raise InputError("The click lies outside the crop.")

    monkeypatch.setattr(desk.session, "predict", refuse)
    refused(desk, desk.correct, 6, 12, -1, words="outside the crop")
    desk.draw((1, 1, 9, 9))
    refused(desk, desk.point, 4, 4, words="outside the crop")


def test_an_image_that_was_replaced_is_taken_for_the_same_on_request(folder, desk):
    made = desks.click_object(desk)
    desk.accept()
    refused(desk, desk.take_for_same, words="No object was made on other content")
    (folder / "3.png").rename(folder / "0.png")
    desk.go(1)
    desk.go(-1)
    assert (desk.objects, desk.n_left_behind) == ((), 1)
    desk.take_for_same()
    assert (desk.objects[0].object_id, desk.n_left_behind) == (made.object_id, 0)
    again = desks.desk(folder)
    again.lay(0)
    assert (len(again.objects), again.n_left_behind) == (1, 0)


def test_a_picture_that_only_moved_is_not_taken_for_another(folder, desk):
    desks.click_object(desk)
    (folder / "0.png").rename(folder / "9.png")
    (folder / "1.png").rename(folder / "0.png")
    again = desks.desk(folder)
    again.lay(0)
    assert (again.path.name, again.n_left_behind) == ("0.png", 0)
    again.lay(3)
    assert (again.path.name, len(again.objects)) == ("9.png", 1)


def test_an_image_whose_bytes_alone_changed_keeps_its_objects(folder, desk):
    desks.click_object(desk)
    with Image.open(folder / "0.png") as image:
        note = PngInfo()
        note.add_text("Comment", "five stars")
        image.load()
        image.save(folder / "0.png", pnginfo=note)
    refused(desk, desk.correct, 6, 12, -1, words="has changed since it was put up")
    again = desks.desk(folder)
    assert (len(again.objects), again.n_left_behind) == (1, 0)
    again.choose(again.objects[0].object_id)
    again.correct(6, 12, -1)
    assert len(again.object.clicks) == 2


@pytest.mark.parametrize("tag", range(1, 9))
def test_a_tagged_photo_is_shown_clicked_and_kept_upright(tmp_path, tag):
    """A bright square in the upper left of the upright image, 40 x 60."""
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[2:12, 4:24] = 255
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that a viewer undoes
    stored = Image.fromarray(upright)
    if tag in back:
        stored = stored.transpose(Image.Transpose(back[tag]))
    exif = Image.Exif()
    exif[0x0112] = tag
    stored.save(tmp_path / "a.jpg", quality=100, subsampling=0, exif=exif)
    desk = desks.desk(tmp_path)
    pixels = desk.displayed.pixels
    assert pixels.shape == (40, 60, 3)
    assert desk.facts.size == (40, 60)
    assert pixels[3:11, 5:23].min() > 200
    assert pixels[14:].max() < 60
    made = desks.click_object(desk, (2, 4, 12, 24), (7, 14))
    assert made.size == (40, 60)
    assert made.clicks[0][:2] == (7.0, 14.0)
    assert np.array_equal(masks.decode(made.mask), pixels[..., 0] > 128)
    assert desk.mask_of(made).shape == (40, 60)
    assert desk.misfits == ""


def test_objects_of_another_frame_are_said_and_not_drawn(tmp_path):
    Image.fromarray(np.zeros((60, 40, 3), np.uint8)).save(tmp_path / "a.png")
    desk = desks.desk(tmp_path)
    desks.click_object(desk)
    log = desk.workspace.log_path
    digest = desk.facts.digest
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((60, 40, 3), np.uint8)).save(tmp_path / "a.png", exif=exif)
    again = desks.desk(tmp_path)
    log.write_text(log.read_text().replace(digest, again.facts.digest))
    again = desks.desk(tmp_path)
    assert again.objects == ()
    assert "1 object of a.png left out" in again.misfits


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 30_000), (30_000, 1), (1, 2), (3, 1), (2_000, 3_000)], ids=str
)
def test_images_of_any_size_are_shown(tmp_path, size):
    Image.new("RGB", size[::-1]).save(tmp_path / "a.png")
    desk = desks.desk(tmp_path)
    assert max(desk.displayed.pixels.shape) <= 1024
    assert min(desk.displayed.pixels.shape) >= 1
    shown = canvas(desk.displayed.pixels, label="")
    assert shown.image.startswith(b"\xff\xd8")
    assert 1 <= shown.width_px <= 640
    height, width = size
    desk.draw((-3, 0, height + 5, width))
    assert desk.box == (0.0, 0.0, *map(float, size))
    desk.point(height - 1, width - 1)
    made = desk.object
    assert masks.decode(made.mask).all()
    assert desk.mask_of(made).shape == desk.displayed.pixels.shape[:2]
    assert marks(desk)[0] == [0, 0, height, width]
    if max(size) != 3_000:
        figure, _ = first_image(desk)
        assert max(figure.get_size_inches()) < 20


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  red \n cup\t", "red cup"),
        (" \r\n ", None),
        ("👩‍🚒", "👩‍🚒"),
        ("كأس", "كأس"),
        ("a" * LONGEST_NAME, "a" * LONGEST_NAME),
    ],
    ids=["breaks", "blank", "emoji", "right to left", "longest"],
)
def test_a_name_is_one_line(desk, typed, kept):
    desks.click_object(desk)
    desk.name(typed)
    assert desk.object.class_name == kept
    assert desk.classes.names() == (() if kept is None or not kept.isprintable() else (kept,))


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("a" * 10_000, "at most 100 characters, and this one has 10000"),
        ("cup\0", "cannot be seen"),
        ("cup\u202egnp", "cannot be seen"),
        ("\ud800", "cannot be seen"),
    ],
    ids=["long", "zero", "direction", "half"],
)
def test_a_name_that_nobody_could_read_is_refused(desk, typed, words):
    desks.click_object(desk)
    refused(desk, desk.name, typed, words=words)


@pytest.mark.parametrize("path", ["a\0b", "\ud800"], ids=["zero", "half"])
def test_what_is_no_path_is_refused(folder, path):
    with pytest.raises(InputError, match="There is no folder .*; give the folder"):
        open_workspace(path)
    with pytest.raises(InputError, match="There is no folder .*; give another workspace"):
        open_workspace(folder, path)


def harm(folder, rng):
    """Something that happens to a folder while it is open."""
    path = folder / f"{rng.integers(4)}.png"
    match rng.integers(5):
        case 0:
            path.write_bytes(b"no image")
        case 1:
            path.unlink(missing_ok=True)
        case 2:
            Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(path)
        case 3:
            Image.fromarray(rng.integers(0, 255, (30, 50, 3), dtype=np.uint8)).save(path)
        case 4 if path.exists():
            path.rename(folder / f"{rng.integers(4)}.png")


def act(desk, other, rng):
    """Any action, also a senseless one."""
    row, col = rng.integers(-5, 70, 2).tolist()
    chosen = [None, "none", *(one.object_id for one in desk.annotations.objects())]
    actions = [
        lambda: desk.draw((row, col, row + 20, col + 30)), lambda: desk.draw((0, 0, 0, 0)),
        lambda: desk.point(row, col), lambda: desk.point(row + 5, col + 5),
        lambda: desk.correct(row, col, rng.choice([-1, 1])), desk.accept, desk.delete,
        lambda: desk.choose(rng.choice(chosen)), lambda: desk.name(rng.choice(["", "cup", "\0"])),
        desk.undo, desk.undo, desk.redo, lambda: desk.go(1), lambda: desk.go(-1),
        desk.take_for_same, desk.refresh, desk.clear, lambda: other.undo(), lambda: other.go(1),
        lambda: (other.draw((5, 10, 25, 40)), other.point(12, 20)),
    ]  # fmt: skip
    rng.choice(actions)()


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_done_and_happens_ends_as_it_should(folder, seed):
    """Two windows, 80 actions, and files that change, go and come."""
    rng = np.random.default_rng(seed)
    desk, other = desks.desk(folder), desks.desk(folder)
    for _ in range(80):
        if rng.random() < 0.15:
            harm(folder, rng)
        desk.refresh()  # as the page does before every action
        before = state(desk)
        try:
            act(desk, other, rng)
        except (InputError, DataError) as error:
            assert "\n" not in str(error)
            assert state(desk)[:-1] == before[:-1]
        shown = alternative(desk), marks(desk), ObjectPainter().overlay(desk)
        assert shown[0].isprintable()
        for one in desk.objects:
            assert one.image_digest == desk.facts.digest
            assert one.size == desk.displayed.shape
    assert desk.annotations.log.complaint() == ""
