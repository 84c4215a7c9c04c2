"""Scripts of at most 15 lines: IPT on one's own features, evolution on one's own images."""

import cv2
import numpy as np
import pytest

import openscenes
from openscenes.networks.weights import save_weights
from openscenes.prediction.model_files import description

IPT = """
import torch
import openscenes

features = torch.randn(1, 256, 32, 32)  # F of your network, (B, C, h, w)
coarse_mask = torch.zeros(1, 1, 128, 128, dtype=torch.bool)  # its mask M_p, (B, 1, H, W)
coarse_mask[..., 30:90, 40:100] = True
click = torch.tensor([[60, 70]])  # (row, col)
confidence = openscenes.confidence_maps(features, coarse_mask)  # Eq. 1-3
refined = openscenes.refine(features, coarse_mask, coarse_mask, click)  # Eq. 1-6
print(refined.mask.sum(), refined.votes.max(), refined.threshold_global)
"""

EVOLUTION = """
from dataclasses import replace
from pathlib import Path
import openscenes
from openscenes.data.examples import clicked_object, labelled_object
from openscenes.method.evolution import FULL_METHOD, Pool
from openscenes.method.inference import RunContext
from openscenes.method.training import TrainConfig
from openscenes.prediction.model_files import loaded_model, model_from_file

model = model_from_file("model.safetensors", precision="fp32")
old = labelled_object(Path("cat.jpg"), Path("cat.png"), (10, 12, 54, 34), (32, 22), class_index=8)
new = [clicked_object(Path("mug.jpg"), *click) for click in CLICKS]  # (box, point) of two objects
train = TrainConfig(epochs=1, batch_size=2, learning_rate=1e-3, optimiser="adamw", reduction="mean")
config, context = replace(FULL_METHOD, train=train), RunContext(model.crop, model.clicks)
evolved = openscenes.evolve(model.network, Pool((old,)), new, config, context)
model = loaded_model(evolved.network, model.crop, model.clicks)  # ready for openscenes.predict
"""

CLICKS = [((12, 10, 52, 34), (32, 22)), ((12, 46, 52, 70), (32, 58))]


def n_lines(script):
    return sum(1 for line in script.splitlines() if line.strip())


@pytest.fixture
def files(tiny, tmp_path, monkeypatch):
    """A model file, a labelled image and a new image, in the working directory."""
    monkeypatch.chdir(tmp_path)
    about = description(tiny.NETWORK, tiny.CROP, tiny.CLICKS)
    save_weights(tiny.network(), tmp_path / "model.safetensors", about)
    for name in ("cat", "mug"):
        image, objects = tiny._image(np.random.default_rng(len(name)), 1.0)
        cv2.imwrite(str(tmp_path / f"{name}.jpg"), image[..., ::-1])
        cv2.imwrite(str(tmp_path / f"{name}.png"), objects)
    return tmp_path


def test_ipt_on_ones_own_features():
    assert n_lines(IPT) <= 15
    found = {}
    exec(IPT, found)
    assert found["confidence"].shape == (1, 1, 128, 128)
    refined, given = found["refined"], [found[n] for n in ("features", "coarse_mask", "click")]
    assert refined.mask.any() and refined.mask.equal(refined.votes >= 2)
    again = openscenes.refine(given[0], given[1], given[1], given[2])
    assert again.center_mask.equal(refined.center_mask)


def test_one_step_of_evolution_on_ones_own_images(tiny, files):
    assert n_lines(EVOLUTION) <= 15
    found = {"CLICKS": CLICKS}
    exec(EVOLUTION, found)
    evolved = found["evolved"]
    assert evolved.network.config.unknown_class
    assert [e.labelled for e in evolved.pool.examples] == [True, False, False]
    assert all(isinstance(e.supervision, dict) for e in evolved.pool.examples[1:])
    assert {"ce_old", "ce_new", "feat", "max"} <= set(evolved.history[0])
    before = tiny.network().iog.backbone.state_dict()
    after = evolved.network.iog.backbone.state_dict()
    assert any(not before[name].equal(after[name]) for name in before)
