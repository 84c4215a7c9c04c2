"""Models in the repository: what they stand in for, and that they are as good as is said."""

from dataclasses import replace

import pytest

from openscenes.paths import RELEASED
from openscenes.prediction import model_files
from openscenes.study.options import profile_named
from openscenes.study.plan.release import few_iou, few_objects
from openscenes.study.runs import released as module
from openscenes.study.runs.data import open_study
from openscenes.study.runs.models import Model
from openscenes.study.runs.recipes import FULL, evolved, initial
from openscenes.study.runs.released import Release, name_of, put, released
from openscenes.study.runs.runs import find, released_name, train

FIRST = initial("voc+sbd", 0)
MADE_OF = {"seed": 0, "code": "a", "torch": "2.14.1", "device": "cpu", "precision": "bf16-mixed"}


def test_a_machine_does_not_name_a_released_model_and_all_else_does():
    elsewhere = MADE_OF | {"torch": "9", "device": "cuda", "precision": "32-true"}
    assert name_of(MADE_OF) == name_of(elsewhere)
    assert len({name_of(MADE_OF | {key: "other"}) for key in ("seed", "code")}) == 2
    assert released(name_of(MADE_OF)) is None


def test_a_fresh_cache_finds_what_was_released(tmp_path, monkeypatch):
    place = tmp_path / "released"
    monkeypatch.setattr(module, "RELEASED", place)
    monkeypatch.setattr(model_files, "RELEASED", place)
    study = open_study(profile_named("smoke"), None, "cpu")
    step = evolved(FIRST, "coco", "st")
    own, heir = train(study, FIRST), train(study, step)
    both = ((own, FIRST), (heir, step))
    lines = list(put([Release(one, released_name(study, r), {"voc": 1.0}) for one, r in both]))
    assert len(lines) == 2 and lines[0].startswith("released: smoke seed 0 initial voc+sbd")
    assert find(study, FIRST) == own  # one's own comes first
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "empty"))
    fresh = open_study(profile_named("smoke"), None, "cpu")
    found = find(fresh, FIRST)
    assert found.is_trained and found.folder.parent == place
    assert found.weights.read_bytes() == own.weights.read_bytes()
    assert find(fresh, step).weights.read_bytes() == heir.weights.read_bytes()
    assert not find(fresh, initial("voc+sbd", 1)).is_trained
    assert not find(fresh, evolved(FIRST, "coco", FULL)).is_trained
    assert model_files.newest_demo_model() == find(fresh, step).weights
    again = list(put([Release(found, found.digest, {})]))
    assert len(again) == 1 and [one.name for one in place.iterdir() if one.is_dir()] == [
        found.digest
    ]


@pytest.mark.skipif(not RELEASED.is_dir(), reason="no model has been released yet")
def test_released_models_still_give_their_scores_and_stay_small(tmp_path):
    few, facts = few_objects("cpu"), model_files.read_json(RELEASED / "released.json")
    assert facts["predicts"] in facts["scores"]
    assert {one.name for one in RELEASED.iterdir() if one.is_dir()} == set(facts["scores"])
    assert sum(path.stat().st_size for path in RELEASED.rglob("*")) <= 8e6
    for name, scores in facts["scores"].items():
        model = Model(f"{name}-again", RELEASED / name, name)
        assert few_iou(few, model) == pytest.approx(scores, abs=1.0)  # in another precision
        assert min(scores.values()) > 40
    assert replace(few.profile, synthetic=None).name == "demo"
