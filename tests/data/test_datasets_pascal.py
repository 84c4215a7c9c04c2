"""PASCAL VOC and SBD, on data sets of a few pixels written in the official layouts."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from openscenes.data.datasets import (
    VOC_CLASSES,
    read_image,
    read_mask,
    read_void,
    sbd,
    voc,
    voc_sbd,
)
from openscenes.errors import DataError, InputError

OBJECTS = np.array(
    [
        [0, 1, 1, 255, 0, 0],
        [0, 1, 1, 255, 2, 0],
        [255, 255, 255, 0, 2, 2],
        [1, 0, 0, 0, 0, 0],
    ],
    dtype=np.uint8,
)
CLASSES = np.array(
    [
        [0, 15, 15, 255, 0, 0],
        [0, 15, 9, 255, 3, 0],
        [255, 255, 255, 0, 255, 3],
        [15, 0, 0, 0, 0, 0],
    ],
    dtype=np.uint8,
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))


def write_palette(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels, mode=None).convert("L")
    image.putpalette([(37 * value) % 256 for value in range(768)])
    image.save(path)


def write_image(path: Path, size: tuple[int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size[1], size[0]), (200, 100, 50)).save(path)


def write_voc(root: Path, splits: dict[str, list[str]]) -> Path:
    base = root / "VOCdevkit/VOC2012"
    (base / "ImageSets/Segmentation").mkdir(parents=True)
    for split, names in splits.items():
        (base / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            write_image(base / f"JPEGImages/{name}.jpg", OBJECTS.shape)
            write_palette(base / f"SegmentationObject/{name}.png", OBJECTS)
            write_palette(base / f"SegmentationClass/{name}.png", CLASSES)
    return base


def write_sbd(root: Path, splits: dict[str, list[str]], categories: list[int]) -> Path:
    base = root / "benchmark_RELEASE/dataset"
    (base / "inst").mkdir(parents=True)
    labels = np.where(OBJECTS == 255, 0, OBJECTS).astype(np.uint8)
    truth = {"Segmentation": labels, "Categories": np.array(categories, np.uint8)[:, None]}
    for split, names in splits.items():
        (base / f"{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            write_image(base / f"img/{name}.jpg", labels.shape)
            savemat(base / f"inst/{name}.mat", {"GTinst": truth})
    return base


def test_voc_gives_class_box_area_and_pixels_of_each_object(tmp_path):
    write_voc(tmp_path, {"train": ["2007_000032"]})
    index = voc(tmp_path, "train")
    first, second = index.records
    assert (index.scene, index.n_images, index.classes) == ("voc/train", 1, VOC_CLASSES)
    assert first.object_id == "2007_000032/1" and first.scene == "voc/train"
    assert (first.class_name, first.box, first.area) == ("person", (0, 0, 4, 3), 5)
    assert (second.class_name, second.box, second.area) == ("bird", (1, 4, 3, 6), 3)
    assert index.dropped == {}
    np.testing.assert_array_equal(read_mask(first), OBJECTS == 1)
    np.testing.assert_array_equal(read_void(first), OBJECTS == 255)
    assert read_mask(first).dtype == read_void(first).dtype == np.bool_


def test_image_is_rgb_uint8_and_writable(tmp_path):
    write_image(tmp_path / "image.png", (4, 6))
    image = read_image(tmp_path / "image.png")
    assert image.shape == (4, 6, 3) and image.dtype == np.uint8 and image.flags.writeable
    assert image[2, 3].tolist() == [200, 100, 50]


LISTS = {
    "plain": b"a\nb\n",
    "windows": b"a\r\nb\r\n",
    "old mac": b"a\rb",
    "with a mark": b"\xef\xbb\xbfa\r\nb\r\n",
    "utf-16": "a\r\nb\r\n".encode("utf-16"),
    "utf-16 big end first": b"\xfe\xff" + "a\nb".encode("utf-16-be"),
    "blank lines and columns": b"\n a  1\n\n\tb -1\na\n",
}


@pytest.mark.parametrize("kind", LISTS)
def test_lists_of_any_editor_are_read(tmp_path, kind):
    voc_base = write_voc(tmp_path, {"train": ["a", "b"]})
    sbd_base = write_sbd(tmp_path, {"train": ["a", "b"], "val": []}, [15, 3])
    (voc_base / "ImageSets/Segmentation/train.txt").write_bytes(LISTS[kind])
    (sbd_base / "train.txt").write_bytes(LISTS[kind])
    for index in (voc(tmp_path, "train"), sbd(tmp_path)):
        assert [record.image_id for record in index.records] == ["a", "a", "b", "b"]
        assert index.dropped == {} and index.n_images == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\xff\xd8\xff\xe0 junk", "is no text in UTF-8 or UTF-16"), (b"a\nb\xe9\n", "is no text"),
     ("a\nb\n".encode("utf-16-le"), r"no usable object in 3 images .* outside its folder: 3\)"),
     (b"", "no usable object in 0 images")],
    ids=["binary", "latin-1", "utf-16 without a mark", "empty"],
)  # fmt: skip
def test_what_is_no_list_is_one_sentence(tmp_path, content, told):
    base = write_voc(tmp_path, {"train": ["a", "b"]})
    (base / "ImageSets/Segmentation/train.txt").write_bytes(content)
    with pytest.raises(DataError, match=told) as raised:
        voc(tmp_path, "train")
    assert "\n" not in str(raised.value)


def test_a_list_that_is_a_pipe_or_a_folder_is_refused_at_once(tmp_path):
    base = write_voc(tmp_path, {"train": ["a"]}) / "ImageSets/Segmentation"
    os.mkfifo(base / "pipe.txt")
    (base / "folder.txt").mkdir()
    for split in ("pipe", "folder", "a\0b", "x" * 5000):
        with pytest.raises(DataError, match=r"which does not exist; unpack"):
            voc(tmp_path, split)


@pytest.mark.parametrize("name", ["../b", "/b", "c/../../b", "..\\b", "a\0", "link"])
def test_names_of_a_list_stay_in_their_folder(tmp_path, name):
    voc_base = write_voc(tmp_path, {"train": ["a", "b"]})
    sbd_base = write_sbd(tmp_path, {"train": ["a", "b"], "val": []}, [15, 3])
    for folder, suffix in ((voc_base / "JPEGImages", "jpg"), (sbd_base / "img", "jpg")):
        (folder / f"b.{suffix}").rename(folder.parent / f"b.{suffix}")
        (folder / f"link.{suffix}").symlink_to(folder.parent / f"b.{suffix}")
    (voc_base / "ImageSets/Segmentation/train.txt").write_text(f"a\n{name}\n")
    (sbd_base / "train.txt").write_text(f"a\n{name}\n")
    for index in (voc(tmp_path, "train"), sbd(tmp_path)):
        assert {record.image_id for record in index.records} == {"a"}
        assert index.dropped == {"file name outside its folder": 1}


def test_masks_without_labels_are_said(tmp_path):
    base = write_voc(tmp_path, {"train": ["a", "b", "c"]})
    write_palette(base / "SegmentationObject/b.png", np.where(OBJECTS, 255, 0).astype(np.uint8))
    write_palette(base / "SegmentationObject/c.png", np.zeros_like(OBJECTS))
    reason = "mask with no labels but background (0) and void (255)"
    assert voc(tmp_path, "train").dropped == {reason: 2}
    (base / "ImageSets/Segmentation/train.txt").write_text("b\nc\n")
    with pytest.raises(DataError, match=r"left out: mask with no labels but background .*: 2\)"):
        voc(tmp_path, "train")


@pytest.mark.parametrize("name", ["SegmentationObject", "SegmentationClass"])
def test_labels_of_32_bits_are_counted_as_no_label_image(tmp_path, name):
    base = write_voc(tmp_path, {"train": ["a", "b"]})
    labels = np.full(OBJECTS.shape, 2**31 - 1, np.int32)
    Image.fromarray(labels).save(base / name / "b.png", format="TIFF")
    index = voc(tmp_path, "train")
    assert {record.image_id for record in index.records} == {"a"}
    assert set(index.dropped) <= {"unreadable mask", "mask is not a label image"}


@pytest.mark.parametrize("folder", ["JPEGImages", "SegmentationObject", "SegmentationClass"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
def test_what_is_no_file_is_counted(tmp_path, folder, kind):
    base = write_voc(tmp_path, {"train": ["a", "b"]})
    (path,) = (base / folder).glob("b.*")
    path.unlink()
    {"pipe": os.mkfifo, "folder": Path.mkdir, "loop": lambda p: p.symlink_to(p)}[kind](path)
    index = voc(tmp_path, "train")
    assert {record.image_id for record in index.records} == {"a"}
    assert sum(index.dropped.values()) == 1


def test_small_objects_are_counted(tmp_path):
    write_voc(tmp_path, {"train": ["a"]})
    index = voc(tmp_path, "train", min_area=4)
    assert [record.area for record in index.records] == [5]
    assert index.dropped == {"smaller than 4 px": 1}


def test_object_without_class_pixels_is_counted(tmp_path):
    base = write_voc(tmp_path, {"train": ["a"]})
    write_palette(base / "SegmentationClass/a.png", np.where(OBJECTS == 2, 0, CLASSES))
    assert voc(tmp_path, "train").dropped == {"no class": 1}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def replace_by_colours(path: Path) -> None:
    Image.open(path).convert("RGB").save(path)


def replace_by_other_size(path: Path) -> None:
    write_palette(path, OBJECTS[:3])


@pytest.mark.parametrize(
    ("file", "damage", "reason"),
    [
        ("JPEGImages/b.jpg", Path.unlink, "image missing"),
        ("JPEGImages/b.jpg", lambda path: path.write_bytes(b"not a jpeg"), "unreadable image"),
        ("JPEGImages/b.jpg", cut, "unreadable image"),
        ("SegmentationObject/b.png", Path.unlink, "mask missing"),
        ("SegmentationClass/b.png", Path.unlink, "mask missing"),
        ("SegmentationObject/b.png", lambda path: path.write_bytes(b"x"), "unreadable mask"),
        ("SegmentationObject/b.png", cut, "unreadable mask"),
        ("SegmentationObject/b.png", replace_by_colours, "mask is not a label image"),
        (
            "SegmentationObject/b.png",
            replace_by_other_size,
            "mask differs in size from its image",
        ),
    ],
)
def test_one_damaged_file_is_counted_and_the_rest_kept(tmp_path, file, damage, reason):
    base = write_voc(tmp_path, {"train": ["a", "b"]})
    damage(base / file)
    index = voc(tmp_path, "train")
    assert {record.image_id for record in index.records} == {"a"}
    assert index.dropped == {reason: 1} and index.n_images == 2


def test_nothing_left_says_why(tmp_path):
    base = write_voc(tmp_path, {"train": ["a"]})
    (base / "JPEGImages/a.jpg").unlink()
    message = r"voc/train under .* has no usable object in 1 images \(left out: image missing: 1\)"
    with pytest.raises(DataError, match=message):
        voc(tmp_path, "train")


def test_wrong_root_says_which_folder_was_wanted(tmp_path):
    with pytest.raises(DataError, match="pass as root the folder that contains VOCdevkit/VOC2012"):
        voc(tmp_path, "train")
    with pytest.raises(DataError, match="the folder that contains benchmark_RELEASE/dataset"):
        sbd(tmp_path)


def test_unknown_split_names_those_that_exist(tmp_path):
    write_voc(tmp_path, {"train": ["a"], "val": ["b"]})
    with pytest.raises(DataError, match=r"tset\.txt.*there: train, val"):
        voc(tmp_path, "tset")


def test_min_area_below_one_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least 1 pixel, got 0"):
        voc(tmp_path, "train", min_area=0)


@pytest.mark.parametrize("read", [voc, sbd], ids=["voc", "sbd"])
def test_what_no_reader_can_be_asked_is_refused(tmp_path, read):
    for min_area in ("4", True, 0.5, float("nan"), None, 10**400):
        with pytest.raises(InputError, match="min_area must be at least 1 pixel, got"):
            read(tmp_path, "train", min_area=min_area)
    with pytest.raises(InputError, match="split is a int; give a str"):
        read(tmp_path, 7)
    with pytest.raises(InputError, match="None is no folder of data .*; give its whole path"):
        read(None, "train")
    for root in (tmp_path / ("x" * 300), "a\0b", "~nobody-of-this-name"):
        with pytest.raises((DataError, InputError)):
            read(root, "train")


def test_reading_after_a_change_says_to_index_again(tmp_path):
    base = write_voc(tmp_path, {"train": ["a"]})
    record = voc(tmp_path, "train").records[1]
    write_palette(base / "SegmentationObject/a.png", np.where(OBJECTS == 2, 0, OBJECTS))
    with pytest.raises(DataError, match=r"no pixel with the label 2 of a/2; .* index it again"):
        read_mask(record)
    (base / "SegmentationObject/a.png").unlink()
    with pytest.raises(DataError, match=r"mask missing: .*restore the file"):
        read_mask(record)


def test_missing_or_cut_image_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"image missing: .*none\.jpg"):
        read_image(tmp_path / "none.jpg")
    write_image(tmp_path / "cut.jpg", (8, 8))
    cut(tmp_path / "cut.jpg")
    with pytest.raises(DataError, match=r"unreadable image: .*cut\.jpg"):
        read_image(tmp_path / "cut.jpg")


def test_sbd_reads_the_instances_and_counts_an_empty_one(tmp_path):
    write_sbd(tmp_path, {"train": ["a"], "val": ["b"]}, [15, 3, 7])
    index = sbd(tmp_path)
    assert [record.object_id for record in index.records] == ["a/1", "a/2", "b/1", "b/2"]
    assert [record.class_name for record in index.records[:2]] == ["person", "bird"]
    assert index.records[1].box == (1, 4, 3, 6) and index.dropped == {"empty": 2}
    np.testing.assert_array_equal(read_mask(index.records[0]), OBJECTS == 1)
    assert read_void(index.records[0]) is None
    assert {record.image_id for record in sbd(tmp_path, "val").records} == {"b"}


def test_sbd_counts_labels_without_class_and_damaged_files(tmp_path):
    base = write_sbd(tmp_path, {"train": ["a", "b", "c"], "val": []}, [15])
    (base / "inst/b.mat").write_bytes(b"MATLAB 5.0" + bytes(200))
    (base / "inst/c.mat").unlink()
    assert sbd(tmp_path).dropped == {"mask missing": 1, "no class": 1, "unreadable mask": 1}


def test_sbd_leaves_out_what_is_excluded(tmp_path):
    write_sbd(tmp_path, {"train": ["a", "b"], "val": ["c"]}, [15, 3])
    index = sbd(tmp_path, exclude=["b", "unknown"])
    assert {record.image_id for record in index.records} == {"a", "c"}
    assert index.dropped == {"excluded image": 1} and index.n_images == 2


def test_joined_source_prefers_voc_masks_and_never_takes_voc_val(tmp_path):
    write_voc(tmp_path, {"train": ["a", "z"], "val": ["v"]})
    write_sbd(tmp_path, {"train": ["a", "m"], "val": ["v", "n"]}, [15, 3])
    index = voc_sbd(tmp_path)
    kinds = {record.image_id: record.mask.kind for record in index.records}
    assert kinds == {"a": "voc", "m": "sbd", "n": "sbd", "z": "voc"}
    assert [record.image_id for record in index.records] == sorted("aammnnzz")
    assert {record.scene for record in index.records} == {index.scene} == {"voc+sbd/train"}
    assert index.n_images == 4 and index.dropped == {"excluded image": 2}


def test_joined_source_needs_the_list_of_voc_val(tmp_path):
    write_voc(tmp_path, {"train": ["a"]})
    write_sbd(tmp_path, {"train": ["m"], "val": []}, [15, 3])
    with pytest.raises(DataError, match=r"val\.txt, which does not exist"):
        voc_sbd(tmp_path)
