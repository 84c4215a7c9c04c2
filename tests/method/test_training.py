"""The loop: same seed, same bits; killed, resumed, doubled; and what it says when it stops."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from openscenes.data.datasets.layout import DamagedFile
from openscenes.errors import InputError, TrainingError
from openscenes.method import training
from openscenes.method.objective import mask_cross_entropy
from openscenes.method.training import TrainConfig, train
from openscenes.networks import checkpoints
from openscenes.networks.devices import make_fabric
from openscenes.networks.weights import load_weights
from openscenes.settings import sources

# pycocotools 2.0.11 under NumPy 2; forked loaders under Python 3.12
FILTER = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
FORK = "ignore:This process .* is multi-threaded:DeprecationWarning"
pytestmark = [pytest.mark.filterwarnings(FILTER), pytest.mark.filterwarnings(FORK)]

SCRIPT = Path(__file__).parent / "train_tiny.py"
script = SimpleNamespace(**run_path(str(SCRIPT)))
tiny = script.tiny
SGD = TrainConfig(
    epochs=1, batch_size=4, learning_rate=1e-2, momentum=0.0, weight_decay=0.0, reduction="mean"
)


class Stop(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture(scope="module")
def examples(old_root):
    return tiny.labelled(old_root)


@pytest.fixture
def keep_always(monkeypatch):
    monkeypatch.setattr(checkpoints, "PAUSE_S", 0.0)
    monkeypatch.setattr(checkpoints, "WRITING_SHARE", float("inf"))


def cross_entropy(module, batches, _epoch):
    (batch,) = batches
    return {"ce": mask_cross_entropy(module(batch.inputs(tiny.CLICKS)), batch)}


def trained(
    examples, config=tiny.TRAIN, *, seed=0, objective=cross_entropy, folder=None, workers=0
):
    network, groups = tiny.network(), [(example,) for example in examples]
    history = train(
        network, lambda _epoch: groups, objective, config, (tiny.AUGMENTATION,),
        replace(tiny.context(seed), workers=workers), folder=folder,
    )  # fmt: skip
    return network, history


def stopping_after(n_steps):
    done = []

    def objective(module, batches, epoch):
        if len(done) == n_steps:
            raise Stop
        done.append(epoch)
        return cross_entropy(module, batches, epoch)

    return objective


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(examples):
    (one, its_history), (two, same_history) = trained(examples), trained(examples)
    assert tiny.equal_weights(one, two)
    assert its_history == same_history
    assert not tiny.equal_weights(one, trained(examples, seed=1)[0])


def test_decoding_in_other_processes_changes_nothing(examples):
    config = replace(tiny.TRAIN, epochs=1)
    elsewhere, _ = trained(examples, config, workers=2)
    assert tiny.equal_weights(trained(examples, config)[0], elsewhere)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_missing_image_is_one_sentence_wherever_it_is_decoded(examples, tmp_path, workers):
    gone = replace(examples[0], image=tmp_path / "gone.jpg")
    config = replace(tiny.TRAIN, epochs=1)
    with pytest.raises(
        DamagedFile, match=r"^image missing: \S+gone\.jpg \([^\n]+\); restore"
    ) as told:
        trained([gone, *examples[1:]], config, workers=workers)
    assert told.value.reason == "image missing"


def test_nothing_global_is_drawn_from(examples):
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1]  # noqa: NPY002
    trained(examples, replace(tiny.TRAIN, epochs=1))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])  # noqa: NPY002


def test_it_learns_and_says_so_epoch_by_epoch(examples):
    _, history = trained(examples, replace(tiny.TRAIN, epochs=6, learning_rate=3e-3))
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1]["ce"] < 0.7 * history[0]["ce"]


def test_a_last_batch_of_one_is_left_out(examples):
    seen = []

    def objective(module, batches, epoch):
        seen.append((epoch, len(batches[0])))
        return cross_entropy(module, batches, epoch)

    trained(examples[:5], objective=objective)
    assert seen == [(0, 4), (1, 4)]
    seen.clear()
    trained(examples[:6], objective=objective)
    assert seen == [(0, 4), (0, 2), (1, 4), (1, 2)]


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("n_steps", [1, 3, 4])
def test_an_interrupted_run_ends_with_the_same_bits(
    n_steps, optimiser, examples, tmp_path, keep_always
):
    config = replace(tiny.TRAIN, optimiser=optimiser, learning_rate=1e-2)
    undisturbed, history = trained(examples, config)
    with pytest.raises(Stop):
        trained(examples, config, folder=tmp_path, objective=stopping_after(n_steps))
    assert (tmp_path / "resume.safetensors").exists()
    with pytest.raises(Stop):  # three steps an epoch, two epochs
        trained(examples, config, folder=tmp_path, objective=stopping_after(5 - n_steps))
    resumed, same_history = trained(examples, config, folder=tmp_path, objective=stopping_after(1))
    assert tiny.equal_weights(resumed, undisturbed)
    assert same_history == history
    assert not list(tmp_path.iterdir())


def test_a_truncated_resume_file_means_a_fresh_start(examples, tmp_path, keep_always):
    with pytest.raises(Stop):
        trained(examples, folder=tmp_path, objective=stopping_after(4))
    path = tmp_path / "resume.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    again, history = trained(examples, folder=tmp_path)
    undisturbed, same_history = trained(examples)
    assert tiny.equal_weights(again, undisturbed)
    assert history == same_history


def test_killed_at_random_moments_it_ends_with_the_same_bits(old_root, tmp_path):
    weights, chance = tmp_path / "weights.safetensors", random.Random(0)
    command = [sys.executable, SCRIPT, "cpu", old_root, tmp_path / "run", weights]
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as run:
            for _ in range(chance.randint(3, 5)):
                run.stdout.readline()
            time.sleep(chance.uniform(0, 0.03))
            run.kill()
        assert run.returncode == -signal.SIGKILL
    last = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    steps = last.stdout.splitlines()
    assert len(steps) <= 36 - 2 * 2, "it began again instead of going on"
    network, resumed = tiny.network(), tiny.network()
    history = script.killable(network, old_root, None, make_fabric("cpu"))
    metadata = load_weights(resumed, weights)
    assert tiny.equal_weights(resumed, network)
    assert json.loads(metadata["history"]) == history
    assert not (tmp_path / "run" / "resume.safetensors").exists()


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_a_loss_that_is_not_finite_stops_with_epoch_step_and_object(examples):
    def objective(module, batches, epoch):
        losses = cross_entropy(module, batches, epoch)["ce"]
        bad = (batches[0].classes == 15) & torch.tensor(epoch == 1)
        return {"ce": torch.where(bad, torch.nan, losses)}

    with pytest.raises(TrainingError) as caught:
        trained(examples, objective=objective)
    message = str(caught.value)
    assert "is not a finite number at epoch 2, step " in message
    assert "lower the learning rate or look at that object's image and mask" in message
    named = message.removeprefix("the loss of ").split(" is not")[0].split(", ")
    blue = {example.object_id for example in examples if example.class_index == 15}
    assert 1 <= len(named) <= 3 and set(named) <= blue


def test_an_infinite_loss_changes_no_weight(examples):
    def objective(module, batches, epoch):
        return {"ce": torch.inf * cross_entropy(module, batches, epoch)["ce"]}

    network = tiny.network()
    groups = [(example,) for example in examples]
    with pytest.raises(TrainingError, match="at epoch 1, step 1"):
        train(network, lambda _epoch: groups, objective, SGD, (None,), tiny.context())
    pairs = zip(network.parameters(), tiny.network().parameters(), strict=True)
    assert all(torch.equal(mine, start) for mine, start in pairs)


def rates(config, epochs):
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=2.0)
    found = []
    for epoch in epochs:
        training._set_rates(optimiser, [2.0], config, epoch)
        found.append(optimiser.param_groups[0]["lr"])
    return found


def test_the_constant_schedule_is_constant():
    assert rates(TrainConfig(epochs=10), [0, 2, 9.9]) == [2.0] * 3


def test_one_cycle_rises_for_a_fifth_and_falls_to_nothing():
    config = TrainConfig(epochs=10, schedule="one_cycle")
    wanted = [0.02, 1.0, 2.0, 1.0, 0.02, 0.02]
    assert rates(config, [0, 1, 2, 6, 9.99, 10]) == pytest.approx(wanted, abs=1e-9)
    falling = rates(config, np.linspace(2, 10, 50))
    assert all(late <= early for early, late in pairwise(falling))


def test_the_rate_changes_with_each_step(examples, monkeypatch):
    seen = []
    monkeypatch.setattr(training, "_set_rates", lambda *arguments: seen.append(arguments[-1]))
    trained(examples)
    assert seen == pytest.approx([0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3])


def test_a_mean_is_a_sum_with_the_rate_of_its_pixels(examples):
    mean, _ = trained(examples, SGD)
    summed, _ = trained(
        examples, replace(SGD, reduction="sum", learning_rate=SGD.learning_rate / 32**2)
    )
    for one, other in zip(mean.parameters(), summed.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert not tiny.equal_weights(mean, tiny.network())


def test_a_step_is_no_longer_than_the_clipped_gradient(examples):
    config = replace(SGD, clip_norm=0.01, learning_rate=1.0, head_factor=1.0)
    network, _ = trained(examples[:4], config)
    pairs = zip(network.parameters(), tiny.network().parameters(), strict=True)
    moved = sum((one - other).square().sum().item() for one, other in pairs) ** 0.5
    assert moved == pytest.approx(0.01, rel=0.01)


def test_what_should_be_frozen_is_frozen(examples):
    config = replace(SGD, freeze_batchnorm=True, freeze_first_stages=True)
    (resting, _), (moving, _) = trained(examples, config), trained(examples, SGD)
    start, still = tiny.network().state_dict(), []
    for name, value in resting.state_dict().items():
        same = torch.equal(value, start[name])
        if "backbone" in name and "running_" in name:
            assert same and not torch.equal(moving.state_dict()[name], start[name])
        still.append(same)
    for part in resting.iog.backbone.first_stages():
        assert not any(parameter.requires_grad for parameter in part.parameters())
    assert not all(still)
    assert all(p.requires_grad for p in moving.iog.backbone.parameters())


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 1}])
def test_impossible_training_is_refused(wrong):
    with pytest.raises(InputError, match="at least 1 epoch and batches of at least 2"):
        TrainConfig(**wrong)


def test_every_setting_has_a_source():
    assert set(sources(TrainConfig)) == set(TrainConfig.__dataclass_fields__)
