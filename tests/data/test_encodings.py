"""Every click encoding: by hand and against literal slow versions."""

import math

import numpy as np
import pytest
import torch

from openscenes.data.interactions import (
    ClickConfig,
    disk_maps,
    distance_maps,
    gaussian_maps,
    heat_maps,
)
from openscenes.errors import InputError

IOG = ClickConfig()
ENCODINGS = {"gaussian": gaussian_maps, "disk": disk_maps, "distance": distance_maps}


def literal_maps(point, box, size, config):
    scale = size / 512
    row0, col0, row1, col1 = box
    out = config.corner_offset_px * scale
    corners = [(r, c) for r in (row0 - out, row1 - 1 + out) for c in (col0 - out, col1 - 1 + out)]
    maps = np.zeros((2, size, size))
    for channel, points in enumerate([[point], corners]):
        for point_row, point_col in points:
            # torch and Python both round halves to even
            centre = round(point_row), round(point_col)
            if channel:
                centre = min(max(centre[0], 0), size), min(max(centre[1], 0), size)
            for row in range(size):
                for col in range(size):
                    squared = (row - centre[0]) ** 2 + (col - centre[1]) ** 2
                    width = config.heat_map_width_px * scale
                    value = 255 * math.exp(-4 * math.log(2) * squared / width**2)
                    maps[channel, row, col] = max(maps[channel, row, col], value)
    return maps


def maps_of(point, box=(0, 0, 8, 8), size=512, config=IOG):
    return heat_maps(torch.tensor([point]).float(), torch.tensor([box]).float(), size, config)[0]


def test_the_width_is_the_full_width_at_half_maximum():
    foreground = maps_of((100, 200))[0]
    assert foreground[100, 200] == 255
    for row, col in [(105, 200), (95, 200), (100, 205), (100, 195)]:
        assert foreground[row, col].item() == pytest.approx(127.5)
    assert foreground[110, 200].item() == pytest.approx(255 / 16)
    assert (foreground >= 1).sum() == 621


def test_the_summit_lies_on_the_nearest_pixel():
    foreground = maps_of((99.6, 200.4))[0]
    assert foreground.amax() == 255
    assert foreground.flatten().argmax() == 100 * 512 + 200


@pytest.mark.parametrize("seed", range(4))
def test_four_corners_are_the_pairwise_maximum(seed):
    rng = np.random.default_rng(seed)
    low, high = rng.uniform(-2, 15, size=2), rng.uniform(17, 40, size=2)
    box, point = (*low, *high), tuple(rng.uniform(0, 31, size=2))
    config = ClickConfig(heat_map_width_px=120.0, corner_offset_px=40.0)
    ours = heat_maps(torch.tensor([point]), torch.tensor([box]), 32, config)
    assert ours.dtype == torch.float32
    assert np.abs(ours[0].numpy() - literal_maps(point, box, 32, config)).max() < 1e-3


def test_corners_lie_outside_the_box_by_the_offset():
    background = maps_of((300, 300), box=(200, 210, 300, 330))[1]
    # the last pixels of a half-open box are 299 and 329
    summits = [[190, 200], [190, 339], [309, 200], [309, 339]]
    assert (background == 255).nonzero().tolist() == summits


def test_pixel_settings_scale_with_the_crop():
    config = ClickConfig(heat_map_width_px=16, corner_offset_px=20)
    foreground, background = maps_of((100, 100), box=(40, 50, 80, 90), size=256, config=config)
    assert foreground[104, 100].item() == pytest.approx(127.5)
    assert background[30, 40] == background[89, 99] == 255
    large, small = maps_of((256, 256), size=512), maps_of((64, 64), size=128)
    assert torch.allclose(large[0, ::4, ::4], small[0])


def test_corners_outside_the_crop_are_brought_to_its_edge():
    background = maps_of((256, 256), box=(0, 0, 512, 512))[1]
    assert background[0, 0] == 255
    # one past the last pixel, as in IOG
    assert background[511, 511].item() == pytest.approx(255 * math.exp(-8 * math.log(2) / 100))


def test_batches_do_not_mix():
    points = torch.tensor([[3.0, 4.0], [20.0, 9.0]])
    boxes = torch.tensor([[1.0, 1.0, 9.0, 9.0], [12.0, 3.0, 30.0, 20.0]])
    together = heat_maps(points, boxes, 32, IOG)
    assert together.shape == (2, 2, 32, 32)
    for i in range(2):
        assert torch.equal(together[i : i + 1], heat_maps(points[i:][:1], boxes[i:][:1], 32, IOG))


def clicks_of(*clicks):
    return torch.tensor([clicks], dtype=torch.float32)


