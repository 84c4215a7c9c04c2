"""A trained model is named by all that made it, trained once, and found again."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from openscenes.paths import PROJECT
from openscenes.study import runs
from openscenes.study.material import Study, digest_of, new_scene, open_study
from openscenes.study.profiles import profile_named

TRAIN = (
    "from openscenes.study import runs\n"
    "from openscenes.study.material import open_study\n"
    "from openscenes.study.profiles import profile_named\n"
    "study = open_study(profile_named('smoke'), None, 'cpu')\n"
    "print(runs.initial_model(study, 'voc', 5).digest)\n"
)


@pytest.fixture(scope="module")
def study() -> Study:
    return open_study(profile_named("smoke"), None, "cpu")


def test_two_processes_train_a_model_once(study: Study) -> None:
    command, paths = [sys.executable, "-c", TRAIN], {"PYTHONPATH": str(PROJECT / "lib")}
    pair = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | paths)
        for _ in range(2)
    ]
    digests = {process.communicate(timeout=300)[0].split()[-1] for process in pair}
    model = runs.initial_model(study, "voc", 5)
    assert digests == {model.digest}
    before = model.weights.stat().st_mtime_ns
    assert runs.initial_model(study, "voc", 5).weights.stat().st_mtime_ns == before


def test_whatever_makes_a_model_changes_its_name(study: Study) -> None:
    seeds = {runs.initial_model(study, "voc", seed).digest for seed in (5, 6)}
    slower = replace(study.profile.initial, learning_rate=1e-4)
    other = replace(study, profile=replace(study.profile, initial=slower))
    assert len(seeds | {runs.initial_model(other, "voc", 5).digest}) == 3


def test_a_digest_depends_on_values_and_not_on_order() -> None:
    assert digest_of({"a": 1, "b": (1, 2)}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})


def test_the_method_gets_no_truth_of_a_new_scene(study: Study) -> None:
    clicked = new_scene(study, "coco").clicked
    assert clicked
    assert not any(hasattr(item, name) for item in clicked for name in ("mask", "class_name"))


def test_the_rows_of_table_4_are_parameters(study: Study) -> None:
    configs = {v: runs.evolution_config(study, "coco", v) for v in runs.VARIANTS}
    assert [v for v, config in configs.items() if config.ipt] == ["st+ipt", "st+ipt+fa"]
    assert [v for v, config in configs.items() if config.alignment] == ["st+fa", "st+ipt+fa"]
    assert [v for v, config in configs.items() if not config.old_data] == ["upper bound"]
    assert len({config.train for config in configs.values()}) == 1


def test_a_grown_model_comes_back_grown(study: Study) -> None:
    model = runs.evolved_model(study, "voc+sbd", "coco", "st", 0)
    assert model.load(study).config.unknown_class
    assert not runs.initial_model(study, "voc+sbd", 0).load(study).config.unknown_class
    assert model.facts()["made_of"]["stage"] == "evolved"
