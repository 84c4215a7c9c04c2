"""The corrector: what it sees, what reaches it, and that the first answer does not notice it."""

from dataclasses import replace

import pytest
import torch

from openscenes.data.interactions import ClickConfig, heat_maps
from openscenes.data.told import Told, first_told
from openscenes.errors import InputError
from openscenes.networks.config import NetworkConfig
from openscenes.networks.corrector import alike
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.weights import parameter_groups
from openscenes.seeding import torch_generator

SMALL = NetworkConfig(
    backbone="small_resnet", crop_size=48, output_stride=4, n_classes=4, head_width=16,
    psp_width=16, normalise=True,
)  # fmt: skip
CLICKS = ClickConfig(heat_map_width_px=60.0)
SIDE = 48


def crops(n=2):
    return 255 * torch.rand(n, 5, SIDE, SIDE, generator=torch_generator("crops"))


def told(*later, n=2):
    points, boxes = torch.tensor([[20.0, 14.0]] * n), torch.tensor([[8.0, 6.0, 40.0, 41.0]] * n)
    first = first_told(points, boxes, SIDE, CLICKS)
    return first.and_then(torch.tensor([later] * n), CLICKS) if later else first


def drawn(config=SMALL):
    return OpenSceneNet(config, generator=torch_generator("network"))


def corrected(network, clicks, previous=0.5, inputs=None):
    stages = network.encode(crops() if inputs is None else inputs)
    seen = network.see(stages, network.first(stages).fine_features)
    n = len(clicks.maps)
    return network.correct(seen, clicks, torch.full((n, 1, SIDE, SIDE), previous))


@pytest.mark.parametrize(
    ("options", "crop"),
    [
        ({}, 512),
        ({"output_stride": 8}, 256),
        ({"backbone": "mobilenet_v2", "output_stride": 8}, 192),
        ({"backbone": "small_resnet", "output_stride": 4, "head_width": 32}, 112),
        ({"backbone": "small_resnet", "output_stride": 4, "head_width": 8}, 50),
        ({"backbone": "small_resnet", "output_stride": 4, "head_width": 28}, 51),
    ],
)
def test_corrections_lie_on_the_grid_of_all_logits(options, crop):
    with torch.device("meta"):
        network = OpenSceneNet(NetworkConfig(**options))
    inputs = torch.empty(2, 5, crop, crop, device="meta")
    clicks = Told(torch.empty(2, 6, 3, device="meta"), inputs[:, 3:])
    stages = network.encode(inputs)
    first = network.first(stages)
    seen = network.see(stages, first.fine_features)
    assert network.correct(seen, clicks, inputs[:, :1]).shape == first.fine.shape


def test_first_clicks_are_the_inputs_own_and_later_ones_join_by_the_maximum():
    first = told()
    points, boxes = torch.tensor([[20.0, 14.0]]), torch.tensor([[8.0, 6.0, 40.0, 41.0]])
    assert torch.equal(first.maps[:1], heat_maps(points, boxes, SIDE, CLICKS))
    # 10 px of a 512 crop outside the box are 0.94 px here
    assert first.clicks[0].tolist() == [
        [20, 14, 1], [7, 5, -1], [7, 41, -1], [40, 5, -1], [40, 41, -1],
    ]  # fmt: skip
    both = told((5.0, 20.0, 1.0), (44.0, 9.0, -1.0), (0.0, 0.0, 0.0))
    inside, outside = both.maps[0]
    assert inside[5, 20] == outside[44, 9] == inside[20, 14] == outside[7, 5] == 255
    assert inside[44, 9] < 1 > outside[20, 14] and inside[0, 0] < 1
    assert both.clicks.shape == (2, 8, 3)


def test_each_cell_is_compared_with_clicked_ones_by_hand():
    keys = torch.zeros(1, 2, 2, 2)
    keys[0, 0, 0, 0] = keys[0, 1, 0, 1] = keys[0, 0, 1, 0] = 1.0
    keys[0, :, 1, 1] = torch.tensor([0.6, 0.8])
    clicks = torch.tensor([[[1.0, 1.0, 1.0], [1.0, 7.0, 1.0], [0.0, 0.0, 0.0]]])
    found = alike(keys, Told(clicks, torch.zeros(1, 2, 8, 8)))
    assert torch.allclose(found[0, 0], torch.tensor([[1.0, 1.0], [1.0, 0.8]]))
    assert (found[0, 1] == -1).all()


def test_every_part_of_the_network_learns_from_a_correction():
    network = drawn().train()
    corrected(network, told((30.0, 30.0, -1.0))).square().mean().backward()
    for part in (network.corrector, network.iog.backbone, network.iog.Fine_net.cascade):
        assert all(value.grad is not None and value.grad.any() for value in part.parameters())


def test_an_answer_that_learns_alone_leaves_the_network_below_alone():
    network = drawn().train()
    click = lambda seen, output: (told((30.0, 30.0, -1.0)), output.fine.sigmoid().detach())  # noqa: E731
    network(crops(), click, joint=False).corrected.square().mean().backward()
    reached = {name for name, value in network.named_parameters() if value.grad is not None}
    assert reached == {f"corrector.{name}" for name, _ in network.corrector.named_parameters()}


def test_the_previous_mask_is_seen_where_it_is_asked_for():
    network, click = drawn().eval(), told((30.0, 30.0, -1.0))
    assert not torch.allclose(corrected(network, click, 0.1), corrected(network, click, 0.9))
    blind = drawn(replace(SMALL, previous_mask=False)).eval()
    assert torch.equal(corrected(blind, click, 0.1), corrected(blind, click, 0.9))


def test_a_click_reaches_the_whole_crop_and_one_crop_is_enough():
    network = drawn().train()
    inputs = crops(1).expand(2, -1, -1, -1)
    network.iog.eval()
    two = corrected(network, told((2.0, 2.0, 1.0)), inputs=inputs)
    one = corrected(network, told((2.0, 2.0, 1.0), n=1), inputs=inputs[:1])
    torch.testing.assert_close(one, two[:1], atol=1e-5, rtol=1e-5)
    other = corrected(network, told((2.0, 2.0, -1.0)), inputs=inputs)
    assert (two != other)[0, 0, -4:, -4:].all()


def test_the_first_answer_does_not_depend_on_the_corrector():
    iog = drawn(replace(SMALL, corrector="iog")).state_dict()
    ours = drawn().state_dict()
    shared = {name for name in ours if not name.startswith("corrector.")}
    assert shared == {name for name in iog if not name.startswith("corrector.")}
    assert all(torch.equal(ours[name], iog[name]) for name in shared)


def test_the_corrector_learns_at_the_heads_rate():
    network = drawn()
    backbone, heads = parameter_groups(network, 1.0, 10.0)
    assert {id(value) for value in network.corrector.parameters()} <= set(map(id, heads["params"]))
    assert not {id(v) for v in network.corrector.parameters()} & set(map(id, backbone["params"]))


def test_another_corrector_is_refused():
    with pytest.raises(InputError, match="corrector"):
        replace(SMALL, corrector="ours")
