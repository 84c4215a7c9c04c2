"""Boxes of COCO and VOC get masks of the model, to be accepted; VOC's masks come as they are."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from openscenes import masks
from openscenes.annotator.exchange.imports import import_objects
from openscenes.errors import DataError

given = SimpleNamespace(**run_path(str(Path(__file__).parent / "exchanging.py")))
XML = """<annotation><filename>a.jpg</filename>
<size><width>60</width><height>40</height><depth>3</depth></size>
<object><name>dog</name><bndbox><xmin>6</xmin><ymin>5</ymin><xmax>25</xmax><ymax>20</ymax></bndbox>
</object><object><name>cat</name><bndbox><xmin>?</xmin></bndbox></object></annotation>"""


class BoxModel:
    """Fills the box, but for its first row."""

    label = "v7"

    def __init__(self):
        self.asked = []

    def predict(self, path, box, point):
        self.asked.append((path.name, tuple(box), tuple(point)))
        row0, col0, row1, col1 = map(round, box)
        return SimpleNamespace(mask=given.rectangle(row0 + 1, col0, row1, col1))


@pytest.fixture
def there(tmp_path):
    return given.world(tmp_path / "images", "a.jpg")


def imported(there, source, model=None):
    return import_objects(there.annotations, there.workspace, source, lambda: model)


def test_a_box_of_coco_becomes_a_draft_that_is_not_accepted(there, tmp_path):
    box = given.drawn(segmentation=[], bbox=[5, 4, 20, 16])
    source, model = given.coco_file(tmp_path, [given.entry()], [box]), BoxModel()
    report = imported(there, source, model)
    (made,) = there.annotations.objects()
    assert (made.box, made.class_name, made.model) == ((4.0, 5.0, 20.0, 25.0), "cup", "v7")
    assert (made.accepted, made.action) == (False, "imported")
    assert made.interaction.point == (11.5, 14.5)
    assert np.array_equal(masks.decode(made.mask), given.rectangle(5, 5, 20, 25))
    assert "1 object is of boxes" in str(report)
    there.annotations.correct(made.object_id, (6.0, 6.0, 1), masks.decode(made.mask), model="v7")
    again = imported(there, source, model)
    assert (again.n_added, len(model.asked)) == (0, 1)


def test_without_a_model_or_on_the_image_a_box_is_left_out_with_its_reason(there, tmp_path):
    boxes = [given.drawn(1, segmentation=None, bbox=[5, 4, 20, 16]),
             given.drawn(2, segmentation=None, bbox=[100, 4, 20, 16])]  # fmt: skip
    report = imported(there, given.coco_file(tmp_path, [given.entry()], boxes))
    assert report.notes == (
        "1 object has a box alone, and there is no model to draw a mask.",
        "1 object has a box without pixels on their image, such as a.jpg.",
    )


@pytest.mark.parametrize("place", ["", "Annotations"])
def test_boxes_of_voc_count_from_one_with_both_ends_inside(there, tmp_path, place):
    folder = tmp_path / "voc" / place
    folder.mkdir(parents=True)
    (folder / "a.xml").write_text(XML)
    (folder / "b.xml").write_text("<annotation>")
    model = BoxModel()
    report = imported(there, tmp_path / "voc", model)
    (made,) = there.annotations.objects()
    assert (made.box, made.class_name) == ((4.0, 5.0, 20.0, 25.0), "dog")
    assert report.notes[:2] == (
        "1 object is of boxes: accept their masks.",
        "1 object has no bndbox of four numbers, such as a.xml.",
    )
    assert "stands in a file that cannot be read" in report.notes[2]
    assert imported(there, folder / "a.xml", model).n_added == 0


def test_masks_of_voc_come_as_accepted_with_their_class(there, tmp_path):
    root = tmp_path / "VOCdevkit" / "VOC2012"
    for kind, values in (("Object", (1, 2)), ("Class", (12, 15))):
        labels = np.zeros(given.SIZE, np.uint8)
        labels[5:20, 5:25], labels[25:35, 30:50] = values
        labels[4, 5:25] = 255
        (root / f"Segmentation{kind}").mkdir(parents=True)
        Image.fromarray(labels).save(root / f"Segmentation{kind}/a.png")
    report = imported(there, tmp_path)
    first, second = there.annotations.accepted()
    assert (first.class_name, second.class_name) == ("dog", "person")
    assert np.array_equal(masks.decode(first.mask), given.rectangle(5, 5, 20, 25))
    assert (report.n_added, imported(there, root).n_added) == (2, 0)


def test_what_is_neither_names_what_is_wanted(there, tmp_path):
    with pytest.raises(DataError, match="XML, as of CVAT; of VOC it ends with .xml"):
        path = tmp_path / "boxes.txt"
        path.write_text(XML)
        imported(there, path)
