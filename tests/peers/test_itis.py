"""ITIS: its click maps by hand, the last answer as guidance, shapes and counts."""

import math
from dataclasses import replace

import pytest
import torch

from openscenes.errors import InputError
from openscenes.networks.enlargement import enlarge
from openscenes.peers.losses import bootstrapped_cross_entropy
from openscenes.peers.networks.itis import ITIS, ITISConfig, click_maps, guidance_map
from openscenes.seeding import torch_generator

SIZE = 64
PUBLISHED = ITISConfig()
SMALL = ITISConfig(
    backbone="small_resnet", aspp_width=32, skip_width=16, decoder_width=24, normalise=True
)


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def on_meta(config):
    with torch.device("meta"):
        return ITIS(config)


def one_object():
    """Two crops of one bright square on grey noise, clicked once inside and once outside."""
    masks = torch.zeros(2, 1, SIZE, SIZE, dtype=torch.bool)
    masks[0, 0, 8:40, 16:52] = masks[1, 0, 20:56, 10:40] = True
    noise = 80 * torch.rand(2, 3, SIZE, SIZE, generator=torch_generator("noise"))
    clicks = torch.tensor([[[24.0, 32, 1], [4, 4, -1]], [[36, 24, 1], [6, 56, -1]]])
    return (noise + 90 * masks).to(torch.uint8), clicks, masks


def test_parameter_counts():
    network = on_meta(PUBLISHED)
    resnet101_without_classifier, sixth_channels = 42_500_160, 3 * 64 * 49
    assert n_parameters(network.backbone) == resnet101_without_classifier + sixth_channels
    one_by_one, atrous = 2048 * 256 + 512, 9 * 2048 * 256 + 512
    assert n_parameters(network.pyramid) == 2 * one_by_one + 3 * atrous + 5 * 256 * 256 + 512
    assert n_parameters(network.decoder) == (
        256 * 48 + 96 + 9 * 304 * 256 + 512 + 9 * 256 * 256 + 512 + 257
    )
    assert n_parameters(network) == 59_348_577


@pytest.mark.parametrize(("guidance", "channels"), [(True, 6), (False, 5)])
def test_logits_lie_on_a_quarter_of_the_papers_crop(guidance, channels):
    network = on_meta(ITISConfig(guidance=guidance))
    with torch.device("meta"):
        inputs = torch.empty(2, channels, 512, 512)
    output = network(inputs)
    assert output.logits.shape == (2, 1, 128, 128)
    assert output.supervised == (output.logits,) and output.selection is None


def test_features_are_four_times_coarser_than_the_decoder():
    for config, coarse in ((PUBLISHED, 8), (SMALL, 16)):
        network = on_meta(config)
        with torch.device("meta"):
            stages = network.backbone(torch.empty(2, 6, 128, 128))
        assert stages.layer4.shape[-1] == coarse
        assert stages.layer1.shape[-1] == 4 * coarse


def test_click_maps_are_a_normal_density_of_the_truncated_distance():
    clicks = torch.tensor([[[100.0, 200, 1], [130, 200, 1], [0, 0, 0]]])
    positive, negative = click_maps(clicks, 512, PUBLISHED)[0]

    def density(distance):
        return 25 * math.exp(-(min(distance, 20) ** 2) / 200) / (10 * math.sqrt(2 * math.pi))

    for row, distance in ((100, 0), (105, 5), (112, 12), (118, 12), (80, 20), (60, 40)):
        assert positive[row, 200].item() == pytest.approx(density(distance), rel=1e-4)
    assert positive.max().item() == pytest.approx(0.997, abs=1e-3)
    assert positive.min().item() == pytest.approx(0.135, abs=1e-3)
    torch.testing.assert_close(negative, torch.full((512, 512), density(20)))


def test_click_maps_scale_with_the_crop():
    large = click_maps(torch.tensor([[[100.0, 200, 1]]]), 512, PUBLISHED)
    small = click_maps(torch.tensor([[[25.0, 50, 1]]]), 128, PUBLISHED)
    torch.testing.assert_close(large[..., ::4, ::4], small)


def test_guidance_by_hand():
    previous = torch.zeros(1, 1, 512, 512, dtype=torch.bool)
    previous[0, 0, 100:200, 100:200] = True
    near = guidance_map(previous, PUBLISHED)[0, 0]
    assert near[150, 150] == 0 and near[100, 199] == 0
    assert near[150, 204].item() == pytest.approx(5 / 20)
    assert near[203, 202].item() == pytest.approx(5 / 20)  # 4 down, 3 across
    assert near[150, 230] == 1


