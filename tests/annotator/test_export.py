"""Exports are read by our readers and by pycocotools, and give back the same masks."""

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from openscenes.annotator.exchange import voc_layout
from openscenes.annotator.exchange.coco_layout import outlines
from openscenes.annotator.exchange.export import export
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.workspace import open_workspace
from openscenes.data.datasets import annotations as coco_annotations
from openscenes.data.datasets import coco, read_mask, voc
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError
from openscenes.masks import decode, tight_box

SIZE = (40, 60)
# pycocotools up to 2.0.11 converts arrays in the way of numpy 1.
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))
    coco_annotations._opened.cache_clear()


def ellipse(row: int, col: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    cv2.ellipse(mask, (col, row), (width, height), 0, 0, 360, 1, -1)
    return mask.astype(bool)


def two_parts() -> np.ndarray:
    return ellipse(8, 8, 4, 6) | ellipse(30, 50, 6, 5)


def ring() -> np.ndarray:
    return ellipse(20, 30, 15, 20) & ~ellipse(20, 30, 5, 8)


def thin() -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[2, 3:20] = mask[30, 7] = True
    return mask


def add(world: SimpleNamespace, image: Path, mask: np.ndarray, name: str | None = None) -> str:
    box = Box(*map(float, tight_box(mask) or (0, 0, 1, 1)))
    asked = Interaction(box, Point(*map(float, next(iter(np.argwhere(mask)), (0, 0)))))
    facts = world.workspace.facts(image)
    object_id = world.annotations.begin(facts, asked, mask, model="v1").object_id
    world.annotations.name(object_id, name)
    world.annotations.accept(object_id)
    world.masks[object_id] = mask
    return object_id


@pytest.fixture
def world(tmp_path):
    """Three images in two folders, two with the same name, and a log without objects."""
    root = tmp_path / "photos"
    paths = [root / "a.jpg", root / "two words/a.jpg", root / "two words/ü.png"]
    for seed, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    workspace = open_workspace(root)
    return SimpleNamespace(
        workspace=workspace, annotations=Annotations(Log(workspace.log_path)), paths=paths, masks={}
    )


@pytest.fixture
def filled(world):
    """Objects apart from each other, some with classes."""
    add(world, world.paths[0], ellipse(10, 15, 6, 9), "cat")
    add(world, world.paths[0], ellipse(30, 40, 6, 9), "dog")
    add(world, world.paths[1], two_parts(), "person")
    add(world, world.paths[2], thin())
    unaccepted = world.annotations.undo()
    world.annotations.redo()
    assert not unaccepted.accepted
    return world


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def same_masks(found: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    return sorted(mask.tobytes() for mask in found) == sorted(mask.tobytes() for mask in wanted)


def test_coco_gives_back_every_mask_to_our_reader(filled, tmp_path):
    add(filled, filled.paths[2], ring(), "ring")
    report = export(filled.annotations, filled.workspace, "coco", tmp_path / "out")
    assert (report.n_images, report.n_objects) == (3, 5)
    assert str(report) == (
        f"5 objects on 3 images in {tmp_path / 'out'}. "
        "In the file of polygons 1 object has holes filled."
    )
    index = coco(tmp_path / "out", "train")
    assert (index.n_images, index.dropped) == (3, {})
    assert index.classes == ("cat", "dog", "object", "person", "ring")
    assert {record.image.name for record in index.records} == {
        *("a.jpg", "two_words_a.jpg", "two_words_ü.png"),
    }
    assert same_masks([read_mask(one) for one in index.records], list(filled.masks.values()))
    for record in index.records:
        mask = read_mask(record)
        assert (record.box, record.area) == (tight_box(mask), mask.sum())


def test_coco_is_read_by_pycocotools(filled, tmp_path):
    export(filled.annotations, filled.workspace, "coco", tmp_path / "out")
    for name in ("instances", "polygons"):
        data = COCO(tmp_path / f"out/annotations/{name}_train2017.json")
        entries = data.loadAnns(data.getAnnIds(iscrowd=False))
        assert len(entries) == 4
        for entry in entries:
            assert isinstance(entry["segmentation"], dict if name == "instances" else list)
            wanted = filled.masks[entry["openscenes"]["object"]]
            np.testing.assert_array_equal(data.annToMask(entry).astype(bool), wanted)
            row0, col0, row1, col1 = tight_box(wanted)
            assert entry["bbox"] == [col0, row0, col1 - col0, row1 - row0]
            assert entry["area"] == wanted.sum()


def test_an_outline_runs_along_the_edges_of_pixels():
    mask = np.zeros((4, 5), bool)
    mask[1:3, 2:4] = True
    assert outlines(mask) == [[2, 1, 2, 3, 4, 3, 4, 1]]
    assert outlines(np.zeros((4, 5), bool)) == []


def test_outlines_are_the_mask_unless_it_has_holes():
    generator = np.random.default_rng(0)
    for _ in range(20):
        mask = cv2.GaussianBlur(generator.normal(size=SIZE), (0, 0), 1.5) > 0.05
        contours, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        filled = cv2.drawContours(np.zeros(SIZE, np.uint8), contours, -1, 1, -1).astype(bool)
        code = coco_mask.merge(coco_mask.frPyObjects(outlines(mask), *SIZE))
        np.testing.assert_array_equal(coco_mask.decode(code).astype(bool), filled)


def test_voc_gives_back_masks_that_lie_apart(filled, tmp_path):
    report = export(filled.annotations, filled.workspace, "voc", tmp_path / "out")
    assert report.notes == (
        "1 image was no JPEG, and coded anew.",
        "1 class is none of VOC's 20, with a number that is free here (labels.txt); "
        "a reader of VOC calls them by other names, and leaves out numbers above 20.",
    )
    index = voc(tmp_path / "out", "train")
    assert (index.n_images, index.dropped) == (3, {})
    assert same_masks([read_mask(one) for one in index.records], list(filled.masks.values()))
    names = {record.object_id: record.class_name for record in index.records}
    assert names == {
        "a/1": "cat",
        "a/2": "dog",
        "two_words_a/1": "person",
        "two_words_ü/1": "aeroplane",
    }
    labels = (tmp_path / "out/VOCdevkit/VOC2012/labels.txt").read_text()
    assert labels == "1 object\n8 cat\n12 dog\n15 person\n"


def test_in_voc_the_object_accepted_later_lies_on_top(world, tmp_path):
    big, hidden, top = ellipse(20, 30, 15, 20), ellipse(20, 30, 4, 4), ellipse(20, 30, 8, 8)
    ids = [add(world, world.paths[0], mask, "cat") for mask in (top, hidden, big)]
    world.annotations.correct(ids[0], (20, 30, 1), top, model="v1")
    world.annotations.accept(ids[0])  # anew, so it is the last
    report = export(world.annotations, world.workspace, "voc", tmp_path / "out")
    assert report.notes == (
        "1 object lost pixels to an object that was accepted later.",
        "1 object lies wholly under others, not in the masks.",
    )
    records = voc(tmp_path / "out", "train").records
    assert same_masks([read_mask(one) for one in records], [top, big & ~top])


def test_the_palette_is_the_one_of_voc(filled, tmp_path):
    assert voc_layout.palette()[: 3 * 5] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128]
    assert voc_layout.palette()[-3:] == [224, 224, 192]
    export(filled.annotations, filled.workspace, "voc", tmp_path / "out")
    path = tmp_path / "out/VOCdevkit/VOC2012/SegmentationObject/a.png"
    with Image.open(path) as image:
        assert image.mode == "P" and image.getpalette()[3:6] == [128, 0, 0]


def test_classes_have_vocs_numbers_and_then_the_free_ones():
    numbers = voc_layout.class_numbers(["dog", "zebra", "aeroplane", "apple", "dog"])
    assert numbers == {"aeroplane": 1, "apple": 2, "zebra": 3, "dog": 12}
    with pytest.raises(InputError, match="255 classes do not fit a VOC mask; export to COCO"):
        voc_layout.class_numbers([f"class {number}" for number in range(255)])


def test_more_objects_than_colours_are_told(world, tmp_path, monkeypatch):
    monkeypatch.setattr(voc_layout, "VOID", 2)
    for _ in range(2):
        add(world, world.paths[0], thin(), "cat")
    with pytest.raises(InputError, match="a.jpg has 2 accepted objects, and a VOC mask holds 1"):
        export(world.annotations, world.workspace, "voc", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_png_has_one_file_per_object(filled):
    report = export(filled.annotations, filled.workspace, "png")
    assert report.folder == filled.workspace.folder / "exports/png"
    files = sorted((report.folder / "masks").iterdir())
    assert len(files) == 4
    for file in files:
        name, _, object_id = file.stem.rpartition("_")
        assert name in ("a", "two_words_a", "two_words_ü")
        pixels = np.array(Image.open(file))
        np.testing.assert_array_equal(pixels, filled.masks[object_id] * np.uint8(255))


@pytest.mark.parametrize("kind", ["coco", "voc"])
def test_images_are_copies(filled, tmp_path, kind):
    before = filled.paths[1].read_bytes()
    export(filled.annotations, filled.workspace, kind, tmp_path / "out")
    (copy,) = (tmp_path / "out").rglob("two_words_a.jpg")
    assert copy.read_bytes() == before and not copy.samefile(filled.paths[1])
    with copy.open("r+b") as file:
        file.write(b"changed in place")
    assert filled.paths[1].read_bytes() == before


@pytest.mark.parametrize("kind", ["coco", "voc", "png"])
def test_an_older_export_of_the_kind_is_replaced_whole(filled, tmp_path, kind):
    folder = tmp_path / "deep/out"
    export(filled.annotations, filled.workspace, kind, folder)
    before = content(folder)
    export(filled.annotations, filled.workspace, kind, folder)
    assert content(folder) == before
    filled.annotations.delete(next(iter(filled.masks)))
    export(filled.annotations, filled.workspace, kind, folder)
    assert content(folder) != before
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    assert len(filled.workspace.list_images()) == 3


def test_files_of_others_are_never_replaced(filled, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    export(filled.annotations, filled.workspace, "coco", folder)
    before = content(folder)
    with pytest.raises(InputError, match="holds an export of the kind coco; choose another"):
        export(filled.annotations, filled.workspace, "voc", folder)
    (folder / "annotations/mine.json").write_text("{}")
    with pytest.raises(InputError, match=r"holds 1 file that no export wrote, such as anno"):
        export(filled.annotations, filled.workspace, "coco", folder)
    assert content(folder) == before | {"annotations/mine.json": b"{}"}
    for place in (filled.workspace.images, filled.workspace.folder):
        with pytest.raises(InputError, match="that no export wrote, such as"):
            export(filled.annotations, filled.workspace, "coco", place)
    with pytest.raises(InputError, match="mine.json is a file; give a folder"):
        export(filled.annotations, filled.workspace, "coco", folder / "annotations/mine.json")
    assert all(path.exists() for path in filled.paths)


def test_an_export_that_fails_leaves_the_old_one(filled, tmp_path, monkeypatch):
    export(filled.annotations, filled.workspace, "coco", tmp_path / "out")
    before = content(tmp_path / "out")

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dumps", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        export(filled.annotations, filled.workspace, "coco", tmp_path / "out")
    assert content(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos"]


def test_what_cannot_be_exported_is_left_out_and_told(filled, tmp_path):
    add(filled, filled.paths[0], np.zeros(SIZE, bool))
    filled.paths[1].unlink()
    Image.new("RGB", (60, 40)).save(filled.paths[2])
    report = export(filled.annotations, filled.workspace, "coco", tmp_path / "out")
    assert (report.n_images, report.n_objects) == (1, 2)
    assert report.notes == (
        f"{filled.paths[1]} is gone, and no other file has its content; bring the file back.",
        f"{filled.paths[2]} has changed since it was annotated; bring the former file "
        "back, or take it for the same image in the annotator.",
        "1 accepted object has an empty mask.",
    )
    filled.paths[0].unlink()
    with pytest.raises(InputError, match="no accepted object to export; accept one first.*is gone"):
        export(filled.annotations, filled.workspace, "coco", tmp_path / "out")


def test_only_accepted_objects_are_exported(world, tmp_path):
    with pytest.raises(InputError, match="There is no accepted object to export"):
        export(world.annotations, world.workspace, "png", tmp_path / "out")
    with pytest.raises(InputError, match="There is no export 'pascal'; choose one of coco, voc"):
        export(world.annotations, world.workspace, "pascal", tmp_path / "out")
    kept, dropped = (add(world, world.paths[0], thin()) for _ in range(2))
    world.annotations.delete(dropped)
    report = export(world.annotations, world.workspace, "png", tmp_path / "out")
    assert report.n_objects == 1
    (file,) = (tmp_path / "out/masks").iterdir()
    assert kept in file.name


def test_an_export_sees_what_other_windows_accepted(world, tmp_path):
    there = SimpleNamespace(**vars(world))
    there.annotations = Annotations(Log(world.workspace.log_path))
    add(there, world.paths[0], thin())
    assert export(world.annotations, world.workspace, "png", tmp_path / "out").n_objects == 1


def test_names_that_only_differ_in_case_or_suffix_stay_apart(world, tmp_path):
    twins = [world.workspace.images / name for name in ("b.png", "b.bmp", "B.webp")]
    for seed, path in enumerate(twins):
        noise = np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        add(world, path, thin(), "cat")
    export(world.annotations, world.workspace, "voc", tmp_path / "out")
    images = (tmp_path / "out/VOCdevkit/VOC2012/JPEGImages").iterdir()
    assert sorted(path.name for path in images) == ["B.jpg", "b_2.jpg", "b_3.jpg"]
    assert len(voc(tmp_path / "out", "train").records) == 3


def test_the_first_answer_and_all_clicks_travel_along(filled, tmp_path):
    object_id = next(iter(filled.masks))
    filled.annotations.correct(object_id, (1, 2, -1), ring(), model="v2")
    filled.annotations.accept(object_id)
    export(filled.annotations, filled.workspace, "coco", tmp_path / "out")
    text = (tmp_path / "out/annotations/instances_train2017.json").read_text()
    (entry,) = (
        one for one in json.loads(text)["annotations"] if one["openscenes"]["object"] == object_id
    )
    kept = entry["openscenes"]
    assert kept["clicks"][1][:3] == [1.0, 2.0, -1] and kept["model"] == "v2"
    np.testing.assert_array_equal(decode(kept["first_mask"]), filled.masks[object_id])
    np.testing.assert_array_equal(decode(entry["segmentation"]), ring())
