"""A life: initial training, one step and another, with the rows of Table 4; and nothing leaks."""

import copy
import json
import shutil
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from openscenes import masks
from openscenes.data import clicks, datasets
from openscenes.data.examples import NO_CLASS
from openscenes.errors import DataError, InputError
from openscenes.method import evolution, pseudo
from openscenes.method.alignment import AlignmentConfig
from openscenes.method.evolution import EvolutionConfig, Pool, align, evolve, old_weight
from openscenes.method.gradients import GradientNorms
from openscenes.method.ipt import IPTConfig
from openscenes.networks import checkpoints
from openscenes.settings import sources

# pycocotools 2.0.11 under NumPy 2
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)

BOTH = {"ipt": IPTConfig(m=0.9, n=0.95), "alignment": AlignmentConfig(reduction="mean")}


@pytest.fixture
def evolved(tiny, initial, new_root):
    """Evolve a copy of the initial model; every argument may be another."""

    def run(config=tiny.EVOLUTION, *, network=None, pool=None, scene=None, folder=None, seed=0):
        return evolve(
            network or copy.deepcopy(initial.network), pool or initial.pool,
            tiny.clicked(new_root) if scene is None else scene, config, tiny.context(seed),
            folder=folder,
        )  # fmt: skip

    return run


@pytest.fixture
def truth(tiny, new_root):
    return [replace(example, class_index=NO_CLASS) for example in tiny.labelled(new_root)]


def test_the_initial_model_learns_masks_and_classes(tiny, initial, old_root):
    first, last = initial.history[0], initial.history[-1]
    assert set(first) == {"epoch", "ce", "class", "corrected"}
    assert last["ce"] < 0.5 * first["ce"] and last["class"] < 0.5 * first["class"]
    assert initial.pool.examples == tuple(tiny.labelled(old_root))
    assert not initial.network.config.unknown_class


def test_without_a_class_weight_no_class_is_learned(tiny, old_root):
    step = evolution.initialise(
        tiny.network(), tiny.labelled(old_root), replace(tiny.TRAIN, epochs=1),
        tiny.AUGMENTATION, tiny.context(), class_loss_weight=0.0,
    )  # fmt: skip
    assert set(step.history[0]) == {"epoch", "ce", "corrected"}


def test_evolution_needs_no_mask_file_of_the_new_scene(tiny, evolved, tmp_path):
    root = tiny.write_voc(tmp_path / "scene", seed=1, darkness=0.5)
    index, path = tiny.index(root), tmp_path / "clicks.jsonl"
    scene = clicks.clicked_objects(index, tiny.CLICKS, tiny.CROP, path)
    config = replace(tiny.EVOLUTION, **BOTH)
    with_masks = evolved(config, scene=scene)
    for folder in ("SegmentationObject", "SegmentationClass"):
        shutil.rmtree(root / "VOCdevkit/VOC2012" / folder)
    with pytest.raises(DataError):
        datasets.read_mask(index.records[0])
    without = evolved(config, scene=clicks.load(path))
    assert tiny.equal_weights(without.network, with_masks.network)
    assert without.history == with_masks.history


def test_a_step_merges_the_pool_and_holds_no_truth_of_the_scene(tiny, initial, evolved, new_root):
    pool = evolved().pool
    scene = tiny.clicked(new_root)
    assert pool.examples[: len(initial.pool.examples)] == initial.pool.examples
    added = pool.examples[len(initial.pool.examples) :]
    assert [e.object_id for e in added] == [f"{c.scene}:{c.object_id}" for c in scene]
    assert not any(example.labelled for example in added)
    assert all(set(example.supervision) == {"size", "counts"} for example in added)


def test_the_same_seed_gives_the_same_bits(tiny, evolved):
    config = replace(tiny.EVOLUTION, **BOTH)
    one, two, other = evolved(config), evolved(config), evolved(config, seed=1)
    assert tiny.equal_weights(one.network, two.network)
    assert not tiny.equal_weights(one.network, other.network)


def test_the_unknown_class_comes_with_the_first_step_only(tiny, initial, evolved):
    first = evolved()
    n = tiny.NETWORK.n_classes
    assert initial.network.classifier.out_channels == n
    assert first.network.config.unknown_class
    assert first.network.classifier.out_channels == n + 1
    second = evolved(network=first.network, pool=first.pool)
    assert second.network is first.network
    assert second.network.classifier.out_channels == n + 1
    assert len(second.pool.examples) == 36


