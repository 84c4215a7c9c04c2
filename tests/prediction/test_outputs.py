"""Outputs of a command: what they may not replace, where they cannot lie, all of them or none."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openscenes.errors import OpenScenesError
from openscenes.prediction.outputs import check_outputs, write_pngs

GREY = np.zeros((3, 4), np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory: an image, links to it, and what is no file."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(GREY).save("image.png")
    Path("inner").mkdir()
    Path("folder.png").mkdir()
    os.mkfifo("pipe.png")
    Path("device.png").symlink_to("/dev/full")
    Path("loop.png").symlink_to("loop.png")
    Path("link.png").symlink_to("image.png")
    Path("hard.png").hardlink_to("image.png")
    return tmp_path


@pytest.mark.parametrize(
    "spelling", ["image.png", "./image.png", "inner/../image.png", "link.png", "hard.png", "FULL"]
)
def test_no_spelling_of_an_input_is_an_output(spelling, folder):
    output = folder / "image.png" if spelling == "FULL" else Path(spelling)
    with pytest.raises(OpenScenesError, match="have one name; name each differently"):
        check_outputs([output], [Path("image.png")])
    check_outputs([Path("other.png")], [Path("image.png"), Path("loop.png")])


@pytest.mark.parametrize(
    "other", ["new.png", "./new.png", "inner/../new.png", "NEW.png", "inner/ne\u0301.png"]
)
def test_two_outputs_are_two_files(other, folder):
    one = "inner/n\u00e9.png" if "\u0301" in other else "new.png"
    with pytest.raises(OpenScenesError, match="have one name"):
        check_outputs([Path(one), Path(other)], [Path("image.png")])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder.png", "is a folder"),
        ("pipe.png", "is a named pipe"),
        ("device.png", "is a device"),
        ("loop.png", "cannot be written"),
        ("image.png/mask.png", r"cannot be written \(Not a directory\)"),
        (f"{'n' * 300}.png", r"cannot be written \(File name too long\)"),
        ("a\0b.png", "cannot be written"),
        ("mask.jpg", "give a name that ends in .png"),
        ("two\nlines.jpg", r"two\\nlines.jpg is not a PNG file"),
    ],
    ids=["folder", "pipe", "device", "loop", "below a file", "long", "zero byte", "jpg", "lines"],
)
def test_an_output_that_cannot_be_a_file_is_refused_first(name, message, folder):
    with pytest.raises(OpenScenesError, match=message) as caught:
        check_outputs([Path(name)], [])
    assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_none_of_the_outputs(tmp_path, monkeypatch):
    (tmp_path / "b.png").write_bytes(b"before")

    def save(self, file, format, save=Image.Image.save):
        if "b.png" in file.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(self, file, format)

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(OpenScenesError, match=r"b.png cannot be written \(No space left on device"):
        write_pngs({tmp_path / "a.png": GREY, tmp_path / "b.png": GREY})
    assert [path.name for path in tmp_path.iterdir()] == ["b.png"]
    assert (tmp_path / "b.png").read_bytes() == b"before"


def test_missing_folders_are_made(tmp_path):
    path = tmp_path / "new" / "newer" / "a.png"
    write_pngs({path: GREY})
    assert (np.array(Image.open(path)) == GREY).all()


def test_no_outputs_are_no_work():
    write_pngs({})
