"""A trained model is named by all that made it, trained once, and found again."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from openscenes.errors import WeightsError
from openscenes.kept import keep
from openscenes.paths import PROJECT
from openscenes.peers.zoo import peer_of
from openscenes.study.options import profile_named
from openscenes.study.runs import data, models, peers, runs, store
from openscenes.study.runs.data import Study, new_scene, open_study, source
from openscenes.study.runs.models import Model
from openscenes.study.runs.peers import load_peer
from openscenes.study.runs.pseudo import pseudo_file
from openscenes.study.runs.recipes import (
    ABLATIONS,
    BN_ONLY,
    CLAMP_VARIANTS,
    CLIPPED_VIEWS,
    FULL,
    evolved,
    finetuned,
    in_parts,
    initial,
    peer,
)
from openscenes.study.runs.runs import find, masks_of, train

TRAIN = (
    "from openscenes.study.runs.runs import train\n"
    "from openscenes.study.runs.recipes import initial\n"
    "from openscenes.study.runs.data import open_study\n"
    "from openscenes.study.options import profile_named\n"
    "study = open_study(profile_named('smoke'), None, 'cpu')\n"
    "print(train(study, initial('voc', 5)).digest)\n"
)
FIRST = initial("voc+sbd", 0)


@pytest.fixture(scope="module")
def study() -> Study:
    return open_study(profile_named("smoke"), None, "cpu")


def named(study, recipe):
    """Where a model would be, trained or not."""
    return find(study, recipe).digest


def test_two_processes_train_a_model_once(study: Study) -> None:
    command, paths = [sys.executable, "-c", TRAIN], {"PYTHONPATH": str(PROJECT / "lib")}
    pair = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | paths)
        for _ in range(2)
    ]
    digests = {process.communicate(timeout=300)[0].split()[-1] for process in pair}
    made = train(study, initial("voc", 5))
    assert digests == {made.digest}
    before = made.weights.stat().st_mtime_ns
    assert train(study, initial("voc", 5)).weights.stat().st_mtime_ns == before


def test_a_finished_model_says_what_all_its_runs_took(study: Study) -> None:
    folder = find(study, initial("voc", 41)).folder
    folder.mkdir(parents=True)
    began = time.time() - 600
    keep(folder / store.SPENT, {"s": 100.0, "began": began})
    (folder / "resume.safetensors").write_bytes(b"damaged")
    os.utime(folder / "resume.safetensors", (began + 50, began + 50))
    made = train(study, initial("voc", 41))
    assert 150.0 < made.facts()["wall_s"] < 500.0
    assert not (folder / store.SPENT).exists()


@pytest.mark.parametrize("text", [None, "", "{}", '{"label": "smoke", "wall_s": 9.9}'])
def test_weights_without_a_whole_account_of_their_run_count_as_missing(study, text) -> None:
    made = replace(train(study, FIRST))
    path = made.folder / "run.json"
    whole = path.read_bytes()
    try:
        path.unlink() if text is None else path.write_text(text)
        assert not made.is_trained
        with pytest.raises(WeightsError, match="is not trained yet"):
            made.facts()
    finally:
        path.write_bytes(whole)
    assert made.is_trained and made.facts()["label"] == made.label


def test_what_is_there_is_read_where_nothing_can_be_written(study, monkeypatch) -> None:
    made = train(study, FIRST)

    def refused(*_of: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(store, "locked", refused)
    monkeypatch.setattr(data, "locked", refused)
    assert train(study, FIRST) == made
    assert open_study(study.profile, None, "cpu").root == study.root
    with pytest.raises(OSError, match="Read-only"):
        train(study, initial("voc", 78))


def test_naming_a_model_trains_nothing(study: Study) -> None:
    made = find(study, initial("voc", 77))
    assert not made.folder.exists()
    assert made.label == "smoke seed 77 initial voc"


def test_equal_runs_give_equal_bytes_and_their_place_and_time_are_kept_beside(
    study, tmp_path, monkeypatch
) -> None:
    made = []
    for name in ("one", "other place"):
        monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path / name))
        made.append(train(study, initial("voc", 5)))
    one, other = (model.weights.read_bytes() for model in made)
    assert one == other and made[0].folder != made[1].folder
    length = int.from_bytes(one[:8], "little")
    about = json.loads(one[8 : 8 + length])["__metadata__"]
    assert set(about) == {"configuration", "digest", "label", "sha256"}
    assert str(tmp_path) not in json.dumps(about)
    assert {"wall_s", "started", "platform", "device"} <= set(made[0].facts())


@pytest.mark.parametrize("place", [100, -1])
def test_weights_with_a_flipped_byte_are_not_believed(study, tmp_path, place) -> None:
    first = train(study, FIRST)
    shutil.copytree(first.folder, tmp_path / "model")
    made = replace(first, folder=tmp_path / "model")
    content = bytearray(made.weights.read_bytes())
    content[place] ^= 1
    made.weights.write_bytes(content)
    with pytest.raises(WeightsError, match="is damaged; remove it, and the same command trains"):
        made.load(study)


def test_whatever_makes_a_model_changes_its_name(study: Study) -> None:
    profile = study.profile
    slower = replace(profile, initial=replace(profile.initial, learning_rate=1e-4))
    wider = replace(profile, clicks=replace(profile.clicks, heat_map_width_px=20.0),
                    reasons={**profile.reasons, "clicks": "test"})  # fmt: skip
    recipes = [
        initial("voc", 5), initial("voc", 6), initial("voc+sbd", 5), FIRST,
        evolved(FIRST, "coco", "st"), evolved(FIRST, "cityscapes", "st"),
        evolved(FIRST, "coco", "st+fa"), evolved(FIRST, "coco", "st", user="human"),
        evolved(FIRST, "coco", CLIPPED_VIEWS), evolved(FIRST, "coco", CLIPPED_VIEWS, user="human"),
        finetuned(FIRST, "coco"),
        finetuned(evolved(FIRST, "coco", "st"), "coco"),
        peer("DEXTR", 0), peer("DEXTR", 1), peer("iFCN", 0), finetuned(peer("DEXTR", 0), "coco"),
        *in_parts(FIRST, "coco", 2, "st"), *in_parts(FIRST, "coco", 3, "st"),
        *(initial("voc+sbd", 0, words) for words in ABLATIONS),
        *(evolved(initial("voc+sbd", 0, words), "coco", "st") for words in ABLATIONS),
    ]  # fmt: skip
    digests = [named(study, recipe) for recipe in recipes]
    pretrained = replace(profile, imagenet=True)
    fewer = replace(profile, corrections=replace(profile.corrections, most_clicks=3),
                    reasons={**profile.reasons, "corrections": "test"})  # fmt: skip
    others = (slower, wider, pretrained, fewer)
    digests += [named(replace(study, profile=other), FIRST) for other in others]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("words", ABLATIONS)
def test_an_ablation_changes_its_one_setting_from_training_to_loading(study, words) -> None:
    (part, name, value), whole = ABLATIONS[words], train(study, FIRST)
    made = train(study, initial("voc+sbd", 0, words))
    told, usual = made.facts()["made_of"], whole.facts()["made_of"]
    assert {key for key in usual if told[key] != usual[key]} == {part}
    assert told[part] == {**usual[part], name: value} != usual[part]
    assert part != "network" or getattr(made.load(study).config, name) == value
    evolves = runs._ablated(study, evolved(initial("voc+sbd", 0, words), "coco", FULL)).profile
    assert getattr(getattr(evolves, part), name) == value
    assert runs._ablated(study, FIRST) == study


def test_a_peer_does_not_depend_on_how_we_evolve(study: Study) -> None:
    profile = study.profile
    reasons = {**profile.reasons, "class_loss_weight": "Ours: for this test"}
    other = replace(study, profile=replace(profile, class_loss_weight=0.5, reasons=reasons))
    assert named(other, peer("ITIS", 0)) == named(study, peer("ITIS", 0))
    assert named(other, FIRST) != named(study, FIRST)


def test_a_models_file_is_read_once_and_its_network_built_once(study, monkeypatch) -> None:
    calls = []

    def counted(name):
        usual = getattr(models, name)

        def call(*arguments, **named):
            calls.append(name)
            return usual(*arguments, **named)

        monkeypatch.setattr(models, name, call)

    made = [train(study, one) for one in (FIRST, evolved(FIRST, "coco", "st"))]
    for name in ("read_tensors", "OpenSceneNet"):
        counted(name)
    for one in made:
        one.load(study)
    assert calls == ["read_tensors", "OpenSceneNet"] * 2


def test_a_grown_model_comes_back_grown(study: Study) -> None:
    made = train(study, evolved(FIRST, "coco", "st"))
    assert made.load(study).config.unknown_class
    assert not train(study, FIRST).load(study).config.unknown_class
    facts = made.facts()
    assert facts["made_of"]["stage"] == "evolved"
    assert facts["made_of"]["parent"] == train(study, FIRST).digest
    assert set(facts["history"][0]) == {
        "epoch", "ce_old", "class_old", "ce_new", "corrected"
    }  # fmt: skip


def test_a_fine_tuned_model_learned_the_scenes_truth_alone(study: Study) -> None:
    made = train(study, finetuned(FIRST, "coco"))
    assert set(made.facts()["history"][0]) == {"epoch", "ce", "corrected"}
    assert made.facts()["made_of"]["stage"] == "fine-tuned"
    assert not made.load(study).config.unknown_class
    assert not (made.folder / "pseudo.json").exists()


def test_a_chain_of_parts_remembers_what_every_part_learned(study: Study) -> None:
    first = initial("voc", 5)
    steps = in_parts(first, "cityscapes", 2, FULL)
    made = train(study, steps[1])
    labelled = source(study, "voc").examples
    assert runs._pool(study, steps[0]).examples == labelled
    pool = runs._pool(study, steps[1]).examples
    earlier = new_scene(study, "cityscapes", part=(0, 2)).clicked
    assert pool[: len(labelled)] == labelled
    added = pool[len(labelled) :]
    assert [e.object_id for e in added] == [f"{c.scene}:{c.object_id}" for c in earlier]
    assert not any(example.labelled for example in added)
    assert all(set(example.supervision) == {"size", "counts"} for example in added)
    assert not (made.folder / "pseudo.json").exists()
    assert made.load(study).config.unknown_class


def test_variants_that_learn_from_the_same_masks_share_their_file(study: Study) -> None:
    teacher = train(study, FIRST)

    def file(variant: str, scene: str = "coco", user: str = "iog", seed: int = 0) -> Path:
        step = evolved(FIRST.with_seed(seed), scene, variant, user=user)
        return pseudo_file(study, step, teacher)

    assert file("st") == file("st+fa") == file(BN_ONLY)
    assert file("st+ipt") == file(FULL) == file(CLAMP_VARIANTS[0])
    others = [file("st"), file(FULL), file(CLIPPED_VIEWS),
              file("st", "cityscapes"), file("st", user="human"), file("st", seed=1)]  # fmt: skip
    assert len(set(others)) == len(others)
    before = train(study, evolved(FIRST, "coco", FULL))
    made = file(FULL).stat().st_mtime_ns
    train(study, evolved(FIRST, "coco", "st+ipt"))
    assert file(FULL).stat().st_mtime_ns == made
    file(FULL).unlink()
    again = runs._pool(study, evolved(evolved(FIRST, "coco", FULL), "cityscapes", "st"))
    assert (
        again.examples[-1].supervision
        == masks_of(study, evolved(FIRST, "coco", FULL))[-1].supervision
    )
    assert before.is_trained


def test_a_longer_life_has_all_its_scenes_in_its_pool(study: Study) -> None:
    second = evolved(FIRST, "coco", "st")
    train(study, second)
    pool = runs._pool(study, evolved(second, "cityscapes", "st")).examples
    scenes = {example.object_id.split("/")[0] for example in pool if not example.labelled}
    assert scenes == {"coco"}
    assert len(pool) == len(source(study, "voc+sbd").examples) + len(
        new_scene(study, "coco").clicked
    )


def test_the_control_moves_no_weight_but_renews_the_statistics_of_the_heads(study: Study) -> None:
    before = train(study, FIRST).load(study).state_dict()
    after = train(study, evolved(FIRST, "coco", BN_ONLY)).load(study).state_dict()
    changed = {
        name for name, value in before.items()
        if value.shape == after[name].shape and not torch.equal(value, after[name])
    }  # fmt: skip
    kinds = {name.rpartition(".")[2] for name in changed}
    assert kinds == {"running_mean", "running_var", "num_batches_tracked"}
    assert not any(name.startswith("iog.backbone.") for name in changed)
    grown = {name for name, value in before.items() if value.shape != after[name].shape}
    assert grown == {"classifier.weight", "classifier.bias"}
    for name in grown:
        assert torch.equal(after[name][:-1], before[name]), name


def test_what_learned_nothing_leaves_nothing_in_the_pool(study: Study) -> None:
    second = evolved(evolved(FIRST, "coco", BN_ONLY), "coco", "st")
    assert runs._pool(study, second).examples == source(study, "voc+sbd").examples


def test_a_peer_is_trained_once_and_found_again(study: Study) -> None:
    made = train(study, peer("DEXTR", 0))
    before = made.weights.stat().st_mtime_ns
    assert train(study, peer("DEXTR", 0)).weights.stat().st_mtime_ns == before
    network = load_peer(made, peer_of(study.profile, "DEXTR"))
    assert not network.training
    assert [set(row) for row in made.facts()["history"]] == [{"epoch", "balanced_cross_entropy"}]
    with pytest.raises(WeightsError):
        load_peer(made, peer_of(study.profile, "iFCN"))


def test_a_peer_goes_on_from_its_own_weights_as_much_slower_as_ours(study: Study) -> None:
    made = train(study, finetuned(peer("DEXTR", 0), "coco"))
    facts = made.facts()["made_of"]
    own = peer_of(study.profile, "DEXTR").train
    assert facts["stage"] == "peer tuned"
    assert facts["parent"] == named(study, peer("DEXTR", 0))
    slower = study.profile.coco.train.learning_rate / study.profile.initial.learning_rate
    assert facts["train"]["learning_rate"] == pytest.approx(own.learning_rate * slower)
    assert facts["train"]["epochs"] == study.profile.coco.train.epochs


def test_a_model_says_in_its_file_how_to_click(study: Study) -> None:
    from safetensors import safe_open

    with safe_open(train(study, FIRST).weights, "pt") as file:
        about = file.metadata()
    assert about["label"] == "smoke seed 0 initial voc+sbd"
    assert about["digest"] == train(study, FIRST).digest


@pytest.mark.parametrize("kind", ["vgg16", None])
def test_a_peer_starts_from_imagenet_where_such_weights_exist(study, monkeypatch, tmp_path, kind):
    loaded: list[tuple[object, object]] = []
    row = replace(
        peer_of(study.profile, "iFCN"), imagenet=kind,
        load_imagenet=lambda network, path: loaded.append((network, path)),
    )  # fmt: skip
    monkeypatch.setattr(peers, "peer_of", lambda *_: row)
    monkeypatch.setattr(peers, "learn_clicks", lambda *_, **__: [])
    monkeypatch.setattr(peers, "code_digest", lambda *_: "")
    where = Model("iFCN", tmp_path, "iFCN")
    network, _ = peers.trained(study, peer("iFCN", 0), None, where)
    assert peers.names(study, peer("iFCN", 0)).get("imagenet") == kind
    assert loaded == ([] if kind is None else [(network, None)])  # None: torchvision fetches it
