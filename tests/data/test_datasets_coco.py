"""COCO, on a data set of a few pixels written in the official layout."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openscenes.data.datasets import annotations, coco, read_mask, read_void
from openscenes.errors import DataError, InputError
from openscenes.masks import encode

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
def test_damaged_copy_of_the_annotations_is_made_again(tmp_path, suffix):
    write_coco(tmp_path, [annotation(1, 1, SQUARE)])
    record = coco(tmp_path, "val").records[0]
    (copy,) = (tmp_path / "cache/indexes").glob(f"coco-annotations-*.{suffix}")
    copy.write_bytes(copy.read_bytes()[:50])
    annotations._opened.cache_clear()
    assert read_mask(record).sum() == 12


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


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.5, float("nan")])
def test_fraction_out_of_range_is_refused(tmp_path, fraction):
    with pytest.raises(InputError, match=r"must lie in \(0, 1\], got"):
        coco(tmp_path, "val", fraction=fraction)
