"""Affine maps and warps: by hand, as laws, and against doing it step by step."""

import cv2
import numpy as np
import pytest

from openscenes.data import crops, pasting
from openscenes.data.crops import Augmentation, CropConfig
from openscenes.data.records import Box, Point
from openscenes.errors import InputError
from openscenes.settings import sources

BOX = Box(10, 20, 30, 60)
SHAPE = (48, 90)


def augmented(seed, **ranges):
    return crops.random_affine(SHAPE, Augmentation(**ranges), np.random.default_rng(seed))


def random_points(n=50):
    return np.random.default_rng(0).uniform(-20, 100, size=(n, 2))


def smooth(shape=SHAPE):
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    return (0.5 + 0.25 * np.sin(rows / 9) + 0.25 * np.cos(cols / 11)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_the_composed_warp_moves_points_as_the_single_steps_do(seed):
    warp = augmented(seed)
    window = crops.window_affine(BOX, CropConfig(64))
    step_by_step = crops.apply(window, crops.apply(warp, random_points()))
    assert np.allclose(crops.apply(crops.compose(window, warp), random_points()), step_by_step)


@pytest.mark.parametrize("seed", range(5))
def test_the_inverse_takes_points_back(seed):
    affine = crops.compose(crops.window_affine(BOX, CropConfig(64)), augmented(seed))
    back = crops.apply(crops.invert(affine), crops.apply(affine, random_points()))
    assert np.allclose(back, random_points())


def test_the_identity_moves_nothing():
    assert np.array_equal(crops.apply(crops.identity(), random_points()), random_points())
    assert np.array_equal(crops.compose(crops.identity(), augmented(0)), augmented(0))


def test_move_point_speaks_of_rows_first():
    shifted = np.array([[2.0, 0, 5], [0, 3.0, 7]])
    assert crops.move_point(shifted, Point(row=10, col=1)) == Point(row=37, col=7)


def test_window_by_hand():
    # 20 + 60 rows on 80 pixels, 40 + 60 columns on 80 pixels
    config = CropConfig(size=80, margin_px=30)
    window = crops.window_affine(BOX, config)
    assert np.allclose(window[:, :2], [[0.8, 0], [0, 1.0]])
    assert np.allclose(crops.move_box(window, BOX), (30, 24, 50, 56))
    widened = Box(BOX.row0 - 30, BOX.col0 - 30, BOX.row1 + 30, BOX.col1 + 30)
    assert np.allclose(crops.move_box(window, widened), (0, 0, 80, 80))


def test_a_box_without_an_inside_still_has_a_window():
    window = crops.window_affine(Box(5, 5, 5, 5), CropConfig(size=32, margin_px=0))
    assert np.isfinite(window).all()
    assert np.allclose(window[:, :2], [[32, 0], [0, 32]])


def test_the_window_cuts_the_pixels_it_names():
    image = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), np.uint8)
    window = crops.window_affine(Box(8, 16, 40, 48), CropConfig(size=32, margin_px=0))
    assert np.array_equal(crops.warp_image(image, window, 32), image[8:40, 16:48])


def test_outside_the_image_is_black_and_empty():
    window = crops.window_affine(Box(0, 0, 16, 16), CropConfig(size=32, margin_px=8))
    image = np.full((*SHAPE, 3), 200, np.uint8)
    crop = crops.warp_image(image, window, 32)
    assert (crop[:8] == 0).all() and (crop[:, :8] == 0).all() and (crop[8:, 8:] == 200).all()
    mask = crops.warp_mask(np.ones(SHAPE, bool), window, 32)
    assert mask.dtype == bool
    assert mask[8:, 8:].all() and mask.sum() == 24 * 24


def test_a_mask_pixel_counts_from_one_half_on():
    mask = np.zeros((4, 8), bool)
    mask[:, :3] = True
    halved = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]])
    # columns 0-1 lie inside, 2-3 are half inside, 4-7 outside
    assert crops.warp_mask(mask, halved, 4)[0].tolist() == [True, True, False, False]
    for share, counts in ((0.75, True), (0.25, False)):
        shifted = np.array([[1.0, 0, share - 1], [0, 1.0, 0]])
        assert crops.warp_mask(mask, shifted, 4)[0].tolist() == [True, True, counts, False]


@pytest.mark.parametrize("seed", range(5))
def test_pasting_a_crop_back_gives_the_image_inside_and_zero_outside(seed):
    affine = crops.compose(crops.window_affine(Box(10, 20, 40, 60), CropConfig(96, 4)),
                           augmented(seed))  # fmt: skip
    crop = cv2.warpAffine(smooth(), affine, (96, 96))
    pasted = pasting.paste(crop, affine, SHAPE)
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    moved = crops.apply(affine, np.stack([cols, rows], axis=-1).reshape(-1, 2))
    inside = ((moved > 3) & (moved < 92)).all(axis=1).reshape(SHAPE)
    inside &= (np.minimum(rows, SHAPE[0] - 1 - rows) > 2) & (cols > 2) & (cols < SHAPE[1] - 3)
    outside = ((moved < -3) | (moved > 98)).any(axis=1).reshape(SHAPE)
    assert inside.sum() > 300 and outside.sum() > 300
    assert np.abs(pasted - smooth())[inside].max() < 0.02
    assert (pasted[outside] == 0).all()


