"""DEXTR, ITIS and latent diversity start from torchvision's ImageNet networks."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import VGG, ResNet
from torchvision.models.resnet import Bottleneck
from torchvision.models.vgg import make_layers

from openscenes.errors import WeightsError
from openscenes.networks.dextr import DEXTR, DEXTRConfig, load_imagenet_dextr
from openscenes.networks.itis import ITIS, ITISConfig, load_imagenet_itis
from openscenes.networks.latent_diversity import (
    LatentDiversity,
    LatentDiversityConfig,
    load_imagenet_vgg19,
)
from openscenes.networks.weights import COUNTER
from openscenes.study.peers import PEERS, peer_of
from openscenes.study.profiles import DEMO, PAPER, STUDY

SMALL_DEXTR = DEXTRConfig(blocks=(1, 1, 1, 1), psp_width=8)
SMALL_LATENT = LatentDiversityConfig(width=8, dilations=(1,), selection_width=8,
                                     selection_dilations=(1,))  # fmt: skip


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


def test_peers_start_from_imagenet_where_their_authors_did_and_weights_exist():
    kinds = {name: peer_of(PAPER, name).imagenet for name in PEERS}
    assert kinds == {
        "iFCN": "vgg16", "Latent diversity": "vgg19", "ITIS": "resnet101", "FCTSFN": "vgg16",
        "DEXTR": "resnet101",
    }  # fmt: skip
    assert {peer_of(profile, name).imagenet for profile in (DEMO, STUDY) for name in PEERS} == {
        None
    }
