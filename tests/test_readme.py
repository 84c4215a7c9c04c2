"""README: short, its links lead somewhere, its Python runs, its ten files are there."""

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from openscenes.method import evolution_config
from openscenes.networks.weights import save_weights
from openscenes.paths import PROJECT
from openscenes.prediction.model_files import description

README = (PROJECT / "README.md").read_text(encoding="utf-8")
PACKAGE = PROJECT / "lib" / "openscenes"
PREDICT, IPT, EVOLVE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHORT = 15  # lines of an example, those between imports and code not counted


def test_a_reader_needs_five_minutes():
    assert len(README.split()) <= 1_200


def test_the_order_is_that_of_a_newcomers_questions():
    titles = re.findall(r"^## (.*)$", README, re.MULTILINE)
    first = ["Five minutes", "Does it work?", "Use it", "Reproduce", "Learn"]
    assert titles[: len(first)] == first
    assert titles[-1] == "Glossary"


def test_every_link_and_image_leads_to_a_file():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert len(targets) >= 10
    assert [target for target in targets if not (PROJECT / target).exists()] == []


def test_the_method_is_ten_files_of_at_most_2500_lines():
    section = README.partition("## The method in ten files")[2].partition("\n## ")[0]
    names = re.findall(r"^\d+\. `([\w/]+\.py)`", section, re.MULTILINE)
    assert len(names) == len(set(names)) == 10
    lines = [len((PACKAGE / name).read_text(encoding="utf-8").splitlines()) for name in names]
    assert sum(lines) <= 2_500


def test_modules_and_folders_of_the_package_that_are_named_exist():
    named = re.findall(r"`((?:data|networks|method|peers|study)/[\w/.]+)`", README)
    assert len(named) > 10
    assert [name for name in named if not (PACKAGE / name).exists()] == []


def test_targets_of_make_exist():
    targets = re.findall(r"^([a-z0-9-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"\bmake ([a-z0-9-]+)", README))
    assert {"lab", "table-4", "tables", "plan"} <= named <= set(targets)


@pytest.mark.parametrize("example", [PREDICT, IPT, EVOLVE])
def test_an_example_is_short(example):
    assert sum(1 for line in example.splitlines() if line.strip()) <= SHORT


@pytest.fixture
def place(tiny, tmp_path, monkeypatch):
    """A folder with the files that the examples name, and a demo model in the cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "cache"))
    run = tmp_path / "cache" / "runs" / "0"
    run.mkdir(parents=True)
    about = description(tiny.NETWORK, tiny.CROP, tiny.CLICKS) | {"label": "demo seed 0 initial"}
    for path in (run / "model.safetensors", Path("model.safetensors")):
        save_weights(tiny.network(), path, about)
    for name, scale in (("cat", 1), ("street", 4)):
        image, objects = tiny._image(np.random.default_rng(scale), 1.0)
        image = cv2.resize(image, None, fx=scale, fy=scale)
        cv2.imwrite(f"{name}.jpg", image[..., ::-1])
        cv2.imwrite(f"{name}.png", objects)
    return tmp_path


def run(example):
    """The names that an example leaves behind."""
    found = {}
    exec(example, found)
    return found


def test_predict_on_an_image(place, capsys):
    found = run(PREDICT)
    assert found["found"].mask.shape == found["image"].shape[:2]
    assert cv2.imread("mask.png") is not None
    assert re.fullmatch(r"confidence \d\.\d\d\n", capsys.readouterr().out)


def test_ipt_on_ones_own_features():
    found = run(IPT)
    assert found["refined"].mask.shape == found["coarse_mask"].shape
    assert found["confidence"].min() >= 0


def test_one_step_of_evolution_on_ones_own_images(place, tiny, monkeypatch):
    small = replace(evolution_config.OURS, train=replace(tiny.TRAIN, epochs=1))
    monkeypatch.setattr(evolution_config, "OURS", small)
    found = run(EVOLVE)
    examples = found["evolved"].pool.examples
    assert [example.labelled for example in examples] == [True, False, False]
    again = found["openscenes"].predict(
        cv2.imread("street.jpg")[..., ::-1], (12, 10, 52, 34), (32, 22), model=found["model"]
    )
    assert np.isfinite(again.probability).all()
