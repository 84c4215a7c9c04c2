"""Our own exports, as they are, corrected in another tool, or damaged, imported again."""

import json
import os
import shutil
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from openscenes.annotator.exchange.export import KINDS, export
from openscenes.annotator.exchange.imports import import_objects
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import to_json
from openscenes.errors import DataError, InputError, OpenScenesError
from openscenes.masks import decode, encode

tools = SimpleNamespace(**run_path(str(Path(__file__).with_name("exchanging.py"))))
NAMES = ("a.jpg", "IMG_0001.JPG", "my cup.jpg", "day1/a.jpg", "cup (1).jpg", "caf\u00e9/\u00fc.png",
         "x" * 120 + "/" + "\u8a9e" * 60 + ".jpg", "con.jpg", "50%.jpg")  # fmt: skip
FILES = ("instances", "polygons")
MASK = tools.rectangle(5, 4, 20, 24)


@pytest.fixture
def here(tmp_path):
    there = tools.world(tmp_path / "set", *NAMES)
    for number, name in enumerate(NAMES):
        tools.accept(there, name, tools.rectangle(5, 4, 20, 24 + number), f"class {number}")
    return there


@pytest.fixture
def pair(tmp_path):
    """Two images with an object each, which is enough to be damaged."""
    there = tools.world(tmp_path / "set", "a.jpg", "my cup.jpg")
    for name in ("a.jpg", "my cup.jpg"):
        tools.accept(there, name, MASK, "cup")
    return there


def fresh(tmp_path):
    """The same images, and nothing annotated."""
    shutil.copytree(
        tmp_path / "set", tmp_path / "fresh", ignore=shutil.ignore_patterns("openscenes")
    )
    return tools.opened(tmp_path / "fresh")


def edited(report, name, change):
    """A COCO file of an export, changed, elsewhere."""
    content = json.loads((report.folder / f"annotations/{name}_train2017.json").read_text())
    change(content)
    path = report.folder.parent / "edited.json"
    path.write_text(json.dumps(content))
    return path


def forget(*keys):
    """As a tool does that keeps only what it knows."""

    def change(content):
        for one in [*content["annotations"], *content["images"]]:
            for key in keys:
                one.pop(key, None)

    return change


def placed(there):
    return sorted((one.image, one.class_name, one.mask["counts"]) for one in
                  there.annotations.accepted())  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "keys", [(), ("openscenes",), ("openscenes", "coco_url", "id")], ids=["all", "ours", "most"]
)
def test_every_object_finds_its_image_again(here, tmp_path, name, keys):
    report = export(here.annotations, here.workspace, "coco")
    keys = [key for key in keys if key != "id"]
    source = edited(report, name, forget(*keys))
    there = fresh(tmp_path)
    assert import_objects(there.annotations, there.workspace, source).n_added == len(NAMES)
    assert placed(there) == placed(here)
    again = import_objects(there.annotations, there.workspace, source)
    assert (again.n_added, again.n_known) == (0, len(NAMES))
    back = import_objects(here.annotations, here.workspace, source)
    assert (back.n_added, back.n_known, back.notes) == (0, len(NAMES), ())


@pytest.mark.parametrize("prefix", ["images/", "C:\\data\\", "../../upload/1/0a1b2c3d-"])
def test_names_that_a_tool_has_rewritten_find_their_image(here, tmp_path, prefix):
    def change(content):
        forget("openscenes", "coco_url")(content)
        for one in content["images"]:
            one["file_name"] = prefix + one["file_name"]

    source = edited(export(here.annotations, here.workspace, "coco"), "polygons", change)
    there = fresh(tmp_path)
    assert import_objects(there.annotations, there.workspace, source).n_added == len(NAMES)
    assert placed(there) == placed(here)


def test_names_do_not_depend_on_what_is_annotated(tmp_path):
    there = tools.world(tmp_path / "set", "x y.jpg", "x_y.jpg")
    tools.accept(there, "x y.jpg", MASK)
    report = export(there.annotations, there.workspace, "coco")
    source = edited(report, "instances", forget("openscenes", "coco_url"))
    other = fresh(tmp_path)
    import_objects(other.annotations, other.workspace, source)
    assert [one.image for one in other.annotations.accepted()] == ["x y.jpg"]


