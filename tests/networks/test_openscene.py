"""The whole network: its heads, its errors, gradients, precision, the unknown class."""

import pytest
import torch
import torch.nn.functional as F

from openscenes.errors import InputError
from openscenes.networks.config import NetworkConfig
from openscenes.networks.enlargement import enlarge
from openscenes.networks.openscene import OpenSceneNet
from openscenes.seeding import torch_generator

SMALL = NetworkConfig(
    backbone="small_resnet",
    crop_size=64,
    output_stride=4,
    n_classes=4,
    head_width=16,
    psp_width=16,
    normalise=True,
)


def crops(n: int = 2, side: int = 64) -> torch.Tensor:
    return 255 * torch.rand(n, 5, side, side, generator=torch_generator("crops"))


def all_logits(output):
    return (*output.coarse, output.fine, output.predictor, output.classes)


def test_shapes_of_every_output():
    output = OpenSceneNet(SMALL)(crops())
    assert [tuple(logits.shape) for logits in output.coarse] == [(2, 1, 32, 32)] * 4
    assert output.fine.shape == (2, 1, 32, 32)
    assert output.features.shape == (2, 192, 16, 16)
    assert output.fine_features.shape == (2, 16, 32, 32)
    assert output.predictor.shape == (2, 1, 16, 16)
    assert output.classes.shape == (2, 4, 16, 16)


def test_the_heads_on_f_are_affine_in_each_cell():
    network = OpenSceneNet(SMALL).eval()
    output = network(crops())
    cell = output.features[1, :, 3, 5]
    expected = network.classifier.weight[:, :, 0, 0] @ cell + network.classifier.bias
    torch.testing.assert_close(output.classes[1, :, 3, 5], expected)


def test_a_gradient_reaches_every_parameter_but_the_published_dead_ones():
    network = OpenSceneNet(SMALL).train()
    sum(logits.square().mean() for logits in all_logits(network(crops()))).backward()
    parts = (part for part in network.named_parameters() if "corrector" not in part[0])
    without = {name for name, value in parts if value.grad is None}
    dead = {f"iog.Coarse_net.upsamples.0.{tail}" for tail in ("1.weight", "2.weight", "2.bias")}
    assert without == dead


def test_same_seed_same_weights_and_the_global_generator_is_untouched():
    before = torch.get_rng_state()
    first, again = OpenSceneNet(SMALL), OpenSceneNet(SMALL)
    other = OpenSceneNet(SMALL, generator=torch_generator("another"))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(map(torch.equal, first.state_dict().values(), again.state_dict().values()))
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_normalised_input_is_imagenets_and_clicks_end_at_one():
    network, raw = (
        OpenSceneNet(SMALL),
        OpenSceneNet(
            NetworkConfig(backbone="small_resnet", output_stride=4, head_width=16, psp_width=16)
        ),
    )
    white = torch.full((1, 5, 1, 1), 255.0)
    expected = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225, 1.0, 1.0]
    scaled = white * network.scale + network.shift
    torch.testing.assert_close(scaled.flatten(), torch.tensor(expected))
    assert torch.equal(white * raw.scale + raw.shift, white)


def test_input_scaling_is_no_weight():
    assert not {"scale", "shift"} & set(OpenSceneNet(SMALL).state_dict())


def test_a_wrong_shape_is_told():
    with pytest.raises(InputError, match=r"shape \(2, 3, 64, 64\); give \(B, 5, S, S\)"):
        OpenSceneNet(SMALL)(crops()[:, :3])


def test_one_crop_alone_cannot_be_trained_on_but_predicted():
    network = OpenSceneNet(SMALL)
    with pytest.raises(InputError, match="at least two crops, or call eval"):
        network.train()(crops(1))
    assert network.eval()(crops(1)).fine.shape == (1, 1, 32, 32)


def test_growing_carries_the_known_classes_over():
    network = OpenSceneNet(SMALL).eval()
    grown = network.with_unknown_class(generator=torch_generator("unknown"))
    assert (network.config.class_channels, grown.config.class_channels) == (4, 5)
    before, after = network(crops()), grown(crops())
    torch.testing.assert_close(after.classes[:, :4], before.classes)
    torch.testing.assert_close(after.fine, before.fine)
    assert after.classes.shape[1] == 5 and not grown.training
    assert OpenSceneNet(grown.config).load_state_dict(grown.state_dict())


def test_growing_is_drawn_from_the_generator_and_shares_no_weights():
    network = OpenSceneNet(SMALL)
    first, again, other = (
        network.with_unknown_class(generator=torch_generator("unknown", seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first.classifier.weight, again.classifier.weight)
    assert not torch.equal(first.classifier.weight[-1], other.classifier.weight[-1])
    first.iog.backbone.conv1.weight.data.zero_()
    assert network.iog.backbone.conv1.weight.abs().sum() > 0


def test_the_head_grows_once():
    grown = OpenSceneNet(SMALL).with_unknown_class(generator=torch_generator("unknown"))
    with pytest.raises(InputError, match="already has its unknown class; it grows once"):
        grown.with_unknown_class(generator=torch_generator("unknown"))


def test_bfloat16_with_channels_last_stays_near_float32():
    network = OpenSceneNet(SMALL).eval()
    exact = network(crops())
    network = network.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(crops().to(memory_format=torch.channels_last))
    assert rough.features.dtype == torch.bfloat16
    fine = enlarge(rough.fine, (64, 64))
    assert fine.dtype == torch.float32
    wanted = enlarge(exact.fine, (64, 64))
    assert (fine - wanted).abs().mean() < 0.05 * wanted.abs().mean()


def test_a_tiny_network_learns_one_crop():
    network = OpenSceneNet(SMALL).train()
    inputs, mask = bright_disc()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-2)
    for _ in range(40):
        output = network(inputs)
        losses = (
            F.binary_cross_entropy_with_logits(enlarge(logits, (64, 64)), mask)
            for logits in (*output.coarse, output.fine)
        )
        optimiser.zero_grad()
        sum(losses).backward()
        optimiser.step()
    found = enlarge(network(inputs).fine, (64, 64)) > 0
    truth = mask > 0.5
    assert (found & truth).sum() / (found | truth).sum() >= 0.95


def bright_disc() -> tuple[torch.Tensor, torch.Tensor]:
    """A disc on noise and its mirror image, with a click at its centre, and the masks."""
    rows, cols = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    mask = ((rows - 34) ** 2 + (cols - 25) ** 2 < 18**2).float()
    inputs = crops(1) / 2
    inputs[:, :3] += 100 * mask
    inputs[:, 3] = 255 * torch.exp(-((rows - 34) ** 2 + (cols - 25) ** 2) / 18)
    inputs[:, 4] = 0
    return torch.cat((inputs, inputs.flip(3))), torch.stack((mask, mask.flip(1)))[:, None]
