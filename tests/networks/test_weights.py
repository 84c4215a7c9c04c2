"""Weights on disk: round trips, strictness, the click channels, who trains at which rate."""

import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from openscenes.errors import WeightsError
from openscenes.networks.config import NetworkConfig
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import (
    COUNTER,
    load_published,
    load_weights,
    parameter_groups,
    save_weights,
)
from openscenes.paths import PROJECT
from openscenes.seeding import torch_generator

SMALL = NetworkConfig(backbone="small_resnet", output_stride=4, head_width=8, psp_width=8)
MOBILE = NetworkConfig(backbone="mobilenet_v2", output_stride=8, head_width=8, psp_width=8)
REAL = PROJECT.parent / "shared" / "weights" / "mobilenet_v2-imagenet.safetensors"


def network(config: NetworkConfig = SMALL, seed: int = 0) -> OpenSceneNet:
    return OpenSceneNet(config, generator=torch_generator("weights", seed))


def same(first, second) -> bool:
    return all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))


def test_round_trip_with_metadata_and_without_leftovers(tmp_path):
    saved, loaded = network(seed=1).to(memory_format=torch.channels_last), network(seed=2)
    path = tmp_path / "runs" / "weights.safetensors"
    save_weights(saved, path, {"profile": "demo"})
    assert load_weights(loaded, path) == {"profile": "demo"}
    assert same(saved, loaded)
    assert [entry.name for entry in path.parent.iterdir()] == ["weights.safetensors"]


def test_another_configuration_is_told_by_its_tensors(tmp_path):
    save_weights(network(), tmp_path / "a.safetensors", {})
    wider = network(replace(SMALL, n_classes=5))
    with pytest.raises(WeightsError, match=r"misshapen: classifier.weight \(21, 192, 1, 1\) inst"):
        load_weights(wider, tmp_path / "a.safetensors")


def test_missing_and_unknown_tensors_are_named_the_first_few(tmp_path):
    state = network().state_dict()
    for name in list(state)[:5]:
        state[f"other.{name}"] = state.pop(name)
    save_file(state, tmp_path / "a.safetensors")
    target, before = network(seed=3), network(seed=3)
    with pytest.raises(WeightsError) as raised:
        load_weights(target, tmp_path / "a.safetensors")
    text = str(raised.value)
    assert "missing: iog.backbone.conv1.weight, iog.backbone.bn1.weight" in text
    assert "unknown: other.iog.backbone.bn1." in text and text.count("and 2 more") == 2
    assert same(target, before)


def test_a_missing_and_a_damaged_file_are_told(tmp_path):
    with pytest.raises(WeightsError, match=r"There is no weight file .*gone\.safetensors"):
        load_weights(network(), tmp_path / "gone.safetensors")
    (tmp_path / "half.safetensors").write_bytes(b"\x10\x00")
    with pytest.raises(WeightsError, match=r"half\.safetensors is damaged"):
        load_weights(network(), tmp_path / "half.safetensors")


class Trap:
    def __reduce__(self):
        return (print, ("unpickled",))


