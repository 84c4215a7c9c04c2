"""Latent diversity: published counts, the identity at the start, candidates and their choice."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from openscenes.errors import InputError
from openscenes.networks.enlargement import enlarge
from openscenes.peers.losses import diverse_loss
from openscenes.peers.networks.latent_diversity import (
    ContextAggregation,
    LatentDiversity,
    LatentDiversityConfig,
)
from openscenes.peers.networks.vgg import tapped
from openscenes.seeding import torch_generator

SIZE = 32
SMALL = LatentDiversityConfig(
    feature_widths=(16, 24, 32, 48, 64), feature_depths=(2,) * 5, feature_norm=True,
    freeze_features=False, width=32, dilations=(1, 2, 4, 8, 16, 1), selection_width=16,
    selection_dilations=(1, 4), grid_stride=2,
)  # fmt: skip


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def one_object():
    """Two crops of one bright square on grey noise, clicked once inside and once outside."""
    masks = torch.zeros(2, 1, SIZE, SIZE, dtype=torch.bool)
    masks[0, 0, 4:20, 8:26] = masks[1, 0, 10:28, 5:20] = True
    noise = 80 * torch.rand(2, 3, SIZE, SIZE, generator=torch_generator("noise"))
    clicks = torch.tensor([[[12.0, 16, 1], [2, 2, -1]], [[18, 12, 1], [3, 28, -1]]])
    return (noise + 90 * masks).to(torch.uint8), clicks, masks


def shaken(network):
    """No weight is zero any more, so that every parameter matters."""
    generator = torch_generator("shaken")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return network


def test_parameter_counts_of_the_published_network():
    with torch.device("meta"):
        network = LatentDiversity(LatentDiversityConfig())
    vgg_up_to_conv5_2 = 15_304_768
    entrance, dilated, norms, score = 1479 * 64, 9 * 9 * 64 * 64, 10 * (1 + 2 * 64), 65 * 6
    assert n_parameters(network.features) == vgg_up_to_conv5_2
    assert n_parameters(network.candidates) == entrance + dilated + norms + score == 428_112
    assert n_parameters(network.selector) == 13 * 64 + dilated + norms + score == 334_288
    assert n_parameters(network) == 16_067_168


def test_vgg_has_torchvisions_names_and_five_taps():
    with torch.device("meta"):
        features = LatentDiversity(LatentDiversityConfig()).features
        maps = tapped(features, torch.empty(1, 3, 64, 64))
    convolutions = [name for name, value in features.named_parameters() if value.dim() == 4]
    assert convolutions[:3] == ["0.weight", "2.weight", "5.weight"]
    assert convolutions[-1] == "30.weight"
    assert [tuple(part.shape[1:]) for part in maps] == [
        *((64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (512, 4, 4))
    ]


def test_the_published_network_answers_on_full_size():
    with torch.device("meta"):
        network = LatentDiversity(LatentDiversityConfig())
        output = network(torch.empty(1, 7, 512, 512))
    assert output.logits.shape == (1, 1, 512, 512)
    assert [maps.shape for maps in output.supervised] == [(1, 6, 512, 512)]
    assert output.selection.shape == (1, 6)


def test_an_untrained_aggregation_hands_positive_maps_on():
    network = LatentDiversity(SMALL).train()
    maps = torch.rand(2, 28, 12, 12, generator=torch_generator("maps"))
    features = torch.rand(2, 184, 3, 3, generator=torch_generator("features"))
    context = network.candidates.context([maps, features])
    torch.testing.assert_close(context[:, :28], maps)


def test_an_untrained_aggregation_only_shrinks_negative_values():
    aggregation = LatentDiversity(SMALL).selector
    maps = -torch.ones(2, 34, 4, 4)
    wanted = -(0.2 ** (1 + len(SMALL.selection_dilations)))
    torch.testing.assert_close(aggregation.context([maps]), torch.full((2, 16, 4, 4), wanted))


def test_features_before_their_enlargement_are_the_literal_concatenation():
    aggregation = ContextAggregation((3, 4), 5, (1, 2), 2).double().eval()
    first = torch.rand(2, 3, 8, 8, dtype=torch.float64, generator=torch_generator("first"))
    coarse = torch.rand(2, 4, 3, 3, dtype=torch.float64, generator=torch_generator("coarse"))
    enlarged = F.interpolate(coarse, (8, 8), mode="bilinear", align_corners=True)
    hidden = aggregation.settled(aggregation.entrance(torch.cat([first, enlarged], dim=1)))
    hidden = F.leaky_relu(hidden, 0.2)
    for layer in aggregation.layers:
        hidden = layer(hidden)
    torch.testing.assert_close(aggregation([first, coarse]), aggregation.score(hidden))


def test_inputs_by_hand():
    images, _, _ = one_object()
    clicks = torch.tensor([[[3.0, 4, 1], [0, 0, 0]], [[3, 4, -1], [10, 4, 1]]])
    inputs = LatentDiversity(SMALL).inputs(images, clicks, None)
    assert inputs.shape == (2, 7, SIZE, SIZE) and inputs.dtype == torch.float32
    assert torch.equal(inputs[:, :3], images.float())
    assert inputs[0, 3, 3, 4] == 0 and inputs[0, 3, 3, 5] == 16  # 512 / 32 reference pixels
    assert inputs[0, 3, 3, 30] == 255 and (inputs[0, 4] == 255).all()  # cut off; no such click
    assert inputs[0, 5].eq(0).nonzero().tolist() == [[3, 4]]
    assert (inputs[0, 6] == 255).all()
    assert inputs[1, 5].eq(0).nonzero().tolist() == [[10, 4]]
    assert inputs[1, 6].eq(0).nonzero().tolist() == [[3, 4]]


def test_the_answer_is_the_selected_candidate():
    images, clicks, _ = one_object()
    network = shaken(LatentDiversity(SMALL)).eval()
    output = network(network.inputs(images, clicks, None))
    candidates, best = output.supervised[0], output.selection.argmax(dim=1)
    assert candidates.shape == (2, 6, SIZE // 2, SIZE // 2)
    for index in range(2):
        assert torch.equal(output.logits[index, 0], candidates[index, best[index]])


def test_the_released_answer_is_the_first_candidate():
    images, clicks, _ = one_object()
    network = shaken(LatentDiversity(replace(SMALL, released=True)))
    network.selector.score.bias.data[3] = 100.0
    output = network(network.inputs(images, clicks, None))
    assert output.selection.argmax(dim=1).tolist() == [3, 3]
    assert torch.equal(output.logits, output.supervised[0][:, :1])


def test_a_further_click_changes_the_answer():
    images, clicks, _ = one_object()
    network = shaken(LatentDiversity(SMALL)).eval()
    more = torch.cat([clicks, torch.tensor([[[25.0, 25, -1]], [[20, 8, 1]]])], dim=1)
    first, second = (network(network.inputs(images, some, None)).logits for some in (clicks, more))
    assert (first - second).abs().amax(dim=(1, 2, 3)).gt(1e-3).all()


def test_what_was_seen_before_a_click_serves_all_clicks():
    images, clicks, _ = one_object()
    network = shaken(LatentDiversity(SMALL)).eval()
    before, after = (network.inputs(images, some, None) for some in (clicks[:, :1], clicks))
    assert torch.equal(network(after).logits, network(after, network.image_features(before)).logits)


def test_every_parameter_has_a_gradient():
    images, clicks, masks = one_object()
    network = shaken(LatentDiversity(SMALL)).train()
    output = network(network.inputs(images, clicks, None))
    losses = diverse_loss(output, masks, torch.zeros_like(masks), clicks)
    sum(losses.values()).sum().backward()
    silent = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
        # what a normalisation removes again
        if not (SMALL.feature_norm and name.endswith("bias") and is_convolution(network, name))
    ]
    assert silent == []


def is_convolution(network, name):
    owner = network.get_submodule(name.rpartition(".")[0])
    return isinstance(owner, torch.nn.Conv2d) and name.startswith("features.")


def test_frozen_features_do_not_train():
    config = replace(SMALL, feature_norm=False, freeze_features=True)
    images, clicks, _ = one_object()
    network = LatentDiversity(config)
    network(network.inputs(images, clicks, None)).logits.sum().backward()
    assert all(parameter.grad is None for parameter in network.backbone_parameters())
    assert network.candidates.entrance.weight.grad.abs().sum() > 0


def test_the_selection_teaches_the_candidates_nothing():
    images, clicks, _ = one_object()
    network = shaken(LatentDiversity(SMALL))
    network(network.inputs(images, clicks, None)).selection.sum().backward()
    assert all(parameter.grad is None for parameter in network.candidates.parameters())


def test_standard_colours_or_published_scale():
    colours = torch.rand(1, 3, SIZE, SIZE, generator=torch_generator("colours"))
    options = {"feature_norm": False, "grid_stride": 1}
    raw = LatentDiversity(replace(SMALL, normalise=False, **options))
    taken = raw._tapped(colours)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    literal = tapped(raw.features, 255.0 * (colours - mean))
    for ours, theirs in zip(taken, literal, strict=True):
        torch.testing.assert_close(ours, theirs / 255.0)


def test_one_seed_one_network():
    before = torch.random.get_rng_state()
    first, second = LatentDiversity(SMALL).state_dict(), LatentDiversity(SMALL).state_dict()
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)
    drawn = LatentDiversity(SMALL, generator=torch_generator("another")).state_dict()
    assert not torch.equal(first["features.0.weight"], drawn["features.0.weight"])


def test_one_object_is_learned():
    images, clicks, masks = one_object()
    network, void = LatentDiversity(SMALL).train(), torch.zeros_like(masks)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    inputs = network.inputs(images, clicks, None)
    for _ in range(60):
        losses = diverse_loss(network(inputs), masks, void, clicks)
        optimiser.zero_grad()
        sum(losses.values()).mean().div(SIZE**2).backward()
        optimiser.step()
    answer = enlarge(network(inputs).logits, (SIZE, SIZE)) > 0
    iou = (answer & masks).sum(dim=(1, 2, 3)) / (answer | masks).sum(dim=(1, 2, 3))
    assert iou.min() >= 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feature_depths": (2, 1)}, r"must name the same stages with at least two"),
        ({"feature_norm": True}, r"feature_norm and freeze_features are both set"),
        ({"n_candidates": 0}, r"n_candidates is 0; give a number between 1 and 64"),
    ],
)
def test_what_no_network_is_built_from(options, message):
    with pytest.raises(InputError, match=message):
        LatentDiversityConfig(**options)


def test_wrong_shapes_are_refused():
    network = LatentDiversity(SMALL)
    with pytest.raises(InputError, match=r"shape \(2, 5, 8, 8\); give \(B, 7, S, S\)"):
        network(torch.zeros(2, 5, 8, 8))
    with pytest.raises(InputError, match=r"crop is \(9, 9\), but grid_stride is 2"):
        network(torch.zeros(2, 7, 9, 9))
