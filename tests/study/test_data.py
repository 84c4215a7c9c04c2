"""What a study works on: parts of a scene, two users, the other objects, and what is remembered."""

import os
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from openscenes.data.records import ObjectRecord
from openscenes.errors import DataError, InputError, OpenScenesError
from openscenes.study.options import profile_named
from openscenes.study.runs import data
from openscenes.study.runs.data import (
    Study,
    _part,
    _some,
    given_root,
    new_scene,
    open_study,
    source,
    validation,
    with_others,
)

N_PARTS = 2


@pytest.fixture(scope="module")
def study() -> Study:
    return open_study(profile_named("smoke"), None, "cpu")


def identities(scene) -> set[str]:
    return {clicked.object_id for clicked in scene.clicked}


def photographs(scene) -> set[str]:
    return {clicked.image_id for clicked in scene.clicked}


@pytest.mark.parametrize("scene", ["cityscapes", "coco"])
@pytest.mark.parametrize("n", [2, 3])
def test_parts_share_no_photograph_and_leave_out_no_object(study, scene, n):
    parts = [new_scene(study, scene, part=(i, n)) for i in range(n)]
    assert all(parts[i].clicked for i in range(n))
    for one, other in combinations(parts, 2):
        assert photographs(one).isdisjoint(photographs(other))
    everything = new_scene(study, scene)
    assert set.union(*map(identities, parts)) == identities(everything)
    assert sum(len(part.clicked) for part in parts) == len(everything.clicked)


def test_parts_are_named_by_number_and_differ_from_the_whole(study):
    whole = new_scene(study, "cityscapes").digest
    digests = [new_scene(study, "cityscapes", part=(i, 2)).digest for i in range(2)]
    assert len({whole, *digests}) == 3


def test_a_folder_of_the_same_name_elsewhere_is_another(study, tmp_path, monkeypatch):
    profile = profile_named("smoke")
    for place in (tmp_path / "one", tmp_path / "two"):
        place.mkdir()
        (place / "data").symlink_to(study.root)
        monkeypatch.chdir(place)
        clicked = new_scene(open_study(profile, Path("data"), "cpu"), "coco").clicked
        assert {one.image.is_relative_to(place / "data") for one in clicked} == {True}


def test_a_photograph_falls_into_one_part_with_all_its_objects():
    images = ["c", "a", "a", "b", "d", "a", "b"]
    kept = [3, 5, 8, 9, 10, 12, 20]
    parts = [_part(images, kept, i, N_PARTS) for i in range(N_PARTS)]
    assert sorted(parts[0] + parts[1]) == kept
    by_image = {image: {kept[i] for i in range(7) if images[i] == image} for image in "abcd"}
    for objects in by_image.values():
        assert any(objects <= set(part) for part in parts)
    sizes = [len({images[kept.index(k)] for k in part}) for part in parts]
    assert sizes == [2, 2]


def test_a_choice_of_objects_is_fixed_sorted_and_no_larger_than_asked():
    assert _some(5, None) == _some(5, 5) == [0, 1, 2, 3, 4]
    chosen = _some(100, 10)
    assert chosen == sorted(set(chosen)) == _some(100, 10)
    assert len(chosen) == 10
    assert chosen != list(range(10))


def test_truth_and_clicks_are_of_the_same_objects(study):
    scene = new_scene(study, "coco")
    names = [f"{clicked.scene}:{clicked.object_id}" for clicked in scene.clicked]
    assert [example.object_id for example in scene.truth] == names
    assert all(isinstance(example.supervision, ObjectRecord) for example in scene.truth)
    assert {example.class_index for example in scene.truth} == {-1}


def test_a_human_clicks_elsewhere_on_the_same_objects(study):
    for exact, human in (
        (new_scene(study, "coco").clicked, new_scene(study, "coco", user="human").clicked),
        (
            validation(study, "coco").examples,
            validation(study, "coco", user="human").examples,
        ),
    ):
        assert [one.object_id for one in exact] == [one.object_id for one in human]
        boxes = [a.interaction.box != b.interaction.box for a, b in zip(exact, human, strict=True)]
        assert all(boxes)


