"""Models in the repository: what they stand in for, and that they are as good as is said."""

from dataclasses import replace

import pytest
import torch

from openscenes.paths import RELEASED
from openscenes.prediction import model_files
from openscenes.study.options import LITERAL, profile_named
from openscenes.study.plan import release
from openscenes.study.plan.on_demand import literal_study
from openscenes.study.plan.release import few_iou, few_objects
from openscenes.study.runs import released as module
from openscenes.study.runs.data import open_study
from openscenes.study.runs.models import Model
from openscenes.study.runs.recipes import FULL, evolved, initial
from openscenes.study.runs.released import Release, name_of, put, released, released_initial
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
    assert released_initial() == found.folder
    again = list(put([Release(found, found.digest, {})]))
    assert len(again) == 1 and [one.name for one in place.iterdir() if one.is_dir()] == [
        found.digest
    ]


def test_the_first_model_and_the_one_it_is_compared_with_are_released(tmp_path, monkeypatch):
    """The second answers as it did before its kernels were rounded, in half the bytes."""
    place = tmp_path / "released"
    monkeypatch.setattr(module, "RELEASED", place)
    monkeypatch.setattr(release, "DEMO", profile_named("smoke"))
    monkeypatch.setattr(release, "FEW", profile_named("smoke").synthetic)
    monkeypatch.setattr(release, "RECIPES", (FIRST, evolved(FIRST, "coco", "st")))
    assert len(list(release.make_release("cpu"))) == 3
    study = open_study(profile_named("smoke"), None, "cpu")
    literal = literal_study(study)
    own, whole = find(study, FIRST), find(literal, FIRST)
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / "empty"))
    first, short = find(study, FIRST), find(literal, FIRST)
    assert released_initial() == first.folder and short.folder.parent == place
    assert first.weights.read_bytes() == own.weights.read_bytes()
    assert short.weights.stat().st_size < 0.65 * whole.weights.stat().st_size
    before, after = whole.load(literal).state_dict(), short.load(literal).state_dict()
    for name, tensor in before.items():
        rounded = tensor.bfloat16().float() if tensor.ndim == 4 else tensor
        assert torch.equal(after[name], rounded), name
    assert [one.label.partition(" seed")[0] for one in (first, short)] == [
        "smoke", f"smoke-{LITERAL}"
    ]  # fmt: skip


@pytest.mark.skipif(not RELEASED.is_dir(), reason="no model has been released yet")
def test_released_models_still_give_their_scores_and_stay_small(tmp_path):
    few, facts = few_objects("cpu"), model_files.read_json(RELEASED / "released.json")
    assert facts["predicts"] in facts["scores"]
    assert {one.name for one in RELEASED.iterdir() if one.is_dir()} == set(facts["scores"])
    assert sum(path.stat().st_size for path in RELEASED.rglob("*")) <= 8e6
    for name, scores in facts["scores"].items():
        model = Model(f"{name}-again", RELEASED / name, name)
        literal = f"-{LITERAL} " in model.facts()["label"]
        shown = literal_study(few) if literal else few
        assert few_iou(shown, model) == pytest.approx(scores, abs=1.0)  # in another precision
        assert min(scores.values()) > 40
    assert replace(few.profile, synthetic=None).name == "demo"
