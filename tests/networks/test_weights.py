"""Weights on disk: round trips, strictness, the click channels, who trains at which rate."""

import pickle
from dataclasses import replace
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2, resnet50
from torchvision.models._api import WeightsEnum

from openscenes.errors import WeightsError
from openscenes.networks.config import NetworkConfig
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import (
    load_imagenet,
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


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory):
    """torchvision's ResNet-50 as old files hold it: without batch counters."""
    state = resnet50().state_dict()
    path = tmp_path_factory.mktemp("imagenet") / "resnet50.pth"
    torch.save({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}, path)
    return path


def test_at_step_zero_a_resnet_sees_no_clicks_but_learns_of_them(resnet_file):
    config = NetworkConfig(backbone="resnet50", head_width=8, psp_width=8)
    net = network(config).train()
    load_imagenet(net, resnet_file)
    stem = net.iog.backbone.conv1.weight
    colours = torch.load(resnet_file, weights_only=True)["conv1.weight"]
    assert torch.equal(stem[:, :3], colours) and not stem[:, 3:].any()
    crops = 255 * torch.rand(2, 5, 64, 64, generator=torch_generator("crops"))
    output = net(crops)
    blind = net(crops * torch.tensor([1.0, 1, 1, 0, 0]).view(1, 5, 1, 1))
    assert torch.equal(output.fine, blind.fine)
    output.fine.square().mean().backward()
    output_gradient = stem.grad[:, 3:]
    assert torch.isfinite(output_gradient).all() and output_gradient.abs().sum() > 0


def test_imagenet_weights_are_strict(tmp_path):
    state = mobilenet_v2().features.state_dict()
    state = {f"features.{name}": value for name, value in state.items()}
    del state["features.3.conv.1.0.weight"]
    save_file(state, tmp_path / "mobile.safetensors")
    with pytest.raises(WeightsError, match=r"missing: features\.3\.conv\.1\.0\.weight\)"):
        load_imagenet(network(MOBILE), tmp_path / "mobile.safetensors")


def test_offline_the_error_says_where_to_put_the_file(monkeypatch):
    def offline(self, *args, **kwargs):
        raise URLError("no route")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", offline)
    file = MobileNet_V2_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    with pytest.raises(WeightsError, match=f"put {file} into .*checkpoints, or pass the path"):
        load_imagenet(network(MOBILE))


def test_the_demo_network_has_no_imagenet_weights():
    with pytest.raises(WeightsError, match="train it from scratch, or choose resnet101"):
        load_imagenet(network())


@pytest.mark.skipif(not REAL.is_file(), reason="the real MobileNetV2 weights are not here")
def test_real_mobilenet_weights_give_features_that_tell_positions_apart():
    net = network(replace(MOBILE, normalise=True)).eval()
    load_imagenet(net, REAL)
    stem = net.iog.backbone.features[0][0].weight
    assert stem[:, :3].abs().sum() > 0 and not stem[:, 3:].any()
    with torch.no_grad():
        features = net(255 * torch.rand(1, 5, 64, 64, generator=torch_generator("crops"))).features
    assert features.isfinite().all() and 0.1 < features.std() < 10


def test_heads_train_faster_than_the_backbone():
    net = network()
    backbone, heads = parameter_groups(net, lr=1e-8, head_factor=10)
    assert (backbone["lr"], heads["lr"]) == (1e-8, pytest.approx(1e-7))
    count = sum(len(group["params"]) for group in (backbone, heads))
    assert len(backbone["params"]) == len(list(net.iog.backbone.parameters()))
    assert count == len([p for p in net.parameters() if p.requires_grad])
