"""FCTSFN: the published size, two streams, what the refinement may teach, one object by heart."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torchvision.models.vgg import VGG, make_layers

from openscenes.errors import InputError, WeightsError
from openscenes.peers.networks.fctsfn import FCTSFN, FCTSFNConfig, load_imagenet_two_streams
from openscenes.peers.networks.ifcn import encode
from openscenes.peers.networks.vgg import FCNConfig
from openscenes.seeding import torch_generator

DEMO = FCTSFNConfig(
    fcn=FCNConfig(
        widths=(12, 24, 32, 48, 96), pools=(False, True, False, True, True), stem_stride=2,
        fc_width=128, fc_kernel=3, skip_scales=(1.0, 1.0), batch_norm=True,
        normalise=True,
    ),
    scale_width=12, refinement_width=16,
)  # fmt: skip
NARROW = FCTSFNConfig(
    fcn=FCNConfig(widths=(4, 6, 8, 10, 12), fc_width=16), scale_width=4, refinement_width=6
)
CLICKS = torch.tensor([[[60.0, 60.0, 1.0], [10.0, 20.0, -1.0], [0.0, 0.0, 0.0]]])


def n_parameters(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def crops(size=64):
    return torch.randn(2, 5, size, size, generator=torch_generator("crops"))


def test_the_published_size_and_what_one_logit_saves():
    with torch.device("meta"):
        network = FCTSFN(FCTSFNConfig())
        output = network(torch.empty(2, 5, 256, 256))
    last_stage = 3 * (512 * 512 * 9 + 512)
    stream = 14_714_688 - last_stage
    fused = (stream, stream - 64 * 9, last_stage + 512 * 512 * 9, 102_764_544, 16_781_312)
    scores = (4096 + 1) + (1024 + 1) + (512 + 1)
    assert n_parameters(network) - n_parameters(network.refinement) == sum(fused) + scores
    scales = 60 * (128 + 256 + 512 + 1024 + 512) + 5 * 2 * 60
    refining = 64 * (61 * 49 + 64 * 25 + 3 * 64 * 9) + 5 * 2 * 64
    assert n_parameters(network.refinement) == scales + 2 + refining + 64 + 1
    assert n_parameters(network) == 144_811_678
    assert [tuple(logits.shape) for logits in output.supervised] == [(2, 1, 256, 256)] * 2
    assert output.logits is output.supervised[0] and output.selection is None


def test_five_scales_of_both_streams_meet():
    with torch.device("meta"):
        network, inputs = FCTSFN(FCTSFNConfig()), torch.empty(1, 5, 64, 64)
        maps, coarse = network._coarse(inputs, network.image_features(inputs))
    assert [tuple(part.shape[1:]) for part in maps] == [
        (128, 64, 64), (256, 32, 32), (512, 16, 16), (1024, 8, 8), (512, 4, 4)
    ]  # fmt: skip
    assert coarse.shape[-1] == 8


def test_the_streams_meet_only_after_the_fourth_stage():
    network, inputs = FCTSFN(NARROW).eval(), crops().requires_grad_()
    network.image(inputs[:, :3]).pooled[-1].sum().backward()
    assert inputs.grad[:, :3].any() and not inputs.grad[:, 3:].any()
    network(inputs).supervised[1].sum().backward()
    assert inputs.grad[:, 3:].any()


@pytest.mark.parametrize("config", [NARROW, DEMO])
def test_every_parameter_gets_a_gradient(config):
    network = FCTSFN(config)
    sum(logits.square().sum() for logits in network(crops()).supervised).backward()
    missing = [n for n, p in network.named_parameters() if p.grad is None]
    dead = [n for n, p in network.named_parameters() if "weight" in n and not p.grad.any()]
    assert (missing, dead) == ([], [])


@pytest.mark.parametrize("detach", [True, False])
def test_the_refinement_teaches_the_coarse_network_only_where_asked(detach):
    network = FCTSFN(replace(NARROW, detach_coarse=detach))
    network(crops()).logits.sum().backward()
    taught = [p.grad is not None for p in network.backbone_parameters()]
    assert any(taught) is not detach and all(taught) is not detach
    assert all(parameter.grad is not None for parameter in network.refinement.parameters())


def test_the_refinement_is_the_literal_one():
    network = FCTSFN(NARROW).double()
    inputs = crops(32).double()
    maps, coarse = network._coarse(inputs, network.image_features(inputs))
    size = maps[0].shape[-2:]

    def raised(part):
        return F.interpolate(part, size, mode="bilinear", align_corners=False)

    msrn = network.refinement
    literal = torch.zeros(2, 4, *size, dtype=torch.float64)
    for (convolution, norm, _), part in zip(msrn.scales, maps, strict=True):
        literal = literal + raised(norm(convolution(part)).relu())
    literal = torch.cat([literal, msrn.coarse_norm(raised(coarse.double()))], dim=1)
    for layer in msrn.refine[::2]:
        literal = layer[1](layer[0](literal)).relu()
    ours = msrn(maps, coarse.double())
    torch.testing.assert_close(ours, msrn.score(literal).float(), rtol=1e-4, atol=1e-5)


def test_heads_are_the_refinement():
    network = FCTSFN(NARROW)
    backbone = {id(parameter) for parameter in network.backbone_parameters()}
    heads = {n.split(".")[0] for n, p in network.named_parameters() if id(p) not in backbone}
    assert heads == {"refinement"}
    assert list(network.frozen_parameters()) == []


def test_distances_lose_their_means():
    images = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    network = FCTSFN(NARROW)
    centred, plain = (
        network.inputs(images, CLICKS, None),
        encode(images, CLICKS, NARROW.fcn, (0, 0)),
    )
    means = torch.tensor([166.9, 147.5]).view(2, 1, 1).expand(1, 2, 64, 64)
    torch.testing.assert_close(plain[:, 3:] - centred[:, 3:], means)
    assert torch.equal(plain[:, :3], centred[:, :3])


def test_what_was_seen_before_a_click_serves_all_clicks():
    network, images = FCTSFN(NARROW).eval(), torch.randint(0, 255, (1, 3, 64, 64)).to(torch.uint8)
    before, after = (network.inputs(images, some, None) for some in (CLICKS[:, :1], CLICKS))
    assert torch.equal(network(after).logits, network(after, network.image_features(before)).logits)


def test_dropout_of_zero_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    FCTSFN(DEMO).train()(crops())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_imagenet_weights_go_to_both_streams(tmp_path, batch_norm):
    fcn = replace(NARROW.fcn, normalise=True, batch_norm=batch_norm)
    state = vgg_state(fcn)
    torch.save(state, tmp_path / "vgg.pth")
    network = FCTSFN(replace(NARROW, fcn=fcn))
    load_imagenet_two_streams(network, tmp_path / "vgg.pth")
    first = state["features.0.weight"]
    assert torch.equal(network.image.layers[0].weight, first)
    for channel in (0, 1):
        assert torch.equal(network.click.layers[0].weight[:, channel], first.mean(dim=1))
    ours, own = network.click.layers.state_dict(), network.joint.layers.state_dict()
    copied = [n for n in ours if n != "0.weight" and not n.endswith("tracked")]
    assert all(torch.equal(ours[n], state[f"features.{n}"]) for n in copied)
    assert len(copied) == sum(fcn.convolutions[:4]) * (6 if batch_norm else 2) - 1
    joined = state[f"features.{network.joint.offset}.weight"]
    assert torch.equal(own["0.weight"], torch.cat([joined, joined], dim=1))
    assert network.joint.offset == (34 if batch_norm else 24)


def test_a_file_without_the_joined_stage_is_refused(tmp_path):
    state = {n: v for n, v in vgg_state(NARROW.fcn).items() if n != "features.24.weight"}
    torch.save(state, tmp_path / "vgg.pth")
    with pytest.raises(WeightsError, match=r"features\.24\.weight is missing instead of"):
        load_imagenet_two_streams(FCTSFN(NARROW), tmp_path / "vgg.pth")


def vgg_state(fcn):
    """A narrow VGG's state dict, drawn without the global generator's notice."""
    plan = zip(fcn.widths, fcn.convolutions, strict=True)
    with torch.device("meta"):
        layers = make_layers([v for width, n in plan for v in [*[width] * n, "M"]], fcn.batch_norm)
        vgg = VGG(layers, init_weights=False)
        vgg.classifier[0] = torch.nn.Linear(fcn.widths[-1] * 49, fcn.fc_width)
        vgg.classifier[3] = torch.nn.Linear(fcn.fc_width, fcn.fc_width)
        shapes = {
            name: value.shape
            for name, value in vgg.state_dict().items()
            if not name.startswith("classifier.6")
        }
    generator = torch_generator("vgg")
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def test_a_further_click_changes_the_answer():
    network = FCTSFN(NARROW).eval()
    images = torch.randint(256, (1, 3, 128, 128), generator=torch_generator("image")).byte()
    further = torch.cat([CLICKS[:, :2], torch.tensor([[[100.0, 100.0, -1.0]]])], dim=1)
    with torch.no_grad():
        answer, changed = (
            network(network.inputs(images, clicks, None)).logits for clicks in (CLICKS, further)
        )
    assert not torch.allclose(answer, changed)


def test_positives_alone_are_answered_above_one_half():
    """Small objects in much background: where the score began near zero, no answer passed 0.48."""
    rows, cols = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    places, generator = [(20, 22), (44, 30), (30, 45), (40, 18)], torch_generator("noise")
    discs = [(rows - r) ** 2 + (cols - c) ** 2 < 10**2 for r, c in places]
    masks = torch.stack(discs)[:, None]
    noise = 120 + 60 * torch.rand(4, 3, 64, 64, generator=generator)
    images = torch.where(masks, noise - 60, noise).to(torch.uint8)
    clicks = torch.tensor([[[r, c, 1.0], [2.0, 2.0, -1.0]] for r, c in places])
    clicks[1::2, 1] = 0.0
    network = FCTSFN(DEMO)
    inputs = network.inputs(images, clicks, None)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(30):
        losses = [
            F.binary_cross_entropy_with_logits(logits, masks.float())
            for logits in network(inputs).supervised
        ]
        optimiser.zero_grad()
        sum(losses).backward()
        optimiser.step()
    with torch.no_grad():
        answer = network.eval()(network.inputs(images, clicks[:, :1], None)).logits.sigmoid()
    clicked = [answer[i, 0, r, c].item() for i, (r, c) in enumerate(places)]
    print(f"at the clicks: {[round(p, 3) for p in clicked]}, at most {answer.max():.3f}")
    assert min(clicked) > 0.5


def test_the_refinements_score_is_drawn_as_the_difference_of_two():
    score = FCTSFN(FCTSFNConfig(fcn=NARROW.fcn, refinement_width=1024)).refinement.score
    assert score.weight.std().item() == pytest.approx(2 / 32, rel=0.1)
    assert not score.bias.any()


def test_errors_say_what_to_do():
    with pytest.raises(InputError, match=r"refinement_kernels is \(7, 4\); give odd numbers"):
        FCTSFNConfig(refinement_kernels=(7, 4))
    with pytest.raises(InputError, match=r"shape \(2, 4, 64, 64\); give \(B, 5, S, S\)"):
        FCTSFN(NARROW)(torch.zeros(2, 4, 64, 64))
