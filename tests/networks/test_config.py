"""What a network can be built from."""

import pytest

from openscenes.errors import InputError
from openscenes.networks.config import NetworkConfig


def test_the_defaults_are_the_papers():
    config = NetworkConfig()
    assert (config.backbone, config.crop_size, config.output_stride) == ("resnet101", 512, 16)
    assert (config.n_classes, config.class_channels) == (21, 21)
    assert NetworkConfig(unknown_class=True).class_channels == 22


def test_an_unknown_backbone_is_named_with_the_choices():
    with pytest.raises(InputError, match=r"'vgg16'; choose one of resnet101, resnet50"):
        NetworkConfig(backbone="vgg16")


@pytest.mark.parametrize(("backbone", "stride"), [("resnet101", 32), ("small_resnet", 16)])
def test_an_output_stride_that_is_not_built_is_refused(backbone, stride):
    with pytest.raises(InputError, match=f"output_stride is {stride}, but {backbone}"):
        NetworkConfig(backbone=backbone, output_stride=stride)


def test_a_head_width_that_bottlenecks_cannot_divide_is_refused():
    with pytest.raises(InputError, match="head_width is 30; choose a positive multiple of four"):
        NetworkConfig(head_width=30)


@pytest.mark.parametrize("name", ["normalise", "unknown_class"])
def test_a_flag_is_true_or_false(name):
    with pytest.raises(InputError, match=f"NetworkConfig.{name} is a str; give a bool"):
        NetworkConfig(**{name: "no"})