def correct(content):
    """One object gets another mask, one another class."""
    first, second = content["annotations"][:2]
    first["segmentation"] = encode(tools.rectangle(1, 2, 30, 40))
    content["categories"].append({"id": 99, "name": "corrected"})
    second["category_id"] = 99


def test_a_correction_comes_back(here):
    report = export(here.annotations, here.workspace, "coco")
    source = edited(report, "instances", correct)
    first, second = (one["openscenes"]["object"] for one in
                     json.loads(source.read_text())["annotations"][:2])  # fmt: skip
    back = import_objects(here.annotations, here.workspace, source)
    assert (back.n_added, back.n_known) == (2, len(NAMES) - 2)
    assert len(here.annotations.accepted()) == len(NAMES)
    mask = decode(here.annotations.get(first).mask)
    np.testing.assert_array_equal(mask, tools.rectangle(1, 2, 30, 40))
    assert here.annotations.get(second).class_name == "corrected"
    again = import_objects(here.annotations, here.workspace, source)
    assert (again.n_added, again.n_known, again.notes) == (0, len(NAMES), ())


def test_what_the_log_has_changed_since_the_export_stays(here):
    report = export(here.annotations, here.workspace, "coco")
    source = edited(report, "instances", correct)
    one = json.loads(source.read_text())["annotations"][1]["openscenes"]["object"]
    here.annotations.name(one, "newer")
    back = import_objects(here.annotations, here.workspace, source)
    assert here.annotations.get(one).class_name == "newer" and back.n_added == 1
    assert back.notes == (
        "1 object has another mask or class in the log, where they stay as they are.",
    )


def test_polygons_without_holes_are_no_correction(tmp_path):
    there = tools.world(tmp_path / "set", "a.jpg")
    ring = tools.rectangle(5, 4, 20, 24) & ~tools.rectangle(8, 8, 12, 12)
    known = tools.accept(there, "a.jpg", ring, "ring")
    report = export(there.annotations, there.workspace, "coco")
    for keys in ((), ("openscenes",)):
        source = edited(report, "polygons", forget(*keys))
        back = import_objects(there.annotations, there.workspace, source)
        assert (back.n_added, back.n_known, back.notes) == (0, 1, ())
    assert there.annotations.get(known.object_id).mask == encode(ring)

    def rename(content):
        forget("openscenes")(content)
        content["categories"][0]["name"] = "another"

    back = import_objects(there.annotations, there.workspace, edited(report, "polygons", rename))
    assert (back.n_added, back.n_known) == (0, 1) and "in the log" in back.notes[0]


def test_a_class_that_was_given_elsewhere_reaches_an_object_without_one(tmp_path):
    there = tools.world(tmp_path / "set", "a.jpg")
    known = tools.accept(there, "a.jpg", MASK)

    def rename(content):
        forget("openscenes")(content)
        content["categories"][0]["name"] = "cup"

    report = export(there.annotations, there.workspace, "coco")
    back = import_objects(there.annotations, there.workspace, edited(report, "polygons", rename))
    assert (back.n_added, len(there.annotations.accepted())) == (1, 1)
    assert there.annotations.get(known.object_id).class_name == "cup"


def test_objects_with_damaged_clicks_of_a_coco_file_are_foreign(here, tmp_path):
    def change(content):
        content["annotations"][0]["openscenes"]["clicks"] = [[1, 2]]
        content["annotations"][1]["openscenes"]["size"] = "wrong"

    report = export(here.annotations, here.workspace, "coco")
    source = edited(report, "instances", change)
    there = fresh(tmp_path)
    back = import_objects(there.annotations, there.workspace, source)
    assert back.n_added == len(NAMES) and placed(there) == placed(here)
    assert back.notes == ("1 object has damaged clicks, and are taken with simulated ones, "
                          "such as 50%.jpg.",)  # fmt: skip


