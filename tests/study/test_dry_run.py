"""Every table with the paper's literal settings, on a network that a test can afford.

The published sizes are walked by ``python -m openscenes dry-run``.
"""

from dataclasses import replace

import pandas as pd
import pytest

from openscenes.__main__ import main
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.study.plan import dry_run
from openscenes.study.plan.options_tried import TRIALS
from openscenes.study.profiles import PAPER, differences
from openscenes.study.runs.data import open_study
from openscenes.study.runs.recipes import BN_ONLY, VARIANTS, evolution_config, evolved, initial
from openscenes.study.runs.runs import train

SMALL = replace(
    dry_run.DRY_RUN,
    network=replace(
        PAPER.network, backbone="small_resnet", crop_size=32, output_stride=4, head_width=8,
        psp_width=8,
    ),
    crop=replace(PAPER.crop, size=32),
    reasons={**dry_run.DRY_RUN.reasons, "network": "a test's time", "crop": "a test's time"},
)  # fmt: skip
CHANGED = {"initial", "cityscapes", "coco", "imagenet", "n_clicks"}
TIME_ONLY = {
    "epochs", "batch_size", "max_objects", "min_area",
    "image_fraction", "imagenet", "n_clicks",
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
        assert (short.train.epochs, short.train.batch_size) == (2, 2)
        assert short.train.optimiser == published.train.optimiser
    assert peer_of(PAPER, "DEXTR").train.epochs == 100
    assert peer_of(PAPER, "ITIS").train.epochs == 20


@pytest.mark.parametrize("scene", ["cityscapes", "coco"])
@pytest.mark.parametrize("user", ["iog", "human"])
def test_every_variant_fits_the_papers_settings(scene, user):
    for variant in VARIANTS:
        config = evolution_config(PAPER, scene, variant, user)
        turned = PAPER.evolving(scene).augmentation_new.rotation_deg
        assert config.augmentation_new.rotation_deg == (0.0 if config.box_losses else turned)


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
    assert tried == list(TRIALS)
    again = list(dry_run.dry_run(SMALL, cache, "cpu", keys=keys))
    assert len(again) == len(keys)


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
        assert ("feat" in epoch) == ("fa" in variant or variant == "combined")
        assert ("sides" in epoch) == (variant in ("box-projection and point losses", "combined"))
