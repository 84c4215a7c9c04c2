"""Enlargement and the convolutions that move before it."""

import pytest
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


@pytest.fixture
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("align_corners", [True, False], ids=["corners", "areas"])
@pytest.mark.parametrize(
    ("small", "large"), [((3, 5), (12, 7)), ((1, 1), (4, 6)), ((6, 8), (3, 4))],
    ids=["larger", "one cell", "smaller"],
)  # fmt: skip
def test_products_are_the_interpolation_and_its_gradient(small, large, align_corners):
    generator = torch_generator("products")
    maps = torch.randn(2, 3, *small, generator=generator, dtype=torch.float64)
    weights = torch.randn(2, 3, *large, generator=generator, dtype=torch.float64)
    found = []
    for mode in (False, True):
        own = maps.clone().requires_grad_()
        torch.use_deterministic_algorithms(mode)
        try:
            made = resize(own, large, align_corners=align_corners)
            (made * weights).sum().backward()
        finally:
            torch.use_deterministic_algorithms(False)
        found.append((made.detach(), own.grad))
    literal = F.interpolate(maps, large, mode="bilinear", align_corners=align_corners)
    assert torch.equal(found[0][0], literal), "torch's own is torch's own"
    torch.testing.assert_close(found[1], found[0], rtol=1e-12, atol=1e-12)


def test_deterministic_enlargement_interpolates_nothing(deterministic, monkeypatch):
    monkeypatch.setattr(F, "interpolate", None)
    half = torch.rand(1, 2, 3, 3, generator=torch_generator("half")).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = resize(half, (7, 7))
    assert made.dtype == torch.bfloat16
    with torch.inference_mode():
        enlarge(half, (7, 7))
    own = torch.rand(1, 2, 3, 3, requires_grad=True)
    enlarge(own, (7, 7)).sum().backward()  # weights made in inference mode serve a gradient
    torch.testing.assert_close(own.grad.sum(), torch.tensor(98.0))
