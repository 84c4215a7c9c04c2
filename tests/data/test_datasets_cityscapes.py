"""Cityscapes, on a data set of a few pixels written in the official layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openscenes.data.datasets import cityscapes, read_mask, read_void
from openscenes.errors import DataError

INSTANCES = np.array(
    [
        [7, 26000, 26000, 7, 24, 24],
        [7, 26001, 26000, 7, 33, 3],
        [7, 26001, 7, 24000, 29000, 3],
        [26001, 7, 7, 24000, 24000, 3],
    ],
    dtype=np.uint16,
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))


def write_frame(root: Path, split: str, name: str, instances: np.ndarray = INSTANCES) -> None:
    city = name.split("_")[0]
    image = root / f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png"
    mask = root / f"gtFine/{split}/{city}/{name}_gtFine_instanceIds.png"
    for path in (image, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), (90, 90, 90)).save(image)
    Image.fromarray(instances).save(mask)


def test_only_instances_of_the_eight_classes_are_objects(tmp_path):
    write_frame(tmp_path, "val", "ulm_000000_000019")
    index = cityscapes(tmp_path, "val")
    found = [
        (record.mask.label, record.class_name, record.box, record.area) for record in index.records
    ]
    assert found == [
        (24000, "person", (2, 3, 4, 5), 3),
        (26000, "car", (0, 1, 2, 3), 3),
        (26001, "car", (1, 0, 4, 2), 3),
    ]
    assert index.records[0].object_id == "ulm_000000_000019/24000"
    assert index.dropped == {"group region": 2, "no evaluated class": 1}
    assert index.classes == (
        "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
    )  # fmt: skip


def test_disconnected_parts_are_one_mask(tmp_path):
    write_frame(tmp_path, "val", "ulm_000000_000019")
    record = cityscapes(tmp_path, "val").records[2]
    np.testing.assert_array_equal(read_mask(record), INSTANCES == 26001)


def test_ignored_classes_are_background(tmp_path):
    write_frame(tmp_path, "val", "ulm_000000_000019")
    assert {read_void(record) for record in cityscapes(tmp_path, "val").records} == {None}


def test_images_of_several_cities_are_ordered_and_counted(tmp_path):
    write_frame(tmp_path, "train", "zurich_000001_000019")
    write_frame(tmp_path, "train", "aachen_000001_000019", np.full((4, 6), 7, np.uint16))
    write_frame(tmp_path, "train", "bochum_000001_000019")
    write_frame(tmp_path, "train", "cologne_000001_000019", INSTANCES[:2])
    (tmp_path / "leftImg8bit/train/bochum/bochum_000001_000019_leftImg8bit.png").unlink()
    index = cityscapes(tmp_path, "train", min_area=3)
    assert {record.image_id for record in index.records} == {"zurich_000001_000019"}
    assert index.n_images == 4
    assert index.dropped["image missing"] == 1
    assert index.dropped["mask differs in size from its image"] == 1


def test_wrong_root_says_which_folder_was_wanted(tmp_path):
    with pytest.raises(DataError, match="the folder that contains leftImg8bit/train"):
        cityscapes(tmp_path, "train")
    (tmp_path / "leftImg8bit/train").mkdir(parents=True)
    with pytest.raises(DataError, match="the folder that contains gtFine/train"):
        cityscapes(tmp_path, "train")
    (tmp_path / "gtFine/train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no usable object in 0 images \(left out: nothing\)"):
        cityscapes(tmp_path, "train")
