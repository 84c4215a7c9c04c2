"""What box and click say: by hand on small grids."""

import math

import pytest
import torch

from openscenes.errors import InputError
from openscenes.method.beyond.box_losses import (
    BoxLossConfig,
    box_region,
    click_loss,
    inside_lines,
    side_loss,
)

BOX = torch.tensor([[1.0, 2.0, 3.0, 5.0]])  # rows 1-2, columns 2-4
SURE, NEVER = 20.0, -20.0


def painted(*pixels: tuple[int, int]) -> torch.Tensor:
    """Logits of a 6 x 6 map that is sure of these pixels alone."""
    logits = torch.full((1, 1, 6, 6), NEVER)
    for row, col in pixels:
        logits[0, 0, row, col] = SURE
    return logits


def test_the_region_is_the_half_open_box():
    region = box_region(BOX, 6, 0.0)[0, 0]
    assert region.nonzero().tolist() == [[r, c] for r in (1, 2) for c in (2, 3, 4)]


def test_a_margin_widens_each_side_by_its_share():
    rows, cols = inside_lines(BOX, 6, margin=0.5 * (BOX[:, 2:] - BOX[:, :2]))
    assert rows[0].nonzero().flatten().tolist() == [0, 1, 2, 3]
    assert cols[0].nonzero().flatten().tolist() == [1, 2, 3, 4, 5]
    assert torch.equal(box_region(BOX, 6, 0.5)[0, 0], rows[0][:, None] & cols[0][None])


def test_an_object_that_touches_all_sides_costs_nothing():
    assert side_loss(painted((1, 2), (2, 4)), BOX, band=0.0).item() < 1e-6
    assert side_loss(painted((1, 3), (2, 2), (2, 4)), BOX, band=0.0).item() < 1e-6


def test_each_untouched_side_costs_a_quarter_of_its_cross_entropy():
    missed = math.log1p(math.exp(SURE))
    without_right = side_loss(painted((1, 2), (2, 2)), BOX, band=0.0).item()
    assert without_right == pytest.approx(missed / 4, rel=1e-5)
    nothing = side_loss(painted(), BOX, band=0.0).item()
    assert nothing == pytest.approx(missed, rel=1e-5)


def test_a_pixel_beside_the_side_or_outside_the_box_does_not_touch_it():
    assert side_loss(painted((0, 2), (3, 4)), BOX, band=0.0).item() > 15
    assert side_loss(painted((1, 0), (2, 0), (1, 5)), BOX, band=0.0).item() > 10


def test_a_band_forgives_a_box_that_is_too_large():
    inner = painted((2, 3))
    wide = torch.tensor([[1.0, 2.0, 4.0, 5.0]])
    assert side_loss(inner, wide, band=0.0).item() > 15
    assert side_loss(inner, wide, band=1.0).item() < 1e-6


def test_sides_outside_the_crop_are_left_out_and_gradients_reach_one_pixel_per_side():
    outside = torch.tensor([[-9.0, 2.0, 3.0, 5.0]])
    logits = torch.zeros(1, 1, 6, 6, requires_grad=True)
    side_loss(logits, outside, band=0.0).sum().backward()
    assert logits.grad[0, 0].sum() == pytest.approx(-3 * 0.5 / 4)


def test_the_click_is_pulled_up_where_it_is():
    logits = torch.zeros(2, 1, 4, 4, requires_grad=True)
    losses = click_loss(logits, torch.tensor([[1.2, 2.0], [9.0, 0.0]]))
    assert losses.tolist() == pytest.approx([math.log(2), 0.0])
    losses.sum().backward()
    assert logits.grad.nonzero().tolist() == [[0, 0, 1, 2]]


def test_a_weight_below_zero_is_refused():
    with pytest.raises(InputError, match="side_weight"):
        BoxLossConfig(side_weight=-1.0)