def test_no_previous_mask_is_an_empty_one_and_another_changes_one_channel():
    images, clicks, masks = one_object()
    network = ITIS(SMALL)
    without = network.inputs(images, clicks, None)
    empty = network.inputs(images, clicks, torch.zeros_like(masks))
    given = network.inputs(images, clicks, masks)
    assert without.shape == (2, 6, SIZE, SIZE) and without.dtype == torch.float32
    assert torch.equal(without, empty) and (without[:, 5] == 255).all()
    assert torch.equal(without[:, :5], given[:, :5]) and (given[:, 5:][masks] == 0).all()
    assert without.min() >= 0 and without.max() <= 255


def test_without_guidance_there_are_five_channels():
    images, clicks, masks = one_object()
    assert ITIS(replace(SMALL, guidance=False)).inputs(images, clicks, masks).shape[1] == 5


def test_a_further_click_and_the_last_answer_change_the_answer():
    images, clicks, masks = one_object()
    network = ITIS(SMALL).eval()
    more = torch.cat([clicks, torch.tensor([[[50.0, 50, -1]], [[40, 16, 1]]])], dim=1)
    first = network(network.inputs(images, clicks, None)).logits
    for other in ((more, None), (clicks, masks)):
        second = network(network.inputs(images, *other)).logits
        assert ((first - second).abs().amax(dim=(1, 2, 3)) > 1e-4).all()


def test_every_parameter_has_a_gradient():
    images, clicks, masks = one_object()
    network = ITIS(SMALL).train()
    output = network(network.inputs(images, clicks, None))
    losses = bootstrapped_cross_entropy(output, masks, torch.zeros_like(masks), clicks)
    sum(losses.values()).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_backbone_parameters_are_the_pretrained_part():
    network = on_meta(PUBLISHED)
    inside = {id(parameter) for parameter in network.backbone_parameters()}
    heads = [parameter for parameter in network.parameters() if id(parameter) not in inside]
    assert len(inside) == 312 and sum(part.numel() for part in heads) == 16_839_009


def test_one_seed_one_network_and_no_global_draws():
    images, clicks, _ = one_object()
    before = torch.random.get_rng_state()
    first, second = ITIS(SMALL), ITIS(SMALL)
    first.train()(first.inputs(images, clicks, None))
    assert torch.equal(before, torch.random.get_rng_state())
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_normalised_colours_by_hand():
    network = ITIS(SMALL)
    pixel = torch.tensor([0.485, 0.456, 0.406, 0, 1, 1]).view(1, 6, 1, 1) * 255
    scaled = (pixel * network.scale + network.shift).flatten()
    torch.testing.assert_close(scaled, torch.tensor([0.0, 0, 0, 0, 1, 1]), atol=1e-6, rtol=0)
    raw = ITIS(replace(SMALL, normalise=False))
    torch.testing.assert_close(pixel * raw.scale + raw.shift, pixel)


def test_one_object_is_learned():
    images, clicks, masks = one_object()
    network, void = ITIS(SMALL).train(), torch.zeros_like(masks)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    inputs = network.inputs(images, clicks, None)
    for _ in range(25):
        losses = bootstrapped_cross_entropy(network(inputs), masks, void, clicks)
        optimiser.zero_grad()
        sum(losses.values()).mean().div(SIZE**2).backward()
        optimiser.step()
    answer = enlarge(network(inputs).logits, (SIZE, SIZE)) > 0
    iou = (answer & masks).sum(dim=(1, 2, 3)) / (answer | masks).sum(dim=(1, 2, 3))
    assert iou.min() >= 0.95


def test_wrong_inputs_are_refused():
    network = ITIS(SMALL)
    with pytest.raises(InputError, match=r"shape \(2, 5, 64, 64\); give \(B, 6, S, S\)"):
        network(torch.zeros(2, 5, 64, 64))
    with pytest.raises(InputError, match="one crop has no batch statistics"):
        network.train()(torch.zeros(1, 6, 64, 64))
    with pytest.raises(InputError, match="backbone is 'xception'; choose one of resnet101"):
        ITISConfig(backbone="xception")
