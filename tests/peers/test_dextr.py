"""DEXTR: the published names, shapes and counts, its input, a tiny one that learns an object."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from openscenes.errors import InputError
from openscenes.networks.enlargement import enlarge
from openscenes.networks.openscene import IMAGENET_MEAN, IMAGENET_STD
from openscenes.peers.click_sampling import extreme_points
from openscenes.peers.networks.dextr import DEXTR, DEXTRConfig
from openscenes.seeding import torch_generator

# The table of published names and shapes lies beside the checkout where the project is written.
PUBLISHED = Path(__file__).resolve().parents[3] / "shared/design/dextr_state_dict.json"
DIGEST = "88bb16b9ec41b86082c16a09a210ddd21cf302aed06b9ec9fa0522f7f674e351"
SMALL = DEXTRConfig(
    blocks=(1, 2, 2, 2), widths=(32, 48, 64, 96), stem_width=16, stem_kernel=3, stem_pool=False,
    psp_width=16, normalise=True, freeze_norms=False,
)  # fmt: skip


def on_meta() -> DEXTR:
    with torch.device("meta"):
        return DEXTR()


def shapes(network) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in network.state_dict().items()}


def digest(table: dict[str, list[int]]) -> str:
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def inputs(n: int = 2, side: int = 48) -> torch.Tensor:
    return 255 * torch.rand(n, 4, side, side, generator=torch_generator("crops"))


def test_names_and_shapes_are_the_published_ones():
    assert len(shapes(on_meta())) == 656
    assert digest(shapes(on_meta())) == DIGEST


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published table is not beside us")
def test_the_digest_is_that_of_the_published_table():
    assert shapes(on_meta()) == json.loads(PUBLISHED.read_text())


def test_parameter_counts():
    network = on_meta()
    by_part = {
        "all": network.parameters(),
        "trained": (value for value in network.parameters() if value.requires_grad),
        "head": network.layer5.parameters(),
        "stem": network.conv1.parameters(),
        "backbone": network.backbone_parameters(),
    }
    assert {name: sum(value.numel() for value in part) for name, part in by_part.items()} == {
        "all": 48_800_385,
        "trained": 48_695_041,
        "head": 6_297_089,
        "stem": 12_544,
        "backbone": 48_800_385 - 6_297_089,
    }


def test_one_answer_at_an_eighth_of_the_papers_crop():
    output = on_meta()(torch.empty(2, 4, 512, 512, device="meta"))
    assert output.logits.shape == (2, 1, 64, 64)
    assert output.supervised == (output.logits,)
    assert output.selection is None


def test_caffe_strides_and_deeplab_dilations():
    network = on_meta()
    strided = [
        name
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Conv2d) and module.stride == (2, 2)
    ]
    assert strided == ["conv1", "layer2.0.conv1", "layer2.0.downsample.0"]
    for stage, dilation in ((network.layer2, 1), (network.layer3, 2), (network.layer4, 4)):
        assert {block.conv2.dilation for block in stage} == {(dilation, dilation)}


def test_the_small_one_answers_at_a_quarter():
    assert DEXTR(SMALL)(inputs()).logits.shape == (2, 1, 12, 12)


def test_the_input_is_colours_and_all_positive_clicks():
    images = torch.arange(2 * 3 * 64 * 64).remainder(256).view(2, 3, 64, 64).byte()
    clicks = torch.zeros(2, 3, 3)
    clicks[0] = torch.tensor([[5.0, 20.0, 1.0], [40.0, 9.0, 1.0], [60.0, 60.0, -1.0]])
    made = DEXTR(SMALL).inputs(images, clicks, None)
    assert made.dtype == torch.float32
    assert torch.equal(made[:, :3], images.float())
    heat = made[0, 3]
    assert heat[5, 20] == heat[40, 9] == heat.max() == 255
    assert heat[20, 5] < 1 > heat[60, 60]
    assert not made[1, 3].any()


def test_a_click_is_half_as_high_five_of_512_pixels_away():
    clicks = torch.tensor([[[256.0, 256.0, 1.0]]])
    image = torch.zeros(1, 3, 512, 512, dtype=torch.uint8)
    heat = DEXTR(SMALL).inputs(image, clicks)[0, 3]
    assert heat[256, 261].item() == pytest.approx(127.5, abs=0.1)
    half = DEXTR(SMALL).inputs(image[..., ::2, ::2], clicks / 2)[0, 3]
    torch.testing.assert_close(half[128, 118:139], heat[256, 236:278:2])


def test_normalised_input_is_imagenets_and_clicks_end_at_one():
    network = DEXTR(SMALL).eval()
    raw = DEXTR(replace(SMALL, normalise=False)).eval()
    raw.load_state_dict(network.state_dict())
    white = torch.full((1, 4, 48, 48), 255.0)
    levels = [(1 - m) / s for m, s in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)] + [1.0]
    expected = torch.tensor(levels).view(1, 4, 1, 1).expand(1, 4, 48, 48)
    torch.testing.assert_close(network(white).logits, raw(expected).logits)


def test_a_gradient_reaches_every_parameter_that_trains():
    for config in (SMALL, replace(SMALL, freeze_norms=True)):
        network = DEXTR(config)
        network(inputs()).logits.square().mean().backward()
        trained = {name for name, value in network.named_parameters() if value.requires_grad}
        reached = {
            name
            for name, value in network.named_parameters()
            if value.grad is not None and value.grad.any()
        }
        assert reached == trained
    assert "bn1.weight" not in trained and "layer5.bottleneck.1.weight" in trained


def test_the_backbones_normalisations_rest_unless_told_otherwise():
    resting = {id(value) for value in on_meta().frozen_parameters()}
    assert len(resting) == 2 * 104
    assert not list(DEXTR(SMALL).frozen_parameters())


def test_same_seed_same_weights_and_the_global_generator_is_untouched():
    before = torch.get_rng_state()
    first, again = DEXTR(SMALL), DEXTR(SMALL)
    other = DEXTR(SMALL, generator=torch_generator("another"))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(map(torch.equal, first.state_dict().values(), again.state_dict().values()))
    assert not torch.equal(first.conv1.weight, other.conv1.weight)


def test_it_overfits_one_object():
    rows, cols = torch.meshgrid(torch.arange(48), torch.arange(48), indexing="ij")
    truth = ((rows - 26) / 14) ** 2 + ((cols - 20) / 11) ** 2 < 1
    noise = torch.rand(2, 3, 48, 48, generator=torch_generator("noise"))
    images = (60 + 60 * noise + 90 * truth).byte()
    network, masks = DEXTR(SMALL), truth.expand(2, 1, 48, 48)
    generators = [torch_generator("click", index) for index in range(2)]
    made = network.inputs(images, extreme_points(masks, slack_px=0.5, generators=generators), None)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(80):
        logits = enlarge(network(made).logits, (48, 48))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, masks.float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    answer = logits > 0
    assert (answer & masks).sum() / (answer | masks).sum() >= 0.95


def test_errors_say_what_to_give():
    network = DEXTR(SMALL)
    with pytest.raises(InputError, match=r"shape \(2, 5, 48, 48\); give \(B, 4, S, S\)"):
        network(torch.zeros(2, 5, 48, 48))
    with pytest.raises(InputError, match=r"one crop .* give at least two crops, or call eval"):
        network(inputs(1))
    network.eval()(inputs(1))
    with pytest.raises(InputError, match=r"widths are \(32, 48, 64, 90\); .* multiples of four"):
        replace(SMALL, widths=(32, 48, 64, 90))
    with pytest.raises(InputError, match=r"stem kernel 4 .* an odd kernel"):
        replace(SMALL, stem_kernel=4)
