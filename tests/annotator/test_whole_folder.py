"""An export's folder is put in place whole, and holds nothing that somebody else wrote."""

import errno
import json
import os
import shutil
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from openscenes.annotator.exchange.export import KINDS, export
from openscenes.annotator.exchange.whole_folder import user_path
from openscenes.errors import DataError, InputError

tools = SimpleNamespace(**run_path(str(Path(__file__).with_name("exchanging.py"))))
MASK = tools.rectangle(5, 4, 20, 24)


@pytest.fixture
def there(tmp_path):
    here = tools.world(tmp_path / "set", "a.jpg", "b/c d.png")
    for name in ("a.jpg", "b/c d.png"):
        tools.accept(here, name, MASK, "cup")
    return here


def content(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_the_user_changed_is_not_lost(there, tmp_path, kind):
    out = tmp_path / "out"
    export(there.annotations, there.workspace, kind, out)
    export(there.annotations, there.workspace, kind, out)
    changed = min(path for path in content(out) if path.name != "openscenes.json")
    changed.write_bytes(changed.read_bytes() + b"mine")
    before = content(out)
    with pytest.raises(InputError, match=r"holds 1 file that changed after the export"):
        export(there.annotations, there.workspace, kind, out)
    assert content(out) == before
    changed.unlink()  # what is gone cannot be lost
    export(there.annotations, there.workspace, kind, out)
    assert changed.exists()


def test_a_link_or_a_pipe_in_place_of_a_file_is_a_change(there, tmp_path):
    out = tmp_path / "out"
    export(there.annotations, there.workspace, "coco", out)
    copy = out / "train2017/a.jpg"
    for replace in (lambda: copy.symlink_to(tmp_path / "set/a.jpg"), lambda: os.mkfifo(copy)):
        copy.unlink()
        replace()
        with pytest.raises(InputError, match="changed after the export, such as train2017/a.jpg"):
            export(there.annotations, there.workspace, "coco", out)


def test_an_older_mark_that_lists_names_alone_is_known(there, tmp_path):
    out = tmp_path / "out"
    export(there.annotations, there.workspace, "png", out)
    mark = json.loads((out / "openscenes.json").read_text())
    mark["files"] = sorted(mark["files"])
    (out / "openscenes.json").write_text(json.dumps(mark))
    assert export(there.annotations, there.workspace, "png", out).n_objects == 2


@pytest.mark.parametrize(
    "mark",
    ["", "[]", "{}", '{"format": 1}', '{"format": 1, "kind": "coco", "files": [[]], "objects": []}',
     '{"format": 1, "kind": 3, "files": [], "objects": []}', "\x00", "[" * 100_000],
    ids=["empty", "list", "object", "no kind", "no names", "number", "nul", "deep"],
)  # fmt: skip
def test_a_damaged_mark_makes_no_export(there, tmp_path, mark):
    out = tmp_path / "out"
    export(there.annotations, there.workspace, "coco", out)
    (out / "openscenes.json").write_text(mark)
    before = content(out)
    with pytest.raises(InputError, match="is no export of this annotator"):
        export(there.annotations, there.workspace, "coco", out)
    assert content(out) == before


def test_places_that_cannot_be_exported_into_are_told(there, tmp_path):
    def refused(place, why):
        with pytest.raises(InputError, match=why) as error:
            export(there.annotations, there.workspace, "coco", place)
        assert "\n" not in str(error.value)

    refused("/", "/ cannot be exported into; give a folder below it")
    refused(tmp_path / "set/a.jpg", "a.jpg is a file; give a folder")
    refused(tmp_path / "set/a.jpg/out", "cannot be written .Not a directory")
    refused("x\0y", "is no path")
    refused("", "is no path")
    refused("~nobody-of-this-name/out", "is no path .*write it in full")
    refused(tmp_path / ("x" * 300), "cannot be written .File name too long")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "pipe is a file; give a folder")
    (tmp_path / "elsewhere").mkdir()
    for target in ("elsewhere", "nowhere", "link"):
        link = tmp_path / "link"
        link.symlink_to(tmp_path / target)
        refused(link, f"link is a link to .*{target}; give that folder")
        link.unlink()
    refused(tmp_path / "set", "that no export wrote, such as")
    refused(tmp_path, "that no export wrote, such as")
    assert not any((tmp_path / "elsewhere").iterdir())


def test_an_export_among_the_images_is_no_image(there, tmp_path):
    before = there.workspace.list_images()
    report = export(there.annotations, there.workspace, "voc", tmp_path / "set/b/out")
    assert report.folder == tmp_path / "set/b/out"
    assert there.workspace.list_images() == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", range(3))
def test_a_full_disk_leaves_the_old_export(there, tmp_path, monkeypatch, kind, step):
    out = tmp_path / "out"
    export(there.annotations, there.workspace, kind, out)
    before, names = content(out), sorted(path.name for path in tmp_path.iterdir())
    there.annotations.delete(there.annotations.objects()[0].object_id)
    steps = [0]

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def filling(writing):
        def write(*args, **more):
            steps[0] += 1
            return full() if steps[0] > step else writing(*args, **more)

        return write

    monkeypatch.setattr(shutil, "copyfile", filling(shutil.copyfile))
    monkeypatch.setattr(Path, "write_text", filling(Path.write_text))
    monkeypatch.setattr(Path, "mkdir", filling(Path.mkdir))
    with pytest.raises(InputError, match="cannot be written .No space left on device"):
        export(there.annotations, there.workspace, kind, out)
    assert content(out) == before
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_what_somebody_puts_there_meanwhile_is_not_lost(there, tmp_path, monkeypatch):
    out = tmp_path / "out"
    export(there.annotations, there.workspace, "coco", out)
    copying = shutil.copyfile

    def disturbed(*paths):
        (out / "notes.txt").write_text("mine")
        return copying(*paths)

    monkeypatch.setattr(shutil, "copyfile", disturbed)
    with pytest.raises(InputError, match="that no export wrote, such as notes.txt"):
        export(there.annotations, there.workspace, "coco", out)
    assert (out / "notes.txt").read_text() == "mine"


def test_an_image_that_changes_meanwhile_is_told(there, tmp_path, monkeypatch):
    copying = shutil.copyfile

    def disturbed(source, target):
        copying(source, target)
        Path(target).write_bytes(b"half of it")

    monkeypatch.setattr(shutil, "copyfile", disturbed)
    with pytest.raises(DataError, match="changed while it was exported; export again"):
        export(there.annotations, there.workspace, "coco", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_users_path_may_begin_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert user_path("~/x/../out") == user_path("out") == tmp_path / "out"


def test_the_images_of_an_export_that_are_annotated_are_not_replaced(there, tmp_path):
    out = tmp_path / "out"
    export(there.annotations, there.workspace, "coco", out)
    again = tools.opened(out / "train2017", tmp_path / "kept")
    tools.accept(again, "a.jpg", MASK)
    before = content(out)
    with pytest.raises(InputError, match="holds the images or the workspace"):
        export(again.annotations, again.workspace, "coco", out)
    assert content(out) == before
