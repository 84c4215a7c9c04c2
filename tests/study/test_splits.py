"""Objects as found: what each recipe and question touches, and how many are drawn."""

from types import SimpleNamespace

import pytest

from openscenes.data.records import Index
from openscenes.study.runs.recipes import FULL, evolved, initial, peer
from openscenes.study.scores import splits
from openscenes.study.scores.evaluation import Evaluation


def index(scene, n, **dropped):
    return Index(scene, (), (None,) * n, dropped, n_images=2 * n, digest="")


@pytest.fixture
def study(monkeypatch):
    """Splits of a few nameless objects; five of coco's seven are drawn."""
    names = {"voc": "voc/train", "voc+sbd": "voc+sbd/train"}
    memory = {("index", "coco"): index("coco/train", 7, crowd=3)}
    monkeypatch.setattr(
        splits, "source", lambda _, name: SimpleNamespace(index=index(names[name], 4))
    )
    monkeypatch.setattr(
        splits, "validation", lambda _, name: SimpleNamespace(index=index(f"{name}/val", 2))
    )
    monkeypatch.setattr(splits, "new_scene", lambda *_: SimpleNamespace(clicked=(None,) * 5))
    return SimpleNamespace(memory=memory)


def test_an_evolved_model_touches_its_source_its_scene_and_its_test(study):
    question = Evaluation(evolved(initial("voc", 0), "coco", FULL), "coco")
    assert splits.objects_as_found(study, [question]) == {
        "coco/train": {"images": 14, "objects": 7, "dropped": {"crowd": 3}, "drawn": 5},
        "coco/val": {"images": 4, "objects": 2, "dropped": {}},
        "voc/train": {"images": 8, "objects": 4, "dropped": {}},
    }


def test_peers_learn_from_the_larger_source(study):
    found = splits.objects_as_found(study, [Evaluation(peer("DEXTR", 0), "voc", "clicks")])
    assert list(found) == ["voc+sbd/train", "voc/val"]
