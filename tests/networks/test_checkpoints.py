"""Resume files: whole or not at all, and everything that the next step depends on."""

import copy
import os

import pytest
import torch
from torch import nn

from openscenes.networks import checkpoints
from openscenes.networks.checkpoints import Keeper, TrainState, restore, save
from openscenes.networks.tensor_files import write_tensors


def make(optimiser="adamw"):
    torch_seed = torch.Generator().manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    for parameter in network.parameters():
        nn.init.normal_(parameter, generator=torch_seed)
    network.to(memory_format=torch.channels_last)
    if optimiser == "adamw":
        return network, torch.optim.AdamW(network.parameters(), lr=0.1)
    return network, torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)


def steps(network, optimiser, n, first=0):
    for i in range(first, first + n):
        inputs = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(i))
        optimiser.zero_grad()
        network(inputs.contiguous(memory_format=torch.channels_last)).square().mean().backward()
        optimiser.step()


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


def test_a_states_position_sums_and_means():
    state = TrainState()
    state.add({"ce": torch.tensor(1.0)})
    state.add({"ce": torch.tensor(2.0)})
    assert state.at(0, 2) is state and (state.epoch, state.step) == (0, 2)
    state.finish_epoch(0)
    assert (state.epoch, state.step, state.sums) == (1, 0, {})
    state.finish_epoch(1)
    assert state.history == [{"epoch": 1.0, "ce": 1.5}, {"epoch": 2.0}]


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_a_restored_run_goes_on_bit_by_bit(kind, tmp_path):
    network, optimiser = make(kind)
    steps(network, optimiser, 3)
    state = TrainState(4, 7, {"ce": 0.1 + 0.2, "steps": 7.0}, [{"epoch": 1.0, "ce": 1 / 3}])
    save(tmp_path / "resume.safetensors", network, optimiser, state)
    again, its_optimiser = make(kind)
    assert restore(tmp_path / "resume.safetensors", again, its_optimiser) == state
    steps(network, optimiser, 3, first=3)
    steps(again, its_optimiser, 3, first=3)
    assert equal(network.state_dict(), again.state_dict())


def test_restored_moments_lie_in_memory_as_the_parameters_do(tmp_path):
    """Another layout takes another path through the kernels, which need not round alike."""
    network, optimiser = make("sgd")
    steps(network, optimiser, 1)
    save(tmp_path / "resume.safetensors", network, optimiser, TrainState())
    again, its_optimiser = make("sgd")
    restore(tmp_path / "resume.safetensors", again, its_optimiser)
    kernel = again[0].weight
    assert its_optimiser.state[kernel]["momentum_buffer"].stride() == kernel.stride()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_means_from_the_beginning(share, tmp_path):
    path = tmp_path / "resume.safetensors"
    network, optimiser = make()
    steps(network, optimiser, 1)
    save(path, network, optimiser, TrainState(3, 1))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    again, its_optimiser = make()
    before = copy.deepcopy(again.state_dict())
    assert restore(path, again, its_optimiser) == TrainState()
    assert equal(again.state_dict(), before)
    assert not its_optimiser.state


def test_a_changed_byte_means_from_the_beginning(tmp_path):
    path = tmp_path / "resume.safetensors"
    network, optimiser = make()
    steps(network, optimiser, 1)
    save(path, network, optimiser, TrainState(3, 1))
    whole = path.read_bytes()
    for place in (0, 9, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        again, its_optimiser = make()
        before = copy.deepcopy(again.state_dict())
        assert restore(path, again, its_optimiser) == TrainState()
        assert equal(again.state_dict(), before) and not its_optimiser.state


@pytest.mark.parametrize("shape", [(3, 5, 3), (3, 4, 1)], ids=["wider", "smaller kernels"])
def test_the_file_of_another_network_means_from_the_beginning(shape, tmp_path):
    path = tmp_path / "resume.safetensors"
    network, optimiser = make()
    other = nn.Sequential(nn.Conv2d(*shape), nn.BatchNorm2d(shape[1]))
    its_optimiser = torch.optim.AdamW(other.parameters(), lr=0.1)
    steps(other, its_optimiser, 1)
    save(path, other, its_optimiser, TrainState(3, 1))
    before = copy.deepcopy(network.state_dict())
    assert restore(path, network, optimiser) == TrainState()
    assert equal(network.state_dict(), before) and not optimiser.state


def test_the_file_of_another_optimiser_means_from_the_beginning(tmp_path):
    network, optimiser = make("sgd")
    steps(network, optimiser, 1)
    save(tmp_path / "resume.safetensors", network, optimiser, TrainState(3, 1))
    again, its_optimiser = make("adamw")
    assert restore(tmp_path / "resume.safetensors", again, its_optimiser) == TrainState()
    steps(again, its_optimiser, 1)


def test_what_is_no_resume_file_means_from_the_beginning(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("hello")
    network, optimiser = make()
    write_tensors({"a": torch.zeros(1)}, tmp_path / "other", {})
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    odd = ['{"epoch": 1, "lap": 2}', '{"epoch": "a"}', '{"step": 4.0}', '{"epoch": -1}', "[]", "7",
           '{"sums": []}', '{"sums": {"ce": NaN}}', '{"history": [{"ce": "a"}]}', '{"history": 7}',
           "{"]  # fmt: skip
    for number, position in enumerate(odd):
        write_tensors(state, tmp_path / f"{number}", {"position": position, "optimiser": "AdamW"})
    for name in ("pipe", "text", "other", "", *map(str, range(len(odd)))):
        assert restore(tmp_path / name, network, optimiser) == TrainState(), name


def test_no_file_means_from_the_beginning(tmp_path):
    assert restore(None, *make()) == TrainState()
    assert restore(tmp_path / "resume.safetensors", *make()) == TrainState()


def test_a_keeper_pauses_between_two_writings(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: clock[0])
    path, written = tmp_path / "resume.safetensors", []

    def slow_save(path, network, optimiser, state):
        clock[0] += 2.0
        written.append(clock[0])
        path.write_bytes(b"")

    monkeypatch.setattr(checkpoints, "save", slow_save)
    keeper = Keeper(path, *make())
    for second in range(100):
        clock[0] = max(clock[0], float(second))
        keeper.keep(TrainState())
    # after 5 s; then 2 s of writing earn 40 s of work
    assert written == [7.0, 49.0, 91.0]
    keeper.forget()
    keeper.forget()
    assert not path.exists()


def test_a_keeper_without_a_path_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "PAUSE_S", 0.0)
    monkeypatch.chdir(tmp_path)
    keeper = Keeper(None, *make())
    keeper.keep(TrainState())
    keeper.forget()
    assert not list(tmp_path.iterdir())
