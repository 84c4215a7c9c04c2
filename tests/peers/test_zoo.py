"""The systems of Table 1: their sizes, their crops, and that each can learn one object by heart."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
import torch

from openscenes import masks
from openscenes.data import samples
from openscenes.data.crops import Augmentation
from openscenes.networks.enlargement import enlarge
from openscenes.peers.click_sampling import extreme_points, sample_slots
from openscenes.peers.training import learn_clicks
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.seeding import numpy_generator, torch_generator
from openscenes.study.experiments.table_1 import n_parameters, parameter_table
from openscenes.study.profiles import DEMO, PAPER, PROFILES, STUDY

PUBLISHED = {
    "iFCN": 134_266_563, "FCTSFN": 144_811_678, "Latent diversity": 16_067_168,
    "ITIS": 59_348_577, "DEXTR": 48_800_385,
}  # fmt: skip
SIZE = 64
# Copies of other names draw other images, so that BatchNorm has something to average over.
NEARLY_STILL = Augmentation(flip=True, rotation_deg=0.0, zoom_min=0.9, zoom_max=1.1)
COPIES = 4  # of the one object
LEARNED = 0.95
EPOCHS = {"iFCN": 100}
RATES = {"iFCN": 1e-2, "FCTSFN": 6e-3}  # their coarsest grids have few places in a crop of 64


@pytest.fixture(scope="module")
def tiny():
    return SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "tiny.py")))


@pytest.fixture(scope="module")
def example(tiny, tmp_path_factory):
    return tiny.labelled(tiny.write_voc(tmp_path_factory.mktemp("blobs")))[0]


def copies(example):
    return [replace(example, object_id=f"copy {i}") for i in range(COPIES)]


@pytest.mark.parametrize(("name", "count"), PUBLISHED.items())
def test_the_published_size_is_the_published_one(name, count):
    with torch.device("meta"):
        assert n_parameters(peer_of(PAPER, name).build()) == count


@pytest.mark.parametrize("name", PEERS)
def test_the_small_one_is_small_and_the_smaller_profiles_share_it(name):
    with torch.device("meta"):
        assert 1e5 < n_parameters(peer_of(DEMO, name).build()) < 1e6
    configs = [peer_of(profile, name).config for key, profile in PROFILES.items() if key != "paper"]
    assert len(set(configs)) == 1
    assert configs[0] != peer_of(PAPER, name).config


def test_what_authors_tell_of_their_size_is_what_is_built():
    told = {name: peer_of(PAPER, name).published_parameters for name in PEERS}
    close = {name for name, millions in told.items() if millions == round(PUBLISHED[name] / 1e6, 1)}
    assert close == {"iFCN", "FCTSFN", "DEXTR"}
    assert told["Latent diversity"] is None  # and ITIS has another backbone
    assert "| DEXTR | 260,161 | 48,800,385 | 48.8 M | random weights |" in parameter_table(DEMO)
    assert "| Latent diversity |" in parameter_table(DEMO)
    assert parameter_table(DEMO).count("not stated") == 2
    assert parameter_table(STUDY).count("random weights") == len(PEERS)
    assert parameter_table(PAPER).count("ImageNet |") == len(PEERS) + 2


def test_extremes_look_into_a_box_and_free_clicks_at_the_image():
    crops = {name: peer_of(DEMO, name).crop for name in PEERS}
    assert {name for name, crop in crops.items() if crop.region == "box"} == {"DEXTR"}
    assert {crop.size for crop in crops.values()} == {DEMO.crop.size}
    assert peer_of(PAPER, "DEXTR").crop.margin_px == 50.0
    assert crops["DEXTR"].margin_px == DEMO.crop.margin_px * 50 / 30


def test_a_name_that_is_no_peers_is_an_error():
    with pytest.raises(KeyError, match="RITM"):
        peer_of(DEMO, "RITM")


def test_peers_learn_two_thirds_of_our_epochs_on_small_profiles():
    assert {peer_of(DEMO, name).train.epochs for name in PEERS} == {8}
    assert {peer_of(PAPER, name).train.epochs for name in PEERS} == {20, 24, 50, 100}


def answered(network, peer, example, context):
    """IoU of the answer, in eval mode, to clicks that training did not draw."""
    batch = samples.collate([samples.cut(example, peer.crop, context.cache)])
    if peer.clicks.kind == "extremes":
        clicks = extreme_points(batch.masks, slack_px=0.0, generators=[torch_generator("asked")])
    else:
        maps, rng = (
            (batch.masks[0, 0].numpy(), batch.others[0, 0].numpy()),
            numpy_generator("asked"),
        )
        clicks = torch.from_numpy(sample_slots(*maps, peer.clicks.sampling, rng, 24))[None]
    network.eval()
    with torch.no_grad():
        logits = network(network.inputs(batch.images, clicks, None)).logits
    return iou(logits, batch)


def iou(logits, batch):
    mask = enlarge(logits, batch.masks.shape[-2:]) > 0
    return masks.iou(mask[0, 0].numpy(), batch.masks[0, 0].numpy(), batch.void[0, 0].numpy())


def learnt(tiny, example, name, **changes):
    """IoU on one object before and after the peer has seen nothing else."""
    peer = peer_of(DEMO, name)
    peer = replace(peer, crop=replace(peer.crop, size=SIZE))
    train = replace(
        peer.train, epochs=EPOCHS.get(name, 60), batch_size=COPIES, precision="32-true",
        learning_rate=RATES.get(name, peer.train.learning_rate),
    )  # fmt: skip
    context = replace(tiny.context(), crop=peer.crop)
    network = peer.build(torch_generator("peer", name, ""))
    before = answered(network, peer, example, context)
    learn_clicks(
        network, copies(example), replace(train, **changes), NEARLY_STILL, peer.clicks, peer.loss,
        context,
    )  # fmt: skip
    reached = answered(network, peer, example, context)
    print(f"{name}: {before:.3f} -> {reached:.4f}")
    return before, reached


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_learns_one_object_by_heart(tiny, example, name):
    before, reached = learnt(tiny, example, name)
    assert before < LEARNED <= reached


def test_the_refinement_learns_it_above_resting_streams(tiny, example):
    """FCTSFN's published order: TSLFN, then MSRN while TSLFN rests."""
    order = ((0, 1, 0), (60, 0, 1), (90, 0, 0.1))
    before, reached = learnt(
        tiny, example, "FCTSFN", epochs=100, steps=order, schedule="constant", learning_rate=3e-3
    )  # fmt: skip
    assert before < LEARNED <= reached
