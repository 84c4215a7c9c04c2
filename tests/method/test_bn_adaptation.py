"""The control of self-training is the step itself at a rate of zero, for a part of its time."""

import copy
from dataclasses import replace

import pytest
import torch

from openscenes.errors import InputError
from openscenes.method.beyond import bn_adaptation
from openscenes.method.beyond.bn_adaptation import reestimate_bn
from openscenes.method.evolution import evolve
from openscenes.networks import checkpoints

# pycocotools 2.0.11 under NumPy 2
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
pytestmark = pytest.mark.filterwarnings(FILTER)


@pytest.fixture
def reestimated(tiny, initial, new_root):
    """Renew a copy of the initial model; every argument may be another."""

    def run(config=tiny.EVOLUTION, *, network=None, scene=None, folder=None):
        return reestimate_bn(
            network or copy.deepcopy(initial.network), initial.pool,
            tiny.clicked(new_root) if scene is None else scene, config, tiny.context(),
            folder=folder,
        )  # fmt: skip

    return run


def test_it_is_evolution_at_a_rate_of_zero(tiny, initial, reestimated, new_root):
    still = replace(tiny.EVOLUTION, train=replace(tiny.EVOLUTION.train, learning_rate=0.0))
    step = evolve(
        copy.deepcopy(initial.network), initial.pool, tiny.clicked(new_root), still, tiny.context()
    )
    assert tiny.equal_weights(reestimated(), step.network)


def test_no_weight_moves_and_what_is_not_frozen_follows(initial, reestimated):
    before, after = initial.network.state_dict(), reestimated().state_dict()
    same = {name for name, value in before.items() if value.shape == after[name].shape}
    moved = {name for name in same if not torch.equal(before[name], after[name])}
    kinds = {name.rpartition(".")[2] for name in moved}
    assert kinds == {"running_mean", "running_var", "num_batches_tracked"}


def test_it_returns_what_evolution_returns(initial, reestimated):
    grown = reestimated()
    assert grown.config.unknown_class and not initial.network.config.unknown_class
    assert reestimated(network=grown) is grown


def test_no_gradient_passes_through_the_network(initial, reestimated, monkeypatch):
    seen = []
    real = bn_adaptation._no_loss

    def spied(network, n_objects):
        seen.append(real(network, n_objects))
        return seen[-1]

    monkeypatch.setattr(bn_adaptation, "_no_loss", spied)
    grown = reestimated()
    assert seen and all((loss == 0).all() and loss.requires_grad for loss in seen)
    touched = [p.numel() for p in grown.parameters() if p.grad is not None]
    assert touched == [min(p.numel() for p in grown.parameters() if p.requires_grad)]


def test_it_goes_on_where_it_was_interrupted(tiny, reestimated, monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints, "PAUSE_S", 0.0)
    monkeypatch.setattr(checkpoints, "WRITING_SHARE", float("inf"))
    whole = reestimated()
    real, calls = bn_adaptation._no_loss, []

    def killed(network, n_objects):
        calls.append(n_objects)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(network, n_objects)

    monkeypatch.setattr(bn_adaptation, "_no_loss", killed)
    with pytest.raises(KeyboardInterrupt):
        reestimated(folder=tmp_path)
    monkeypatch.setattr(bn_adaptation, "_no_loss", real)
    assert tiny.equal_weights(reestimated(folder=tmp_path), whole)


def test_it_needs_a_scene_and_old_data(tiny, reestimated):
    with pytest.raises(InputError, match="0 new ones"):
        reestimated(scene=[])
    with pytest.raises(InputError, match="old_data is False"):
        reestimated(replace(tiny.EVOLUTION, old_data=False))
