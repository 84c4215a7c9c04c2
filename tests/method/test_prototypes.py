"""Eq. 1-3: worked by hand, as laws, against the literal version, and within their memory."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from openscenes.errors import InputError
from openscenes.method.prototypes import Grid, confidence_maps, prototypes

literal = SimpleNamespace(**run_path(str(Path(__file__).parent / "literal.py")))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def example(channels=7, cells=(4, 5), size=(13, 17), dtype=torch.float64, seed=0, selections=3):
    generator = seeded(seed)
    features = torch.rand(2, channels, *cells, generator=generator, dtype=torch.float64)
    masks = torch.rand(2, selections, *size, generator=generator) > 0.6
    return features.to(dtype), masks


def literal_maps(features, selections, backgrounds=None):
    """The literal Eq. 1-3 in float64 for every object and selection."""
    maps = torch.empty(selections.shape, dtype=torch.float64)
    for b, k in torch.cartesian_prod(*map(torch.arange, selections.shape[:2])):
        enlarged = literal.enlarge(features[b].double(), tuple(selections.shape[2:]))
        other = None if backgrounds is None else backgrounds[b, k % backgrounds.shape[1]].double()
        maps[b, k] = literal.confidence(enlarged, selections[b, k].double(), other)
    return maps


def test_by_hand_on_2x2():
    features = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    selection = torch.tensor([[[[False, False], [True, True]]]])
    assert prototypes(features, selection).item() == 2.5
    # c = 2.5, c_bar = 0.5: d(c_bar, 1) - d(c, 1) = 0.25 - 2.25 = -2
    expected = torch.tensor([[-6.0, -2.0], [2.0, 6.0]]).sigmoid()
    torch.testing.assert_close(confidence_maps(features, selection)[0, 0], expected)


def test_a_feature_counts_as_enlarged_with_aligned_corners():
    features = torch.tensor([[[[0.0, 3.0]]]])
    middle = torch.tensor([[[[False, True, False, False]]]])
    assert prototypes(features, middle).item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    "sizes", [((4, 5), (13, 17)), ((6, 6), (6, 6)), ((1, 3), (7, 1)), ((8, 9), (5, 4))]
)
def test_grid_agrees_with_torch_and_its_adjoint(sizes):
    cells, size = sizes
    maps = torch.rand(2, 3, *cells, generator=seeded(), dtype=torch.float64)
    masks = torch.rand(2, 3, *size, generator=seeded(), dtype=torch.float64)
    grid = Grid.between(maps, masks)
    enlarged = torch.nn.functional.interpolate(maps, size, mode="bilinear", align_corners=True)
    torch.testing.assert_close(grid.enlarge(maps), enlarged, rtol=0, atol=1e-14)
    torch.testing.assert_close((enlarged * masks).sum(), (maps * grid.gather(masks)).sum())


def test_agrees_with_the_literal_version_in_float64():
    features, selections = example()
    difference = confidence_maps(features, selections) - literal_maps(features, selections)
    assert difference.abs().max() < 1e-9


def test_soft_selections_agree_with_the_literal_version():
    features, _ = example()
    weights = torch.rand(2, 3, 13, 17, generator=seeded(4), dtype=torch.float64)
    weights[:, 2] = 0.9 + weights[:, 2] / 10
    difference = confidence_maps(features, weights) - literal_maps(features, weights)
    assert difference.abs().max() < 1e-9


@pytest.mark.parametrize("n_backgrounds", [1, 3])
def test_given_backgrounds_agree_with_the_literal_version(n_backgrounds):
    features, selections = example()
    backgrounds = torch.rand(2, n_backgrounds, 13, 17, generator=seeded(5)) > 0.5
    ours = confidence_maps(features, selections, backgrounds=backgrounds)
    assert (ours - literal_maps(features, selections, backgrounds)).abs().max() < 1e-9


def relu_like(contrast, spread):
    """C = 2048 as a network's: |z| up to a few hundred, or many undecided pixels."""
    generator = seeded(1)
    mask = torch.zeros(1, 1, 40, 40, dtype=torch.bool)
    mask[..., 10:30, 12:32] = True
    inside = torch.nn.functional.adaptive_avg_pool2d(mask.float(), 8)
    shift = contrast * torch.randn(1, 2048, 1, 1, generator=generator)
    noise = spread * torch.randn(1, 2048, 8, 8, generator=generator)
    return (0.3 + noise + inside * shift).relu(), mask


@pytest.mark.parametrize(("contrast", "spread"), [(0.35, 0.7), (0.03, 0.02), (0.1, 0.1)])
@pytest.mark.parametrize("pixels", ["object", "click", "all but three"])
def test_float32_is_within_1e_4_for_2048_channels(contrast, spread, pixels):
    features, mask = relu_like(contrast, spread)
    if pixels != "object":
        mask = torch.zeros_like(mask)
        mask[0, 0, 20, 20:23] = True
    mask = ~mask if pixels == "all but three" else mask
    ours = confidence_maps(features, mask)
    assert ours.dtype == torch.float32
    assert (ours - literal_maps(features, mask)).abs().max() < 1e-4


