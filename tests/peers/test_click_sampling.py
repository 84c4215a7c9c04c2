"""Clicks to train with: counts, places and spacing of each strategy; the largest error by hand."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from openscenes.errors import InputError
from openscenes.peers.click_sampling import (
    IFCN_SAMPLING,
    LATENT_SAMPLING,
    SamplingConfig,
    add_error_click,
    add_error_clicks,
    sample_clicks,
    sample_slots,
)
from openscenes.settings import sources

SIZE = 512
PRESETS = pytest.mark.parametrize(
    "config", [IFCN_SAMPLING, LATENT_SAMPLING], ids=["ifcn", "latent"]
)
NEAR, SPREAD, ON_OTHERS = range(3)


class Chosen:
    """A generator whose first small draw, the strategy, is fixed; all else is drawn by chance."""

    def __init__(self, strategy, seed):
        self.strategy, self.generator = strategy, np.random.default_rng(seed)

    def integers(self, low, high=None):
        if high is None and low in (2, 3) and self.strategy is not None:
            strategy, self.strategy = self.strategy, None
            return strategy
        return self.generator.integers(low, high)


def scene(size=SIZE):
    """A disc and two squares, one of which reaches under it."""
    rows, cols = np.mgrid[:size, :size] * SIZE / size
    mask = (rows - 200) ** 2 + (cols - 220) ** 2 < 80**2
    others = np.zeros((size, size), np.uint8)
    others[(rows >= 240) & (rows < 440) & (cols >= 240) & (cols < 400)] = 1
    others[(rows >= 40) & (rows < 120) & (cols >= 400) & (cols < 480)] = 2
    return mask, others


def distance_to(mask, place):
    rows, cols = np.nonzero(mask)
    return np.sqrt((rows - place[0]) ** 2 + (cols - place[1]) ** 2).min()


def drawn(config, strategy, n_seeds=25, scene_maps=None):
    """(clicks, positive places, negative places) of several draws with one strategy."""
    mask, others = scene_maps or scene()
    for seed in range(n_seeds):
        clicks = sample_clicks(mask, others, config, Chosen(strategy, seed))
        yield clicks, clicks[clicks[:, 2] > 0, :2], clicks[clicks[:, 2] < 0, :2]


@PRESETS
def test_positive_clicks_lie_in_the_core_and_apart(config):
    mask, _ = scene()
    counts = set()
    for clicks, positive, _ in drawn(config, NEAR, n_seeds=60):
        assert clicks.dtype == np.float32 and (clicks[: len(positive), 2] == 1).all()
        counts.add(len(positive))
        for i, (row, col) in enumerate(positive.astype(int)):
            for shift in range(6):  # the diamond of radius 5 around it lies on the object
                assert mask[row + shift, col + 5 - shift] and mask[row - shift, col - 5 + shift]
            apart = np.abs(positive[:i] - (row, col)).max(axis=1, initial=0)
            assert i == 0 or (apart > config.spacing_px).all()
    low, high = config.positives
    assert counts <= set(range(low, high + 1)) and {low, high - 1} <= counts


def test_ifcns_clicks_around_the_object_keep_margin_and_ring():
    mask, _ = scene()
    counts = set()
    for _, _, negative in drawn(IFCN_SAMPLING, NEAR, n_seeds=60):
        counts.add(len(negative))
        assert all(5 < distance_to(mask, place) <= 40 for place in negative)
    assert counts == set(range(11))


def test_latent_diversitys_clicks_around_the_object_may_lie_anywhere():
    mask, _ = scene()
    away = [distance_to(mask, p) for _, _, places in drawn(LATENT_SAMPLING, NEAR) for p in places]
    assert min(away) > 5 and max(away) > 200


@pytest.mark.parametrize(("config", "n_clicks"), [(IFCN_SAMPLING, 10), (LATENT_SAMPLING, 15)])
def test_spread_clicks_cover_the_ring(config, n_clicks):
    mask, _ = scene()
    for _, _, negative in drawn(config, SPREAD, n_seeds=5):
        assert len(negative) == n_clicks
        assert all(5 < distance_to(mask, place) <= 40 for place in negative)
        quarters = {(row > 200, col > 220) for row, col in negative}
        assert len(quarters) == 4
        # the third is at least as far from the first two as any later one from its forerunners
        apart = [np.linalg.norm(negative[:i] - negative[i], axis=1).min() for i in range(1, 10)]
        assert all(far >= near for far, near in pairwise(apart))


@PRESETS
def test_other_objects_each_get_the_same_number_of_clicks(config):
    mask, others = scene()
    for _, _, negative in drawn(config, ON_OTHERS):
        rows, cols = negative.astype(int).T
        assert not mask[rows, cols].any()
        counts = np.bincount(others[rows, cols], minlength=3)
        assert counts[0] == 0 and counts[2] <= counts[1] <= config.negatives_on_others[1]
        assert counts[1] == counts[2] or counts[2] >= 4  # the small square is full


class Recorded:
    """A generator that notes every draw of one of at most three things."""

    def __init__(self, seed):
        self.generator, self.small = np.random.default_rng(seed), []

    def integers(self, low, high=None):
        value = int(self.generator.integers(low, high))
        if high is None and low <= 3:
            self.small.append((low, value))
        return value


def test_all_three_strategies_are_drawn_and_two_where_the_object_is_alone():
    mask, others = scene()
    seen = set()
    for other in (others, np.zeros_like(others)):
        for seed in range(20):
            generator = Recorded(seed)
            sample_clicks(mask, other, IFCN_SAMPLING, generator)
            seen.add(generator.small[0])
    assert seen == {(3, NEAR), (3, SPREAD), (3, ON_OTHERS), (2, NEAR), (2, SPREAD)}


def test_pixels_scale_with_the_crop():
    mask, others = scene(128)
    for strategy in (NEAR, SPREAD):
        for _, positive, negative in drawn(IFCN_SAMPLING, strategy, scene_maps=(mask, others)):
            assert all(1.25 < distance_to(mask, place) <= 10 for place in negative)
            assert all(distance_to(~mask, place) > 1.25 for place in positive)


def test_a_small_object_has_at_least_one_positive_click_and_an_empty_one_none():
    dot, nothing = np.zeros((64, 64), bool), np.zeros((64, 64), np.uint8)
    empty = dot.copy()
    dot[20, 30] = True
    for seed in range(20):
        clicks = sample_clicks(dot, nothing, IFCN_SAMPLING, np.random.default_rng(seed))
        assert clicks[clicks[:, 2] > 0].tolist() == [[20, 30, 1]]
        clicks = sample_clicks(empty, nothing, LATENT_SAMPLING, np.random.default_rng(seed))
        assert len(clicks) and (clicks[:, 2] == -1).all()


def test_an_object_that_fills_the_crop_has_no_negative_click():
    whole = np.ones((64, 64), bool)
    clicks = sample_clicks(whole, whole.astype(np.uint8), LATENT_SAMPLING, Chosen(NEAR, 0))
    assert len(clicks) and (clicks[:, 2] == 1).all()


@PRESETS
def test_rows_without_a_click_are_zero(config):
    mask, others = scene(64)
    for seed in (3, 4, 5):
        rows = sample_slots(mask, others, config, np.random.default_rng(seed), n_max=60)
        clicks = sample_clicks(mask, others, config, np.random.default_rng(seed))
        assert rows.shape == (60, 3) and rows.dtype == np.float32
        assert np.array_equal(rows[: len(clicks)], clicks)
        assert not rows[len(clicks) :].any()


def test_too_many_clicks_are_thinned_but_for_the_first():
    mask, others = scene(64)
    for seed in range(10):
        whole = sample_clicks(mask, others, LATENT_SAMPLING, np.random.default_rng(seed)).tolist()
        draw = np.random.default_rng(seed)
        few = sample_slots(mask, others, LATENT_SAMPLING, draw, n_max=3).tolist()
        assert few[0] == whole[0] and few[0][2] == 1
        places = [whole.index(click) for click in few if click[2]]
        assert places == sorted(set(places)) and len(places) == min(3, len(whole))


def test_no_row_and_bad_ranges_are_refused():
    with pytest.raises(InputError, match="got 0 rows for clicks"):
        sample_slots(*scene(64), IFCN_SAMPLING, np.random.default_rng(), n_max=0)
    with pytest.raises(InputError, match=r"SamplingConfig.positives is \(0, 5\).*fewest >= 1"):
        SamplingConfig(positives=(0, 5))
    with pytest.raises(InputError, match=r"negatives_near is \(4, 3\)"):
        replace(IFCN_SAMPLING, negatives_near=(4, 3))


def test_every_setting_has_a_source():
    assert set(sources(SamplingConfig)) == set(SamplingConfig.__dataclass_fields__)
    assert math.isinf(LATENT_SAMPLING.near_px)


def drawing(*rows):
    return np.array([[pixel == "#" for pixel in row] for row in rows])


TRUTH = drawing("###.....", "###.....", "###.....", "........", "........")
NOTHING = np.zeros((3, 3), np.float32)


def test_the_largest_error_is_clicked_in_its_middle():
    assert add_error_click(NOTHING, TRUTH & False, TRUTH).tolist()[0] == [1, 1, 1]
    assert add_error_click(NOTHING, TRUTH, TRUTH & False).tolist()[0] == [1, 1, -1]
    # ten pixels in the thin error, nine in the thick one: the size decides, not the depth
    thin = drawing("........", "........", "#.......", "#.......", "########")
    thick = drawing("....###.", "....###.", "....###.", "........", "........")
    assert add_error_click(NOTHING, thin, thick)[0].tolist() == [2, 0, -1]


def test_the_deepest_pixel_of_the_region_and_the_first_in_raster_order():
    error = drawing(".....", ".###.", ".###.", ".###.", ".#...")
    assert add_error_click(NOTHING, error & False, error)[0].tolist() == [2, 2, 1]
    line = drawing(".....", ".###.", ".....", ".....", ".....")
    assert add_error_click(NOTHING, line & False, line)[0].tolist() == [1, 1, 1]


def test_pixels_that_touch_by_a_corner_are_not_connected():
    error = drawing("##...", "##...", "..##.", "..##.", "..#..")
    assert add_error_click(NOTHING, error & False, error)[0].tolist() == [2, 2, 1]


def test_row_column_and_sign_keep_their_order():
    missing = np.zeros((4, 6), bool)
    missing[1, 4] = True
    assert add_error_click(NOTHING, missing & False, missing)[0].tolist() == [1, 4, 1]


def test_void_pixels_are_no_error():
    void = drawing("###.....", "###.....", "#.......", "........", "........")
    assert add_error_click(NOTHING, TRUTH & False, TRUTH, void)[0].tolist() == [2, 1, 1]
    assert not add_error_click(NOTHING, TRUTH & False, TRUTH, TRUTH).any()


def test_the_first_free_slot_is_filled_and_nothing_else():
    clicks = np.array([[0, 0, 1], [0, 0, 0], [4, 7, -1], [0, 0, 0]], np.float32)
    before = clicks.copy()
    added = add_error_click(clicks, TRUTH & False, TRUTH)
    assert np.array_equal(clicks, before)
    assert added.tolist() == [[0, 0, 1], [1, 1, 1], [4, 7, -1], [0, 0, 0]]
    full = added[[0, 1, 2]]
    assert np.array_equal(add_error_click(full, TRUTH & False, TRUTH), full)


def test_a_batch_of_errors_and_one_object_without():
    truths = torch.from_numpy(np.stack([TRUTH, TRUTH, TRUTH]))[:, None]
    predictions = torch.from_numpy(np.stack([TRUTH & False, TRUTH, ~TRUTH]))[:, None]
    clicks = torch.zeros(3, 2, 3)
    void = torch.zeros_like(truths)
    void[2, :, :, :3] = True
    added = add_error_clicks(clicks, predictions, truths, void)
    assert not clicks.any() and added.dtype == torch.float32
    assert added[0].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert not added[1].any()
    assert added[2].tolist() == [[2, 5, -1], [0, 0, 0]]
    assert torch.equal(add_error_clicks(clicks, predictions, truths)[:2], added[:2])
    some = add_error_clicks(clicks, predictions, truths, void, [False] + [True] * (len(clicks) - 1))
    assert torch.equal(some[0], clicks[0]) and torch.equal(some[1:], added[1:])