def test_pasted_probabilities_do_not_overshoot():
    step = np.zeros((32, 32), np.float32)
    step[:, 16:] = 1
    window = crops.window_affine(Box(10, 20, 40, 60), CropConfig(32, 4))
    pasted = pasting.paste(step, window, SHAPE)
    assert pasted.min() == 0 and pasted.max() == 1


def test_a_flip_moves_a_click_to_the_mirrored_pixel():
    still = {"rotation_deg": 0.0, "zoom_min": 1.0, "zoom_max": 1.0}
    moved = {crops.move_point(augmented(seed, **still), Point(7, 12)) for seed in range(20)}
    assert moved == {Point(7, 12), Point(7, SHAPE[1] - 1 - 12)}
    assert crops.move_point(augmented(0, flip=False, **still), Point(7, 12)) == Point(7, 12)
    mirrored = next(affine for seed in range(20) if (affine := augmented(seed, **still))[0, 0] < 0)
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    assert np.array_equal(crops.warp_image(image, mirrored, 90)[:48], image[:48, ::-1])


def test_drawn_warps_keep_the_centre_and_their_ranges():
    warps = [augmented(seed) for seed in range(300)]
    centre = Point((SHAPE[0] - 1) / 2, (SHAPE[1] - 1) / 2)
    assert np.allclose([crops.move_point(warp, centre) for warp in warps], [centre] * 300)
    zooms = np.sqrt([abs(np.linalg.det(warp[:, :2])) for warp in warps])
    angles = np.degrees([np.arctan2(-warp[1, 0], abs(warp[1, 1])) for warp in warps])
    assert 0.75 <= zooms.min() < 0.78 and 1.22 < zooms.max() <= 1.25
    assert 18 < np.abs(angles).max() <= 20
    assert 100 < sum(warp[0, 0] < 0 for warp in warps) < 200


def test_the_hull_of_a_turned_box():
    square, centre = Box(10, 10, 20, 20), (14.5, 14.5)
    quarter, eighth = (cv2.getRotationMatrix2D(centre, angle, 1.0) for angle in (90, 45))
    assert np.allclose(crops.move_box(quarter, square), square)
    half = 5 * np.sqrt(2)
    wanted = (15 - half, 15 - half, 15 + half, 15 + half)
    assert np.allclose(crops.move_box(eighth, square), wanted)
    tall = crops.move_box(cv2.getRotationMatrix2D(centre, 90, 1.0), Box(5, 12, 25, 18))
    assert np.allclose(tall, (12, 5, 18, 25))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 8}, "size is 8; give a whole number between 16 and 4096"),
        ({"size": 10**9}, "size is 1000000000; give a whole number"),
        ({"size": 32.0}, "size is 32.0; give a whole number"),
        ({"size": True}, "size is True; give a whole number"),
        ({"margin_px": -1.0}, "margin_px is -1.0; give a number between 0 and"),
        ({"margin_px": float("nan")}, "margin_px is nan; give a number"),
        ({"margin_share": "1"}, "margin_share is '1'; give a number"),
        ({"region": ["box"]}, "choose one of box, image"),
    ],
)
def test_an_impossible_crop_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        CropConfig(**wrong)


def test_every_setting_has_a_source():
    assert set(sources(CropConfig)) == {"size", "margin_px", "margin_share", "region"}
    assert set(sources(Augmentation)) == set(Augmentation.__dataclass_fields__)


def test_a_margin_share_grows_with_the_box_and_zooming_in_leaves_less_of_it() -> None:
    config = CropConfig(size=100, margin_px=0.0, margin_share=0.5)
    affine = crops.window_affine(Box(0, 0, 10, 20), config)
    assert crops.move_box(affine, Box(0, 0, 10, 20)) == pytest.approx((25, 25, 75, 75))
    zoomed = crops.window_affine(Box(0, 0, 20, 40), config, zoom=2.0)
    assert crops.move_box(zoomed, Box(0, 0, 20, 40)) == pytest.approx(
        (50 / 3,) * 2 + (250 / 3,) * 2
    )


def test_the_box_follows_clicks_on_the_object_that_its_crop_does_not_show():
    box, config = Box(10.0, 10.0, 30.0, 30.0), CropConfig(size=40, margin_px=10.0)  # shows 0 to 40

    def followed(*clicks):
        return crops.box_that_follows(box, np.array(clicks).reshape(-1, 3), (100, 100), config)

    assert followed() == followed((39, 5, 1), (60, 60, -1), (20, 120, 1)) == box
    assert followed((50, 20, 1)) == Box(10.0, 10.0, 51.0, 30.0)
    assert followed((50, 20, 1), (20, 99, 1), (5, 5, 1)) == Box(10.0, 10.0, 51.0, 100.0)
