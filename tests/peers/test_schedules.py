"""Each peer learns at its published rates in profile ``paper``; frozen statistics stay."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from openscenes.errors import InputError
from openscenes.method import training
from openscenes.method.training import TrainConfig
from openscenes.networks.weights import parameter_groups
from openscenes.peers.click_sampling import IFCN_SAMPLING
from openscenes.peers.losses import bootstrapped_cross_entropy, plain_cross_entropy
from openscenes.peers.networks.dextr import DEXTR, DEXTRConfig
from openscenes.peers.networks.fctsfn import FCTSFN, FCTSFNConfig
from openscenes.peers.networks.itis import ITIS, ITISConfig
from openscenes.peers.networks.vgg import FCNConfig
from openscenes.peers.training import ClickSimulation, learn_clicks
from openscenes.peers.zoo import PEERS, fine_tuning, peer_of
from openscenes.seeding import torch_generator
from openscenes.study.profiles import DEMO, PAPER

FREE = ClickSimulation(sampling=IFCN_SAMPLING)
SMALL_ITIS = ITISConfig(
    backbone="small_resnet", aspp_width=8, skip_width=8, decoder_width=8, normalise=True
)
# Rates of backbone and heads from an epoch on, as their authors' code has them.
PUBLISHED = {
    "iFCN": {0: (1e-10, 1e-10), 19: (1e-10, 1e-10)},
    "Latent diversity": {0: (1e-4,), 99: (1e-4,)},
    "ITIS": {
        0: (1e-5, 1e-5), 8: (1e-5, 1e-5), 9: (1e-6, 1e-6), 13: (1e-6, 1e-6), 14: (3e-7, 3e-7),
        49: (3e-7, 3e-7),
    },
    "FCTSFN": {0: (1e-10, 0), 19: (1e-10, 0), 20: (0, 1e-8), 22: (0, 1e-9), 23: (0, 1e-10)},
    "DEXTR": {0: (1e-8, 1e-7), 99: (1e-8, 1e-7)},
}  # fmt: skip


@pytest.fixture(scope="module")
def examples(tiny, old_root):
    return tiny.labelled(old_root)[:4]


@pytest.mark.parametrize("name", PEERS)
def test_rates_are_the_published_ones_in_profile_paper(name):
    peer = peer_of(PAPER, name)
    with torch.device("meta"):
        network = peer.build()
    training.thaw(network)
    config = peer.train
    groups = parameter_groups(network, config.learning_rate, config.head_factor)
    optimiser = training._optimiser(groups, config)
    base = [group["lr"] for group in optimiser.param_groups]
    for epoch, rates in PUBLISHED[name].items():
        training._set_rates(optimiser, base, config, epoch)
        learning = [group["lr"] for group in optimiser.param_groups if group["params"]]
        assert learning == pytest.approx(rates)
    assert max(PUBLISHED[name]) == config.epochs - 1


def test_optimisers_and_batches_are_the_published_ones_but_for_what_is_declared():
    trains = {name: peer_of(PAPER, name).train for name in PEERS}
    assert {n: t.optimiser for n, t in trains.items() if t.optimiser != "sgd"} == dict.fromkeys(
        ("Latent diversity", "ITIS"), "adamw"
    )
    assert {t.weight_decay for t in trains.values() if t.optimiser == "adamw"} == {0.0}
    assert {n: t.momentum for n, t in trains.items() if t.optimiser == "sgd"} == {
        "iFCN": 0.99, "FCTSFN": 0.99, "DEXTR": 0.9
    }  # fmt: skip
    assert {n: t.batch_size for n, t in trains.items()} == {
        "iFCN": 2, "Latent diversity": 2, "ITIS": 5, "FCTSFN": 3, "DEXTR": 5
    }  # fmt: skip
    assert [n for n, t in trains.items() if t.freeze_batchnorm] == ["ITIS"]
    assert peer_of(PAPER, "iFCN").config.skip_scales == (0.01, 0.0001)


@pytest.mark.parametrize("name", PEERS)
def test_a_shortened_schedule_keeps_its_shape(name):
    short = replace(PAPER, initial=replace(PAPER.initial, epochs=1))
    whole, cut = peer_of(PAPER, name).train, peer_of(short, name).train
    assert cut.epochs == 1 and [own for _, *own in cut.steps] == [own for _, *own in whole.steps]
    for (start, *_), (before, *_) in zip(cut.steps, whole.steps, strict=True):
        assert start == pytest.approx(before / whole.epochs)


@pytest.mark.parametrize(("profile", "rate"), [(PAPER, 1e-9), (DEMO, 3e-3 * 5e-4 / 3e-3)])
def test_a_fine_tuned_peer_slows_down_as_ours_does(profile, rate):
    peer = peer_of(profile, "DEXTR")
    tuned = fine_tuning(peer, profile, profile.cityscapes.train)
    assert tuned.learning_rate == pytest.approx(rate)
    assert (tuned.epochs, tuned.steps) == (profile.cityscapes.train.epochs, ())
    assert fine_tuning(peer_of(PAPER, "ITIS"), PAPER, PAPER.coco.train).steps == ()


def learn(tiny, examples, network, loss, config, simulation=FREE):
    """Rates of both groups at each step of a real training."""
    seen = []
    handle = register_optimizer_step_pre_hook(
        lambda optimiser, *_: seen.append(tuple(g["lr"] for g in optimiser.param_groups))
    )
    try:
        learn_clicks(network, examples, config, tiny.AUGMENTATION, simulation, loss, tiny.context())
    finally:
        handle.remove()
    return seen


def statistics(module):
    return {
        name: value.clone() for name, value in module.state_dict().items() if "running_" in name
    }


def test_itis_learns_in_steps_while_its_backbones_statistics_stay(tiny, examples):
    """Also where the network answers between the steps, to be clicked on where it errs."""
    published = peer_of(PAPER, "ITIS").train
    config = replace(
        published, epochs=3, batch_size=2,
        steps=tuple((start, *own) for start, (_, *own) in enumerate(published.steps, start=1)),
    )  # fmt: skip
    network = ITIS(SMALL_ITIS, generator=torch_generator("weights"))
    backbone, pyramid = statistics(network.backbone), statistics(network.pyramid)
    weights = network.backbone.conv1.weight.clone()
    clicking = replace(FREE, iterative=True)
    seen = learn(tiny, examples, network, bootstrapped_cross_entropy, config, clicking)
    assert [rate for pair in seen for rate in pair] == pytest.approx(
        [1e-5] * 4 + [1e-6] * 4 + [3e-7] * 4
    )
    assert backbone
    assert all(torch.equal(v, statistics(network.backbone)[n]) for n, v in backbone.items())
    assert not any(torch.equal(v, statistics(network.pyramid)[n]) for n, v in pyramid.items())
    assert not torch.equal(network.backbone.conv1.weight, weights)


def test_the_two_streams_rest_while_the_refinement_learns(tiny, examples):
    fcn = FCNConfig(
        widths=(4, 6, 8, 10, 12), pools=(False, True, False, True, True), stem_stride=2,
        fc_width=16, fc_kernel=3, normalise=True, batch_norm=True,
    )  # fmt: skip
    network = FCTSFN(
        FCTSFNConfig(fcn=fcn, scale_width=4, refinement_width=6),
        generator=torch_generator("weights"),
    )
    start = {name: value.clone() for name, value in network.named_parameters()}
    config = TrainConfig(
        epochs=2, batch_size=2, learning_rate=1e-3, head_factor=2.0, reduction="mean",
        steps=((0, 1, 0), (1, 0, 1)),
    )  # fmt: skip

    def moved():
        return {
            name.startswith("refinement.")
            for name, value in network.named_parameters()
            if not torch.equal(value, start[name])
        }

    loss = plain_cross_entropy
    assert learn(tiny, examples, network, loss, replace(config, epochs=1)) == [(1e-3, 0)] * 2
    assert moved() == {False}
    start = {name: value.clone() for name, value in network.named_parameters()}
    rest = replace(config, epochs=1, steps=((0, 0, 1),))
    assert learn(tiny, examples, network, loss, rest) == [(0, 2e-3)] * 2
    assert moved() == {True}


def test_a_network_without_a_backbone_cannot_have_it_frozen(tiny, examples):
    network = DEXTR(DEXTRConfig(
        blocks=(1, 1, 1, 1), widths=(8, 16, 16, 16), stem_width=8, stem_kernel=3, stem_pool=False,
        psp_width=8, normalise=True, freeze_norms=False,
    ))  # fmt: skip
    config = replace(tiny.TRAIN, freeze_batchnorm=True)
    with pytest.raises(InputError, match=r"DEXTR has no backbone .* leave freeze_batchnorm off"):
        learn(tiny, examples, network, plain_cross_entropy, config)


def test_latent_diversity_normalises_each_object_by_itself():
    """Published, a batch is one object, in training and in tests."""
    network = peer_of(DEMO, "Latent diversity").build(torch_generator("weights"))
    norms = [m for m in network.candidates.modules() if isinstance(m, nn.InstanceNorm2d)]
    assert len(norms) == 1 + len(network.config.dilations)
    for norm in norms:
        nn.init.ones_(norm.weight)
    maps = torch.rand(2, norms[0].num_features, 6, 6, generator=torch_generator("maps"))
    settled = network.candidates.settled
    alone = torch.cat([settled.train()(one[None]) for one in maps])
    torch.testing.assert_close(settled.eval()(maps), alone)
    assert settled.norm.running_mean is None
