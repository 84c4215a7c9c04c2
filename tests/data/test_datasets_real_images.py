"""The readers on the sample images, where these are at hand."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from openscenes.data.datasets import cityscapes, coco, read_image, read_mask, sbd, voc, voc_sbd
from openscenes.masks import tight_box
from openscenes.paths import PROJECT

DATA = Path(os.environ.get("OPENSCENES_DATA", PROJECT.parent / "shared" / "data"))
READERS = {
    "voc train": (lambda: voc(DATA, "train"), 324, 550),
    "voc val": (lambda: voc(DATA, "val"), 165, 360),
    "sbd": (lambda: sbd(DATA), 682, 930),
    "voc+sbd": (lambda: voc_sbd(DATA), 1006, 1480),
    "cityscapes train": (lambda: cityscapes(DATA / "cityscapes", "train"), 184, 1180),
    "cityscapes val": (lambda: cityscapes(DATA / "cityscapes", "val", min_area=300), 101, 420),
    "coco train": (lambda: coco(DATA / "coco", "train", min_area=1000), 220, 920),
    "coco val": (lambda: coco(DATA / "coco", "val2017", min_area=1000), 100, 460),
}

# pycocotools up to 2.0.11 converts arrays in the way of numpy 1.
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = [
    pytest.mark.skipif(not (DATA / "VOCdevkit").is_dir(), reason="the sample images are not here"),
    pytest.mark.filterwarnings(FILTER),
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path_factory.getbasetemp() / "real images"))


@pytest.mark.parametrize("name", READERS)
def test_counts_are_those_of_the_sample(name):
    read, n_images, n_objects = READERS[name]
    index = read()
    assert index.n_images == pytest.approx(n_images, rel=0.05)
    assert len(index.records) == pytest.approx(n_objects, rel=0.02)
    assert len({record.object_id for record in index.records}) == len(index.records)
    assert set(index.dropped) <= {"crowd", "group region"} | {
        reason for reason in index.dropped if reason.startswith("smaller than")
    }


@pytest.mark.parametrize("name", READERS)
def test_masks_lie_in_their_boxes_on_their_images(name):
    for record in READERS[name][0]().records[::7]:
        mask = read_mask(record)
        assert tight_box(mask) == tuple(record.box) and mask.sum() == record.area
    assert read_image(record.image).shape == (*mask.shape, 3)


def test_coco_masks_equal_those_of_pycocotools():
    path = DATA / "coco/annotations/instances_val2017.json"
    content = json.loads(path.read_text())
    images = {image["id"]: image for image in content["images"]}
    by_id = {entry["id"]: entry for entry in content["annotations"]}
    for record in coco(DATA / "coco", "val").records[::20]:
        entry = by_id[record.mask.label]
        size = images[entry["image_id"]]["height"], images[entry["image_id"]]["width"]
        parts = coco_mask.decode(coco_mask.frPyObjects(entry["segmentation"], *size))
        np.testing.assert_array_equal(read_mask(record), parts.any(axis=2))


def test_coco_mask_equals_ann_to_mask(capsys):
    from pycocotools.coco import COCO

    oracle = COCO(str(DATA / "coco/annotations/instances_val2017.json"))
    capsys.readouterr()
    record = max(coco(DATA / "coco", "val").records, key=lambda record: record.area)
    expected = oracle.annToMask(oracle.anns[record.mask.label]).astype(bool)
    np.testing.assert_array_equal(read_mask(record), expected)
    assert capsys.readouterr() == ("", "")