def test_is_right_where_literal_float32_is_not_a_number():
    features, mask = relu_like(0.35, 0.7)
    enlarged = literal.enlarge(features[0], (40, 40))
    assert literal.confidence(enlarged, mask[0, 0]).isnan().float().mean() > 0.8
    truth = literal_maps(features, mask)
    logits = (truth / (1 - truth)).log()
    assert logits.abs()[logits.isfinite()].max() > 30
    assert (confidence_maps(features, mask) - truth).abs().max() < 1e-4


def test_what_is_not_selected_gets_the_rest_of_the_confidence():
    features, selections = example()
    both = confidence_maps(features, selections) + confidence_maps(features, ~selections)
    torch.testing.assert_close(both, torch.ones_like(both))


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_empty_selects_nothing_and_full_selects_all(dtype):
    features, selections = example()
    selections[0, 0], selections[1, 2] = False, True
    maps = confidence_maps(features, selections.to(dtype))
    assert (maps[0, 0] == 0).all()
    assert (maps[1, 2] == 1).all()
    assert ((maps[0, 1] > 0) & (maps[0, 1] < 1)).all()


def test_empty_background_leaves_no_opponent_and_empty_selection_comes_first():
    features, selections = example(selections=1)
    selections[1] = False
    maps = confidence_maps(features, selections, backgrounds=torch.zeros_like(selections))
    assert (maps[0] == 1).all()
    assert (maps[1] == 0).all()


def test_empty_selections_have_zero_prototypes_and_finite_gradients():
    features, selections = example()
    selections[0, 0], selections[1, 1] = False, True
    features.requires_grad_()
    assert (prototypes(features, selections)[0, 0] == 0).all()
    confidence_maps(features, selections).sum().backward()
    assert features.grad.isfinite().all()


def test_gradients_are_exact():
    features, _ = example(channels=3, cells=(2, 3), size=(4, 5))
    weights = torch.rand(2, 3, 4, 5, generator=seeded(6), dtype=torch.float64) * 0.4
    inputs = (features.requires_grad_(), weights.requires_grad_())
    assert torch.autograd.gradcheck(prototypes, inputs)
    assert torch.autograd.gradcheck(confidence_maps, inputs)


def test_moving_every_feature_by_one_vector_changes_nothing():
    features, selections = example()
    moved = features + torch.rand(1, 7, 1, 1, generator=seeded(2), dtype=torch.float64)
    torch.testing.assert_close(
        confidence_maps(moved, selections), confidence_maps(features, selections)
    )


def test_temperature_divides_the_logit():
    features, selections = example()
    cold, warm = (confidence_maps(features, selections, temperature=t) for t in (1.0, 4.0))
    torch.testing.assert_close(warm.logit() * 4, cold.logit())


def test_an_object_does_not_depend_on_its_batch():
    features, selections = example(dtype=torch.float32)
    alone = confidence_maps(features[1:], selections[1:])
    torch.testing.assert_close(confidence_maps(features, selections)[1:], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_features_are_computed_in_float32_even_under_autocast(dtype):
    features, selections = example(channels=64, dtype=dtype)
    expected = confidence_maps(features.float(), selections)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = confidence_maps(features, selections)
    assert ours.dtype == torch.float32
    assert torch.equal(ours, expected)


class Watch(TorchDispatchMode):
    """Record the largest result, and how many products read a tensor of a given size."""

    def __init__(self, feature_numel):
        super().__init__()
        self.feature_numel, self.largest, self.reads = feature_numel, 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        tensors = [value for value in args if isinstance(value, torch.Tensor)]
        if "mm" in str(func):
            self.reads += sum(value.numel() == self.feature_numel for value in tensors)
        if isinstance(result, torch.Tensor):
            self.largest = max(self.largest, result.numel())
        return result


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_reads_the_feature_twice_and_never_enlarges_it(memory_format):
    features = torch.rand(1, 512, 8, 8, generator=seeded()).to(memory_format=memory_format)
    selections = torch.rand(1, 3, 64, 64, generator=seeded()) > 0.5
    with Watch(features.numel()) as watch:
        confidence_maps(features, selections)
    assert watch.reads == 2
    assert watch.largest <= max(features.numel(), selections.numel())


@pytest.mark.parametrize(
    ("features", "selections", "options", "message"),
    [
        ((2, 3, 4), (2, 1, 8, 8), {}, r"features are torch.float32 of shape \(2, 3, 4\)"),
        ((2, 3, 4, 4), (1, 1, 8, 8), {}, r"selections have shape \(1, 1, 8, 8\).*B = 2"),
        ((2, 3, 4, 4), (2, 8, 8), {}, r"selections have shape \(2, 8, 8\); give \(B, K, H, W\)"),
        ((2, 3, 4, 4), (2, 1, 8, 8), {"temperature": 0.0}, r"temperature is 0.0; give a number"),
        (
            (2, 3, 4, 4),
            (2, 3, 8, 8),
            {"backgrounds": torch.ones(2, 2, 8, 8)},
            r"backgrounds have shape \(2, 2, 8, 8\); give 2 x \(1 or 3\) x 8 x 8",
        ),
    ],
)
def test_errors_say_what_was_got_and_wanted(features, selections, options, message):
    with pytest.raises(InputError, match=message):
        confidence_maps(torch.zeros(features), torch.zeros(selections), **options)