def test_pseudo_masks_are_made_once_per_run_folder(tiny, evolved, tmp_path, monkeypatch):
    first = evolved(folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pseudo.json"]
    monkeypatch.setattr(pseudo, "predictions", None)
    again = evolved(folder=tmp_path)
    assert tiny.equal_weights(again.network, first.network)
    assert again.pool.examples == first.pool.examples
    with pytest.raises(TypeError):
        evolved(folder=tmp_path / "other")


def test_an_interrupted_step_ends_with_the_same_bits(tiny, evolved, tmp_path, monkeypatch):
    config = replace(tiny.EVOLUTION, **BOTH)
    undisturbed = evolved(config)
    monkeypatch.setattr(checkpoints, "PAUSE_S", 0.0)
    monkeypatch.setattr(checkpoints, "WRITING_SHARE", float("inf"))
    real, calls = evolution.pair_losses, []

    def stopping(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(evolution, "pair_losses", stopping)
    with pytest.raises(KeyboardInterrupt):
        evolved(config, folder=tmp_path)
    resumed = evolved(config, folder=tmp_path)
    assert len(calls) == 3 + 1  # the third step is taken again, the first two are not
    assert tiny.equal_weights(resumed.network, undisturbed.network)
    assert resumed.history == undisturbed.history


def test_self_training_alone_has_no_alignment_terms(evolved):
    (row,) = evolved().history
    assert set(row) == {"epoch", "ce_old", "class_old", "ce_new", "corrected"}


def test_alignment_adds_its_two_terms(tiny, evolved):
    plain = evolved()
    aligned = evolved(replace(tiny.EVOLUTION, alignment=BOTH["alignment"]))
    (row,) = aligned.history
    terms = {"ce_old", "class_old", "ce_new", "feat", "max", "corrected"}
    measured = {f"gradient {name}" for name in (terms - {"feat"}) | {"A", "B"}}
    assert set(row) == {"epoch"} | terms | measured
    assert all(row[name] > 0 for name in ("gradient ce_old", "gradient A", "gradient max"))
    assert row["feat"] > 0 > row["max"]
    assert aligned.pool.examples == plain.pool.examples
    assert not tiny.equal_weights(aligned.network, plain.network)


def test_what_is_measured_changes_no_training(tiny, evolved, monkeypatch):
    aligned = replace(tiny.EVOLUTION, alignment=BOTH["alignment"])
    measured = evolved(aligned)
    monkeypatch.setattr(GradientNorms, "wanted", lambda self, epoch: False)
    plain = evolved(aligned)
    assert tiny.equal_weights(measured.network, plain.network)
    kept = [{k: v for k, v in row.items() if "gradient" not in k} for row in measured.history]
    assert kept == plain.history


def test_a_class_head_on_detached_features_moves_no_backbone(tiny, evolved):
    aligned = replace(tiny.EVOLUTION, alignment=BOTH["alignment"])
    (usual,) = evolved(aligned).history
    alone = evolved(replace(aligned, class_reaches_backbone=False))
    (row,) = alone.history
    assert row["gradient class_old"] == 0 < usual["gradient class_old"]
    assert row["class_old"] > 0 and row["gradient max"] > 0
    before = evolved(replace(aligned, train=replace(aligned.train, learning_rate=0.0))).network
    assert not torch.equal(alone.network.classifier.weight, before.classifier.weight)


def test_ipt_changes_the_pseudo_masks(tiny, evolved):
    plain, refined = evolved(), evolved(replace(tiny.EVOLUTION, ipt=BOTH["ipt"]))
    pairs = zip(plain.pool.examples[12:], refined.pool.examples[12:], strict=True)
    assert sum(a.supervision != b.supervision for a, b in pairs) >= 6
    assert set(refined.history[0]) == set(plain.history[0])


def test_without_old_data_only_the_scene_teaches(tiny, evolved):
    (row,) = evolved(replace(tiny.EVOLUTION, old_data=False)).history
    assert set(row) == {"epoch", "ce", "corrected"}


def bound(tiny, initial, examples):
    network = copy.deepcopy(initial.network)
    config = replace(tiny.EVOLUTION, old_data=False)
    history = align(network, initial.pool, examples, config, tiny.context())
    return network, history


def test_the_upper_bound_learns_the_truth_alone(tiny, initial, truth):
    network, history = bound(tiny, initial, truth)
    assert set(history[0]) == {"epoch", "ce", "corrected"}
    codes = [masks.encode(datasets.read_mask(example.supervision)) for example in truth]
    flipped = [
        replace(example, supervision=masks.encode(~masks.decode(code)))
        for example, code in zip(truth, codes, strict=True)
    ]
    wrong, worse = bound(tiny, initial, flipped)
    assert not tiny.equal_weights(network, wrong)
    assert worse[0]["ce"] > 1.5 * history[0]["ce"]


def test_the_upper_bound_reads_mask_files(tiny, initial, tmp_path):
    root = tiny.write_voc(tmp_path / "scene", seed=1, darkness=0.5)
    examples = tiny.labelled(root)
    shutil.rmtree(root / "VOCdevkit/VOC2012/SegmentationObject")
    with pytest.raises(DataError):
        bound(tiny, initial, examples)


def test_the_old_datas_weight_falls_on_a_line_from_1_to_a_tenth(tiny):
    config = replace(tiny.EVOLUTION, train=replace(tiny.TRAIN, epochs=10))
    weights = [old_weight(config, epoch) for epoch in range(10)]
    assert weights[0] == 1.0
    assert weights[-1] == pytest.approx(0.1)
    falls = [early - late for early, late in pairwise(weights)]
    assert falls == pytest.approx([0.1] * 9)
    assert old_weight(replace(config, old_loss_end=1.0), 5) == 1.0
    assert old_weight(tiny.EVOLUTION, 0) == 1.0  # a single epoch


def test_a_class_that_the_pool_has_not_is_unknown(tiny, initial, truth):
    known, strange = (replace(truth[0], class_index=channel) for channel in (7, 9))
    assert initial.pool.restrict_class(known).class_index == 7
    assert initial.pool.restrict_class(strange).class_index == NO_CLASS


def test_a_new_object_is_paired_with_its_class(tiny, initial, truth, monkeypatch):
    seen = []

    def look(_network, groups_of_epoch, *_, **__):
        seen.extend(groups_of_epoch(0) + groups_of_epoch(1))
        return []

    monkeypatch.setattr(evolution, "train", look)
    examples = [replace(example, class_index=(7, 15)[i % 2]) for i, example in enumerate(truth)]
    align(initial.network, initial.pool, examples, tiny.EVOLUTION, tiny.context())
    assert [new for _, new in seen] == examples * 2
    assert all(old.class_index == new.class_index for old, new in seen)
    assert [old for old, _ in seen[:12]] != [old for old, _ in seen[12:]]


def test_a_scene_without_objects_is_refused(evolved):
    with pytest.raises(InputError, match="scene has 0 objects, and training needs at least 2"):
        evolved(scene=())


def test_stored_pseudo_masks_are_plain_json(evolved, tmp_path):
    pool = evolved(folder=tmp_path).pool
    kept = json.loads((tmp_path / "pseudo.json").read_text())
    assert kept["masks"] == [[e.supervision, e.class_index] for e in pool.examples[12:]]


def test_every_setting_has_a_source_but_what_belongs_to_the_profile():
    named = set(EvolutionConfig.__dataclass_fields__) - set(sources(EvolutionConfig))
    assert named == {"train", "augmentation_old"}


def test_the_pool_is_left_as_it_was(initial, evolved):
    before = Pool(initial.pool.examples)
    evolved()
    assert initial.pool == before


def test_a_teacher_in_the_box_teaches_masks_in_the_box(tiny, initial, evolved):
    teacher = replace(tiny.context().inference, clip_to_box=True)
    plain, clipped = evolved(), evolved(replace(tiny.EVOLUTION, teacher=teacher))
    n_old, changed = len(initial.pool.examples), 0
    pairs = zip(plain.pool.examples[n_old:], clipped.pool.examples[n_old:], strict=True)
    for before, after in pairs:
        free, kept = masks.decode(before.supervision), masks.decode(after.supervision)
        assert kept.sum() <= free.sum() + 4  # the box's edge is pasted smoothly
        changed += bool((free & ~kept).any())
    assert changed >= 4
    assert not tiny.equal_weights(plain.network, clipped.network)
