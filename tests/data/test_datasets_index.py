"""Boxes of label maps, and the index: digest, cache, pickling."""

import importlib
import multiprocessing
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openscenes.data.datasets import cityscapes, labels
from openscenes.errors import DataError, InputError
from openscenes.masks import tight_box


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))


def mask_path(root: Path) -> Path:
    return root / "gtFine/val/ulm/ulm_0_gtFine_instanceIds.png"


def write(root: Path, instances: list[list[int]]) -> Path:
    image = root / "leftImg8bit/val/ulm/ulm_0_leftImg8bit.png"
    for path in (image, mask_path(root)):
        path.parent.mkdir(parents=True, exist_ok=True)
    array = np.array(instances, dtype=np.uint16)
    Image.new("RGB", array.shape[::-1]).save(image)
    Image.fromarray(array).save(mask_path(root))
    return root


def cache_files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache/indexes").iterdir())


def test_regions_equal_one_mask_at_a_time():
    rng = np.random.default_rng(0)
    label_map = rng.integers(0, 6, (13, 17)) * rng.integers(0, 2, (13, 17))
    label_map[4, :] = 0
    found = labels.regions(label_map)
    assert [region.label for region in found] == [1, 2, 3, 4, 5]
    for region in found:
        mask = label_map == region.label
        assert tuple(region.box) == tight_box(mask) and region.area == mask.sum()


def test_regions_of_an_empty_map_are_none():
    assert labels.regions(np.zeros((3, 3), np.uint8)) == []


def test_decoded_labels_cannot_be_changed_by_a_caller(tmp_path):
    write(tmp_path, [[24000, 0]])
    with pytest.raises(ValueError, match="read-only"):
        labels.read_labels(mask_path(tmp_path))[0, 0] = 1


def test_digest_follows_content_and_not_place_or_time(tmp_path):
    here = write(tmp_path / "here", [[24000, 24000, 24001], [0, 24000, 24001]])
    there = tmp_path / "some/where/else"
    shutil.copytree(here, there)
    os.utime(mask_path(there), (1, 1))
    first, second = cityscapes(here, "val"), cityscapes(there, "val")
    assert first.digest == second.digest
    assert second.records[0].image.is_relative_to(there)


def test_digest_notices_a_mask_of_equal_box_and_area(tmp_path):
    first = cityscapes(write(tmp_path, [[24000, 24000], [0, 24000]]), "val")
    second = cityscapes(write(tmp_path, [[24000, 24000], [24000, 0]]), "val")
    assert first.records[0].box == second.records[0].box
    assert first.records[0].area == second.records[0].area
    assert first.digest != second.digest


def test_second_call_reads_no_mask_and_gives_the_same(tmp_path, monkeypatch):
    root = write(tmp_path, [[24000, 7, 24], [7, 33001, 7]])
    first = cityscapes(root, "val")
    reader = importlib.import_module("openscenes.data.datasets.cityscapes")
    monkeypatch.setattr(reader, "read_labels", lambda path: pytest.fail("read again"))
    assert cityscapes(root, "val") == first


def test_options_do_not_share_an_index(tmp_path):
    root = write(tmp_path, [[24000, 24001, 24001]])
    assert len(cityscapes(root, "val").records) == 2
    assert len(cityscapes(root, "val", min_area=2).records) == 1
    assert len(cache_files(tmp_path)) == 2


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"scene": 3, "classes": 4}']
)
def test_damaged_cache_is_built_again(tmp_path, content):
    root = write(tmp_path, [[24000, 24001]])
    first = cityscapes(root, "val")
    (file,) = cache_files(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(content)
    assert cityscapes(root, "val") == first
    assert file.read_bytes() == whole


def test_a_changed_byte_anywhere_in_the_cache_is_noticed(tmp_path):
    root = write(tmp_path, [[24000, 24001]])
    first = cityscapes(root, "val")
    (file,) = cache_files(tmp_path)
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert cityscapes(root, "val") == first
        assert file.read_bytes() == whole


def test_a_pipe_in_the_cache_is_replaced_and_a_folder_put_aside(tmp_path):
    root = write(tmp_path, [[24000, 24001]])
    first = cityscapes(root, "val")
    (file,) = cache_files(tmp_path)
    file.unlink()
    os.mkfifo(file)
    assert cityscapes(root, "val") == first and file.is_file()
    for _ in range(2):
        file.unlink()
        (file / "within").mkdir(parents=True)
        if not file.with_name(f"{file.name}.damaged").exists():
            assert cityscapes(root, "val") == first and file.is_file()
    with pytest.raises(InputError, match=r"the cache .* cannot be written .*OPENSCENES_CACHE"):
        cityscapes(root, "val")


def test_links_that_lead_back_are_followed_once(tmp_path):
    root = write(tmp_path, [[24000, 24001]])
    (root / "gtFine/val/ulm/again").symlink_to(root / "gtFine/val")
    (root / "gtFine/val/bonn").symlink_to(root / "gtFine/val/bonn")
    assert len(cityscapes(root, "val").records) == 2


def test_names_of_no_encoding_are_files_like_others(tmp_path):
    root = write(tmp_path, [[24000, 24001]])
    with open(os.fsencode(root) + b"/gtFine/val/ulm/\xff.txt", "wb"):  # noqa: PTH123
        pass
    assert len(cityscapes(root, "val").records) == 2


def test_changed_files_are_indexed_again(tmp_path):
    root = write(tmp_path, [[24000, 24001]])
    assert len(cityscapes(root, "val").records) == 2
    write(root, [[24000, 0]])
    os.utime(mask_path(root), (1, 1))
    assert len(cityscapes(root, "val").records) == 1


def test_failure_is_not_remembered(tmp_path):
    root = write(tmp_path, [[7, 7]])
    with pytest.raises(DataError, match="no usable object"):
        cityscapes(root, "val")
    assert not (tmp_path / "cache/indexes").exists()


def test_a_link_to_nowhere_is_a_missing_mask(tmp_path):
    root = write(tmp_path, [[24000, 24001]])
    broken = mask_path(root).with_name("ulm_1_gtFine_instanceIds.png")
    broken.symlink_to(tmp_path / "nowhere.png")
    shutil.copy(
        root / "leftImg8bit/val/ulm/ulm_0_leftImg8bit.png",
        root / "leftImg8bit/val/ulm/ulm_1_leftImg8bit.png",
    )
    assert cityscapes(root, "val").dropped == {"mask missing": 1}


def test_records_are_small_and_survive_pickling(tmp_path):
    record = cityscapes(write(tmp_path, [[24000]]), "val").records[0]
    text = pickle.dumps(record)
    assert pickle.loads(text) == record and len(text) < 2000


def _digest(root: Path) -> str:
    return cityscapes(root, "val").digest


def test_two_processes_share_the_cache(tmp_path):
    root = write(tmp_path, [[24000, 24001]])
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        digests = pool.map(_digest, [root] * 4, chunksize=1)
    assert set(digests) == {_digest(root)}
    assert len(cache_files(tmp_path)) == 1