def random_clicks(seed, n_crops=3, n_clicks=5, size=12):
    rng = np.random.default_rng(seed)
    places = rng.uniform(-1, size, size=(n_crops, n_clicks, 2))
    signs = rng.integers(-1, 2, size=(n_crops, n_clicks, 1))
    return torch.from_numpy(np.concatenate([places * (signs != 0), signs], axis=2)).float()


def literal_nearest(clicks, size):
    """Distance to the nearest click of each kind, pixel by pixel; inf without any."""
    nearest = np.full((len(clicks), 2, size, size), math.inf)
    for b, each in enumerate(clicks.tolist()):
        for row, col, sign in each:
            for y in range(size):
                for x in range(size):
                    if sign:
                        away = math.hypot(y - round(row), x - round(col))
                        channel = 0 if sign > 0 else 1
                        nearest[b, channel, y, x] = min(nearest[b, channel, y, x], away)
    return nearest


def test_three_by_three_by_hand():
    clicks = clicks_of((0, 1, 1), (0, 0, 0), (2, 2, -1))
    positive, negative = distance_maps(clicks, 3, 2.0)[0]
    root = math.sqrt(2)
    assert torch.allclose(positive, torch.tensor([[1, 0, 1], [root, 1, root], [2, 2, 2.0]]))
    assert torch.allclose(negative, torch.tensor([[2, 2, 2], [2, root, 1], [2, 1, 0.0]]))
    positive, negative = disk_maps(clicks, 3, 1.0)[0]
    assert positive.tolist() == [[1, 1, 1], [0, 1, 0], [0, 0, 0]]
    assert negative.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 1]]
    positive, negative = gaussian_maps(clicks, 3, 2.0)[0]
    half = torch.tensor([[0.5, 1, 0.5], [0.25, 0.5, 0.25], [1 / 32, 1 / 16, 1 / 32]])
    assert torch.allclose(positive, half)
    assert torch.allclose(negative[2], torch.tensor([1 / 16, 0.5, 1]))


@pytest.mark.parametrize("seed", range(4))
def test_encodings_agree_with_the_literal_ones(seed):
    clicks = random_clicks(seed)
    nearest = literal_nearest(clicks, 12)
    wanted = np.exp(-4 * math.log(2) * nearest**2 / 3.0**2)
    assert np.allclose(gaussian_maps(clicks, 12, 3.0), wanted, atol=1e-6)
    assert np.array_equal(disk_maps(clicks, 12, 3.0), nearest <= 3.0)
    assert np.allclose(distance_maps(clicks, 12, 6.3), np.minimum(nearest, 6.3), atol=1e-6)


def test_without_a_click_of_a_kind_its_channel_is_far_everywhere():
    for clicks in (torch.zeros(2, 4, 3), torch.zeros(2, 0, 3)):
        assert (gaussian_maps(clicks, 16, 10.0) == 0).all()
        assert (disk_maps(clicks, 16, 5.0) == 0).all()
        assert (distance_maps(clicks, 16, 0.3) == np.float32(0.3)).all()


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_padding_and_the_order_of_clicks_do_not_matter(encode):
    clicks = random_clicks(7)
    padded = torch.cat([torch.zeros(3, 2, 3), clicks.flip(1)], dim=1)
    assert torch.equal(encode(clicks, 12, 4.0), encode(padded, 12, 4.0))


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_opposite_signs_change_channels_and_batches_do_not_mix(encode):
    clicks = random_clicks(8)
    maps = encode(clicks, 12, 4.0)
    assert maps.shape == (3, 2, 12, 12) and maps.dtype == torch.float32
    opposite = encode(clicks * torch.tensor([1.0, 1.0, -1.0]), 12, 4.0)
    assert torch.equal(opposite, maps.flip(1))
    assert torch.equal(encode(clicks[1:2], 12, 4.0), maps[1:2])


def test_a_gaussian_has_its_width_at_half_its_height():
    gaussian = gaussian_maps(clicks_of((20, 30, -1)), 64, 10.0)[0, 1]
    assert gaussian[20, 30] == 1
    assert gaussian[25, 30].item() == pytest.approx(0.5) == gaussian[20, 25].item()


def test_a_click_counts_at_its_nearest_pixel():
    assert distance_maps(clicks_of((1.6, 3.4, 1)), 8, 255.0)[0, 0].flatten().argmin() == 2 * 8 + 3


def test_maps_follow_the_clicks_to_their_device():
    clicks = torch.empty(2, 3, 3, device="meta")
    assert all(encode(clicks, 8, 2.0).device.type == "meta" for encode in ENCODINGS.values())


@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 2)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(InputError, match=r"must be a \(B, K, 3\) tensor.*got shape"):
        disk_maps(torch.zeros(shape), 8, 2.0)
