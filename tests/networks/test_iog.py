"""IOG: the published names and shapes, the literal order of operations, its outputs."""

import copy
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from openscenes.errors import InputError
from openscenes.networks.backbones import dilated, sub_grids
from openscenes.networks.config import NetworkConfig
from openscenes.networks.enlargement import enlarge
from openscenes.networks.iog import IOG
from openscenes.networks.openscene import initialise_weights
from openscenes.seeding import torch_generator

PUBLISHED = Path(__file__).with_name("iog_state_dict.json")


def on_meta(**options) -> IOG:
    with torch.device("meta"):
        return IOG(NetworkConfig(**options))


def n_parameters(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_names_and_shapes_are_the_published_ones():
    shapes = {name: list(value.shape) for name, value in on_meta().state_dict().items()}
    assert shapes == json.loads(PUBLISHED.read_text())


def test_parameter_counts():
    assert n_parameters(on_meta()) == 52_124_106
    assert n_parameters(on_meta(backbone="resnet50")) == 33_131_978


def test_five_outputs_and_two_features_at_the_papers_size():
    output = on_meta().train()(torch.empty(2, 5, 512, 512, device="meta"))
    assert [tuple(logits.shape) for logits in output.coarse] == [(2, 1, 128, 128)] * 4
    assert output.fine.shape == (2, 1, 128, 128)
    assert output.features.shape == (2, 2048, 32, 32)
    assert output.fine_features.shape == (2, 256, 128, 128)
    assert enlarge(output.fine, (512, 512)).shape == (2, 1, 512, 512)


@pytest.mark.parametrize(
    ("options", "crop", "cells", "finest"),
    [
        ({"backbone": "resnet50", "output_stride": 8}, 256, 32, 64),
        ({"backbone": "mobilenet_v2"}, 512, 32, 128),
        ({"backbone": "mobilenet_v2", "output_stride": 8}, 256, 32, 64),
        ({"backbone": "small_resnet", "output_stride": 4}, 128, 32, 64),
    ],
)
def test_the_grid_of_f_follows_the_output_stride(options, crop, cells, finest):
    output = on_meta(**options)(torch.empty(2, 5, crop, crop, device="meta"))
    assert output.features.shape[-2:] == (cells, cells)
    assert output.fine.shape[-2:] == (finest, finest)


@pytest.mark.parametrize(("stride", "base"), [(16, 1), (8, 2)])
def test_the_fourth_stage_has_a_multi_grid(stride, base):
    backbone = on_meta(output_stride=stride).backbone
    assert [block.conv2.dilation[0] for block in backbone.layer4] == [2 * base, 4 * base, 8 * base]
    assert {block.conv2.dilation[0] for block in backbone.layer3} == {base}


@pytest.mark.parametrize(
    ("stride", "strides", "dilations"),
    [(16, 4, [1] * 15 + [2] * 3), (8, 3, [1] * 8 + [2] * 7 + [4] * 3)],
)
def test_mobilenet_dilates_after_each_dropped_stride(stride, strides, dilations):
    backbone = on_meta(backbone="mobilenet_v2", output_stride=stride).backbone
    convolutions = [part for part in backbone.modules() if isinstance(part, torch.nn.Conv2d)]
    assert sum(convolution.stride == (2, 2) for convolution in convolutions) == strides
    assert backbone.dilations == dilations


@pytest.mark.parametrize("dilation", [2, 4])
def test_a_block_on_sub_grids_is_the_dilated_block(dilation):
    block = torch.nn.Sequential(
        torch.nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False), torch.nn.BatchNorm2d(3)
    ).double()
    literal = copy.deepcopy(block)
    literal[0].dilation = literal[0].padding = (dilation, dilation)
    maps = torch.rand(2, 3, 8, 12, generator=torch_generator("dilated"), dtype=torch.float64)
    torch.testing.assert_close(dilated(block, maps, dilation), literal(maps))
    torch.testing.assert_close(block[1].running_var, literal[1].running_var)


