"""Four clicks near an object's extremes, each drawn from the object's own generator."""

import pytest
import torch
from torch import Tensor

from openscenes.errors import InputError
from openscenes.peers.click_sampling import extreme_points
from openscenes.seeding import torch_generator

CROSS = torch.tensor([[0, 1, 0, 0], [1, 1, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=torch.bool)


def generators(n: int, name: str = "extremes") -> list[torch.Generator]:
    return [torch_generator(name, index) for index in range(n)]


def drawn(mask: Tensor, slack_px: float, times: int) -> Tensor:
    """(times, 4, 3): the same mask, ``times`` generators."""
    return extreme_points(
        mask.expand(times, 1, *mask.shape), slack_px=slack_px, generators=generators(times)
    )


def test_left_right_top_and_bottom_of_a_cross():
    clicks = drawn(CROSS, 0, 1)
    assert clicks.dtype == torch.float32
    assert clicks.tolist() == [[[1, 0, 1], [1, 3, 1], [0, 1, 1], [2, 1, 1]]]


def test_exact_ties_are_all_drawn_about_equally_often():
    mask = torch.zeros(6, 6, dtype=torch.bool)
    mask[1:5, 2:4] = True
    rows = drawn(mask, 0, 400)[:, 0, 0]
    counts = torch.bincount(rows.long(), minlength=6)
    assert counts[[0, 5]].tolist() == [0, 0]
    assert counts[1:5].min() > 70  # 100 each, standard deviation 8.7


@pytest.mark.parametrize("slack_px", [0, 2, 5])
def test_every_pixel_within_the_slack_is_drawn_and_no_other(slack_px):
    rows, cols = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    mask = (rows - 8) ** 2 + 2 * (cols - 7) ** 2 < 40
    inside = [(int(r), int(c)) for r, c in mask.nonzero()]
    left, bottom = min(c for _, c in inside), max(r for r, _ in inside)
    clicks = drawn(mask, slack_px, 600)
    assert {(int(r), int(c)) for r, c, _ in clicks[:, 0]} == {
        (r, c) for r, c in inside if c <= left + slack_px
    }
    assert {(int(r), int(c)) for r, c, _ in clicks[:, 3]} == {
        (r, c) for r, c in inside if r >= bottom - slack_px
    }


def test_an_empty_mask_has_no_clicks_and_does_not_disturb_its_neighbours():
    masks = torch.stack([torch.zeros_like(CROSS), CROSS])[:, None]
    clicks = extreme_points(masks, slack_px=1, generators=generators(2))
    alone = extreme_points(masks[1:], slack_px=1, generators=generators(2)[1:])
    assert clicks[0].tolist() == [[0, 0, 0]] * 4
    assert torch.equal(clicks[1:], alone)


def test_no_masks_no_clicks():
    assert extreme_points(torch.zeros(0, 1, 4, 4).bool(), slack_px=0, generators=[]).shape == (
        0,
        4,
        3,
    )


def test_a_negative_slack_or_a_missing_generator_is_an_error():
    with pytest.raises(InputError, match="slack of -1 px and 1 generators for 1 masks"):
        extreme_points(CROSS[None, None], slack_px=-1, generators=generators(1))
    with pytest.raises(InputError, match="0 generators for 1 masks; .* one generator per mask"):
        extreme_points(CROSS[None, None], slack_px=0, generators=[])
