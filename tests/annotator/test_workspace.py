"""Folders of images: what is found, what is refused, what is recognised again."""

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from openscenes.annotator.store.image_files import image_files
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.workspace import (
    digest_of,
    images_of,
    located,
    open_workspace,
    workspace_of,
)
from openscenes.data.datasets import read_image
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import DataError, InputError, OpenScenesError


def image(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_images_are_found_below_and_sorted(tmp_path):
    kinds = ("b.JPG", "a.jpeg", "c.png", "d.bmp", "e/f.webp", "e/h.tif", "e/i.tiff", "j.jfif")
    for name in (*kinds, ".hidden.jpg", ".trash/j.jpg", "openscenes/exports/coco/k.jpg"):
        image(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    image(tmp_path / "exported/l.jpg")
    (tmp_path / "exported/openscenes.json").touch()
    found = images_of(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in found) == sorted(kinds)
    assert list(found) == sorted(found)


def test_linked_folders_are_followed_and_each_is_entered_once(tmp_path):
    root, disk = tmp_path / "set", tmp_path / "disk"
    for path in (root / "a.jpg", root / "b/c.jpg", disk / "day1/x.jpg", disk / "day2/y.jpg"):
        image(path)
    for link, target in (
        *((root / "1", disk / "day1"), (root / "2", disk), (root / "0", root / "b")),
        *((root / "b/up", root), (disk / "day1/up", disk), (disk / "day2/in", root / "b")),
        *((root / "z.jpg", disk / "day1/x.jpg"), (tmp_path / "way", root)),
    ):
        link.symlink_to(target)
    wanted = ["1/x.jpg", "2/day2/y.jpg", "a.jpg", "b/c.jpg", "z.jpg"]
    for start in (root, tmp_path / "way"):
        found = [path.relative_to(start).as_posix() for path in images_of(start)]
        assert found == wanted
        assert image_files(start, start / "openscenes").left_out == ()


def test_what_may_be_missed_is_listed_with_its_reason(tmp_path):
    root = tmp_path / "photos"
    image(root / "a.jpg")
    (root / "kept").mkdir()
    (root / "kept/workspace.json").write_text('{"format": 1, "images": ".."}')
    for name in (
        "broken/workspace.json",
        "broken/log.jsonl",
        "exported/openscenes.json",
        "b.HEIC",
        "notes.txt",
    ):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    for name in ("line\nbreak.jpg", "zero\udcff.png"):
        image(root / "sub" / name)
    for link, target in (("gone.jpg", "nowhere"), ("gone", "nowhere"), ("round.png", "round.png")):
        (root / link).symlink_to(root / target)
    (root / "up").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.jpg")
    (root / "folder.jpg").mkdir()
    (root / ".hidden").mkdir()
    workspace = open_workspace(root)
    assert workspace.list_images() == (root / "a.jpg",)
    reasons = {path.relative_to(root).as_posix(): why for path, why in workspace.left_out()}
    odd = "its name holds what cannot be shown on one line; rename it"
    assert reasons == {
        "broken": "the folder of another workspace, as it holds workspace.json",
        "b.HEIC": "heic files cannot be read; convert it to JPEG or PNG",
        "exported": "an export, as it holds openscenes.json",
        "gone": "a link that leads nowhere",
        "gone.jpg": "a link that leads nowhere",
        "kept": "the folder of another workspace, as it holds workspace.json",
        "pipe.jpg": "no file, but a named pipe, a socket or a device",
        "round.png": "a link that leads nowhere",
        "sub/line\nbreak.jpg": odd,
        "sub/zero\udcff.png": odd,
        "up": "a link to a folder above it",
    }


@pytest.mark.parametrize("content", ["", "{}", '{"folders": []}', "[1]", "\ud7ff"])
def test_another_programs_file_of_the_same_name_hides_no_image(tmp_path, content):
    image(tmp_path / "day1/a.jpg")
    (tmp_path / "day1/workspace.json").write_text(content, encoding="utf-8")
    assert images_of(tmp_path) == (tmp_path / "day1/a.jpg",)


def test_a_folder_that_may_not_be_read_is_left_out(tmp_path, monkeypatch):
    image(tmp_path / "a.jpg")
    image(tmp_path / "locked/b.jpg")
    scandir = os.scandir

    def forbidden(folder):
        if Path(folder).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", forbidden)
    found = image_files(tmp_path, tmp_path / "openscenes")
    assert found.images == (tmp_path / "a.jpg",)
    why = "a folder that cannot be read (Permission denied)"
    assert found.left_out == ((tmp_path / "locked", why),)
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(InputError, match="holds no image; .*; .*locked is left out: a folder that"):
        images_of(tmp_path)


def test_a_workspace_elsewhere_leaves_the_default_name_to_images(tmp_path):
    image(tmp_path / "openscenes/a.jpg")
    image(tmp_path / "mine/b.jpg")
    assert [path.name for path in images_of(tmp_path, tmp_path / "mine")] == ["a.jpg"]


def test_a_workspace_is_made_once_and_found_from_its_log(tmp_path):
    image(tmp_path / "photos/a.jpg")
    made = open_workspace(tmp_path / "photos")
    assert made.folder == tmp_path / "photos/openscenes"
    assert made == open_workspace(str(tmp_path / "photos")) == workspace_of(made.log_path)
    assert made == workspace_of(made.folder)
    assert made.list_images() == (tmp_path / "photos/a.jpg",)
    shutil.move(tmp_path / "photos", tmp_path / "moved")
    assert workspace_of(tmp_path / "moved/openscenes/log.jsonl").images == tmp_path / "moved"


def test_a_line_that_a_crash_left_open_is_told_after_opening(tmp_path):
    image(tmp_path / "a.jpg")
    made = open_workspace(tmp_path)
    made.log_path.write_bytes(b'{"time": "2022')
    log = Log(open_workspace(tmp_path).log_path)
    assert log.read_new() == [] and log.torn == [1]


def test_facts_of_an_image(tmp_path):
    path = image(tmp_path / "a/b.jpg")
    facts = open_workspace(tmp_path).facts(path)
    assert facts == ("a/b.jpg", sha256(path.read_bytes()).hexdigest()[:16], (6, 8), "", 1)


def test_a_name_of_several_lines_stays_on_the_line_of_its_sentence(tmp_path):
    image(tmp_path / "two\nlines" / "a.jpg")
    workspace = open_workspace(tmp_path / "two\nlines")
    (workspace.folder / "workspace.json").write_text('{"format": "\\u202e"}')
    for act in (
        lambda: workspace_of(workspace.folder), lambda: workspace.facts("../\u202e.jpg"),
        lambda: open_workspace(workspace.images / "none"),
        lambda: digest_of(workspace.images / "b"),
        lambda: open_workspace(tmp_path / "two\nlines"), lambda: workspace_of("\n/log.jsonl"),
    ):  # fmt: skip
        with pytest.raises(OpenScenesError) as raised:
            act()
        assert str(raised.value).isprintable()


def test_folders_that_hold_no_image_are_told(tmp_path):
    with pytest.raises(InputError, match="There is no folder .*photos; give the folder that holds"):
        open_workspace(tmp_path / "photos")
    with pytest.raises(InputError, match="holds no image; put files of a kind among bmp, "):
        open_workspace(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_images_that_cannot_be_read_are_told(tmp_path):
    path = image(tmp_path / "a.jpg")
    workspace = open_workspace(tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="unreadable image: .*a.jpg .*cut short"):
        workspace.facts(path)
    path.write_bytes(b"no image")
    with pytest.raises(DataError, match="unreadable image: .*a.jpg"):
        workspace.facts("a.jpg")
    path.unlink()
    with pytest.raises(DataError, match="image missing: .*a.jpg"):
        workspace.facts(path)
    with pytest.raises(InputError, match="b.jpg does not lie in"):
        workspace.facts(tmp_path.parent / "b.jpg")


@pytest.mark.parametrize("name", ["../b.jpg", "sub/../../b.jpg", "up/b.jpg", "sub/up/b.jpg"])
def test_an_image_outside_the_folder_is_never_read(tmp_path, name):
    root, outside = tmp_path / "photos", image(tmp_path / "b.jpg", 1)
    image(root / "sub/a.jpg")
    for folder in (root, root / "sub"):
        (folder / "up").symlink_to(tmp_path)
    workspace = open_workspace(root)
    for given in (name, outside):
        with pytest.raises(InputError, match=r"b\.jpg does not lie in"):
            workspace.facts(given)
    for foreign in (name, str(outside), "a\0.jpg", "", "x" * 5000, 7, None):
        found, lost = located(workspace, {digest_of(outside): foreign})
        assert found == {} and len(lost) == 1 and lost[0].isprintable()


def test_an_image_with_other_bytes_and_the_same_pixels_is_found(tmp_path):
    path = image(tmp_path / "a/b.jpg")
    workspace, pixels = open_workspace(tmp_path), read_image(path)
    facts = workspace.facts(path, pixels)
    notes = Annotations(Log(workspace.log_path))
    mask = np.ones((6, 8), bool)
    notes.begin(facts, Interaction(Box(0, 0, 6, 8), Point(2, 3)), mask, model="m")
    content = path.read_bytes()
    path.write_bytes(content[:2] + b"\xff\xfe\x00\x07stars" + content[2:])
    assert (read_image(path) == pixels).all()
    assert located(workspace, {facts.digest: "a/b.jpg"}) == ({facts.digest: path}, [])
    now = workspace.facts(path, pixels)
    assert now.digest != facts.digest and now.pixel_digest == facts.pixel_digest
    assert notes.recognised(now) == facts
    assert len(notes.objects(notes.recognised(now).digest)) == 1
    moved = path.rename(tmp_path / "b.jpg")
    assert located(workspace, {facts.digest: "a/b.jpg"})[0] == {facts.digest: moved}
    twice = {facts.digest: "a/b.jpg", "another": "b.jpg"}
    shown = dict.fromkeys(twice, facts.pixel_digest)
    assert located(workspace, twice, shown)[0] == dict.fromkeys(twice, moved)
    image(moved, 3)
    assert located(workspace, {facts.digest: "a/b.jpg"})[0] == {}


def test_facts_are_those_of_the_image_as_it_is_shown(tmp_path):
    path, exif = tmp_path / "a.jpg", Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(path, exif=exif)
    facts = open_workspace(tmp_path).facts("a.jpg")
    assert (facts.size, facts.orientation, facts.pixel_digest) == ((8, 6), 6, "")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"format": 2, "images": ".."}', "has the format 2, and this version knows 1; update"),
        ('{"format": 1e999, "images": ".."}', "has the format inf, and this version knows 1"),
        ("[]", "has the format None, and this version knows 1"),
        ('{"format": 1}', "names no folder of images; choose another"),
        ('{"format": 1, "images": ["a"]}', "names no folder of images; choose another"),
        ('{"format": 1, "images": "a\\u0000b"}', "names no folder of images; choose another"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_a_workspace_of_another_version_is_told(tmp_path, content, why):
    image(tmp_path / "a.jpg")
    path = tmp_path / "openscenes/workspace.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(OpenScenesError, match=why):
        open_workspace(tmp_path)
    with pytest.raises(OpenScenesError, match=why):
        workspace_of(path.parent)
    assert path.read_text() == content


def test_a_folder_that_is_no_workspace_is_told(tmp_path):
    with pytest.raises(InputError, match="holds no workspace.json, so it is no workspace"):
        workspace_of(tmp_path / "log.jsonl")


def test_a_workspace_serves_one_folder(tmp_path):
    for name in ("first", "second"):
        image(tmp_path / name / "a.jpg")
    kept = tmp_path / "kept"
    open_workspace(tmp_path / "first", kept)
    with pytest.raises(InputError, match="belongs to the images in .*first; choose another"):
        open_workspace(tmp_path / "second", kept)
    shutil.move(tmp_path / "first", tmp_path / "third")
    assert open_workspace(tmp_path / "third", kept) == workspace_of(kept)
    assert json.loads((kept / "workspace.json").read_text())["images"] == "../third"


def test_a_workspace_that_cannot_be_written_to_is_told(tmp_path, monkeypatch):
    image(tmp_path / "a.jpg")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/inside cannot be written to"):
        open_workspace(tmp_path, tmp_path / "file/inside")

    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", read_only)
    assert "cannot be written to (Read-only file system)" in open_workspace(tmp_path).read_only


def test_a_full_disk_lets_one_look_and_refuses_to_write(tmp_path, monkeypatch):
    image(tmp_path / "a.jpg")
    workspace = open_workspace(tmp_path)
    interaction, mask = Interaction(Box(0, 0, 6, 8), Point(2, 3)), np.ones((6, 8), bool)
    notes = Annotations(Log(workspace.log_path))
    kept = notes.begin(workspace.facts("a.jpg"), interaction, mask, model="m")
    before = workspace.log_path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileLock, "acquire", full)
    seen = open_workspace(tmp_path)
    assert seen == workspace and seen.read_only == (
        f"Nothing can be kept here: {workspace.log_path} cannot be written to (No space left on "
        "device); give a workspace in a folder that exists, that you may write to and that has "
        "room."
    )
    again = Annotations(Log(seen.log_path))
    assert again.objects() == (kept,)
    for act in (again.undo, again.accept, again.delete):
        with pytest.raises(InputError, match="cannot be written to .No space left"):
            act(kept.object_id) if act != again.undo else act()
    assert again.objects() == (kept,) and workspace.log_path.read_bytes() == before


@pytest.mark.parametrize("name", ["workspace.json", "log.jsonl"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
def test_what_is_no_file_of_a_workspace_is_told(tmp_path, name, kind):
    image(tmp_path / "a.jpg")
    path = open_workspace(tmp_path).folder / name
    path.unlink(missing_ok=True)
    made = {"pipe": os.mkfifo, "folder": os.mkdir, "loop": lambda at: at.symlink_to(at)}
    made[kind](path)
    with pytest.raises(DataError, match=f"{path} (is|cannot be opened)"):
        open_workspace(tmp_path)


def test_a_log_that_is_not_the_workspaces_is_told(tmp_path):
    image(tmp_path / "a.jpg")
    folder = open_workspace(tmp_path).folder
    with pytest.raises(
        InputError, match=r"none.jsonl does not exist and is not its log; give .*log.jsonl"
    ):
        workspace_of(folder / "none.jsonl")
    with pytest.raises(InputError, match=r"workspace.json is not its log; give .*log.jsonl"):
        workspace_of(folder / "workspace.json")
    with pytest.raises(InputError, match="begins with nobody's home folder"):
        workspace_of("~nobody-of-that-name/log.jsonl")
    for odd in ("a\0b", "x" * 5000):
        with pytest.raises(InputError, match="holds no workspace.json|There is no folder"):
            open_workspace(odd)
        with pytest.raises(InputError, match="holds no workspace.json"):
            workspace_of(odd)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_read_only_folder_is_told(tmp_path):
    image(tmp_path / "a.jpg")
    open_workspace(tmp_path)
    for path, mode in ((tmp_path / "openscenes/workspace.json", 0o444), (tmp_path, 0o555)):
        path.chmod(mode)
    opened = open_workspace(tmp_path)
    assert "cannot be written to (Permission denied)" in opened.read_only
    assert opened.list_images() == (tmp_path / "a.jpg",)
    tmp_path.chmod(0o755)


def test_images_are_recognised_after_renaming_and_told_when_changed(tmp_path):
    renamed, changed, gone, kept = (image(tmp_path / f"{n}.png", n) for n in range(4))
    wanted = {digest_of(path): path.name for path in (renamed, changed, gone, kept)}
    workspace = open_workspace(tmp_path)
    digests = list(wanted)
    (tmp_path / "sub").mkdir()
    renamed.rename(tmp_path / "sub/new.png")
    image(changed, 9)
    gone.unlink()
    found, lost = located(workspace, wanted)
    assert found == {digests[0]: tmp_path / "sub/new.png", digests[3]: kept}
    assert lost == [
        f"{changed} has changed since it was annotated; bring the former file back, or take it for "
        "the same image in the annotator.",
        f"{gone} is gone, and no other file has its content; bring the file back.",
    ]
