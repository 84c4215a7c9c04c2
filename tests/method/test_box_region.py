"""Where a mask may lie: by hand on a small grid."""

import torch

from openscenes.method.box_region import box_region, inside_lines

BOX = torch.tensor([[1.0, 2.0, 3.0, 5.0]])  # rows 1-2, columns 2-4


def test_the_region_is_the_half_open_box():
    region = box_region(BOX, 6, 0.0)[0, 0]
    assert region.nonzero().tolist() == [[r, c] for r in (1, 2) for c in (2, 3, 4)]


def test_a_margin_widens_each_side_by_its_share():
    rows, cols = inside_lines(BOX, 6, margin=0.5 * (BOX[:, 2:] - BOX[:, :2]))
    assert rows[0].nonzero().flatten().tolist() == [0, 1, 2, 3]
    assert cols[0].nonzero().flatten().tolist() == [1, 2, 3, 4, 5]
    assert torch.equal(box_region(BOX, 6, 0.5)[0, 0], rows[0][:, None] & cols[0][None])
