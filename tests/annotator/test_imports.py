"""Imports bring back what was exported, once, and take COCO annotations of anybody."""

import json
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from openscenes.annotator.exchange.export import KINDS, export
from openscenes.annotator.exchange.imports import import_objects
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.annotator.store.workspace import Workspace, open_workspace
from openscenes.data.crops import CropConfig
from openscenes.data.datasets import annotations as coco_annotations
from openscenes.data.interactions import ClickConfig, simulate
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import DataError, InputError
from openscenes.masks import decode, encode

SIZE = (40, 60)
# pycocotools up to 2.0.11 converts arrays in the way of numpy 1.
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))
    coco_annotations._opened.cache_clear()


def disk(row: int, col: int, radius: int = 7) -> np.ndarray:
    mask = cv2.circle(np.zeros(SIZE, np.uint8), (col, row), radius, 1, -1)
    return mask.astype(bool)


@pytest.fixture
def workspace(tmp_path):
    for seed, name in enumerate(("a.jpg", "b/c.jpg")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    return open_workspace(tmp_path / "photos")


@pytest.fixture
def annotations(workspace):
    """Three accepted objects on two images, one corrected; and one nobody accepted."""
    made = Annotations(Log(workspace.log_path))
    asked = Interaction(Box(1.5, 2.5, 30, 40), Point(10.25, 12))
    first, second = workspace.facts("a.jpg"), workspace.facts("b/c.jpg")
    for image, mask in ((first, disk(10, 12)), (first, disk(30, 40)), (second, disk(20, 30))):
        made.accept(made.begin(image, asked, mask, model="v1").object_id)
    corrected = made.objects()[0].object_id
    made.correct(corrected, (30, 50, -1), disk(12, 14), model="v2")
    made.name(corrected, "cat")
    made.accept(corrected)
    made.begin(second, asked, disk(9, 9), model="v1")
    return made


def empty(tmp_path: Path, workspace: Workspace) -> tuple[Annotations, Workspace]:
    """A second log for copies of the same images under other names."""
    (tmp_path / "copies").mkdir()
    shutil.copy(workspace.images / "a.jpg", tmp_path / "copies/renamed.jpg")
    shutil.copy(workspace.images / "b/c.jpg", tmp_path / "copies/c.jpg")
    other = open_workspace(tmp_path / "copies")
    return Annotations(Log(other.log_path)), other


def n_lines(annotations: Annotations) -> int:
    path = annotations.log.path
    return path.read_bytes().count(b"\n") if path.exists() else 0


def write_foreign(folder: Path, sizes: dict[str, tuple[int, int]], entries: list[dict]) -> Path:
    images = [
        {"id": number, "file_name": name, "height": height, "width": width}
        for number, (name, (height, width)) in enumerate(sizes.items(), start=1)
    ]
    base = {"iscrowd": 0, "category_id": 3}
    numbered = [base | entry | {"id": number} for number, entry in enumerate(entries, start=5)]
    categories = [{"id": 3, "name": "zebra"}]
    path = folder / "foreign.json"
    content = {"images": images, "annotations": numbered, "categories": categories}
    path.write_text(json.dumps(content))
    return path


def core(one: Snapshot) -> tuple[object, ...]:
    return (one.object_id, one.box, one.clicks, one.class_name, one.model, one.mask, one.first_mask)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_an_export_comes_back_whole_in_a_new_log(annotations, workspace, tmp_path, kind):
    export(annotations, workspace, kind, tmp_path / "out")
    there, other = empty(tmp_path, workspace)
    report = import_objects(there, other, tmp_path / "out")
    assert str(report) == f"3 objects of {tmp_path / 'out'} added, 0 known before."
    assert sorted(map(core, there.accepted()), key=str) == sorted(
        map(core, annotations.accepted()), key=str
    )
    assert {one.image for one in there.accepted()} == {"renamed.jpg", "c.jpg"}
    assert {one.action for one in there.accepted()} == {"imported"}
    assert {one.window for one in there.accepted()} == {there.window}


@pytest.mark.parametrize("kind", KINDS[:3])
def test_a_second_import_adds_nothing(annotations, workspace, tmp_path, kind):
    export(annotations, workspace, kind, tmp_path / "out")
    before = n_lines(annotations)
    report = import_objects(annotations, workspace, tmp_path / "out")
    assert (report.n_added, report.n_known, n_lines(annotations)) == (0, 3, before)
    there, other = empty(tmp_path, workspace)
    import_objects(there, other, tmp_path / "out")
    changed = there.accepted()[0].object_id
    there.name(changed, "dog")
    assert import_objects(there, other, tmp_path / "out").n_added == 0
    assert there.get(changed).class_name == "dog" and n_lines(there) == 4


def test_an_import_is_no_step_to_undo(annotations, workspace, tmp_path):
    export(annotations, workspace, "png", tmp_path / "out")
    there, other = empty(tmp_path, workspace)
    import_objects(there, other, tmp_path / "out")
    assert not there.can_undo and len(there.accepted()) == 3


def test_a_coco_file_alone_is_enough(annotations, workspace, tmp_path):
    export(annotations, workspace, "coco", tmp_path / "out")
    path = tmp_path / "out/annotations/instances_train2017.json"
    assert import_objects(annotations, workspace, path).n_known == 3


def test_a_class_given_elsewhere_is_taken(annotations, workspace, tmp_path):
    export(annotations, workspace, "coco", tmp_path / "out")
    path = tmp_path / "out/annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    content["categories"][0]["name"] = "lion"
    path.write_text(json.dumps(content))
    there, other = empty(tmp_path, workspace)
    import_objects(there, other, path)
    assert Counter(one.class_name for one in there.accepted()) == {None: 2, "lion": 1}


def test_objects_under_others_do_not_come_back_from_voc(annotations, workspace, tmp_path):
    last = annotations.objects()[-1].object_id  # within the disk of radius 7
    image = workspace.facts("b/c.jpg")
    over = annotations.begin(image, annotations.get(last).interaction, disk(20, 30, 9), model="v1")
    annotations.accept(over.object_id)
    export(annotations, workspace, "voc", tmp_path / "out")
    there, other = empty(tmp_path, workspace)
    report = import_objects(there, other, tmp_path / "out")
    assert (report.n_added, report.notes) == (3, ("1 object lies wholly under others.",))


def test_a_covered_object_stays_whole_where_its_voc_export_is_imported(
    annotations, workspace, tmp_path
):
    below = annotations.objects()[-1]
    over = annotations.begin(
        workspace.facts("b/c.jpg"), below.interaction, disk(20, 36, 6), model="v1"
    )
    annotations.accept(over.object_id)
    export(annotations, workspace, "voc", tmp_path / "out")
    report = import_objects(annotations, workspace, tmp_path / "out")
    assert (report.n_added, report.n_known) == (0, 4)
    assert annotations.get(below.object_id) == below

    path = tmp_path / "out/VOCdevkit/VOC2012/SegmentationObject/b_c.png"
    labels = Image.open(path)
    pixels = np.asarray(labels).copy()
    pixels[20, 24:26] = 0  # of the object below, where no other lies
    changed = Image.fromarray(pixels)
    changed.putpalette(labels.getpalette())
    changed.save(path)
    assert import_objects(annotations, workspace, tmp_path / "out").n_added == 1
    assert not decode(annotations.get(below.object_id).mask)[20, 24:26].any()


def test_foreign_objects_get_the_simulated_users_interaction(workspace, tmp_path):
    polygon = [10, 10, 30, 10, 30, 30, 10, 30]
    entries = [
        {"image_id": 1, "segmentation": encode(disk(10, 12))},
        {"image_id": 2, "segmentation": [polygon]},
        {"image_id": 2, "segmentation": [polygon], "iscrowd": 1},
        {"image_id": 2, "segmentation": []},
        {"image_id": 3, "segmentation": [polygon]},
        {"image_id": 4, "segmentation": [polygon]},
    ]
    sizes = {"a.jpg": SIZE, "c.jpg": SIZE, "gone.jpg": SIZE, "b/c.jpg": (60, 40)}
    annotations = Annotations(Log(workspace.log_path))
    path = write_foreign(tmp_path, sizes, entries)
    report = import_objects(annotations, workspace, path)
    assert (report.n_added, report.n_known) == (2, 0)
    assert report.notes == (
        "1 object is left out: crowd.",
        "1 object has an empty mask, or none.",
        "1 object has no image here, such as 'gone.jpg'.",
        "1 object is of another size than their image, such as b/c.jpg.",
    )
    first, second = annotations.accepted()
    np.testing.assert_array_equal(decode(first.mask), disk(10, 12))
    unused = np.random.default_rng(5)
    wanted = simulate(disk(10, 12), ClickConfig(), CropConfig(), unused)
    assert first.interaction == wanted and len(first.clicks) == 1
    assert (first.class_name, first.model, first.first_mask) == ("zebra", "", None)
    assert (first.image, second.image, second.box) == ("a.jpg", "b/c.jpg", (10, 10, 30, 30))
    assert first.action == second.action == "imported"
    assert import_objects(annotations, workspace, path).n_known == 2
    assert n_lines(annotations) == 2


def test_an_image_that_cannot_be_read_is_left_out_and_told(workspace, tmp_path):
    entries = [{"image_id": n, "segmentation": encode(disk(10, 12))} for n in (1, 2)]
    path = write_foreign(tmp_path, {"a.jpg": SIZE, "c.jpg": SIZE}, entries)
    (workspace.images / "a.jpg").write_bytes(b"broken")
    report = import_objects(Annotations(Log(workspace.log_path)), workspace, path)
    assert report.notes == ("1 object lies on an image that cannot be read, such as a.jpg.",)
    assert report.n_added == 1


def test_sources_that_are_no_export_are_told(workspace, tmp_path):
    annotations = Annotations(Log(workspace.log_path))
    with pytest.raises(
        InputError, match="There is no .*nowhere; give an export's folder, or files of COCO"
    ):
        import_objects(annotations, workspace, tmp_path / "nowhere")
    with pytest.raises(InputError, match="photos is no export of this annotator"):
        import_objects(annotations, workspace, workspace.images)
    (tmp_path / "text.json").write_text("[]")
    with pytest.raises(DataError, match="text.json is not a COCO instances file"):
        import_objects(annotations, workspace, tmp_path / "text.json")
    assert n_lines(annotations) == 0


@pytest.mark.parametrize("kind", ["voc", "png"])
def test_a_damaged_export_is_told(annotations, workspace, tmp_path, kind):
    export(annotations, workspace, kind, tmp_path / "out")
    path = tmp_path / "out/openscenes.json"
    mark = json.loads(path.read_text())
    del mark["objects"][0]["object"]["clicks"]
    path.write_text(json.dumps(mark))
    there, other = empty(tmp_path, workspace)
    with pytest.raises(DataError, match="'clicks'.*export anew"):
        import_objects(there, other, tmp_path / "out")
    del mark["objects"][0]["file"]
    path.write_text(json.dumps(mark))
    with pytest.raises(DataError, match=r"out is damaged \(a mask without file\); export anew"):
        import_objects(there, other, tmp_path / "out")
    path.write_text(json.dumps(mark | {"objects": [{"file": "a", "label": 1, "object": {}}]}))
    with pytest.raises(DataError, match="damaged .*without what was known of it.*; export anew"):
        import_objects(there, other, tmp_path / "out")
    for mask in (tmp_path / "out").rglob("*.png"):
        mask.unlink()
    path.write_text(json.dumps(mark | {"objects": mark["objects"][1:]}))
    with pytest.raises(DataError, match="mask missing: .*png"):
        import_objects(there, other, tmp_path / "out")
    assert n_lines(there) == 0


def test_an_export_of_other_images_is_told(annotations, workspace, tmp_path):
    export(annotations, workspace, "coco", tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (60, 40)).save(tmp_path / "elsewhere/a.jpg")
    other = open_workspace(tmp_path / "elsewhere")
    there = Annotations(Log(other.log_path))
    with pytest.raises(DataError, match=r"None of 3 objects.*a.jpg has changed since"):
        import_objects(there, other, tmp_path / "out")
