"""Networks start from torchvision's ImageNet weights; the click channels start blind."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import VGG, MobileNet_V2_Weights, ResNet, mobilenet_v2, resnet50
from torchvision.models.resnet import Bottleneck
from torchvision.models.vgg import make_layers

from openscenes.downloads import MIRROR
from openscenes.errors import WeightsError
from openscenes.networks.config import NetworkConfig
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import COUNTER, load_imagenet
from openscenes.paths import PROJECT
from openscenes.peers.networks.dextr import DEXTR, DEXTRConfig, load_imagenet_dextr
from openscenes.peers.networks.itis import ITIS, ITISConfig, load_imagenet_itis
from openscenes.peers.networks.latent_diversity import (
    LatentDiversity,
    LatentDiversityConfig,
    load_imagenet_vgg19,
)
from openscenes.peers.zoo import PEERS, peer_of
from openscenes.seeding import torch_generator
from openscenes.study.profiles import DEMO, PAPER, STUDY

SMALL_DEXTR = DEXTRConfig(blocks=(1, 1, 1, 1), psp_width=8)
SMALL_LATENT = LatentDiversityConfig(width=8, dilations=(1,), selection_width=8,
                                     selection_dilations=(1,))  # fmt: skip

SMALL = NetworkConfig(backbone="small_resnet", output_stride=4, head_width=8, psp_width=8)
MOBILE = NetworkConfig(backbone="mobilenet_v2", output_stride=8, head_width=8, psp_width=8)
REAL = PROJECT.parent / "shared" / "weights" / "mobilenet_v2-imagenet.safetensors"


def network(config=SMALL):
    return OpenSceneNet(config, generator=torch_generator("weights", 0))


def kept(module, path):
    """The module's weights in a file, as torchvision publishes them."""
    save_file({k: v.contiguous() for k, v in module.state_dict().items()}, path)
    return path


@pytest.fixture
def resnet(tmp_path):
    torch.manual_seed(0)
    module = ResNet(Bottleneck, [1, 1, 1, 1])
    return module.state_dict(), kept(module, tmp_path / "resnet.safetensors")


def taken(network, prefix, state, stem=None):
    """Every tensor under ``prefix`` is the state's, but counters and ``stem``."""
    own = {k.removeprefix(prefix): v for k, v in network.state_dict().items()}
    return all(
        torch.equal(own[name], value)
        for name, value in state.items()
        if name in own and name != stem and not name.endswith(COUNTER)
    )


def test_dextrs_backbone_is_imagenets_and_its_clicks_look_like_blue(resnet):
    state, path = resnet
    network = DEXTR(SMALL_DEXTR)
    before = {k: v.clone() for k, v in network.layer5.state_dict().items()}
    load_imagenet_dextr(network, path)
    assert taken(network, "", state, "conv1.weight")
    assert torch.equal(network.conv1.weight[:, :3], state["conv1.weight"])
    assert torch.equal(network.conv1.weight[:, 3], state["conv1.weight"][:, 2])
    assert all(torch.equal(before[k], v) for k, v in network.layer5.state_dict().items())


def test_itis_is_imagenets_and_blind_to_clicks_at_first(tmp_path):
    torch.manual_seed(0)
    module = ResNet(Bottleneck, [3, 4, 23, 3])
    state, path = module.state_dict(), kept(module, tmp_path / "resnet101.safetensors")
    network = ITIS(ITISConfig(aspp_width=8, decoder_width=8, skip_width=4))
    load_imagenet_itis(network, path)
    assert taken(network.backbone, "", state, "conv1.weight")
    assert torch.equal(network.backbone.conv1.weight[:, :3], state["conv1.weight"])
    assert not network.backbone.conv1.weight[:, 3:].any()


def test_latent_diversity_sees_through_vgg_19(tmp_path):
    torch.manual_seed(0)
    plan = [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"]
    module = VGG(make_layers(plan), num_classes=1)
    module.classifier = torch.nn.Identity()
    path = kept(module, tmp_path / "vgg19.safetensors")
    network = LatentDiversity(SMALL_LATENT)
    load_imagenet_vgg19(network, path)
    names = [name for name in network.state_dict() if name.startswith("features.")]
    assert names[-1] == "features.30.bias"  # conv5_2
    for name in names:
        assert torch.equal(network.state_dict()[name], module.state_dict()[name])
    assert not any(parameter.requires_grad for parameter in network.features.parameters())


def test_other_weights_are_refused_and_change_nothing(resnet):
    _, path = resnet
    narrow = DEXTR(replace(SMALL_DEXTR, widths=(64, 128, 256, 512)))
    before = {name: value.clone() for name, value in narrow.state_dict().items()}
    with pytest.raises(WeightsError, match="ResNet-101 weights do not fit: layer1"):
        load_imagenet_dextr(narrow, path)
    assert all(torch.equal(before[name], value) for name, value in narrow.state_dict().items())


@pytest.mark.parametrize(
    "stem",
    [None, torch.zeros(64, 4, 7, 7), torch.zeros(())],
    ids=["none", "four channels", "a number"],
)
@pytest.mark.parametrize("load", [load_imagenet_dextr, load_imagenet_itis], ids=["dextr", "itis"])
def test_a_stem_that_reads_no_colours_is_told(resnet, tmp_path, load, stem):
    state, _ = resnet
    changed = {k: v for k, v in state.items() if k != "conv1.weight"}
    torch.save(changed | ({} if stem is None else {"conv1.weight": stem}), tmp_path / "a.pth")
    small = ITISConfig(aspp_width=8, decoder_width=8, skip_width=4)
    network = DEXTR(SMALL_DEXTR) if load is load_imagenet_dextr else ITIS(small)
    with pytest.raises(WeightsError, match=r"conv1\.weight: .*, wanted \(K, 3, k, k\)\); take"):
        load(network, tmp_path / "a.pth")


def test_a_tensor_of_equal_size_and_another_shape_is_refused(resnet, tmp_path):
    state, _ = resnet
    name = "layer1.0.conv1.weight"
    torch.save(state | {name: state[name].flatten()}, tmp_path / "a.pth")
    with pytest.raises(
        WeightsError, match=r"do not fit: layer1\.0\.conv1\.weight is \(\d+,\) inst"
    ):
        load_imagenet_dextr(DEXTR(SMALL_DEXTR), tmp_path / "a.pth")


def test_whole_numbers_are_no_weights(resnet, tmp_path):
    state, _ = resnet
    torch.save(state | {"fc.bias": state["fc.bias"].to(torch.int8)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"a\.pth holds fc\.bias as whole numbers; take the"):
        load_imagenet_dextr(DEXTR(SMALL_DEXTR), tmp_path / "a.pth")


def test_peers_start_from_imagenet_where_their_authors_did_and_weights_exist():
    kinds = {name: peer_of(PAPER, name).imagenet for name in PEERS}
    assert kinds == {
        "iFCN": "vgg16", "Latent diversity": "vgg19", "ITIS": "resnet101", "FCTSFN": "vgg16",
        "DEXTR": "resnet101",
    }  # fmt: skip
    assert {peer_of(profile, name).imagenet for profile in (DEMO, STUDY) for name in PEERS} == {
        None
    }


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


def test_offline_the_error_says_where_to_put_the_file(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENSCENES_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv(MIRROR, f"file://{tmp_path}/nowhere")
    file = MobileNet_V2_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    said = rf"\(No such file or directory\); .*; or put {file} into {tmp_path}/weights"
    with pytest.raises(WeightsError, match=said):
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
