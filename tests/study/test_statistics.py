"""Means, spreads and paired bootstrap intervals against cases that are known beforehand."""

import numpy as np
import pytest
import torch

from openscenes.study.scores.statistics import (
    Estimate,
    by_image,
    estimate,
    images_of,
    over_trainings,
    paired_difference,
)


def test_means_and_spread_by_hand():
    found = estimate(np.array([[0.5, 0.7], [0.6, 1.0]]))
    assert found.mean == pytest.approx(70.0)
    assert found.std == pytest.approx(100 * 0.2 / np.sqrt(2))  # of 60 and 80
    assert (found.n_seeds, found.n_objects) == (2, 2)
    assert found.low <= found.mean <= found.high


def test_one_seed_has_no_spread_between_seeds():
    assert np.isnan(estimate(np.array([[0.5, 0.7]])).std)


def test_equal_scores_leave_no_doubt():
    found = estimate(np.full((3, 20), 0.25))
    assert (found.low, found.mean, found.high) == pytest.approx((25.0, 25.0, 25.0))


def test_the_interval_of_one_seed_is_the_normal_theory_one():
    rng = np.random.default_rng(0)
    theirs = rng.uniform(0.3, 0.9, (1, 400))
    ours = theirs + rng.normal(0.01, 0.05, theirs.shape)
    found = paired_difference(ours, theirs)
    points = 100 * (ours - theirs)[0]
    half = 1.96 * points.std(ddof=1) / np.sqrt(points.size)
    assert found.mean == pytest.approx(points.mean())
    assert found.low == pytest.approx(points.mean() - half, abs=0.06 * half)
    assert found.high == pytest.approx(points.mean() + half, abs=0.06 * half)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    n_runs, hits = 60, 0
    for _ in range(n_runs):
        found = estimate(rng.normal(0.02, 0.1, (1, 80)))
        hits += found.low <= 2.0 <= found.high
    assert 0.87 * n_runs <= hits <= n_runs


def test_seeds_that_disagree_widen_the_interval():
    objects = np.random.default_rng(2).normal(0, 0.05, (1, 300))
    agreeing = estimate(np.repeat(objects, 4, axis=0))
    disagreeing = estimate(objects + np.array([[-0.1], [-0.05], [0.05], [0.1]]))
    assert disagreeing.high - disagreeing.low > 4 * (agreeing.high - agreeing.low)


def test_pairing_takes_away_what_objects_share():
    rng = np.random.default_rng(3)
    hard = rng.uniform(0, 1, (2, 200))
    gain = paired_difference(hard + 0.01, hard)
    assert gain.differs
    assert gain.high - gain.low < 1e-6
    assert not paired_difference(hard, hard).differs


@pytest.mark.parametrize(
    ("low", "high", "differs"),
    [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False), (0.0, 0.1, False)],
)
def test_an_interval_differs_where_it_leaves_out_zero(low, high, differs):
    assert Estimate(0.0, 0.0, low, high, 1, 1).differs is differs


def test_scores_of_other_objects_are_refused():
    with pytest.raises(ValueError, match=r"got shapes \(1, 3\) and \(1, 4\)"):
        paired_difference(np.zeros((1, 3)), np.zeros((1, 4)))


def test_the_same_scores_give_the_same_interval_and_touch_no_global_generator():
    scores = np.random.default_rng(4).uniform(0, 1, (3, 50))
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    assert estimate(scores) == estimate(scores)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_the_interval_over_trainings_by_hand():
    # seeds alone differ: 1, 2 and 3 points, so Student's t of two degrees of freedom
    found = over_trainings(np.array([[0.01], [0.02], [0.03]]) + np.zeros((3, 50)))
    half = 4.302653 / np.sqrt(3)
    assert (found.mean, found.std) == pytest.approx((2.0, 1.0))
    assert (found.low, found.high) == pytest.approx((2.0 - half, 2.0 + half))
    # objects alone differ: the normal theory of their means
    objects = np.random.default_rng(5).normal(0.02, 0.1, 400)
    found = over_trainings(np.tile(objects, (3, 1)))
    mean, half = 100 * objects.mean(), 1.959964 * 100 * objects.std(ddof=1) / np.sqrt(400)
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half))


