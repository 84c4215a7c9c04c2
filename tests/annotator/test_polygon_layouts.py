"""labelme's files and YOLO's segments give the masks back, drawn by the rules of those formats."""

import json
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from openscenes import masks
from openscenes.amounts import amount
from openscenes.annotator.exchange.export import export
from openscenes.annotator.exchange.imports import import_objects
from openscenes.errors import InputError

given = SimpleNamespace(**run_path(str(Path(__file__).parent / "exchanging.py")))


@pytest.fixture
def there(tmp_path):
    """A cup of two parts and a ring, whose hole no polygon has, on an image each."""
    made = given.world(tmp_path / "images", "a.jpg", "b.png")
    apart = given.rectangle(4, 5, 14, 20) | given.rectangle(20, 30, 36, 50)
    given.accept(made, "a.jpg", apart, "cup")
    ring = given.rectangle(5, 5, 30, 40) & ~given.rectangle(10, 10, 20, 20)
    given.accept(made, "b.png", ring, "a: ring")
    return SimpleNamespace(made=made, apart=apart, filled=given.rectangle(5, 5, 30, 40))


def drawn(rings, size):
    """Polygons along pixel edges, filled at eight times the size."""
    canvas = np.zeros((size[0] * 8, size[1] * 8), np.uint8)
    for ring in rings:
        cv2.fillPoly(canvas, [np.round(8 * np.array(ring)).astype(np.int32)], 1)
    return canvas[4::8, 4::8].astype(bool)


def test_labelme_has_the_fields_and_the_masks(there, tmp_path):
    report = export(there.made.annotations, there.made.workspace, "labelme", tmp_path / "out")
    assert "2 objects on 2 images in" in str(report)
    assert report.notes == ("1 object has holes filled, which polygons cannot have.",)
    read = json.loads((tmp_path / "out/a.json").read_text())
    assert set(read) == {
        "version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth",
    }  # fmt: skip
    assert (read["imagePath"], read["imageHeight"], read["imageWidth"]) == ("a.jpg", 40, 60)
    assert (tmp_path / "out" / read["imagePath"]).is_file()
    assert [(s["label"], s["group_id"], s["shape_type"]) for s in read["shapes"]] == [
        ("cup", 1, "polygon"), ("cup", 1, "polygon"),
    ]  # fmt: skip
    mask = drawn([shape["points"] for shape in read["shapes"]], given.SIZE)
    assert np.array_equal(mask, there.apart)


def test_yolo_has_one_line_per_object_in_shares_of_the_sides(there, tmp_path):
    export(there.made.annotations, there.made.workspace, "yolo", tmp_path / "out")
    about = yaml.safe_load((tmp_path / "out/data.yaml").read_text())
    assert about == {
        "train": "images/train", "val": "images/train", "names": {0: "a: ring", 1: "cup"},
    }  # fmt: skip
    for name, number, wanted in (("a", 1, there.apart), ("b", 0, there.filled)):
        (line,) = (tmp_path / f"out/labels/train/{name}.txt").read_text().splitlines()
        first, *rest = line.split()
        places = np.array(rest, float).reshape(-1, 2)
        assert (int(first), places.min() >= 0, places.max() <= 1) == (number, True, True)
        mask = drawn([places * given.SIZE[::-1]], given.SIZE)
        assert masks.iou(mask, wanted) > 0.99
    with Image.open(tmp_path / "out/images/train/b.png") as image:
        assert image.size == given.SIZE[::-1]


def test_what_is_for_other_programs_is_not_imported(there, tmp_path):
    export(there.made.annotations, there.made.workspace, "yolo", tmp_path / "out")
    with pytest.raises(InputError, match="for other programs; import the COCO"):
        import_objects(there.made.annotations, there.made.workspace, tmp_path / "out")


@pytest.mark.parametrize(
    ("n", "said"), [(0, "0 objects have"), (1, "1 object has"), (2, "2 objects have")]
)
def test_numbers_and_their_words(n, said):
    assert amount(n, "object", "have") == said
    assert amount(2, "class") == "2 classes"
