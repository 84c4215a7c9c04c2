"""Every table with the paper's literal settings, on a network that a test can afford.

The published sizes are walked by ``python -m openscenes dry-run``.
"""

from dataclasses import fields, is_dataclass, replace
from typing import get_args

import pandas as pd
import pytest

from openscenes.__main__ import main
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.study.experiments.registry import EXPERIMENTS
from openscenes.study.plan import dry_run
from openscenes.study.plan.options_tried import TRIALS
from openscenes.study.plan.stand_ins import quickest, scored_as, stand_in, stands_in_for
from openscenes.study.profiles import PAPER, differences
from openscenes.study.runs.data import open_study
from openscenes.study.runs.recipes import (
    ACCEPTED,
    BN_ONLY,
    EVIDENCE,
    VARIANTS,
    Kind,
    evolution_config,
    evolved,
    in_order,
    initial,
    peer,
)
from openscenes.study.runs.runs import train
from openscenes.study.scores.evaluation import recipes_of

SMALL = replace(
    dry_run.DRY_RUN,
    network=replace(
        PAPER.network, backbone="small_resnet", crop_size=32, output_stride=4, head_width=8,
        psp_width=8,
    ),
    crop=replace(PAPER.crop, size=32),
    reasons={**dry_run.DRY_RUN.reasons, "network": "a test's time", "crop": "a test's time"},
)  # fmt: skip
ASKED = dict.fromkeys(
    e for one in EXPERIMENTS.values() for e in one.evaluations(dry_run.DRY_RUN, 1)
)
CHANGED = {"initial", "cityscapes", "coco", "imagenet", "n_clicks", "thresholds"}
TIME_ONLY = {
    "epochs", "batch_size", "max_objects", "min_area",
    "image_fraction", "imagenet", "n_clicks", "thresholds",
}  # fmt: skip


def test_a_dry_run_departs_from_the_paper_only_to_be_short():
    names = differences(dry_run.DRY_RUN)
    assert {name.split(".")[0] for name in names} == CHANGED
    assert {name.split(".")[-1] for name in names} == TIME_ONLY
    assert dry_run.DRY_RUN.network == PAPER.network
    assert dry_run.DRY_RUN.crop.size == 512


def test_peers_keep_their_published_size_on_a_short_schedule():
    for name in PEERS:
        published, short = peer_of(PAPER, name), peer_of(dry_run.DRY_RUN, name)
        assert short.config == published.config
        assert (short.train.epochs, short.train.batch_size) == (1, 2)
        assert short.train.optimiser == published.train.optimiser
    assert peer_of(PAPER, "DEXTR").train.epochs == 100
    assert peer_of(PAPER, "ITIS").train.epochs == 50


@pytest.mark.parametrize("scene", ["cityscapes", "coco"])
@pytest.mark.parametrize("user", ["iog", "human"])
def test_every_variant_fits_the_papers_settings(scene, user):
    for variant in VARIANTS:
        config = evolution_config(PAPER, scene, variant, user)
        assert config.augmentation_new == PAPER.evolving(scene).augmentation_new


def ways(recipe):
    """Names of the ways through the code that a training goes."""
    found = {("kind", recipe.kind), ("ablation", recipe.ablation)}
    if recipe.kind == "peer":
        found.add(("peer", recipe.name))
    if recipe.kind == "evolved":
        config = evolution_config(PAPER, recipe.scene, recipe.variant, recipe.user)
        found |= {("scene", recipe.scene), ("user", recipe.user), ("after", recipe.parent.kind)}
        found.add(("later part", recipe.part is not None and recipe.part[0] > 0))
        found |= switches("", config)
    return found


def switches(prefix, config):
    """What a configuration switches on and off, and chooses by name."""
    found = set()
    for item in fields(config):
        value = getattr(config, item.name)
        if is_dataclass(value):
            found |= {(prefix + item.name, True)} | switches(f"{prefix}{item.name}.", value)
        elif value is None or isinstance(value, bool | str):
            found.add((prefix + item.name, value or False))
    return found


# Both switches of Eq. 8 choose between terms that are computed in any case; scores clip masks.
SAME_CODE = {
    ("alignment.class_agnostic_pixel_term", True), ("alignment.class_agnostic_proto_term", False),
    ("teacher.clip_to_box", True), ("teacher.evidence", False), ("teacher.evidence.cautious", True),
}  # fmt: skip


def test_every_way_of_training_is_gone_by_a_stand_in():
    asked = in_order(recipes_of(ASKED))
    made = list(stands_in_for(asked))
    assert {recipe.kind for recipe in made} == set(get_args(Kind))
    assert {recipe.name for recipe in made if recipe.kind == "peer"} == set(PEERS)
    gone, wanted = ({way for r in group for way in ways(r)} for group in (made, asked))
    assert wanted - gone <= SAME_CODE
    assert {recipe.seed for recipe in made} == {0}
    assert len(made) == 23


