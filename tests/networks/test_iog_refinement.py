"""The refinement branch: published counts, the literal wider pooling, learning, grafting."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from openscenes.data.interactions import ClickConfig
from openscenes.errors import InputError
from openscenes.networks.config import NetworkConfig
from openscenes.networks.enlargement import enlarge
from openscenes.networks.freezing import thaw
from openscenes.networks.iog import PyramidPooling, conv_norm
from openscenes.networks.iog_refinement import RefinableIOG, graft
from openscenes.networks.openscene import OpenSceneNet, initialise_weights
from openscenes.networks.weights import parameter_groups
from openscenes.seeding import torch_generator

SMALL = NetworkConfig(
    backbone="small_resnet", crop_size=48, output_stride=4, n_classes=4, head_width=16,
    psp_width=16, normalise=True,
)  # fmt: skip
CLICKS = ClickConfig(heat_map_width_px=60.0)
SIDE = 48
CENTRES = ((20, 14), (26, 36))


def on_meta(**options) -> RefinableIOG:
    with torch.device("meta"):
        return RefinableIOG(OpenSceneNet(NetworkConfig(**options)))


def n_parameters(*modules) -> int:
    return sum(value.numel() for module in modules for value in module.parameters())


def crops(n: int = 2) -> Tensor:
    return 255 * torch.rand(n, 5, SIDE, SIDE, generator=torch_generator("crops"))


def maps(n: int = 2) -> Tensor:
    return 255 * torch.rand(n, 2, SIDE, SIDE, generator=torch_generator("maps"))


def drawn(name: str = "network") -> OpenSceneNet:
    return OpenSceneNet(SMALL, generator=torch_generator(name))


def stirred(refinable: RefinableIOG) -> RefinableIOG:
    """As if trained: nothing in the refiner is zero, no normalisation is the identity."""
    generator = torch_generator("stirred")
    initialise_weights(refinable.refiner, generator)
    for module in refinable.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.weight.data, module.bias.data, module.running_mean):
                values.add_(torch.randn(values.shape, generator=generator) / 4)
    return refinable


def test_parameter_counts_are_the_published_ones():
    refinable = on_meta()
    refiner, pyramid = refinable.refiner, refinable.network.iog.psp4
    assert n_parameters(refiner.branch) == 977_536
    added = (refiner.shared_rows, refiner.new_rows, refiner.fusion)
    assert n_parameters(pyramid, *added) == 6_628_480
    assert n_parameters(refinable.network.iog, refiner) == 53_433_546


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
    refinable = on_meta(**options)
    convolutions = [m for m in refinable.refiner.branch if isinstance(m, torch.nn.Conv2d)]
    assert [m.stride[0] for m in convolutions] == [*strides, 1]
    stages = refinable.encode(torch.empty(2, 5, crop, crop, device="meta"))
    click_maps = torch.empty(2, 2, crop, crop, device="meta")
    assert refinable.refiner.branch(click_maps).shape[-2:] == stages.layer4.shape[-2:]
    assert refinable.refined(stages, click_maps).logits.shape[-2:] == stages.layer1.shape[-2:]


def test_the_first_prediction_is_the_networks():
    refinable, inputs = stirred(RefinableIOG(drawn())), crops()
    expected = refinable.network(inputs)
    for output in (refinable(inputs), refinable.first(refinable.encode(inputs))):
        assert torch.equal(output.logits, expected.fine)
        assert all(map(torch.equal, output.supervised, (*expected.coarse, expected.fine)))
        assert len(output.supervised) == 5 and output.selection is None


@pytest.mark.parametrize("mode", [True, False])
def test_refinement_begins_as_the_first_prediction(mode):
    refinable, inputs = RefinableIOG(drawn()).train(mode), crops()
    assert torch.equal(refinable(inputs, maps()).logits, refinable(inputs).logits)


def test_no_later_click_is_not_no_refinement_once_the_branch_has_learned():
    refinable, inputs = stirred(RefinableIOG(drawn())).eval(), crops()
    silent = torch.zeros(2, 2, SIDE, SIDE)
    assert not torch.allclose(refinable(inputs, silent).logits, refinable(inputs).logits)


def test_both_parts_are_exactly_the_published_wider_pooling():
    refinable = stirred(RefinableIOG(drawn())).double().eval()
    generator = torch_generator("features")
    features = torch.randn(2, 192, 12, 12, generator=generator, dtype=torch.float64)
    click_maps = maps().double()
    clicks = refinable.refiner.branch(click_maps)
    literal = published_pooling(refinable)(torch.cat((features, clicks), dim=1))
    pooled = refinable.refiner(refinable.network.iog.psp4, features, click_maps)
    torch.testing.assert_close(pooled, literal)


def published_pooling(refinable: RefinableIOG) -> PyramidPooling:
    """One pyramid pooling of all channels, with the weights of both parts put together."""
    psp, refiner = refinable.network.iog.psp4, refinable.refiner
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


def test_a_click_is_drawn_where_it_is_and_into_its_own_channel():
    inputs = torch.zeros(1, 5, SIDE, SIDE)
    inputs[0, 3, 30, 31] = inputs[0, 4, 2, 3] = 200.0
    clicks = torch.tensor([[[5.0, 20.0, 1.0], [40.0, 9.0, -1.0], [0.0, 0.0, 0.0]]])
    inside, outside = RefinableIOG(drawn(), CLICKS).click_maps(inputs, clicks)[0]
    assert inside[5, 20] == outside[40, 9] == 255
    assert inside[30, 31] == outside[2, 3] == 200
    assert inside[20, 5] < 1 > inside[40, 9] and outside[9, 40] < 1 > outside[5, 20]
    assert inside[0, 0] < 1 > outside[0, 0]


def test_without_later_clicks_the_maps_are_the_first_clicks():
    inputs = crops()
    made = RefinableIOG(drawn()).click_maps(inputs, torch.zeros(2, 4, 3))
    assert torch.equal(made, inputs[:, 3:])


def test_only_the_refiner_trains_and_every_part_of_it_learns():
    refinable = RefinableIOG(drawn()).train()
    trained = refinable.trainable_for_refinement()
    before = copy.deepcopy(refinable.network.state_dict())
    optimiser = torch.optim.SGD(trained, lr=0.1)
    for _ in range(2):  # in the first step only the columns that begin at zero have a gradient
        optimiser.zero_grad()
        refinable(crops(), maps()).logits.square().mean().backward()
        optimiser.step()
    reached = {name for name, v in refinable.named_parameters() if v.grad is not None}
    assert reached == {f"refiner.{name}" for name, _ in refinable.refiner.named_parameters()}
    assert all(value.grad.any() for value in trained)
    after = refinable.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_the_backbone_keeps_nothing_for_a_backward_pass():
    refinable = RefinableIOG(drawn()).train()
    refinable.trainable_for_refinement()
    assert not any(stage.requires_grad for stage in refinable.encode(crops()))


def test_stages_that_were_kept_predict_as_new_ones():
    refinable = stirred(RefinableIOG(drawn())).eval()
    stages = refinable.encode(crops())
    refinable.refined(stages, maps())
    again = refinable.refined(stages, maps().flip(0))
    assert torch.equal(again.logits, refinable(crops(), maps().flip(0)).logits)


def test_the_backbones_parameters_are_the_networks():
    refinable = RefinableIOG(drawn())
    backbone = refinable.network.iog.backbone
    assert list(map(id, refinable.backbone_parameters())) == list(map(id, backbone.parameters()))


def test_after_a_thaw_only_the_refiner_is_optimised():
    refinable = RefinableIOG(drawn())
    thaw(refinable)
    backbone, heads = parameter_groups(refinable, 1.0, 10.0)
    assert backbone["params"] == []
    assert list(map(id, heads["params"])) == list(map(id, refinable.refiner.parameters()))
    torch.optim.AdamW([backbone, heads])


def test_grafting_onto_the_network_it_came_from_changes_nothing():
    refinable = stirred(RefinableIOG(drawn(), CLICKS)).eval()
    grafted = graft(refinable, refinable.network)
    assert torch.equal(grafted(crops(), maps()).logits, refinable(crops(), maps()).logits)
    assert not grafted.training and grafted.clicks == CLICKS
    grafted.refiner.fusion.weight.data.zero_()
    assert refinable.refiner.fusion.weight.any()


def test_a_graft_keeps_an_evolved_networks_first_prediction_and_the_trained_refiner():
    refinable = stirred(RefinableIOG(drawn())).eval()
    evolved = drawn("evolved").with_unknown_class(generator=torch_generator("unknown"))
    grafted = graft(refinable, evolved)
    assert torch.equal(grafted(crops()).logits, evolved(crops()).fine)
    mine, theirs = grafted.refiner.state_dict(), refinable.refiner.state_dict()
    assert all(map(torch.equal, mine.values(), theirs.values()))
    assert not torch.allclose(grafted(crops(), maps()).logits, grafted(crops()).logits)


def test_same_seed_same_refiner_and_the_global_generator_is_untouched():
    network, before = drawn(), torch.get_rng_state()
    states = [
        RefinableIOG(network, generator=generator).refiner.state_dict()
        for generator in (None, None, torch_generator("another"))
    ]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(map(torch.equal, states[0].values(), states[1].values()))
    assert not torch.equal(states[0]["branch.0.weight"], states[2]["branch.0.weight"])


def test_errors_say_what_to_give():
    refinable = RefinableIOG(drawn()).train()
    with pytest.raises(InputError, match=r"input has shape \(2, 4, 48, 48\); give \(B, 5, S, S\)"):
        refinable.encode(crops()[:, :4])
    with pytest.raises(InputError, match=r"maps have shape \(2, 1, 48, 48\); give \(2, 2, S, S\)"):
        refinable(crops(), maps()[:, :1])
    with pytest.raises(InputError, match=r"one crop .* give at least two crops, or call eval"):
        refinable(crops(1), maps(1))
    refinable.eval()(crops(1), maps(1))
    with pytest.raises(InputError, match=r"trained for .*head_width=16.* is .*head_width=8"):
        graft(refinable, OpenSceneNet(replace(SMALL, head_width=8)))


def test_one_more_click_adds_a_blob_or_leaves_it_out():
    images, left, both = two_blobs()
    on_left, on_right = (torch.cat((images, heat(*at), heat(-9, -9)), 1) for at in CENTRES)
    network, truth = drawn(), torch.cat((left, both & ~left))
    first = torch.cat((on_left, on_right))
    fit(network.parameters(), lambda: network(first).fine, truth, steps=40, lr=1.5e-2)
    refinable = RefinableIOG(network, CLICKS).train()
    trained = refinable.trainable_for_refinement()
    first, truth = on_left.expand(2, -1, -1, -1), torch.cat((both, left))
    row, col = CENTRES[1]
    click_maps = refinable.click_maps(first, torch.tensor([[[row, col, 1.0]], [[row, col, -1.0]]]))
    stages = refinable.encode(first)
    predicted = fit(
        trained, lambda: refinable.refined(stages, click_maps).logits, truth, steps=140, lr=3e-2
    )
    assert torch.equal(refinable.first(stages).logits, network(first).fine)
    assert iou(predicted, truth).min() >= 0.95


def two_blobs() -> tuple[Tensor, Tensor, Tensor]:
    """One image of two blobs; the mask of the left one, and of both."""
    rows, cols = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    left, right = (((rows - row) / 12) ** 2 + ((cols - col) / 8) ** 2 < 1 for row, col in CENTRES)
    noise = torch.rand(1, 3, SIDE, SIDE, generator=torch_generator("noise"))
    return 60 + 60 * noise + 90 * (left | right), left[None, None], (left | right)[None, None]


def heat(row: int, col: int) -> Tensor:
    rows, cols = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return 255 * torch.exp(-((rows - row) ** 2 + (cols - col) ** 2) / 10.0)[None, None]


def fit(parameters, predict, truth: Tensor, *, steps: int, lr: float) -> Tensor:
    """Train, and give the last predicted mask."""
    optimiser = torch.optim.AdamW(parameters, lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, lr, total_steps=steps)
    for _ in range(steps):
        logits = enlarge(predict(), (SIDE, SIDE))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth.float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return logits > 0


def iou(predicted: Tensor, truth: Tensor) -> Tensor:
    return (predicted & truth).sum(dim=(1, 2, 3)) / (predicted | truth).sum(dim=(1, 2, 3))