ENTRIES = {
    "outside": {"file": "../../set/a"},
    "absolute": {"file": "/etc/passwd"},
    "drive": {"file": "C:\\a"},
    "nul": {"file": "a\0b"},
    "empty": {"file": ""},
    "number": {"file": 5},
    "none": {"file": None},
    "gone": {"file": "masks/gone.png"},
    "no object": {"object": None},
    "list": {"object": []},
    "no clicks": {"object": {"clicks": None}},
    "size": {"object": {"size": [1, 2, 3]}},
    "huge": {"object": {"size": [2**63, 2**63]}},
    "digest": {"object": {"image_digest": ["x"]}},
    "id": {"object": {"object": "a\nb"}},
    "infinite": {"object": {"box": [0, 0, float("inf"), 9]}},
    "far": {"object": {"box": [0, 0, 1e300, 9]}},
    "class": {"object": {"class_name": 5}},
    "time": {"object": {"time": "2024-13-99"}},
}
LABELS = {"label text": "1", "label zero": 0, "label large": 300, "label part": 1.5,
          "label none": None, "label true": True}  # fmt: skip


@pytest.mark.parametrize("kind", ["voc", "png"])
@pytest.mark.parametrize("case", [*ENTRIES, *LABELS])
def test_a_damaged_mark_is_refused_whole_in_one_sentence(pair, tmp_path, kind, case):
    if case in LABELS and kind == "png":
        return
    report = export(pair.annotations, pair.workspace, kind)
    path = report.folder / "openscenes.json"
    mark = json.loads(path.read_text())
    change = ENTRIES.get(case, {"label": LABELS.get(case)})
    for key, value in change.items():
        entry = mark["objects"][1]
        entry[key] = entry[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(mark))
    there = fresh(tmp_path)
    with pytest.raises((DataError, InputError)) as error:
        import_objects(there.annotations, there.workspace, report.folder)
    assert "\n" not in str(error.value) and len(str(error.value)) < 700
    assert there.annotations.objects() == () and not there.annotations.log.path.exists()


@pytest.mark.parametrize(
    "mark", [{"kind": "pascal"}, {"kind": None}, {"objects": [5]}, {"objects": {}}, {"format": 99}],
    ids=["kind", "no kind", "number", "objects", "format"],
)  # fmt: skip
def test_a_mark_of_another_version_is_refused(pair, tmp_path, mark):
    report = export(pair.annotations, pair.workspace, "png")
    path = report.folder / "openscenes.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | mark))
    with pytest.raises(OpenScenesError, match="no export|unknown kind|is damaged"):
        import_objects(pair.annotations, pair.workspace, report.folder)


@pytest.mark.parametrize("kind", ["voc", "png"])
@pytest.mark.parametrize("how", ["cut", "text", "empty", "colours", "other size", "pipe", "link"])
def test_a_damaged_mask_is_refused_in_one_sentence(pair, tmp_path, kind, how):
    report = export(pair.annotations, pair.workspace, kind)
    place = "masks" if kind == "png" else "VOCdevkit/VOC2012/SegmentationObject"
    file = min((report.folder / place).iterdir())
    content = file.read_bytes()
    file.unlink()
    if how in ("cut", "text", "empty"):
        file.write_bytes({"cut": content[:60], "text": b"text", "empty": b""}[how])
    elif how == "pipe":
        os.mkfifo(file)
    elif how == "link":
        file.symlink_to(tmp_path / "set/a.jpg")
    else:
        size, mode = ((9, 9), "L") if how == "other size" else (tools.SIZE[::-1], "RGB")
        Image.new(mode, size).save(file)
    there = fresh(tmp_path)
    with pytest.raises(DataError) as error:
        import_objects(there.annotations, there.workspace, report.folder)
    assert "\n" not in str(error.value)
    assert not there.annotations.log.path.exists()


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "link/secret.png", "a\0.png"])
def test_a_log_that_names_files_elsewhere_exports_none_of_them(tmp_path, kind, name):
    there = tools.world(tmp_path / "set", "a.png")
    secret = tools.write_image(tmp_path / "secret.png", seed=9)
    (tmp_path / "set/link").symlink_to(tmp_path)
    known = tools.accept(there, "a.png", MASK)
    digest = tools.opened(tmp_path).workspace.facts("secret.png").digest
    line = to_json(known) | {"image": name, "image_digest": digest, "object": "0123456789ab"}
    with there.workspace.log_path.open("a") as log:
        log.write(json.dumps(line) + "\n")
    window = Annotations(Log(there.workspace.log_path))
    report = export(window, there.workspace, kind, tmp_path / "out")
    assert report.n_objects == 1
    copies = [path.read_bytes() for path in report.folder.rglob("*") if path.is_file()]
    assert secret.read_bytes() not in copies


