"""Enlargement and the convolutions that move before it."""

import torch
import torch.nn.functional as F

from openscenes.networks.enlargement import enlarge, fuse, resize
from openscenes.seeding import torch_generator


def test_two_by_two_becomes_three_by_three_with_the_corners_kept():
    logits = torch.tensor([[[[0.0, 2.0], [4.0, 6.0]]]])
    expected = torch.tensor([[[[0.0, 1.0, 2.0], [2.0, 3.0, 4.0], [4.0, 5.0, 6.0]]]])
    torch.testing.assert_close(enlarge(logits, (3, 3)), expected)


def test_enlarge_returns_float32_and_resize_in_the_precision_it_got():
    logits = torch.ones(1, 1, 2, 2, dtype=torch.bfloat16)
    assert enlarge(logits, (2, 2)).dtype == enlarge(logits, (4, 4)).dtype == torch.float32
    assert resize(logits, (4, 4)).dtype == torch.bfloat16


def test_the_same_grid_is_the_same_tensor():
    maps = torch.rand(1, 3, 5, 4, generator=torch_generator("same grid"))
    assert resize(maps, (5, 4)) is maps


def test_fuse_is_the_convolution_of_the_enlarged_concatenation():
    generator = torch_generator("fuse")
    sizes = ((1, 1), (3, 4), (3, 4), (6, 8))
    maps = [
        torch.rand(2, 3 + index, *size, generator=generator, dtype=torch.float64)
        for index, size in enumerate(sizes)
    ]
    weight = torch.randn(5, 3 + 4 + 5 + 6, 1, 1, generator=generator, dtype=torch.float64)
    literal = F.conv2d(torch.cat([resize(part, (6, 8)) for part in maps], dim=1), weight)
    torch.testing.assert_close(fuse(maps, weight, (6, 8)), literal, rtol=1e-12, atol=1e-12)