def test_where_trainings_part_the_interval_over_them_errs_about_as_rarely_as_it_says():
    """Nothing to find, and seeds vary five times as much as the mean of objects does."""
    rng = np.random.default_rng(6)
    n_runs, bootstrap, student = 400, 0, 0
    for _ in range(n_runs):
        seeds, objects = rng.normal(0, 0.05, (3, 1)), rng.normal(0, 0.1, (1, 100))
        scores = seeds + objects + rng.normal(0, 0.05, (3, 100))
        bootstrap += estimate(scores).differs
        student += over_trainings(scores).differs
    assert student <= 0.1 * n_runs  # 0.08 of 3000
    assert bootstrap > 0.15 * n_runs  # why the other one is there


def test_an_image_is_drawn_with_all_its_objects():
    """Two points beside each other are one: the interval is that of the images' means."""
    rng = np.random.default_rng(7)
    single = rng.normal(0.02, 0.1, (3, 60))
    twice = np.repeat(single, 2, axis=1)
    images = [f"{n // 2}" for n in range(120)]
    found, alone = estimate(twice, images), estimate(single)
    assert (found.low, found.mean, found.high) == pytest.approx((alone.low, alone.mean, alone.high))
    assert found.n_objects == 120
    found, alone = over_trainings(twice, images), over_trainings(single)
    assert (found.low, found.mean, found.high) == pytest.approx((alone.low, alone.mean, alone.high))


def test_where_objects_of_an_image_agree_images_cover_as_they_say_and_objects_do_not():
    """40 images of 1 to 8 objects; an image's own deviation is as large as an object's."""
    rng = np.random.default_rng(8)
    sizes = np.tile(np.arange(1, 9), 5)
    images = list(np.repeat([f"{n}" for n in range(40)], sizes))
    n_runs, hits = 300, dict.fromkeys(("images", "objects", "t, images", "t, objects"), 0)
    for _ in range(n_runs):
        seeds = rng.normal(0, 0.01, (3, 1))
        own = np.repeat(rng.normal(0, 0.1, 40), sizes) + rng.normal(0, 0.1, len(images))
        scores = 0.02 + seeds + own + rng.normal(0, 0.02, (3, len(images)))
        found = (
            estimate(scores, images), estimate(scores),
            over_trainings(scores, images), over_trainings(scores),
        )  # fmt: skip
        for name, one in zip(hits, found, strict=True):
            hits[name] += one.low <= 2.0 <= one.high
    share = {name: hit / n_runs for name, hit in hits.items()}
    assert share["objects"] < 0.85 and share["t, objects"] < 0.88
    assert share["images"] > 0.9 and share["t, images"] > 0.9


def test_an_objects_image_is_the_first_part_of_its_name():
    ids = ["coco/val:000000500000/50000001", "voc/val:2007_000032/1", "alone"]
    assert images_of(ids) == ["coco/val:000000500000", "voc/val:2007_000032", "alone"]


def test_objects_of_one_image_are_drawn_themselves_and_every_object_needs_its_image():
    scores = np.random.default_rng(9).uniform(0, 1, (2, 6))
    assert estimate(scores, ["one"] * 6) == estimate(scores)
    sums, sizes = by_image(scores, list("aabbba"))
    assert sums[:, 0] == pytest.approx(scores[:, [0, 1, 5]].sum(1))
    assert sizes.tolist() == [3, 3]
    with pytest.raises(ValueError, match="2 images are named for 6 objects"):
        estimate(scores, ["a", "b"])


@pytest.mark.parametrize("shape", [(1, 50), (3, 1)])
def test_one_training_tells_nothing_of_further_ones(shape):
    with pytest.raises(ValueError, match="two seeds and two objects are the least"):
        over_trainings(np.zeros(shape))