def scoring_ways(evaluation):
    """Names of the ways through the code that a score goes."""
    e, first = evaluation, evaluation.recipe.lineage()[0]
    system = first.name if first.name in PEERS else "ours"
    setting = (e.user, e.clipped, e.tta, e.obey)
    return {
        ("set", e.kind, e.where), ("model", stand_in(e.recipe)), ("system", e.kind, system),
        ("setting", e.kind, *setting), ("box first", e.kind, e.where, system in ("ours", "DEXTR")),
    }  # fmt: skip


def test_every_way_of_scoring_is_gone_by_a_stand_in_on_the_same_objects():
    made = {e: scored_as(e) for e in ASKED}
    gone, wanted = ({w for e in group for w in scoring_ways(e)} for group in (made.values(), made))
    assert gone == wanted
    assert all(scored_as(one) == one for one in made.values())
    assert all((e.where, e.kind) == (one.where, one.kind) for e, one in made.items())
    assert len(set(made.values())) == 48


def test_every_score_is_told_and_each_model_trained_is_scored():
    said = dry_run.covered(list(EXPERIMENTS))
    assert not any("not scored" in line for line in said)
    assert f"Scores: 48 stood for {len(ASKED)}." in "\n".join(said)
    alone = [line for line in dry_run.covered(["7"]) if line.endswith("not scored")]
    assert len(alone) == 2 and "ground truth" in alone[1]  # on COCO, where this table scores none


def test_thresholds_of_a_dry_run_are_chosen_by_a_system_that_is_scored_there():
    roots = {e.recipe.lineage()[0] for e in ASKED if e.kind == "clicks"}
    on_source = {scored_as(e).recipe for e in ASKED if (e.where, e.kind) == ("voc", "clicks")}
    assert {quickest(root) for root in roots} == on_source


def test_options_that_no_table_takes_are_tried_once():
    changes = [{**trial.initial, **trial.coco} for trial in TRIALS]
    assert {one.get("precision") for one in changes} == {"bf16-mixed", "tf32", None}
    assert [one.get("deterministic", False) for one in changes].count(True) == 1
    assert sum("micro_batch" in one for one in changes) == 1
    assert [trial.n_devices for trial in TRIALS].count(2) == 1
    assert sum(trial.stops for trial in TRIALS) == 1
    again = {trial.recipe for trial, one in zip(TRIALS, changes, strict=True) if one.get("epochs")}
    iterative = [name for name in PEERS if peer_of(PAPER, name).clicks.iterative]
    assert {peer(name, 0) for name in iterative} <= again


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        folder = tmp_path_factory.mktemp("dry-run")
        patched.setenv("OPENSCENES_CACHE", str(folder))
        yield folder


def test_tables_are_made_and_a_second_run_only_writes_them(cache):
    keys = ("3", "7")
    lines = list(dry_run.dry_run(SMALL, cache, "cpu", keys=keys))
    made = [line.split(" in ")[0] for line in lines if line.startswith("made: ")]
    assert made == ["made: table 3", "made: table 7"]
    for key in keys:
        frame = pd.read_csv(cache / "tables" / f"table_{key}.csv")
        assert frame["ours"].between(0, 100).all()
    tried = [
        line.split(" (")[0].removeprefix("tried: ") for line in lines if line.startswith("tried")
    ]
    assert tried == [trial.words for trial in TRIALS]
    assert len(list(dry_run.dry_run(SMALL, cache, "cpu", keys=keys[:1]))) == 1


@pytest.mark.parametrize(("words", "sentence"), [(["3", "8"], 'no table "8"'),
                                              (["--device", "cude"], "cude")])  # fmt: skip
def test_what_is_none_is_refused_before_anything_is_trained(cache, capsys, words, sentence):
    before = sorted(cache.rglob("*"))
    assert main(["dry-run", *words]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert sorted(cache.rglob("*")) == before


def test_every_variant_trains_with_the_papers_settings(cache):
    study = open_study(replace(SMALL, cpu_threads=1), None, "cpu")
    for variant in VARIANTS:
        made = train(study, evolved(initial("voc", 0), "coco", variant, user="human"))
        if variant == BN_ONLY:
            assert made.facts()["history"] == []
            continue
        epoch = made.facts()["history"][-1]
        assert epoch["ce_new"] > 0
        on_evidence = variant.startswith(EVIDENCE) and variant not in ACCEPTED
        assert ("evidence" in made.facts()) == on_evidence
        assert ("feat" in epoch) == ("fa" in variant)
