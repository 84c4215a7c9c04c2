"""The simulated users: by hand and against literal slow versions."""

from dataclasses import replace

import numpy as np
import pytest

from openscenes.data import crops, interactions
from openscenes.data.crops import CropConfig
from openscenes.data.interactions import ClickConfig, depth, simulate
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError
from openscenes.settings import sources

IOG, HUMAN = ClickConfig(), ClickConfig(user="human")
CROP = CropConfig(size=24, margin_px=5)


def seeded(seed=0):
    return np.random.default_rng(seed)


def blob(seed=0, shape=(40, 60)):
    """An irregular object of several discs, away from the image's border."""
    rng, (rows, cols) = seeded(seed), np.mgrid[: shape[0], : shape[1]]
    mask = np.zeros(shape, bool)
    centre = rng.uniform((15, 20), (25, 40))
    for _ in range(4):
        row, col = centre + rng.uniform(-5, 5, size=2)
        mask |= (rows - row) ** 2 + (cols - col) ** 2 < rng.uniform(4, 7) ** 2
    return mask


def literal_depth(mask):
    """Distance of each pixel to the nearest outside pixel; one ring around the mask is outside."""
    rows, cols = np.nonzero(~np.pad(mask, 1))
    distances = np.zeros(mask.shape)
    for row, col in np.argwhere(mask):
        distances[row, col] = np.sqrt((rows - 1 - row) ** 2 + (cols - 1 - col) ** 2).min()
    return distances


def test_depth_counts_the_border_as_outside():
    assert np.allclose(depth(np.ones((3, 5), bool)), [[1] * 5, [1, 2, 2, 2, 1], [1] * 5])
    assert np.allclose(depth(blob(1)), literal_depth(blob(1)), atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_iogs_user_clicks_the_deepest_pixel_of_the_stretched_crop(seed):
    mask = blob(seed)
    interaction = simulate(mask, IOG, CROP, seeded())
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (rows[0], cols[0], rows[-1] + 1, cols[-1] + 1)
    assert interaction.box == box
    warped = crops.warp_mask(mask, crops.window_affine(Box(*box), CROP), CROP.size)
    best = max(literal_depth(warped).ravel())
    row, col = np.argwhere(literal_depth(warped) > best - 1e-4)[0]
    height, width = box[2] - box[0] + 10, box[3] - box[1] + 10
    wanted = Point(
        row=(row + 0.5) * height / CROP.size - 0.5 + box[0] - 5,
        col=(col + 0.5) * width / CROP.size - 0.5 + box[1] - 5,
    )
    assert np.allclose(interaction.point, wanted)


def test_of_equally_deep_pixels_the_first_in_raster_order_is_clicked():
    mask = np.zeros((40, 60), bool)
    mask[10:20, 15:35] = True
    crop = CropConfig(size=40, margin_px=10)
    point = simulate(mask, IOG, crop, seeded()).point
    warped = crops.warp_mask(mask, crops.window_affine(Box(10, 15, 20, 35), crop), 40)
    ties = np.argwhere(np.isclose(literal_depth(warped), literal_depth(warped).max()))
    assert len(ties) > 1
    affine = crops.window_affine(Box(10, 15, 20, 35), crop)
    assert np.allclose(crops.move_point(affine, point), ties[0])


def test_iogs_user_knows_no_chance():
    clicks = {simulate(blob(), IOG, CROP, seeded(seed)) for seed in range(5)}
    assert len(clicks) == 1


@pytest.mark.parametrize("config", [IOG, HUMAN], ids=["iog", "human"])
@pytest.mark.parametrize("seed", range(20))
def test_every_click_lies_in_the_mask(config, seed):
    mask = blob(seed)
    point = simulate(mask, config, CropConfig(48), seeded(seed)).point
    assert mask[round(point.row), round(point.col)]


def test_an_object_thinner_than_a_crop_pixel_is_still_clicked():
    mask = np.zeros((100, 100), bool)
    mask[40, 71] = True
    crop = CropConfig(size=16, margin_px=30)
    assert simulate(mask, IOG, crop, seeded()) == Interaction(Box(40, 71, 41, 72), Point(40, 71))


@pytest.mark.parametrize("config", [IOG, HUMAN], ids=["iog", "human"])
def test_an_empty_mask_is_refused(config):
    with pytest.raises(InputError, match="no click fits into an empty mask"):
        simulate(np.zeros((5, 5), bool), config, CROP, seeded())


def test_a_human_clicks_near_the_core_and_not_always_the_same_pixel():
    mask, points = blob(), set()
    depths = literal_depth(mask)
    for seed in range(60):
        point = simulate(mask, HUMAN, CROP, seeded(seed)).point
        assert depths[int(point.row), int(point.col)] >= 0.5 * depths.max() - 1e-4
        points.add(point)
    assert len(points) > 20
    eager = replace(HUMAN, core=1.0)
    deepest = simulate(mask, eager, CROP, seeded()).point
    assert depths[int(deepest.row), int(deepest.col)] == pytest.approx(depths.max(), abs=1e-4)


@pytest.mark.parametrize("jitter", [0.04, 3.0])
def test_a_humans_box_stays_inside_the_image(jitter):
    mask, config = blob(), replace(HUMAN, box_jitter=jitter)
    for seed in range(200):
        row0, col0, row1, col1 = simulate(mask, config, CROP, seeded(seed)).box
        assert 0 <= row0 <= row1 - 1 and row1 <= mask.shape[0]
        assert 0 <= col0 <= col1 - 1 and col1 <= mask.shape[1]


def test_a_humans_box_misses_by_a_share_of_the_side():
    mask = np.zeros((400, 400), bool)
    mask[150:250, 180:220] = True
    boxes = [simulate(mask, HUMAN, CROP, seeded(seed)).box for seed in range(300)]
    errors = np.array(boxes) - (150, 180, 250, 220)
    assert np.allclose(errors.std(axis=0), [4, 1.6, 4, 1.6], rtol=0.15)
    assert np.abs(errors.mean(axis=0)).max() < 0.8


def test_a_human_repeats_with_the_same_seed():
    assert simulate(blob(), HUMAN, CROP, seeded(3)) == simulate(blob(), HUMAN, CROP, seeded(3))
    assert simulate(blob(), HUMAN, CROP, seeded(3)) != simulate(blob(), HUMAN, CROP, seeded(4))


def test_every_setting_has_a_source():
    assert set(sources(ClickConfig)) == set(ClickConfig.__dataclass_fields__)


def test_one_reference_size():
    assert interactions.REFERENCE_PX == 512
