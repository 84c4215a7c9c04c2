"""iFCN: the published size, what it sees, VGG's weights, one object learnt by heart."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.models.vgg import VGG, make_layers

from openscenes.errors import InputError, WeightsError
from openscenes.networks.openscene import IMAGENET_MEAN, IMAGENET_STD
from openscenes.peers.networks.ifcn import IFCN, encode, load_imagenet_vgg
from openscenes.peers.networks.vgg import FCNConfig
from openscenes.seeding import torch_generator

DEMO = FCNConfig(
    widths=(16, 32, 64, 64, 128), pools=(False, True, False, True, True), stem_stride=2,
    fc_width=128, fc_kernel=3, skip_scales=(1.0, 1.0), batch_norm=True,
    normalise=True,
)  # fmt: skip
NARROW = FCNConfig(widths=(4, 6, 8, 10, 12), fc_width=16)
INSIDE, OUTSIDE = [60.0, 60.0, 1.0], [10.0, 20.0, -1.0]
NOBODY = [0.0, 0.0, 0.0]


STEPS = 60  # learning one object by heart, with a rate that falls to nothing


def n_parameters(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def disk_image(size=128):
    """A dark disk on a textured ground, as (1, 3, S, S) uint8 and (1, 1, S, S) bool."""
    rows, cols = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    mask = (rows - size / 2) ** 2 + (cols - size / 2) ** 2 < (size / 4) ** 2
    ground = 150 + 40 * torch.sin(rows / 3)
    image = torch.where(mask, 60.0, ground).expand(1, 3, size, size)
    return image.to(torch.uint8), mask[None, None]


def test_the_published_size_and_what_ours_adds_and_leaves_out():
    with torch.device("meta"):
        network = IFCN(FCNConfig())
        output = network(torch.empty(2, 5, 512, 512))
    vgg16_without_its_classes = 138_357_544 - 1000 * 4097
    click_kernels, scores = 2 * 64 * 9, (4096 + 1) + (512 + 1) + (256 + 1)
    assert n_parameters(network) == vgg16_without_its_classes + click_kernels + scores
    assert n_parameters(network) == 134_266_563
    assert [tuple(logits.shape) for logits in output.supervised] == [(2, 1, 512, 512)] * 3
    assert output.logits is output.supervised[0] and output.selection is None


def test_the_grids_are_an_fcn_8s():
    with torch.device("meta"):
        network = IFCN(FCNConfig())
        pooled = network.vgg(torch.empty(1, 5, 512, 512)).pooled
        scores = network.head(*pooled[2:])
    assert [part.shape[-1] for part in pooled] == [256, 128, 64, 32, 16]
    assert [score.shape[-1] for score in scores] == [64, 32, 16]


@pytest.mark.parametrize("config", [NARROW, DEMO])
def test_every_parameter_gets_a_gradient(config):
    network, inputs = IFCN(config), torch.randn(2, 5, 64, 64, generator=torch_generator("crops"))
    output = network(inputs)
    sum(logits.square().sum() for logits in output.supervised).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []
    assert [
        n for n, p in network.named_parameters() if n.endswith("weight") and not p.grad.any()
    ] == []


def test_backbone_is_all_but_the_three_scores():
    network = IFCN(NARROW)
    backbone = {id(parameter) for parameter in network.backbone_parameters()}
    heads = {n.split(".")[1] for n, p in network.named_parameters() if id(p) not in backbone}
    assert heads == {"score_fc", "score_pool4", "score_pool3"}
    assert list(network.frozen_parameters()) == []


def test_the_same_seed_draws_the_same_weights_and_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    one, other, third = (IFCN(DEMO, generator=torch_generator("ifcn", n)) for n in (0, 0, 1))
    one.train()(torch.zeros(2, 5, 32, 32))
    assert torch.equal(torch.get_rng_state(), before)
    weights = [network.vgg.layers[0].weight for network in (one, other, third)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_the_signal_survives_sixteen_layers_without_normalisation():
    maps = IFCN(NARROW).vgg(torch.randn(2, 5, 64, 64, generator=torch_generator("signal"))).pooled
    assert 0.01 < maps[-1].std() < 100


def test_encoding_by_hand():
    images = torch.full((1, 3, 4, 4), 255, dtype=torch.uint8)
    clicks = torch.tensor([[[1.0, 1.0, 1.0], NOBODY]])
    raw = encode(images, clicks, FCNConfig(), (0.0, 0.0))
    unit = 512 / 4  # one pixel here is 128 pixels of a 512 crop
    assert raw[0, 3, 1].tolist() == [unit, 0.0, unit, 255.0]
    assert raw[0, 4].unique().tolist() == [255.0]
    torch.testing.assert_close(raw[0, :3, 0, 0], 255 * (1 - torch.tensor(IMAGENET_MEAN)))
    normal = encode(images, clicks, FCNConfig(normalise=True), (0.0, 0.0))
    colours = (1 - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)
    torch.testing.assert_close(normal[0, :3, 0, 0], colours)
    torch.testing.assert_close(normal[:, 3:], raw[:, 3:] / 255)


def test_a_crop_of_another_size_learns_the_same_distances():
    near, far = (
        encode(
            torch.zeros(1, 3, size, size, dtype=torch.uint8),
            torch.tensor([[[size / 2, size / 2, 1.0]]]), FCNConfig(), (0.0, 0.0),
        )
        for size in (64, 128)
    )  # fmt: skip
    torch.testing.assert_close(far[:, 3:, ::2, ::2], near[:, 3:])


def vgg_like(config):
    """torchvision's VGG of narrow stages, with a generator's weights."""
    plan = zip(config.widths, config.convolutions, strict=True)
    with torch.device("meta"):
        layers = make_layers([v for width, n in plan for v in [*[width] * n, "M"]])
        vgg = VGG(layers, init_weights=False)
        vgg.classifier[0] = torch.nn.Linear(config.widths[-1] * 49, config.fc_width)
        vgg.classifier[3] = torch.nn.Linear(config.fc_width, config.fc_width)
        vgg.classifier[6] = torch.nn.Linear(config.fc_width, 2)
    generator = torch_generator("vgg")
    for parameter in vgg.to_empty(device="cpu").parameters():
        torch.nn.init.normal_(parameter, std=0.125, generator=generator)
    return vgg.eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A narrow VGG and its state dict on disk."""
    vgg, path = vgg_like(NARROW), tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(vgg.state_dict(), path)
    return vgg, path


