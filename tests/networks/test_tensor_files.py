"""Files of tensors: equal bytes for equal ones, and one sentence for what is damaged."""

import json
import os
import random
import zipfile

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from openscenes.errors import WeightsError
from openscenes.networks.tensor_files import read_state, read_tensors, write_tensors

STATE = {
    "b.weight": torch.arange(6.0).reshape(2, 3),
    "a.bias": torch.tensor([0.5], dtype=torch.bfloat16),
    "n": torch.tensor(3),
    "none": torch.zeros(0, 4),
}
ABOUT = {f"key {number}": "\u00e9\n" * number for number in range(12)}


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(STATE, path, ABOUT)
    return path


def equal(one, other):
    return sorted(one) == sorted(other) and all(torch.equal(one[key], other[key]) for key in one)


def test_equal_tensors_and_metadata_are_equal_bytes_in_any_order(written, tmp_path):
    state, about = dict(reversed(STATE.items())), dict(reversed(ABOUT.items()))
    write_tensors(state, tmp_path / "b.safetensors", about)
    assert written.read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_what_is_written_is_read_here_and_by_the_library(written):
    state, about = read_tensors(written)
    assert about == ABOUT and equal(state, STATE) and equal(load_file(written), STATE)
    with safe_open(written, "pt") as file:
        assert {key: file.metadata()[key] for key in ABOUT} == ABOUT
    header = written.read_bytes()[8:]
    names = json.JSONDecoder().raw_decode(header.decode("latin-1"))[0]["__metadata__"]
    assert list(names) == sorted(names)


def test_half_a_character_in_the_metadata_does_not_spoil_the_file(tmp_path):
    write_tensors(STATE, tmp_path / "a.safetensors", {"label": "a\ud800b"})
    assert read_tensors(tmp_path / "a.safetensors")[1] == {"label": "a?b"}


def test_a_pth_that_swells_when_it_is_unpacked_is_refused(tmp_path):
    torch.save(STATE, tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as plain,
        zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    with pytest.raises(WeightsError, match="its parts are compressed"):
        read_state(tmp_path / "b.pth")


def test_files_without_a_digest_are_read(tmp_path):
    save_file(STATE, tmp_path / "a.safetensors", {"profile": "demo"})
    state, about = read_tensors(tmp_path / "a.safetensors")
    assert about == {"profile": "demo"} and equal(state, STATE)


def test_a_changed_byte_anywhere_is_noticed(written):
    whole, rng = written.read_bytes(), random.Random(0)
    for place in [*range(16), *rng.sample(range(len(whole)), 200), len(whole) - 1]:
        written.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            state, about = read_tensors(written)
        except WeightsError as error:
            assert "is damaged" in str(error) and "\n" not in str(error)
        else:  # padding, or the name of the digest
            assert about.items() >= ABOUT.items() and equal(state, STATE)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_damaged_pth_is_one_sentence(tmp_path, legacy):
    path, rng = tmp_path / "a.pth", random.Random(1)
    torch.save(STATE, path, _use_new_zipfile_serialization=not legacy)
    whole, n_refused = path.read_bytes(), 0
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 2, 5])):
            damaged[rng.randrange(len(whole))] = rng.randrange(256)
        path.write_bytes(damaged[: rng.choice([len(whole), rng.randrange(len(whole))])])
        try:
            read_state(path)
        except WeightsError as error:
            n_refused += 1
            assert "\n" not in str(error)
    assert n_refused > 75


def test_a_changed_byte_in_a_tensor_of_a_pth_is_noticed(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"a": torch.full((100,), 1.5)}, path)
    whole = path.read_bytes()
    place = whole.index(torch.full((4,), 1.5).numpy().tobytes())
    path.write_bytes(whole[:place] + b"\x01" + whole[place + 1 :])
    with pytest.raises(WeightsError, match=r"is damaged .*check sum of \S+ does not fit"):
        read_state(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".SAFETENSORS", ""])
def test_what_is_no_file_of_tensors_is_one_sentence(tmp_path, suffix):
    def refused(name, told):
        with pytest.raises(WeightsError, match=told):
            read_state(tmp_path / f"{name}{suffix}")

    (tmp_path / f"folder{suffix}").mkdir()
    refused("folder", "weight file .* is a folder; give a file")
    os.mkfifo(tmp_path / f"pipe{suffix}")
    refused("pipe", "weight file .* is a named pipe; give a file")
    refused("gone", "There is no weight file")
    (tmp_path / f"loop{suffix}").symlink_to(tmp_path / f"loop{suffix}")
    refused("loop", "weight file .* cannot be opened")
    for name, content in (("empty", b""), ("text", b"hello\n"), ("zeros", bytes(100))):
        (tmp_path / f"{name}{suffix}").write_bytes(content)
        refused(name, "is damaged or holds more than tensors")


@pytest.mark.parametrize(
    "content", [{}, [], {"a": {}}, {1: torch.zeros(1)}, torch.zeros(2)],
    ids=["empty", "list", "empty within", "numbered", "one tensor"],
)  # fmt: skip
def test_what_holds_no_named_tensors_is_told(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="holds more than named tensors; save only"):
        read_state(tmp_path / "a.pth")