def test_names_of_any_length_are_exported_and_come_back(tmp_path):
    name = "/".join(["\u8a9e" * 70] * 3) + ".png"
    there = tools.world(tmp_path / "set", name)
    tools.accept(there, name, MASK, "cup")
    for kind in KINDS[:3]:
        report = export(there.annotations, there.workspace, kind)
        names = [path.name.encode() for path in report.folder.rglob("*")]
        assert max(map(len, names)) <= 255
        assert import_objects(there.annotations, there.workspace, report.folder).n_known == 1


@pytest.mark.parametrize("kind", KINDS[:3])
def test_exports_of_earlier_versions_come_back_unless_their_frame_is_another(tmp_path, kind):
    there = tools.world(tmp_path / "set", "a.jpg")
    tools.write_image(tmp_path / "set/b.jpg", 3, orientation=6)
    there = tools.opened(tmp_path / "set")
    for name in ("a.jpg", "b.jpg"):
        tools.accept(there, name, tools.rectangle(2, 3, 9, 9, there.workspace.facts(name).size))
    report = export(there.annotations, there.workspace, kind)
    for path in (report.folder / "openscenes.json", *report.folder.rglob("instances_*.json")):
        path.write_text(path.read_text().replace("pixel_digest", "another_key"))
    other = fresh(tmp_path)
    back = import_objects(other.annotations, other.workspace, report.folder)
    assert (back.n_added, other.annotations.accepted()[0].image) == (1, "a.jpg")
    assert back.notes == (
        "1 object was clicked before the orientation of their image was applied; click them anew.",
    )


def test_an_image_that_can_no_longer_be_read_is_left_out_and_told(pair, monkeypatch):
    facts_of = type(pair.workspace).facts

    def facts(self, image, pixels=None):
        if Path(image).name == "a.jpg":
            raise DataError("unreadable image: a.jpg (cut short); restore the file.")
        return facts_of(self, image, pixels)

    monkeypatch.setattr(type(pair.workspace), "facts", facts)
    report = export(pair.annotations, pair.workspace, "coco")
    assert report.n_objects == 1
    why = "unreadable image: a.jpg (cut short); restore the file."
    assert report.notes == (f"1 object is left out: {why}",)


def test_a_damaged_code_of_a_coco_export_is_counted(pair, tmp_path):
    report = export(pair.annotations, pair.workspace, "coco")
    path = report.folder / "annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"]["counts"] += "0"
    path.write_text(json.dumps(content))
    there = fresh(tmp_path)
    back = import_objects(there.annotations, there.workspace, report.folder)
    assert (back.n_added, back.notes) == (1, ("1 object is left out: unreadable annotation.",))


def test_polygons_that_were_corrected_in_the_exports_folder_are_not_passed_over_in_silence(pair):
    report = export(pair.annotations, pair.workspace, "coco")
    path = report.folder / "annotations/polygons_train2017.json"
    path.write_text(path.read_text().replace('"cup"', '"mug"'))
    back = import_objects(pair.annotations, pair.workspace, report.folder)
    assert (back.n_added, back.n_known) == (0, 2)
    assert back.notes == (
        "annotations/polygons_train2017.json was changed, and is read only where you import that "
        "file.",
    )
    assert import_objects(pair.annotations, pair.workspace, path).n_added == 2
    assert {one.class_name for one in pair.annotations.accepted()} == {"mug"}