def test_naming_the_profiles_own_user_changes_no_click(study):
    plain, named = validation(study, "voc"), validation(study, "voc", user="iog")
    assert [e.interaction for e in plain.examples] == [e.interaction for e in named.examples]


def test_others_are_the_photographs_other_objects(study):
    labelled = source(study, "voc+sbd")
    examples = with_others(labelled)
    assert [e.object_id for e in examples] == [e.object_id for e in labelled.examples]
    by_image: dict = {}
    for example in labelled.examples:
        by_image.setdefault(example.image, []).append(example.supervision)
    for example in examples:
        assert example.supervision not in example.others
        wanted = [r for r in by_image[example.image] if r is not example.supervision]
        assert list(example.others) == wanted
    assert any(example.others for example in examples)
    assert any(not example.others for example in labelled.examples)


def test_what_was_made_once_is_remembered(study):
    assert new_scene(study, "coco") is new_scene(study, "coco")
    assert validation(study, "coco") is validation(study, "coco")
    assert source(study, "voc") is source(study, "voc")
    assert source(study, "voc") is not source(study, "voc+sbd")
    assert new_scene(study, "coco", part=(0, 2)) is not new_scene(study, "coco", part=(1, 2))
    calls: list[int] = []
    fresh = replace(study, memory={})
    for _ in range(2):
        assert fresh.remembered("key", lambda: calls.append(0) or "value") == "value"
    assert calls == [0]
    assert fresh.remembered("other", lambda: None) is None


def test_memory_makes_no_two_studies_different(study):
    assert replace(study, memory={}) == study


def test_the_method_gets_no_truth_of_a_new_scene(study):
    clicked = new_scene(study, "coco").clicked
    assert clicked
    assert not any(hasattr(item, name) for item in clicked for name in ("mask", "class_name"))


def test_a_profile_of_photographs_asks_for_its_folder():
    with pytest.raises(DataError, match=r"make tables PROFILE=study DATA=path/to/folder"):
        open_study(profile_named("study"), None, "cpu")


@pytest.mark.parametrize("name", ["file", "pipe", "loop", "missing", "x" * 300, "~nobody-here"],
                         ids=["file", "pipe", "loop", "missing", "long", "home"])  # fmt: skip
def test_a_data_folder_that_is_none_is_named_before_the_work(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    with pytest.raises(DataError, match="^the data folder .* give the folder that holds VOC"):
        open_study(profile_named("smoke"), name, "cpu")


def test_no_folder_and_one_named_by_a_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    smoke = profile_named("smoke")
    assert given_root(smoke, None) is given_root(smoke, "") is None
    with pytest.raises(InputError, match="^data is 2024, and text is wanted"):
        given_root(smoke, 2024)
    Path("2024").mkdir()
    assert given_root(smoke, 2024) == given_root(smoke, Path("2024")) == tmp_path / "2024"


@pytest.mark.parametrize("data", [0, 1, True, False, 2.5, ["a"], "a\0b"], ids=repr)
def test_what_names_no_folder_is_refused(data):
    with pytest.raises(OpenScenesError, match="^(data is|the data folder) .*;"):
        given_root(profile_named("smoke"), data)


@pytest.mark.parametrize("name", ["VOC", "citysapes", "", None, 3], ids=repr)
def test_a_set_that_is_none_is_not_taken_for_another(study, name):
    with pytest.raises(InputError, match="choose one of voc, cityscapes, coco"):
        validation(study, name)
    with pytest.raises(InputError, match="choose one of cityscapes, coco"):
        new_scene(study, name)


def test_devices_that_share_a_model_must_be_there(monkeypatch):
    gpu = SimpleNamespace(device=torch.device("cuda"))
    monkeypatch.setattr(data, "make_fabric", lambda *_, **__: gpu)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert open_study(profile_named("smoke?devices_per_model=2"), None, "cuda").fabric is gpu
    with pytest.raises(InputError, match="3 devices are to share each model, but .* cuda has 2;"):
        open_study(profile_named("smoke?devices_per_model=3"), None, "cuda")
    with pytest.raises(InputError, match="but device cuda:1 has 1; ask for fewer"):
        open_study(profile_named("smoke?devices_per_model=2"), None, "cuda:1")
