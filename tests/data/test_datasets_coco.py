"""COCO, on a data set of a few pixels written in the official layout."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from openscenes.data.datasets import annotations, coco, read_mask, read_void
from openscenes.errors import DataError, InputError
from openscenes.masks import encode, tight_box

SQUARE = [[1, 1, 5, 1, 5, 4, 1, 4]]
TWO_PARTS = [[0, 0, 2, 0, 2, 2, 0, 2], [6, 6, 8, 6, 8, 8, 6, 8]]

# pycocotools up to 2.0.11 converts arrays in the way of numpy 1.
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))
    annotations._opened.cache_clear()


def annotation(number: int, image: int, segmentation: object, **more: object) -> dict[str, object]:
    base = {"id": number, "image_id": image, "category_id": 3, "iscrowd": 0}
    return base | {"segmentation": segmentation} | more


def write_coco(root: Path, content: list[dict[str, object]], n_images: int = 2) -> Path:
    images = [
        {"id": number, "file_name": f"{number:012d}.jpg", "height": 8, "width": 10}
        for number in range(1, n_images + 1)
    ]
    (root / "val2017").mkdir(exist_ok=True)
    for image in images:
        Image.new("RGB", (10, 8), (9, 99, 199)).save(root / "val2017" / str(image["file_name"]))
    categories = [{"id": 3, "name": "car"}, {"id": 1, "name": "person"}]
    path = root / "annotations/instances_val2017.json"
    path.parent.mkdir(exist_ok=True)
    text = {"images": images, "annotations": content, "categories": categories}
    path.write_text(json.dumps(text))
    return path


def test_polygon_becomes_box_area_and_mask(tmp_path):
    write_coco(tmp_path, [annotation(7, 1, SQUARE), annotation(4, 1, TWO_PARTS, category_id=1)])
    index = coco(tmp_path, "val2017")
    two, square = index.records
    expected = np.zeros((8, 10), bool)
    expected[1:4, 1:5] = True
    assert (index.scene, index.classes, index.n_images) == ("coco/val", ("person", "car"), 2)
    assert square.object_id == "000000000001/7" and square.class_name == "car"
    assert (square.box, square.area) == ((1, 1, 4, 5), 12)
    np.testing.assert_array_equal(read_mask(square), expected)
    assert (two.class_name, two.box, two.area) == ("person", (0, 0, 8, 8), 8)
    assert read_void(two) is None
    assert coco(tmp_path, "val").digest == index.digest


def test_both_run_length_forms_are_read(tmp_path):
    mask = np.zeros((8, 10), bool)
    mask[2:5, 3] = mask[7, 9] = True
    plain = {"size": [8, 10], "counts": [26, 3, 50, 1]}
    write_coco(tmp_path, [annotation(1, 1, plain), annotation(2, 2, encode(mask))])
    for record in coco(tmp_path, "val").records:
        np.testing.assert_array_equal(read_mask(record), mask)
        assert record.box == (2, 3, 8, 10)


def test_what_cannot_be_used_is_counted(tmp_path):
    write_coco(
        tmp_path,
        [
            annotation(1, 1, SQUARE),
            annotation(2, 1, {"size": [8, 10], "counts": [80]}, iscrowd=1),
            annotation(3, 1, []),
            annotation(4, 1, [[1, 1, 5, 5]]),
            annotation(5, 1, {"size": [9, 9], "counts": [81]}),
            annotation(6, 1, {"size": [8, 10], "counts": [3, 5]}),
            annotation(10, 1, encode(np.ones((8, 10), bool)) | {"counts": "35"}),
            annotation(7, 77, SQUARE),
            annotation(8, 1, SQUARE, category_id=99),
            annotation(9, 2, [[0, 0, 2, 0, 2, 2, 0, 2]]),
        ],
    )
    index = coco(tmp_path, "val", min_area=5)
    assert [record.mask.label for record in index.records] == [1]
    assert index.dropped == {
        "annotation without image": 1,
        "crowd": 1,
        "empty": 2,
        "no class": 1,
        "smaller than 5 px": 1,
        "unreadable annotation": 3,
    }


OTHER = [[6, 4, 9, 4, 9, 7, 6, 7]]
BOTH = [(12, (1, 1, 4, 5)), (9, (4, 6, 7, 9))]


def shapes(index):
    """Area, box and class of each object, whose masks are its own."""
    for record in index.records:
        mask = read_mask(record)
        assert (int(mask.sum()), tight_box(mask)) == (record.area, record.box)
    return sorted(((record.area, record.box) for record in index.records), reverse=True)


@pytest.mark.parametrize(
    "ids",
    [
        (1, 1), ("b2c4-91aa", "77f0"), (None, None), (1.2, 1.9), ("1", 1), (True, False),
        (2**70, 2**70 + 1), ([1], {}), (-3, -7), (0, 5.0), (float("nan"), 1), (2**63 - 1, 4),
    ],
    ids=[
        "equal", "text", "none", "fractions", "text beside number", "flags", "beyond 64 bits",
        "lists", "negative", "whole as 5.0", "no number", "largest",
    ],
)  # fmt: skip
def test_each_annotation_keeps_its_own_mask_whatever_its_id_is(tmp_path, ids):
    first, second = (annotation(0, image, SQUARE) | {"id": one} for image, one in enumerate(ids, 1))
    write_coco(tmp_path, [first, second | {"segmentation": OTHER}])
    index = coco(tmp_path, "val")
    assert shapes(index) == BOTH
    assert len({record.object_id for record in index.records}) == 2
    without = [{key: one[key] for key in one if key != "id"} for one in (first, second)]
    write_coco(tmp_path, [without[0], without[1] | {"segmentation": OTHER}])
    assert shapes(coco(tmp_path, "val")) == BOTH


def test_an_id_is_the_files_own_or_the_place_in_it(tmp_path):
    write_coco(tmp_path, [annotation(9, 1, SQUARE), annotation(3, 1, OTHER)])
    assert [record.mask.label for record in coco(tmp_path, "val").records] == [3, 9]
    write_coco(tmp_path, [annotation(9, 1, SQUARE), annotation(9, 1, OTHER)])
    assert [record.mask.label for record in coco(tmp_path, "val").records] == [1, 2]


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("image_ids", "references", "dropped"),
    [
        ((1, 2), ("1", "2"), {}),
        (("1", "2"), (1, 2.0), {}),
        (("a", "b"), ("a", "b"), {}),
        (("0001", "0002"), (1, "2"), {}),
        ((1, "1"), (1, "1"), {}),
        ((1.5, 2.5), (1.5, 2.5), {}),
        ((2**80, -4), (2**80, "-4"), {}),
        ((1, "1"), ("01", "1"), {"image id that several images have": 1}),
        ((1, 1), (1, 1), {"image id that several images have": 2}),
        ((None, 2), (None, 2), {"annotation without image": 1}),
        ((True, 2), (1, 2), {"annotation without image": 1}),
        (([1], {"a": 1}), ([1], {"a": 1}), {"annotation without image": 2}),
        ((float("nan"), 2), (float("nan"), 2), {"annotation without image": 1}),
    ],
    ids=[
        "text for numbers", "numbers for text", "text", "leading zeros", "both are there",
        "fractions", "large and negative", "one of two", "repeated", "none", "a flag", "lists",
        "no number",
    ],
)  # fmt: skip
def test_images_are_found_by_what_their_ids_mean(tmp_path, image_ids, references, dropped):
    path = write_coco(tmp_path, [annotation(1, 1, SQUARE), annotation(2, 2, OTHER)])

    def rename(content):
        for one, number in zip(content["images"], image_ids, strict=True):
            one["id"] = number
        for one, number in zip(content["annotations"], references, strict=True):
            one["image_id"] = number

    changed(path, rename)
    if sum(dropped.values()) == 2:
        with pytest.raises(DataError, match=f"left out: {next(iter(dropped))}: 2"):
            coco(tmp_path, "val")
        return
    index = coco(tmp_path, "val")
    assert index.dropped == dropped
    assert shapes(index) == BOTH[len(dropped) :]
    stems = {BOTH[0][0]: "000000000001", BOTH[1][0]: "000000000002"}
    assert all(record.image_id == stems[record.area] for record in index.records)


def test_an_image_that_is_listed_twice_alike_is_one(tmp_path):
    path = write_coco(tmp_path, [annotation(1, 1, SQUARE), annotation(2, 2, OTHER)])
    changed(path, lambda content: content["images"].append(dict(content["images"][0])))
    assert shapes(coco(tmp_path, "val")) == BOTH


def test_images_of_equal_stems_keep_apart(tmp_path):
    path = write_coco(tmp_path, [annotation(1, 1, SQUARE), annotation(2, 2, OTHER)])
    for name in ("a", "b"):
        (tmp_path / "val2017" / name).mkdir()
        Image.new("RGB", (10, 8)).save(tmp_path / f"val2017/{name}/1.png")

    def rename(content):
        content["images"][0]["file_name"], content["images"][1]["file_name"] = "a/1.png", "b/1.png"

    changed(path, rename)
    records = coco(tmp_path, "val").records
    assert [record.image_id for record in records] == ["a/1.png", "b/1.png"]


@pytest.mark.parametrize(
    "sizes",
    [
        {}, {"height": None, "width": None}, {"height": 0, "width": 0}, {"height": "8"},
        {"height": "8", "width": "10"}, {"height": 8.0, "width": 10.0},
    ],
    ids=["missing", "null", "zero", "half", "text", "whole fractions"],
)  # fmt: skip
@pytest.mark.parametrize("code", [False, True], ids=["polygons", "run lengths"])
def test_an_image_without_size_has_that_of_its_file(tmp_path, sizes, code):
    mask = np.zeros((8, 10), bool)
    mask[1:4, 1:5] = True
    segmentation = encode(mask) if code else SQUARE
    path = write_coco(tmp_path, [annotation(1, 1, segmentation), annotation(2, 2, OTHER)])

    def resize(content):
        one = content["images"][0]
        one.pop("height"), one.pop("width")
        one |= sizes

    changed(path, resize)
    for _ in range(2):
        assert shapes(coco(tmp_path, "val")) == BOTH
        annotations._opened.cache_clear()


@pytest.mark.parametrize(
    "size", [(10**9, 10**9), (2**63, 10), (-8, 10), ("many", 10), ([8], 10), (8.5, 10),
             (float("nan"), 10), (10**400, 10)],
    ids=["giga", "beyond 64 bits", "negative", "text", "list", "fraction", "nan", "no float"],
)  # fmt: skip
def test_an_impossible_size_spoils_its_own_image_alone(tmp_path, size):
    path = write_coco(tmp_path, [annotation(1, 1, SQUARE), annotation(2, 2, OTHER)])
    sides = {"height": size[0], "width": size[1]}
    changed(path, lambda content: content["images"][0].update(sides))
    index = coco(tmp_path, "val")
    assert index.dropped == {"image of an impossible size": 1} and shapes(index) == BOTH[1:]


SHARES = "polygon in shares of the image's sides"
BAD = "unreadable annotation"
SEGMENTATIONS = {
    "not a number": ([[1, 1, float("nan"), 1, 5, 4]], BAD),
    "infinite": ([[1, 1, float("inf"), 1, 5, 4]], BAD),
    "far away": ([[1, 1, 1e9, 1, 5, 4]], BAD),
    "beyond a float": ([[1, 1, 10**400, 1, 5, 4]], BAD),
    "odd": ([[1, 1, 5, 1, 5, 4, 1]], BAD),
    "text within": ([[1, 1, "5", 1, 5, 4]], BAD),
    "null within": ([[1, 1, None, 1, 5, 4]], BAD),
    "flags": ([[True, False, True, True, False, True]], BAD),
    "not nested": ([1, 1, 5, 1, 5, 4], BAD),
    "nested twice": ([[[1, 1], [5, 1], [5, 4]]], BAD),
    "pairs": ([[[1, 1], [5, 1], [5, 4], [1, 4], [1, 3], [1, 2]]], BAD),
    "shares": ([[0.1, 0.1, 0.5, 0.1, 0.5, 0.9]], SHARES),
    "shares in two": ([[0, 0, 1, 0, 1, 1], [0.2, 0.2, 0.5, 0.2, 0.3, 0.4]], SHARES),
    "text": ("polygon", BAD),
    "number": (7, BAD),
    "polygons in a dict": ({"0": [1, 1, 5, 1, 5, 4]}, BAD),
    "empty": ([], "empty"),
    "empty polygon": ([[]], "empty"),
    "null": (None, "empty"),
    "two corners": ([[1, 1, 5, 4]], "empty"),
    "runs too few": ({"size": [8, 10], "counts": [3, 5]}, BAD),
    "runs too many": ({"size": [8, 10], "counts": [3, 5, 100]}, BAD),
    "negative runs": ({"size": [8, 10], "counts": [-3, 83]}, BAD),
    "huge runs": ({"size": [8, 10], "counts": [2**63, 5]}, BAD),
    "text runs": ({"size": [8, 10], "counts": ["3", "77"]}, BAD),
    "text cut": ({"size": [8, 10], "counts": "35"}, BAD),
    "text not ascii": ({"size": [8, 10], "counts": "\u00e9\ud800"}, BAD),
    "text huge": ({"size": [8, 10], "counts": "o" * 40 + "0"}, BAD),
    "other size": ({"size": [10, 8], "counts": [80]}, BAD),
    "giga size": ({"size": [10**9, 10**9], "counts": [10**18]}, BAD),
    "no size": ({"counts": [80]}, BAD),
    "no counts": ({"size": [8, 10]}, BAD),
}


@pytest.mark.parametrize("unsized", [False, True], ids=["sized", "unsized"])
@pytest.mark.parametrize("kind", SEGMENTATIONS)
def test_what_cannot_be_drawn_is_counted_and_the_rest_kept(tmp_path, kind, unsized):
    segmentation, reason = SEGMENTATIONS[kind]
    path = write_coco(tmp_path, [annotation(1, 1, segmentation), annotation(2, 1, OTHER)])
    if unsized:
        changed(path, lambda content: content["images"][0].pop("height"))
    index = coco(tmp_path, "val")
    assert index.dropped == {reason: 1} and shapes(index) == BOTH[1:]


@pytest.mark.parametrize(
    ("value", "reason"),
    [("0", None), (False, None), (None, None), ("false", None), (0.0, None), ("1", "crowd"),
     (True, "crowd"), ("True", "crowd"), (2, "crowd"), ("many", BAD), ([], BAD),
     (float("nan"), BAD)],
    ids=["text 0", "false", "null", "text false", "0.0", "text 1", "true", "text true", "two",
         "word", "list", "nan"],
)  # fmt: skip
def test_a_crowd_is_what_says_so(tmp_path, value, reason):
    write_coco(tmp_path, [annotation(1, 1, SQUARE, iscrowd=value), annotation(2, 1, OTHER)])
    index = coco(tmp_path, "val")
    assert index.dropped == ({} if reason is None else {reason: 1})


def test_classes_are_names_on_one_line_each_once(tmp_path):
    names = ["car", None, 7, "two\nlines", "", "car", ["a"], True]
    path = write_coco(tmp_path, [annotation(n, 1, SQUARE, category_id=n) for n in range(1, 9)])

    def rename(content):
        entries = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
        content["categories"] = [*entries, {"id": 3}, "stray", {"name": "none has this"}]

    changed(path, rename)
    index = coco(tmp_path, "val")
    assert index.classes[:2] == ("car", "7") and len(index.classes) == 4
    assert [one.class_name for one in index.records] == ["car", "two\\nlines", "car"]
    assert index.dropped == {"category id that several categories have": 1, "no class": 4}
    assert coco(tmp_path, "val") == index


def test_categories_are_found_by_what_their_ids_mean(tmp_path):
    references = (3, "3", 3.0, "03", True, None, [3], 9)
    anns = [annotation(n, 1, SQUARE, category_id=one) for n, one in enumerate(references)]
    write_coco(tmp_path, anns)
    index = coco(tmp_path, "val")
    assert [record.class_name for record in index.records] == ["car"] * 4
    assert index.dropped == {"no class": 4}


OUTSIDE = "file name outside its folder"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../secret.jpg", OUTSIDE), ("a/../../secret.jpg", OUTSIDE), ("/secret.jpg", OUTSIDE),
        ("C:\\secret.jpg", OUTSIDE), ("..\\secret.jpg", OUTSIDE), ("link.jpg", OUTSIDE),
        ("", OUTSIDE), ("a\0b.jpg", OUTSIDE), (None, OUTSIDE), (5, OUTSIDE), (["a"], OUTSIDE),
        ("x" * 5000, "image missing"), ("\ud800.jpg", OUTSIDE), (".", OUTSIDE),
        ("gone.jpg", "image missing"), ("pipe.jpg", "unreadable image"),
    ],
    ids=[
        "above", "above from below", "absolute", "drive", "backslash", "link", "empty", "zero byte",
        "null", "number", "list", "long", "surrogate", "the folder", "missing", "pipe",
    ],
)  # fmt: skip
def test_image_names_stay_in_their_folder(tmp_path, name, reason):
    path = write_coco(tmp_path, [annotation(1, 1, SQUARE), annotation(2, 2, OTHER)])
    Image.new("RGB", (10, 8)).save(tmp_path / "secret.jpg")
    (tmp_path / "val2017/link.jpg").symlink_to(tmp_path / "secret.jpg")
    os.mkfifo(tmp_path / "val2017/pipe.jpg")
    changed(path, lambda content: content["images"][0].update(file_name=name))
    index = coco(tmp_path, "val")
    assert index.dropped == {reason: 1} and shapes(index) == BOTH[1:]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_of_other_encodings_are_read(tmp_path, encoding):
    path = write_coco(tmp_path, [annotation(1, 1, SQUARE), annotation(2, 1, OTHER)])
    path.write_text(path.read_text(), encoding)
    assert shapes(coco(tmp_path, "val")) == BOTH


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no JSON"), (b"\x89PNG\r\n", "is no text in UTF-8 or UTF-16"),
        (b"[" * 200_000, "is no JSON"), (b'{"images": {}, "annotations": []}', "images: dict, wan"),
        (b'{"images": [], "annotations": null}', "annotations: missing"), (b"7", "images: missing"),
        (b'{"images": [], "annotations": [], "categories": {}}', "categories: dict, wanted a list"),
        (b'{"images": [], "annotations": []}', "no usable object in 0 images"),
    ],
    ids=["empty", "binary", "deep", "images a dict", "null", "number", "categories", "nothing"],
)  # fmt: skip
def test_what_is_no_annotation_file_is_one_sentence(tmp_path, content, told):
    write_coco(tmp_path, [annotation(1, 1, SQUARE)]).write_bytes(content)
    with pytest.raises(DataError, match=told) as raised:
        coco(tmp_path, "val")
    assert "\n" not in str(raised.value)


def test_an_annotation_file_that_is_a_pipe_is_refused_at_once(tmp_path):
    path = write_coco(tmp_path, [annotation(1, 1, SQUARE)])
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match=r"instances_val2017\.json"):
        coco(tmp_path, "val")
    with pytest.raises(DataError, match="is a named pipe"):
        annotations.read_annotations(path)


@pytest.mark.parametrize("entry", [[], 7, None, "text", {}], ids=repr)
def test_entries_of_another_kind_spoil_nothing(tmp_path, entry):
    path = write_coco(tmp_path, [annotation(1, 1, SQUARE), annotation(2, 1, OTHER)])

    def add(content):
        for name in ("images", "annotations", "categories"):
            content[name].append(entry)

    changed(path, add)
    index = coco(tmp_path, "val")
    assert shapes(index) == BOTH and index.dropped == {"unreadable annotation": 1}


def test_damaged_images_are_counted_once_each(tmp_path):
    write_coco(tmp_path, [annotation(n, n, SQUARE) for n in (1, 2, 3)], n_images=3)
    (tmp_path / "val2017/000000000002.jpg").unlink()
    Image.new("RGB", (8, 10)).save(tmp_path / "val2017/000000000003.jpg")
    assert coco(tmp_path, "val").dropped == {
        "image missing": 1,
        "mask differs in size from its image": 1,
    }


def test_sample_is_nested_seeded_and_of_about_the_right_size(tmp_path):
    write_coco(tmp_path, [annotation(n, n, SQUARE) for n in range(1, 201)], n_images=200)

    def names(fraction: float, seed: int) -> set[str]:
        index = coco(tmp_path, "val", fraction=fraction, seed=seed)
        assert index.n_images == len(index.records)
        return {record.image_id for record in index.records}

    tenth, third = names(0.1, 0), names(0.3, 0)
    assert tenth < third and tenth != names(0.1, 1)
    assert 8 <= len(tenth) <= 34 and 35 <= len(third) <= 87  # four standard deviations
    assert len(names(1.0, 5)) == 200


def test_sample_does_not_depend_on_other_images(tmp_path):
    (tmp_path / "few").mkdir(), (tmp_path / "many").mkdir()
    write_coco(tmp_path / "few", [annotation(n, n, SQUARE) for n in range(1, 21)], n_images=20)
    write_coco(tmp_path / "many", [annotation(n, n, SQUARE) for n in range(40, 0, -1)], n_images=40)
    few, many = (coco(tmp_path / name, "val", fraction=0.5) for name in ("few", "many"))
    kept = [record.object_id for record in many.records if record.mask.label <= 20]
    assert [record.object_id for record in few.records] == kept


def test_annotations_are_parsed_once(tmp_path, monkeypatch):
    write_coco(tmp_path, [annotation(1, 1, SQUARE)])
    record = coco(tmp_path, "val").records[0]
    annotations._opened.cache_clear()
    monkeypatch.setattr(annotations, "read_content", lambda path: pytest.fail("parsed again"))
    assert read_mask(record).sum() == 12
    assert len(coco(tmp_path, "val", min_area=2).records) == 1


@pytest.mark.parametrize("suffix", ["npz", "codes"])
@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "pipe", "another", "missing"])
def test_damaged_copy_of_the_annotations_is_made_again(tmp_path, suffix, damage):
    write_coco(tmp_path, [annotation(1, 1, SQUARE)])
    record = coco(tmp_path, "val").records[0]
    (copy,) = (tmp_path / "cache/indexes").glob(f"coco-annotations-*.{suffix}")
    whole = copy.read_bytes()
    places = [0, 1, len(whole) // 2, len(whole) - 70, len(whole) - 1]
    contents = {"cut": [whole[:50]], "empty": [b""], "another": [b"hello"],
                "flipped": [whole[:p] + bytes([whole[p] ^ 1]) + whole[p + 1 :] for p in places],
                "pipe": [None], "missing": [None]}  # fmt: skip
    for content in contents[damage]:
        copy.unlink()
        if content is not None:
            copy.write_bytes(content)
        elif damage == "pipe":
            os.mkfifo(copy)
        annotations._opened.cache_clear()
        assert read_mask(record).sum() == 12
        assert copy.read_bytes() == whole


def test_changed_annotations_are_noticed(tmp_path):
    write_coco(tmp_path, [annotation(1, 1, SQUARE), annotation(2, 1, SQUARE)])
    before = coco(tmp_path, "val")
    write_coco(tmp_path, [annotation(1, 1, TWO_PARTS)])
    after = coco(tmp_path, "val")
    assert before.digest != after.digest and after.records[0].area == 8
    with pytest.raises(DataError, match=r"no mask with the annotation id 2; .* index it again"):
        read_mask(before.records[1])


def test_wrong_root_split_and_file_are_one_sentence(tmp_path):
    with pytest.raises(DataError, match="the folder that contains annotations"):
        coco(tmp_path, "val")
    path = write_coco(tmp_path, [annotation(1, 1, SQUARE)])
    with pytest.raises(DataError, match=r"instances_train2017\.json.*there: val2017"):
        coco(tmp_path, "train")
    path.write_text('{"images": []')
    with pytest.raises(DataError, match=r"val2017\.json is no JSON .*mend or replace it"):
        coco(tmp_path, "val")
    path.write_text("[]")
    with pytest.raises(DataError, match=r"is not a COCO instances file .*unpack the official"):
        coco(tmp_path, "val")


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.5, float("nan"), "0.1", True, None])
def test_fraction_out_of_range_is_refused(tmp_path, fraction):
    with pytest.raises(InputError, match=r"must lie in \(0, 1\], got"):
        coco(tmp_path, "val", fraction=fraction)
