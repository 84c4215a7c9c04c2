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
    load_published_iog,
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
            load_published_iog(network(), tmp_path / name)
    assert "unpickled" not in capsys.readouterr().out


def test_a_checkpoint_of_other_things_is_told(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="holds more than named tensors"):
        load_published_iog(network(), tmp_path / "a.pth")


@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_weights_fill_iog_and_leave_the_heads(tmp_path, prefix):
    source, target, before = network(seed=1), network(seed=2), network(seed=2)
    state = {prefix + name: value for name, value in source.iog.state_dict().items()}
    torch.save(state, tmp_path / "iog.pth")
    load_published_iog(target, tmp_path / "iog.pth")
    assert same(target.iog, source.iog)
    assert torch.equal(target.classifier.weight, before.classifier.weight)


def test_published_weights_must_be_whole(tmp_path):
    state = network().iog.state_dict()
    del state["psp4.bottleneck.0.weight"]
    torch.save(state, tmp_path / "iog.pth")
    with pytest.raises(WeightsError, match=r"missing: psp4\.bottleneck\.0\.weight\)"):
        load_published_iog(network(), tmp_path / "iog.pth")


def test_heads_train_faster_than_the_backbone():
    net = network()
    backbone, heads = parameter_groups(net, lr=1e-8, head_factor=10)
    assert (backbone["lr"], heads["lr"]) == (1e-8, pytest.approx(1e-7))
    count = sum(len(group["params"]) for group in (backbone, heads))
    assert len(backbone["params"]) == len(list(net.iog.backbone.parameters()))
    assert count == len([p for p in net.parameters() if p.requires_grad])