def test_nothing_is_unpickled_from_a_users_file(tmp_path, capsys):
    torch.save({"weight": Trap()}, tmp_path / "trap.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Trap(), protocol=2))
    for name in ("trap.pth", "bare.pth"):
        with pytest.raises(WeightsError, match="holds more than tensors"):
            load_published(network().iog, tmp_path / name)
    assert "unpickled" not in capsys.readouterr().out


def test_a_checkpoint_of_other_things_is_told(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="holds more than named tensors"):
        load_published(network().iog, tmp_path / "a.pth")


@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_weights_fill_iog_and_leave_the_heads(tmp_path, prefix):
    source, target, before = network(seed=1), network(seed=2), network(seed=2)
    state = {prefix + name: value for name, value in source.iog.state_dict().items()}
    torch.save(state, tmp_path / "iog.pth")
    load_published(target.iog, tmp_path / "iog.pth")
    assert same(target.iog, source.iog)
    assert torch.equal(target.classifier.weight, before.classifier.weight)


@pytest.mark.parametrize("inner", ["state_dict", "model"])
def test_published_weights_may_lie_in_a_checkpoint_and_count_no_batches(tmp_path, inner):
    """PyTorch up to 0.4.0 had no such counters."""
    source, target = network(seed=1), network(seed=2)
    state = {k: v for k, v in source.iog.state_dict().items() if not k.endswith(COUNTER)}
    torch.save({inner: state, "epoch": 7, "best": 0.5}, tmp_path / "iog.pth")
    load_published(target.iog, tmp_path / "iog.pth")
    assert same(target.iog, source.iog)


def test_two_state_dicts_are_not_chosen_from(tmp_path):
    state = network().iog.state_dict()
    torch.save({"model": state, "average": state}, tmp_path / "iog.pth")
    with pytest.raises(WeightsError, match="holds more than named tensors"):
        load_published(network().iog, tmp_path / "iog.pth")


NAME = "psp4.bottleneck.0.weight"
ODD_TENSORS = {
    "whole numbers": (lambda t: t.to(torch.int32), r"of another type: psp4\S* torch\.int32 inst"),
    "complex": (lambda t: t.to(torch.complex64), r"psp4\S* is of the type torch\.complex64"),
    "float8": (lambda t: t.to(torch.float8_e5m2), r"psp4\S* is of the type torch\.float8_e5m2"),
    "sparse": (lambda t: t.to_sparse(), r"psp4\S* is no dense tensor \(torch\.sparse_coo, cpu\)"),
    "meta": (lambda t: t.to("meta"), r"psp4\S* is no dense tensor \(torch\.strided, meta\)"),
    "repeated": (lambda t: t[:1, :1].expand(10**6, 10**6, 1, 1), "larger than what the file holds"),
    "not a number": (lambda t: t * torch.nan, r"psp4\S* holds numbers that are not finite"),
    "infinite": (lambda t: t + torch.inf, r"psp4\S* holds numbers that are not finite"),
    "one number": (lambda t: t[0, 0, 0, 0].clone(), r"misshapen: psp4\S* \(\) instead"),
}


@pytest.mark.parametrize("kind", ODD_TENSORS)
def test_a_tensor_that_no_network_has_is_named_and_changes_nothing(tmp_path, kind):
    change, told = ODD_TENSORS[kind]
    state, target, before = network().iog.state_dict(), network(seed=3), network(seed=3)
    torch.save(state | {NAME: change(state[NAME])}, tmp_path / "iog.pth")
    with pytest.raises(WeightsError, match=told):
        load_published(target.iog, tmp_path / "iog.pth")
    assert same(target, before)


def test_half_and_double_precision_fit(tmp_path):
    state, target = network().iog.state_dict(), network(seed=3)
    torch.save(state | {NAME: state[NAME].double() * 0 + 0.5}, tmp_path / "iog.pth")
    load_published(target.iog, tmp_path / "iog.pth")
    assert (target.iog.state_dict()[NAME] == 0.5).all()


def test_own_weights_that_are_not_finite_are_told(tmp_path):
    broken = network()
    broken.classifier.bias.data[2] = torch.nan
    save_weights(broken, tmp_path / "a.safetensors", {})
    with pytest.raises(WeightsError, match=r"classifier\.bias holds numbers that are not finite"):
        load_weights(network(), tmp_path / "a.safetensors")


def test_published_weights_must_be_whole(tmp_path):
    state = network().iog.state_dict()
    del state["psp4.bottleneck.0.weight"]
    torch.save(state, tmp_path / "iog.pth")
    with pytest.raises(WeightsError, match=r"missing: psp4\.bottleneck\.0\.weight\)"):
        load_published(network().iog, tmp_path / "iog.pth")


def test_heads_train_faster_than_the_backbone():
    net = network()
    backbone, heads = parameter_groups(net, lr=1e-8, head_factor=10)
    assert (backbone["lr"], heads["lr"]) == (1e-8, pytest.approx(1e-7))
    count = sum(len(group["params"]) for group in (backbone, heads))
    assert len(backbone["params"]) == len(list(net.iog.backbone.parameters()))
    assert count == len([p for p in net.parameters() if p.requires_grad])
