"""SBD's MATLAB files: as SciPy reads them, and one sentence for anything else."""

import os
import random
import zlib

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from openscenes.data.datasets.matlab import read_struct
from openscenes.data.datasets.sbd import read_instances
from openscenes.errors import DataError

FIELDS = ("Segmentation", "Categories")
LABELS = np.arange(35, dtype=np.uint8).reshape(5, 7) % 3


def write(path, labels=LABELS, categories=((15,), (3,)), compressed=True, **more):
    """The fields of SBD in their order, behind another variable."""
    truth = {"Boundaries": np.zeros((2, 1), object), "Segmentation": labels}
    truth |= {"Categories": np.array(categories, np.uint8), **more}
    savemat(path, {"before": np.ones((3, 3)), "GTinst": truth}, do_compression=compressed)
    return path


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize(
    "kind", [np.uint8, np.uint16, np.int32, np.int64, np.float64], ids=lambda kind: kind.__name__
)
def test_arrays_are_what_scipy_reads(tmp_path, kind, compressed):
    path = write(tmp_path / "a.mat", LABELS.astype(kind), compressed=compressed)
    expected = loadmat(path)["GTinst"][0, 0]
    for name, found in zip(FIELDS, read_struct(path, "GTinst", FIELDS), strict=True):
        np.testing.assert_array_equal(found, expected[name])
        assert found.dtype == expected[name].dtype


def test_no_categories_are_no_numbers(tmp_path):
    path = write(tmp_path / "a.mat", categories=np.zeros((0, 1)))
    assert read_struct(path, "GTinst", ("Categories",))[0].shape == (0, 1)


def refused(path, told):
    with pytest.raises(DataError, match=told) as raised:
        read_struct(path, "GTinst", FIELDS)
    assert "\n" not in str(raised.value)


def test_what_is_no_such_file_is_one_sentence(tmp_path):
    path = tmp_path / "a.mat"
    for content in (b"", b"hello", bytes(200), b"MATLAB 7.3 MAT-file" + bytes(107) + b"IM",
                    b"\x89HDF\r\n\x1a\n" + bytes(200), b"MATLAB 5.0" + bytes(200)):  # fmt: skip
        path.write_bytes(content)
        refused(path, "is no MATLAB file of version 5 to 7 with GTinst .*header is another one")
    savemat(path, {"GTcls": {"Segmentation": LABELS}})
    refused(path, "there is no such variable")
    savemat(path, {"GTinst": LABELS})
    refused(path, "cut short")
    savemat(path, {"GTinst": {"Segmentation": LABELS}})
    refused(path, "has not the fields Segmentation, Categories")
    for labels in (LABELS * 1j, "text", np.zeros((2, 2), object)):
        refused(write(path, labels), "a field is no array of real numbers|cut short")
    (tmp_path / "folder.mat").mkdir()
    refused(tmp_path / "folder.mat", "is a folder")
    os.mkfifo(tmp_path / "pipe.mat")
    refused(tmp_path / "pipe.mat", "is a named pipe")
    refused(tmp_path / "gone.mat", "There is no mask")


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_a_changed_or_shortened_file_is_read_or_refused(tmp_path, compressed):
    path, rng = write(tmp_path / "a.mat", compressed=compressed), random.Random(0)
    whole, n_refused = path.read_bytes(), 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 2, 5])):
            damaged[rng.randrange(len(whole))] = rng.randrange(256)
        path.write_bytes(damaged[: rng.choice([len(whole), rng.randrange(len(whole))])])
        try:
            read_struct(path, "GTinst", FIELDS)
        except DataError:
            n_refused += 1
    assert n_refused > 100


def test_sizes_beyond_the_file_are_refused_at_once(tmp_path):
    path = write(tmp_path / "a.mat", compressed=False)
    whole = path.read_bytes()
    shape = np.array([5, 7], "<i4").tobytes()
    for sides in ([2**31 - 1, 2**31 - 1], [-5, -7], [5, 8], [0, 7]):
        path.write_bytes(whole.replace(shape, np.array(sides, "<i4").tobytes(), 1))
        refused(path, r"an array of \[.*\] has 35 numbers")


def test_what_swells_when_it_is_unpacked_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("openscenes.data.datasets.matlab._MAX_BYTES", 4096)
    path = write(tmp_path / "a.mat", np.zeros((300, 300), np.uint8))
    assert path.stat().st_size < 2000
    refused(path, "cut short")


@pytest.mark.parametrize("label", [-1, 65536, 2**40])
def test_labels_that_no_mask_has_are_refused(tmp_path, label):
    labels = LABELS.astype(np.int64)
    labels[0, 0] = label
    with pytest.raises(DataError, match=r"mask is not a label image: .*wanted \(height, width\)"):
        read_instances(write(tmp_path / "a.mat", labels))


def test_a_category_that_is_no_class_is_none(tmp_path):
    path = write(tmp_path / "a.mat", categories=[[3], [200], [0]])
    assert read_instances(path).categories == (3, 0, 0)
    assert zlib.crc32(read_instances(path).labels.tobytes()) == zlib.crc32(LABELS.tobytes())
