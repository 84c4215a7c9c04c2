"""The peers' losses by hand on crops of two and four pixels a side."""

import math

import pytest
import torch
import torch.nn.functional as F

from openscenes.errors import InputError
from openscenes.networks.click_output import ClickOutput
from openscenes.peers.losses import (
    LossConfig,
    balanced_cross_entropy,
    bootstrapped_cross_entropy,
    click_error,
    diverse_loss,
    plain_cross_entropy,
    soft_iou_loss,
)
from openscenes.seeding import torch_generator

NO_CLICKS = torch.zeros(1, 1, 3)
EVERY = (plain_cross_entropy, balanced_cross_entropy, bootstrapped_cross_entropy, diverse_loss)


def square(*rows):
    """(1, 1, n, n) of the given rows."""
    return torch.tensor(rows)[None, None]


def output_of(*maps, selection=None):
    return ClickOutput(maps[0][:, :1], maps, selection)


def softplus(value):
    """The cross entropy of a logit that should be very negative."""
    return math.log1p(math.exp(value))


MASK = square([True, False], [False, False])
VOID = square([False, False], [False, True])
LOGITS = square([1.0, 2.0], [-1.0, 5.0])
BY_PIXEL = [softplus(-1.0), softplus(2.0), softplus(-1.0), softplus(5.0)]


def only(losses):
    (value,) = losses.values()
    return value


def test_plain_is_the_sum_over_maps_and_counted_pixels():
    output = output_of(LOGITS, torch.cat([LOGITS, -LOGITS], dim=1))
    flipped = [softplus(1.0), softplus(-2.0), softplus(1.0), softplus(-5.0)]
    counted = 2 * sum(BY_PIXEL[:3]) + sum(flipped[:3])
    assert only(plain_cross_entropy(output, MASK, VOID, NO_CLICKS)).tolist() == pytest.approx(
        [counted]
    )


def test_plain_enlarges_corner_to_corner():
    masks = torch.rand(2, 1, 4, 4, generator=torch_generator("masks")) > 0.5
    logits = torch.randn(2, 1, 3, 3, generator=torch_generator("logits"))
    large = F.interpolate(logits, (4, 4), mode="bilinear", align_corners=True)
    wanted = F.binary_cross_entropy_with_logits(large, masks.float(), reduction="none")
    losses = only(plain_cross_entropy(output_of(logits), masks, ~masks & masks, NO_CLICKS))
    torch.testing.assert_close(losses, wanted.sum(dim=(1, 2, 3)))


def test_balanced_weighs_each_kind_by_the_share_of_the_other():
    wanted = 3 / 4 * BY_PIXEL[0] + 1 / 4 * sum(BY_PIXEL[1:])
    losses = only(balanced_cross_entropy(output_of(LOGITS), MASK, VOID, NO_CLICKS))
    assert losses.tolist() == pytest.approx([wanted])


def test_balanced_may_skip_void():
    wanted = 2 / 3 * BY_PIXEL[0] + 1 / 3 * sum(BY_PIXEL[1:3])
    config = LossConfig(balanced_skips_void=True)
    losses = balanced_cross_entropy(output_of(LOGITS), MASK, VOID, NO_CLICKS, config=config)
    assert only(losses).tolist() == pytest.approx([wanted])


def test_balanced_counts_over_the_whole_batch():
    masks = torch.cat([MASK, torch.ones_like(MASK)])
    losses = only(
        balanced_cross_entropy(
            output_of(LOGITS.repeat(2, 1, 1, 1)), masks, torch.cat([VOID, VOID]), NO_CLICKS
        )
    )
    all_inside = [softplus(-1.0), softplus(-2.0), softplus(1.0), softplus(-5.0)]
    wanted = [3 / 8 * BY_PIXEL[0] + 5 / 8 * sum(BY_PIXEL[1:]), 3 / 8 * sum(all_inside)]
    assert losses.tolist() == pytest.approx(wanted)


@pytest.mark.parametrize(("share", "n_hard"), [(0.25, 1), (0.7, 2), (1.0, 3), (0.0, 1)])
def test_bootstrapped_counts_the_hardest_pixels_that_are_not_void(share, n_hard):
    config = LossConfig(hardest_share=share)
    losses = bootstrapped_cross_entropy(output_of(LOGITS), MASK, VOID, NO_CLICKS, config=config)
    hardest = sorted(BY_PIXEL[:3], reverse=True)
    assert only(losses).tolist() == pytest.approx([sum(hardest[:n_hard])])


