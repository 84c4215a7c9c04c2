"""Folders of images: what is found, what is refused, what is recognised again."""

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openscenes.annotator.store.log import Log
from openscenes.annotator.store.workspace import (
    digest_of,
    images_of,
    located,
    open_workspace,
    workspace_of,
)
from openscenes.errors import DataError, InputError, OpenScenesError


def image(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_images_are_found_below_and_sorted(tmp_path):
    kinds = ("b.JPG", "a.jpeg", "c.png", "d.bmp", "e/f.webp", "e/g/h.tif", "e/i.tiff")
    for name in (*kinds, ".hidden.jpg", ".trash/j.jpg", "openscenes/exports/coco/k.jpg"):
        image(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    image(tmp_path / "exported/l.jpg")
    (tmp_path / "exported/openscenes.json").touch()
    found = images_of(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in found) == sorted(kinds)
    assert list(found) == sorted(found)


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
