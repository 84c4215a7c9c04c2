"""Pools as one product are the pools that PyTorch makes."""

import pytest
import torch
import torch.nn.functional as F

from openscenes.networks.iog import POOLS, averages
from openscenes.seeding import torch_generator


@pytest.mark.parametrize("size", [(28, 28), (7, 10), (2, 5)])
def test_averages_are_adaptive_pools(size):
    maps = torch.randn(2, 3, *size, generator=torch_generator("maps"))
    for memory in (torch.contiguous_format, torch.channels_last):
        pools = averages(maps.contiguous(memory_format=memory), POOLS)
        for side, pool in zip(POOLS, pools, strict=True):
            torch.testing.assert_close(pool, F.adaptive_avg_pool2d(maps, side))


def test_averages_first_made_in_inference_can_be_trained_through():
    maps = torch.randn(1, 2, 11, 13, generator=torch_generator("maps"))
    with torch.inference_mode():
        averages(maps, POOLS)
    maps.requires_grad_(True)
    sum(pool.square().sum() for pool in averages(maps, POOLS)).backward()
    assert maps.grad.abs().sum() > 0