def test_bootstrapped_takes_each_objects_own_share():
    n = 8
    masks = torch.rand(3, 1, n, n, generator=torch_generator("m")) > 0.5
    void = torch.rand(3, 1, n, n, generator=torch_generator("v")) > torch.tensor(
        [0.9, 0.3, 0.0]
    ).view(3, 1, 1, 1)
    logits = torch.randn(3, 1, n, n, generator=torch_generator("l"))
    losses = only(bootstrapped_cross_entropy(output_of(logits), masks, void, NO_CLICKS))
    for index in range(3):
        counted = ~void[index, 0]
        by_pixel = F.binary_cross_entropy_with_logits(
            logits[index, 0][counted], masks[index, 0][counted].float(), reduction="none"
        )
        hardest = sorted(by_pixel.tolist(), reverse=True)[: len(by_pixel) // 4]
        assert losses[index].item() == pytest.approx(sum(hardest), rel=1e-5)


def test_soft_iou_by_hand():
    probability = square([0.5, 0.25], [0.0, 1.0])
    assert soft_iou_loss(probability, MASK, VOID).item() == pytest.approx(1 - 0.5 / 1.25)
    none_void = torch.zeros_like(VOID)
    assert soft_iou_loss(probability, MASK, none_void).item() == pytest.approx(1 - 0.5 / 2.25)
    assert soft_iou_loss(MASK.float(), MASK, VOID).item() == pytest.approx(0.0)
    assert soft_iou_loss(probability, MASK, ~none_void).item() == 1.0


def test_click_error_by_hand():
    probability = torch.cat([square([0.9, 0.4], [0.2, 0.3]), square([0.5, 0.5], [0.5, 0.5])], 1)
    clicks = torch.tensor([[[0.2, 0, 1], [1, 0.9, -1], [0, 0, 0]]])
    wanted = ((0.1 + 0.5) / 2 + (0.3 + 0.5) / 2) / 2
    assert click_error(probability, clicks).item() == pytest.approx(wanted)
    assert click_error(probability, NO_CLICKS).item() == 0.0


def test_diverse_loss_by_hand():
    probability = torch.tensor([0.9, 0.2, 0.4]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    selection = torch.tensor([[1.0, 2.0, 3.0]])
    clicks = torch.tensor([[[0.0, 0, 1]]])
    losses = diverse_loss(
        output_of(probability.logit(), selection=selection),
        torch.ones_like(MASK), torch.zeros_like(MASK), clicks,
    )  # fmt: skip
    fits = [0.1, 0.8, 0.6]
    wanted = {
        "closest_candidate": 0.1,
        "ordered_candidates": 0.0025 * (4 * 0.1 + 2 * 0.8 + 1 * 0.6),
        "clicked_pixels": sum(fits) / 3,
        "selection": math.log(math.e + math.e**2 + math.e**3) - 1.0,  # the first is the best
    }
    assert set(losses) == set(wanted)
    for name, value in wanted.items():
        assert losses[name].tolist() == pytest.approx([4 * value], rel=1e-4), name


def test_published_order_weights_halve_from_32():
    logits = torch.full((1, 6, 2, 2), -50.0)
    losses = diverse_loss(
        output_of(logits, selection=torch.zeros(1, 6)), MASK, torch.zeros_like(MASK), NO_CLICKS
    )
    assert losses["ordered_candidates"].item() == pytest.approx(4 * 0.0025 * 63)


def test_only_the_closest_candidate_learns_from_the_first_term():
    logits = torch.stack([LOGITS[0, 0], -LOGITS[0, 0]])[None].requires_grad_()
    output = output_of(logits, selection=torch.zeros(1, 2))
    diverse_loss(output, MASK, VOID, NO_CLICKS)["closest_candidate"].sum().backward()
    learning = logits.grad.abs().sum(dim=(0, 2, 3)) > 0
    fits = soft_iou_loss(logits.detach().sigmoid(), MASK, VOID)[0]
    assert learning.tolist() == [bool(fit == fits.min()) for fit in fits]


def test_the_best_candidate_is_judged_without_void():
    inside_and_void = square([9.0, -9.0], [-9.0, 9.0])  # right but for the void pixel
    too_much = square([9.0, 9.0], [-9.0, -9.0])
    logits = torch.cat([too_much, inside_and_void], dim=1)
    selection = torch.tensor([[0.0, 50.0]])
    losses = diverse_loss(output_of(logits, selection=selection), MASK, VOID, NO_CLICKS)
    assert losses["selection"].item() == pytest.approx(0.0, abs=1e-6)


def test_a_network_that_selects_nothing_is_refused():
    with pytest.raises(InputError, match="selection is None; train this network with another"):
        diverse_loss(output_of(LOGITS), MASK, VOID, NO_CLICKS)


@pytest.mark.parametrize("loss", EVERY)
def test_a_sum_stays_finite_where_nothing_counts(loss):
    output = output_of(LOGITS.bfloat16(), selection=torch.zeros(1, 1))
    for value in loss(output, MASK & ~MASK, VOID | True, NO_CLICKS).values():
        assert value.shape == (1,) and value.dtype == torch.float32
        assert torch.isfinite(value).all()


@pytest.mark.parametrize("loss", [EVERY[0], EVERY[2], EVERY[3]])
def test_objects_do_not_see_each_other(loss):
    masks = torch.rand(3, 1, 8, 8, generator=torch_generator("masks")) > 0.5
    void = torch.rand(3, 1, 8, 8, generator=torch_generator("void")) > 0.8
    logits = torch.randn(3, 2, 8, 8, generator=torch_generator("logits"))
    clicks = torch.tensor([[[1.0, 2, 1]], [[5, 5, -1]], [[0, 0, 0]]])
    selection = torch.randn(3, 2, generator=torch_generator("selection"))
    together = loss(output_of(logits, selection=selection), masks, void, clicks)
    for i in range(3):
        part = slice(i, i + 1)
        output = output_of(logits[part], selection=selection[part])
        alone = loss(output, masks[part], void[part], clicks[part])
        for name, value in alone.items():
            torch.testing.assert_close(value, together[name][part])


def test_a_share_is_a_share():
    with pytest.raises(InputError, match="hardest_share is 2; give a number between 0 and 1"):
        LossConfig(hardest_share=2)
