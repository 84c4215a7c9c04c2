"""IOG's own refinement branch: published counts, the literal wider pooling, its first answer."""

import pytest
import torch
from torch import Tensor

from openscenes.data.told import Told
from openscenes.networks.config import NetworkConfig
from openscenes.networks.iog import PyramidPooling, conv_norm
from openscenes.networks.openscene import OpenSceneNet, initialise_weights
from openscenes.seeding import torch_generator

SMALL = NetworkConfig(
    backbone="small_resnet", crop_size=48, output_stride=4, n_classes=4, head_width=16,
    psp_width=16, normalise=True, corrector="iog",
)  # fmt: skip
SIDE = 48


def on_meta(**options) -> OpenSceneNet:
    with torch.device("meta"):
        return OpenSceneNet(NetworkConfig(corrector="iog", **options))


def n_parameters(*modules) -> int:
    return sum(value.numel() for module in modules for value in module.parameters())


def crops(n: int = 2) -> Tensor:
    return 255 * torch.rand(n, 5, SIDE, SIDE, generator=torch_generator("crops"))


def maps(n: int = 2) -> Tensor:
    return 255 * torch.rand(n, 2, SIDE, SIDE, generator=torch_generator("maps"))


def drawn() -> OpenSceneNet:
    return OpenSceneNet(SMALL, generator=torch_generator("network"))


def corrected(network: OpenSceneNet, click_maps: Tensor) -> Tensor:
    stages = network.encode(crops())
    seen = network.see(stages, network.first(stages).fine_features)
    return network.correct(seen, Told(torch.zeros(2, 1, 3), click_maps), torch.zeros(2, 1, 24, 24))


def stirred(network: OpenSceneNet) -> OpenSceneNet:
    """As if trained: nothing in the branch is zero, no normalisation is the identity."""
    generator = torch_generator("stirred")
    initialise_weights(network.corrector, generator)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.weight.data, module.bias.data, module.running_mean):
                values.add_(torch.randn(values.shape, generator=generator) / 4)
    return network


def test_parameter_counts_are_the_published_ones():
    network = on_meta()
    refiner, pyramid = network.corrector, network.iog.psp4
    assert n_parameters(refiner.branch) == 977_536
    added = (refiner.shared_rows, refiner.new_rows, refiner.fusion)
    assert n_parameters(pyramid, *added) == 6_628_480
    assert n_parameters(network.iog, refiner) == 53_433_546


@pytest.mark.parametrize(
    ("options", "crop", "strides"),
    [
        ({}, 512, [2, 2, 2, 2]),
        ({"output_stride": 8}, 256, [2, 2, 2, 1]),
        ({"backbone": "mobilenet_v2", "output_stride": 8}, 192, [2, 2, 2, 1]),
        ({"backbone": "small_resnet", "output_stride": 4, "head_width": 32}, 112, [2, 2, 1, 1]),
        ({"backbone": "small_resnet", "output_stride": 4, "head_width": 8}, 50, [2, 2, 1, 1]),
    ],
)
def test_the_branch_ends_on_the_grid_of_f(options, crop, strides):
    network = on_meta(**options)
    convolutions = [m for m in network.corrector.branch if isinstance(m, torch.nn.Conv2d)]
    assert [m.stride[0] for m in convolutions] == [*strides, 1]
    stages = network.encode(torch.empty(2, 5, crop, crop, device="meta"))
    click_maps = torch.empty(2, 2, crop, crop, device="meta")
    assert network.corrector.branch(click_maps).shape[-2:] == stages.layer4.shape[-2:]


@pytest.mark.parametrize("mode", [True, False])
def test_corrections_begin_as_the_first_answer(mode):
    network = drawn().train(mode)
    assert torch.equal(corrected(network, maps()), network(crops()).fine)


def test_once_the_branch_has_learned_clicks_change_the_answer():
    network = stirred(drawn()).eval()
    told = (maps(), maps().flip(0), torch.zeros_like(maps()))
    answers = [corrected(network, made) for made in told]
    assert not torch.allclose(answers[0], answers[1])
    assert not torch.allclose(answers[2], network(crops()).fine)


def test_both_parts_are_exactly_the_published_wider_pooling():
    network = stirred(drawn()).double().eval()
    generator = torch_generator("features")
    features = torch.randn(2, 192, 12, 12, generator=generator, dtype=torch.float64)
    click_maps = maps().double()
    clicks = network.corrector.branch(click_maps)
    literal = published_pooling(network)(torch.cat((features, clicks), dim=1))
    pooled = network.corrector(network.iog.psp4, features, click_maps)
    torch.testing.assert_close(pooled, literal)


def published_pooling(network: OpenSceneNet) -> PyramidPooling:
    """One pyramid pooling of all channels, with the weights of both parts put together."""
    psp, refiner = network.iog.psp4, network.corrector
    features, clicks, rows = 192, 4, 1
    wide = PyramidPooling(features + clicks, 16 + rows)
    wide.bottleneck = torch.nn.Sequential(
        *conv_norm(features + clicks + 4 * (16 + rows), 16), torch.nn.ReLU()
    )
    for index, stage in enumerate(wide.stages):
        trained, added = psp.stages[index], refiner.shared_rows[index].weight
        top, new = torch.cat((trained[1].weight, added), dim=1), refiner.new_rows[index]
        stage[1].weight.data = torch.cat((top, new[0].weight))
        join_norms(stage[2], trained[2], new[1])
    *new_stages, branch = refiner.fusion.weight.split([rows] * 4 + [clicks], dim=1)
    *stages, seen = psp.bottleneck[0].weight.split([16] * 4 + [features], dim=1)
    pairs = [part for pair in zip(stages, new_stages, strict=True) for part in pair]
    wide.bottleneck[0].weight.data = torch.cat((*pairs, seen, branch), dim=1)
    wide.bottleneck[1].load_state_dict(psp.bottleneck[1].state_dict())
    return wide.double().eval()


def join_norms(wide, trained, new):
    for name in ("weight", "bias", "running_mean", "running_var"):
        joined = torch.cat((getattr(trained, name).detach(), getattr(new, name).detach()))
        getattr(wide, name).data = joined