def test_four_by_four_falls_into_four_sub_grids():
    grids = sub_grids(torch.arange(16.0).view(1, 1, 4, 4), 2)
    assert grids[1, 0].tolist() == [[1, 3], [9, 11]]
    assert grids[2, 0].tolist() == [[4, 6], [12, 14]]


def test_mobilenet_wants_sides_that_its_dilations_divide():
    with pytest.raises(InputError, match=r"crop is \(80, 80\); mobilenet_v2 needs .* of 32"):
        on_meta(backbone="mobilenet_v2")(torch.empty(2, 5, 80, 80, device="meta"))


def test_fine_only_leaves_the_coarse_heads_out_and_changes_nothing_else():
    network, inputs = small(torch.float32).eval(), crops(torch.float32)
    full, fine = network(inputs), network(inputs, fine_only=True)
    assert fine.coarse == ()
    torch.testing.assert_close(fine.fine, full.fine, rtol=0, atol=0)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"backbone": "small_resnet", "output_stride": 4, "head_width": 16, "psp_width": 8},
        {"backbone": "mobilenet_v2", "head_width": 16, "psp_width": 8},
    ],
)
def test_the_fast_order_is_the_literal_order(options, training):
    network = drawn(IOG(NetworkConfig(**options))).double().train(training)
    inputs = crops(torch.float64)
    with torch.no_grad():
        fast, (coarse, fine) = network(inputs), literal_forward(network, inputs)
    for ours, theirs in zip((*fast.coarse, fast.fine), (*coarse, fine), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_fine_features_are_what_the_last_convolution_reads():
    network = small(torch.float64).eval()
    output = network(crops(torch.float64))
    _, score, calibration = network.Fine_net.final_predict
    torch.testing.assert_close(calibration(score(output.fine_features)), output.fine)


def small(dtype: torch.dtype) -> IOG:
    options = {"backbone": "small_resnet", "output_stride": 4, "head_width": 16, "psp_width": 8}
    return drawn(IOG(NetworkConfig(**options))).to(dtype)


def drawn(network: IOG) -> IOG:
    """Random weights, and normalisations that are not the identity."""
    generator = torch_generator("iog")
    initialise_weights(network, generator)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.weight.data, module.bias.data, module.running_mean):
                values.add_(torch.randn(values.shape, generator=generator) / 4)
            module.running_var.mul_(2)
    return network


def crops(dtype: torch.dtype) -> Tensor:
    return torch.rand(2, 5, 64, 64, generator=torch_generator("crops"), dtype=dtype)


def literal_forward(network: IOG, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
    """Four coarse logit maps and the fine one; enlarge, concatenate, and only then convolve."""
    layer1, layer2, layer3, layer4 = network.backbone(inputs)
    levels = literal_levels(
        network.Coarse_net, (literal_psp(network.psp4, layer4), layer3, layer2, layer1)
    )
    finest = layer1.shape[-2:]
    coarse = [
        head[5](enlarged(head[:4](level), finest))
        for head, level in zip(network.Coarse_net.predict, levels, strict=True)
    ]
    branches = [
        enlarged(branch(level), finest)
        for branch, level in zip(network.Fine_net.cascade, levels, strict=True)
    ]
    return coarse, network.Fine_net.final_predict(torch.cat(branches, dim=1))


def literal_psp(psp, features: Tensor) -> Tensor:
    priors = [enlarged(stage(features), features.shape[-2:]) for stage in psp.stages]
    return torch.relu(psp.bottleneck(torch.cat([*priors, features], dim=1)))


def literal_levels(coarse_net, pyramid) -> list[Tensor]:
    laterals = [lateral(maps) for lateral, maps in zip(coarse_net.laterals, pyramid, strict=True)]
    levels = [laterals[0], laterals[1] + laterals[0]]
    for index in (2, 3):
        raised = enlarged(levels[-1], laterals[index].shape[-2:])
        levels.append(laterals[index] + coarse_net.upsamples[index - 1][1:](raised))
    return levels


def enlarged(maps: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=True)