@pytest.mark.parametrize("normalise", [False, True])
def test_imagenet_weights_make_torchvisions_features(weights, normalise):
    vgg, path = weights
    config = FCNConfig(widths=NARROW.widths, fc_width=NARROW.fc_width, normalise=normalise)
    network = IFCN(config).eval()
    load_imagenet_vgg(network, path)
    images = torch.randint(256, (1, 3, 224, 224), generator=torch_generator("i"), dtype=torch.uint8)
    inputs = network.inputs(images, torch.tensor([[INSIDE]]), None)
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        features = vgg.features((images / 255 - mean) / deviation)
        ours = network.vgg(inputs).pooled[-1]
        dense = vgg.classifier[0](features.flatten(1)).relu()
        torch.testing.assert_close(ours, features, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(network.head.fc6(ours)[..., 3, 3], dense, rtol=1e-4, atol=1e-4)


def test_with_imagenet_weights_the_clicks_are_not_seen_yet(weights):
    network = IFCN(NARROW).eval()
    load_imagenet_vgg(network, weights[1])
    images, _ = disk_image()
    one, other = (network.inputs(images, torch.tensor([[c]]), None) for c in (INSIDE, OUTSIDE))
    assert not torch.equal(one, other)
    assert torch.equal(network(one).logits, network(other).logits)


def test_weights_that_do_not_fit_change_nothing_and_are_named(weights):
    wider = IFCN(FCNConfig(widths=(4, 6, 8, 10, 14), fc_width=16))
    before = wider.vgg.layers[0].weight.clone()
    with pytest.raises(WeightsError, match=r"features\.24\.weight is \(12, 10, 3, 3\) instead of"):
        load_imagenet_vgg(wider, weights[1])
    assert torch.equal(wider.vgg.layers[0].weight, before)


def test_one_object_is_learnt_by_heart_and_a_further_click_changes_the_answer():
    network = IFCN(DEMO)
    images, mask = disk_image()
    clicks = torch.tensor([[INSIDE, OUTSIDE, NOBODY]])
    inputs = network.inputs(images, clicks, None)
    optimiser = torch.optim.AdamW(network.parameters())
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = 6e-3 * (1 - step / STEPS)
        loss = sum(
            F.binary_cross_entropy_with_logits(logits, mask.float())
            for logits in network(inputs).supervised
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    with torch.no_grad():
        answer = network(inputs).logits
        further = torch.tensor([[INSIDE, OUTSIDE, [100.0, 100.0, -1.0]]])
        changed = network(network.inputs(images, further, None)).logits
    found = answer > 0
    assert (found & mask).sum() / (found | mask).sum() >= 0.95
    assert not torch.allclose(answer, changed)


def test_errors_say_what_to_do():
    network = IFCN(NARROW)
    with pytest.raises(InputError, match=r"shape \(1, 3, 64, 64\); give \(B, 5, S, S\)"):
        network(torch.zeros(1, 3, 64, 64))
    with pytest.raises(InputError, match="with S at least 32"):
        network(torch.zeros(1, 5, 16, 16))
    with pytest.raises(InputError, match=r"clicks \(2, 1, 3\); give \(B, 3, S, S\) and"):
        network.inputs(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.zeros(2, 1, 3), None)
