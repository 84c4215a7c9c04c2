"""The source is kept by its old answers and by statistics of its own; both are off by default."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from openscenes.data import samples
from openscenes.errors import InputError
from openscenes.method.beyond.keeping import distilled, frozen_copy
from openscenes.method.evolution import EvolutionConfig, Pool, align
from openscenes.networks.batch_norm import HalvedBatchNorm, halve_statistics, join_statistics
from openscenes.networks.enlargement import enlarge


@pytest.fixture
def old(tiny, old_root):
    cache = tiny.context().cache
    return samples.collate([samples.cut(e, tiny.CROP, cache) for e in tiny.labelled(old_root)[:4]])


@pytest.fixture
def aligned(tiny, initial, new_root, old_root):
    """A copy of the initial network after one alignment with the new scene's truth."""

    def run(**changes):
        network = copy.deepcopy(initial.network)
        pool = Pool(tuple(tiny.labelled(old_root)))
        train = replace(tiny.EVOLUTION.train, learning_rate=3e-3, epochs=2)
        config = replace(tiny.EVOLUTION, train=train, corrections=None, **changes)
        history = align(network, pool, tiny.labelled(new_root), config, tiny.context())
        return network.eval(), history

    return run


def test_distilled_is_the_cross_entropy_against_old_probabilities(tiny, initial, old):
    before = frozen_copy(initial.network, tiny.context())
    assert before is not initial.network and not any(p.requires_grad for p in before.parameters())
    inputs, network = old.inputs(tiny.CLICKS), tiny.network(seed=1).eval()
    with torch.no_grad():
        now, then = network(inputs), before(inputs)
    found = distilled(now, old, before, tiny.context())
    size, expected = (tiny.CROP.size,) * 2, torch.zeros(4)
    for a, b in zip(
        (*now.coarse, now.fine, now.predictor), (*then.coarse, then.fine, then.predictor),
        strict=True,
    ):  # fmt: skip
        logit, told = enlarge(a, size), enlarge(b, size).sigmoid()
        expected -= (told * F.logsigmoid(logit) + (1 - told) * F.logsigmoid(-logit)).sum((1, 2, 3))
    assert torch.allclose(found, expected, rtol=1e-4)
    at_home = distilled(then, old, before, tiny.context())
    assert (at_home < found).all()  # the least that it can be: the entropy of the old answers


def test_who_distils_stays_nearer_to_the_old_answers(tiny, initial, old, aligned):
    before, inputs = frozen_copy(initial.network, tiny.context()), old.inputs(tiny.CLICKS)
    moved = {}
    for weight in (0.0, 5.0):
        network, history = aligned(distillation=weight, old_loss_end=1.0)
        with torch.no_grad():
            both = network(inputs).fine.sigmoid() - before(inputs).fine.sigmoid()
        moved[weight] = float(both.abs().mean())
        assert ("kept" in history[0]) == (weight > 0)
    assert moved[5.0] < moved[0.0], moved


def test_each_half_is_normalised_by_itself():
    norm = torch.nn.BatchNorm2d(3)
    plain = torch.nn.Sequential(copy.deepcopy(norm))
    halved = torch.nn.Sequential(copy.deepcopy(norm))
    halve_statistics(halved)
    generator = torch.Generator().manual_seed(0)
    old, new = torch.randn(4, 3, 5, 5, generator=generator), 9 + torch.randn(4, 3, 5, 5)
    found = halved(torch.cat([old, new]))
    assert torch.equal(found, torch.cat([plain(old), F.batch_norm(new, None, None, training=True)]))
    kept = {keep: copy.deepcopy(halved) for keep in ("source", "scene")}
    for keep, network in kept.items():
        join_statistics(network, keep)
        assert type(network[0]) is torch.nn.BatchNorm2d
        assert set(network.state_dict()) == set(plain.state_dict())
    assert torch.equal(kept["source"][0].running_mean, plain[0].running_mean)
    assert torch.allclose(kept["scene"][0].running_mean, 0.1 * new.mean((0, 2, 3)))
    assert not isinstance(halved.eval()[0](new), HalvedBatchNorm)
    alone = halved.train()(torch.randn(2, 3, 1, 1))  # one value a channel and half
    assert torch.isfinite(alone).all()


def test_the_source_keeps_its_statistics_and_the_scene_has_its_own(aligned):
    found = {s: aligned(statistics=s)[0].state_dict() for s in ("shared", "source", "scene")}
    assert {frozenset(state) for state in found.values()} == {frozenset(found["shared"])}
    means = {s: torch.cat([v.flatten() for k, v in state.items() if k.endswith("running_mean")])
             for s, state in found.items()}  # fmt: skip
    assert not torch.allclose(means["source"], means["scene"], atol=1e-3)
    weights = [
        {k: v for k, v in found[s].items() if "running" not in k} for s in ("source", "scene")
    ]
    assert all(torch.equal(a, weights[1][k]) for k, a in weights[0].items())


def test_nothing_of_it_is_on_by_default_nor_without_old_data():
    assert (EvolutionConfig().distillation, EvolutionConfig().statistics) == (0.0, "shared")
    for wrong in ({"distillation": 1.0}, {"statistics": "scene"}):
        with pytest.raises(InputError, match="old_data is False"):
            EvolutionConfig(old_data=False, **wrong)
    with pytest.raises(InputError, match="statistics"):
        EvolutionConfig(statistics="mine")


def test_devices_cannot_share_the_statistics_of_halves(tiny, initial, new_root, monkeypatch):
    context = tiny.context()
    monkeypatch.setattr(type(context.fabric), "world_size", 2)
    config = replace(tiny.EVOLUTION, statistics="scene")
    with pytest.raises(InputError, match="2 devices cannot share"):
        align(initial.network, initial.pool, tiny.labelled(new_root), config, context)
