"""What is told to stay as it is stays, and what is thawed trains."""

import pytest
import torch

from openscenes.networks.config import NetworkConfig
from openscenes.networks.freezing import freeze_batchnorm, freeze_first_stages, thaw
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import parameter_groups
from openscenes.seeding import torch_generator

CONFIGS = {
    "small_resnet": NetworkConfig(
        backbone="small_resnet", output_stride=4, head_width=8, psp_width=8
    ),
    "mobilenet_v2": NetworkConfig(
        backbone="mobilenet_v2", output_stride=8, head_width=8, psp_width=8
    ),
}


def crops() -> torch.Tensor:
    return torch.rand(2, 5, 64, 64, generator=torch_generator("crops"))


def test_frozen_statistics_of_the_backbone_do_not_move_and_the_heads_do():
    network = OpenSceneNet(CONFIGS["small_resnet"]).train()
    freeze_batchnorm(network)
    network(crops())
    assert not network.iog.backbone.bn1.running_mean.any()
    assert network.iog.Fine_net.final_predict[2].running_mean.any()
    network.train()(crops())
    assert network.iog.backbone.bn1.running_mean.any()


@pytest.mark.parametrize("name", CONFIGS)
def test_the_first_stages_take_no_gradient_and_the_third_does(name):
    network = OpenSceneNet(CONFIGS[name]).train()
    freeze_first_stages(network)
    stages = network.iog.backbone(crops())
    assert [stage.requires_grad for stage in stages] == [False, False, True, True]
    frozen = {id(p) for module in network.iog.backbone.first_stages() for p in module.parameters()}
    grouped = {id(p) for group in parameter_groups(network, 1.0, 10.0) for p in group["params"]}
    assert frozen and not frozen & grouped


def test_thawing_leaves_only_the_published_dead_parameters_still():
    network = OpenSceneNet(CONFIGS["small_resnet"])
    freeze_first_stages(network)
    thaw(network)
    still = {name for name, value in network.named_parameters() if not value.requires_grad}
    assert {name.rsplit(".", 2)[0] for name in still} == {"iog.Coarse_net.upsamples.0"}
