"""What is no image, no box, no point and no model file ends in one sentence."""

import json
import os

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from openscenes.data.crops import CropConfig
from openscenes.data.interactions import ClickConfig
from openscenes.errors import InputError, OpenScenesError, WeightsError
from openscenes.networks.config import NetworkConfig
from openscenes.prediction import model_files
from openscenes.prediction.model_files import CONFIGURATION, description, model_from_file
from openscenes.prediction.predict import checked_interaction

IMAGE = np.zeros((40, 50, 3), np.uint8)
BOX, POINT = (5, 5, 30, 30), (10, 10)


def endless():
    held = [1, 2, 3]
    held.append(held)
    return held


IMAGES = {
    "none": None, "text": "photo.jpg", "list": IMAGE.tolist(),
    "objects": IMAGE.astype(object), "truths": IMAGE.astype(bool), "signed": IMAGE.astype(np.int8),
    "masked": np.ma.MaskedArray(IMAGE), "empty": IMAGE[:0], "channels": IMAGE[..., :1],
    "batch": IMAGE[None], "wide": np.broadcast_to(IMAGE[:1, :1], (1, 40_000, 3)),
    "huge": np.broadcast_to(IMAGE[:1, :1], (30_000, 30_000, 3)), "tensor": torch.zeros(40, 50, 3),
}  # fmt: skip


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_what_is_no_image(image):
    refused(image, BOX, POINT)


@pytest.mark.parametrize("view", [np.s_[::-1], np.s_[:, ::-1], np.s_[::2, ::2], np.s_[..., ::-1]],
                         ids=["upside down", "mirrored", "every other", "BGR"])  # fmt: skip
def test_views_are_images(view):
    assert checked_interaction(IMAGE[view], (1, 1, 15, 15), (3, 3)).box.row1 == 15


BOXES = {
    "none": None, "text": "5 5 30 30", "letters": list("abcd"), "mixed": [5, "5", 30, 30],
    "truths": [True, True, 30, 30], "truth array": np.ones(4, bool), "not a number": [np.nan] * 4,
    "infinite": [5, 5, np.inf, 30], "too large": [5, 5, 10**400, 30], "long": [5, 5, 10**5000, 30],
    "complex": [5, 5, 30j, 30], "endless": endless(), "nested": [[5, 5], [30, 30]],
    "many": np.zeros((300, 300)), "masked": np.ma.MaskedArray(BOX, mask=[0, 0, 1, 0]),
    "set": {5, 6, 30, 31}, "dict": {"box": BOX}, "iterator": iter(BOX),
    "tensor": torch.ones(4, requires_grad=True), "dates": np.array(BOX, "datetime64[D]"),
}  # fmt: skip


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_what_is_no_box_or_point(box):
    refused(IMAGE, box, POINT)
    refused(IMAGE, BOX, box)


def refused(image, box, point):
    with pytest.raises(InputError) as caught:
        checked_interaction(image, box, point)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


SMALL = description(
    NetworkConfig(backbone="small_resnet", crop_size=32, output_stride=4, head_width=8,
                  psp_width=8, n_classes=3),
    CropConfig(size=32), ClickConfig(),
)[CONFIGURATION]  # fmt: skip


def changed(part, **values):
    content = json.loads(SMALL)
    content[part] |= values
    return json.dumps(content)


CONFIGURATIONS = {
    "crop of 10^9": changed("crop", size=10**9),
    "both of 10^9": changed("crop", size=10**9).replace('"crop_size": 32', '"crop_size": 10e8'),
    "two sizes": changed("crop", size=64),
    "crop as text": changed("crop", size="32"),
    "endless margin": changed("crop", margin_px=float("inf")),
    "no margin": changed("crop", margin_px=None),
    "region": changed("crop", region="sky"),
    "unknown key": changed("crop", colour=1),
    "classes": changed("network", n_classes=10**9),
    "channels": changed("network", psp_width=10**9),
    "head": changed("network", head_width=True),
    "truth": changed("network", unknown_class="x" * 300),
    "backbone": changed("network", backbone=["small_resnet"]),
    "stride": changed("network", output_stride=0),
    "click": changed("clicks", heat_map_width_px=0),
    "user": changed("clicks", user=7),
    "no number": changed("clicks", heat_map_width_px=float("nan")),
    "list": "[1, 2]",
    "text": '"small"',
    "deep": "[" * 100_000,
    "nothing": "",
}


@pytest.mark.parametrize("content", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_model_file_that_asks_for_the_impossible(content, tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, path, {CONFIGURATION: content})
    with pytest.raises(WeightsError, match="was written for another version") as caught:
        model_from_file(path, device="cpu")
    assert "\n" not in str(caught.value)


def test_what_is_no_model_file(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "empty.safetensors").touch()
    save_file({"a": torch.zeros(100)}, tmp_path / "cut.safetensors", {CONFIGURATION: SMALL})
    whole = (tmp_path / "cut.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-50])
    (tmp_path / "huge.safetensors").write_bytes(b"\xff" * 7 + b"\x7f" + whole[8:])
    names = ["pipe", "folder", "empty", "cut", "huge", "none", "a\0b", "n" * 300]
    for name in names:
        with pytest.raises(WeightsError) as caught:
            model_from_file(tmp_path / f"{name}.safetensors", device="cpu")
        assert "\n" not in str(caught.value)
    with pytest.raises(WeightsError, match="~nobody-of-that-name"):
        model_from_file("~nobody-of-that-name/model.safetensors")
    runs = tmp_path / "runs"
    runs.mkdir()
    tmp_path.joinpath("inner").mkdir()
    os.mkfifo(tmp_path / "inner" / "model.safetensors")
    (runs / "a").symlink_to(tmp_path / "inner")
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path))
    monkeypatch.setattr(model_files, "RELEASED", tmp_path / "none")
    with pytest.raises(WeightsError, match="There is no demo model"):
        model_files.newest_demo_model()


@pytest.mark.parametrize("option", [["cpu"], None, 0, np.array([1, 2])],
                         ids=["list", "none", "number", "array"])  # fmt: skip
def test_what_is_no_device_or_precision(option, tmp_path):
    for options in ({"device": option}, {"precision": option}):
        with pytest.raises(OpenScenesError, match="choose one of"):
            model_from_file(tmp_path / "a.safetensors", **options)
