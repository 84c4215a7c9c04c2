"""R, transfer and forgetting by hand, and intervals that draw seeds and objects together."""

import numpy as np
import pytest
import torch

from openscenes.errors import InputError
from openscenes.study.scores.continual import (
    SEQUENCE,
    bootstrap,
    continual,
    continual_markdown,
    difference,
    learned,
)
from openscenes.study.scores.statistics import estimate, paired_difference

# Rows are steps, columns VOC, Cityscapes, COCO, in points.
R = np.array([[80.0, 50.0, 60.0], [76.0, 70.0, 64.0], [74.0, 67.0, 72.0]])
N_OBJECTS = (4, 5, 6)


def scores_of(matrix, n_seeds=1, spread=0.0, rng=None):
    rng = rng or np.random.default_rng(0)
    return {
        (i, j): np.full((n_seeds, N_OBJECTS[j]), matrix[i][j] / 100)
        + spread * rng.normal(size=(n_seeds, N_OBJECTS[j]))
        for i in range(3)
        for j in range(3)
    }


def test_the_summaries_by_hand():
    found = continual(scores_of(R))
    assert found.n_steps == 3
    assert found.accuracy.mean == pytest.approx((74 + 67 + 72) / 3)
    assert found.backward.mean == pytest.approx(((74 - 80) + (67 - 70)) / 2)
    assert found.forward.mean == pytest.approx((0 + (64 - 60)) / 2)
    assert found.forgetting.mean == pytest.approx(((80 - 74) + (70 - 67)) / 2)


def test_forgetting_counts_from_the_best_score_and_backward_transfer_from_the_first():
    higher = R.copy()
    higher[1, 0] = 84.0  # Cityscapes helped VOC, COCO then took it away
    found = continual(scores_of(higher))
    assert found.forgetting.mean == pytest.approx(((84 - 74) + (70 - 67)) / 2)
    assert found.backward.mean == pytest.approx(-4.5)


def test_the_best_score_is_each_runs_own():
    first, second = R.copy(), R.copy()
    first[1, 0], second[1, 0] = 90.0, 70.0  # on average 80, no more than the initial model
    stacked = {
        cell: np.concatenate([one, two])
        for (cell, one), two in zip(
            scores_of(first).items(), scores_of(second).values(), strict=True
        )
    }
    by_run = [((90 - 74) + (70 - 67)) / 2, ((80 - 74) + (70 - 67)) / 2]
    found = continual(stacked).forgetting
    assert found.mean == pytest.approx(np.mean(by_run))
    assert found.std == pytest.approx(np.std(by_run, ddof=1))


def test_cells_are_the_estimates_of_the_other_tables():
    scores = scores_of(R, n_seeds=2, spread=0.1)
    found = continual(scores)
    assert found.cells[1, 2] == estimate(scores[1, 2])
    assert list(found.cells) == sorted(scores)


@pytest.mark.parametrize(("step", "number", "known"), [(0, 0, 1), (0, 1, 0), (1, 1, 1), (2, 0, 1)])
def test_a_set_is_learned_from_its_own_step_on(step, number, known):
    assert learned(step, number) is bool(known)


def test_one_mean_has_the_interval_of_the_plain_bootstrap():
    scores = np.random.default_rng(1).uniform(0, 1, (3, 40))
    found = bootstrap({("all",): scores}, {"mean": lambda means: means["all",]})["mean"]
    plain = estimate(scores)
    assert (found.mean, found.std) == pytest.approx((plain.mean, plain.std))
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.5)
    assert (found.n_seeds, found.n_objects) == (3, 40)


def test_images_are_drawn_with_all_their_objects():
    single = np.random.default_rng(5).uniform(0, 1, (2, 30))
    mean = {"mean": lambda means: means["all",]}
    images = {"all": [f"{n // 2}" for n in range(60)]}
    twice = bootstrap({("all",): np.repeat(single, 2, axis=1)}, mean, images)["mean"]
    alone = bootstrap({("all",): single}, mean)["mean"]
    assert (twice.low, twice.mean, twice.high) == pytest.approx((alone.low, alone.mean, alone.high))
    assert (twice.n_objects, alone.n_objects) == (60, 30)


def test_scores_of_one_set_are_paired_and_those_of_two_are_not():
    rng = np.random.default_rng(2)
    hard = rng.uniform(0, 1, (1, 50))
    two = {"change": lambda means: means["after", "a"] - means["before", "a"]}
    paired = bootstrap({("before", "a"): hard, ("after", "a"): hard + 0.01}, two)["change"]
    assert paired.high - paired.low < 1e-6
    apart = {"change": lambda means: means["after", "b"] - means["before", "a"]}
    unpaired = bootstrap({("before", "a"): hard, ("after", "b"): hard + 0.01}, apart)["change"]
    assert unpaired.high - unpaired.low > 5


def test_a_difference_of_two_sequences_draws_images():
    rng = np.random.default_rng(0)
    ours, theirs = (scores_of(R, n_seeds=2, spread=0.1, rng=rng) for _ in range(2))
    sizes = {place: ours[0, place].shape[1] for place in range(len(R))}
    images = {place: [f"{i}" for i in range(n) for _ in range(5)] for place, n in sizes.items()}
    several = [
        {cell: np.repeat(values, 5, axis=1) for cell, values in scores.items()}
        for scores in (ours, theirs)
    ]
    found, plain = difference(*several, images)["accuracy"], difference(ours, theirs)["accuracy"]
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))
    narrow = difference(*several)["accuracy"]
    assert found.high - found.low > 1.5 * (narrow.high - narrow.low)


def test_seeds_are_drawn_once_for_all_sets():
    """A run that is 10 points better on one set and 10 worse on another is always equally good."""
    tilt = np.array([[-0.1], [0.1], [0.0]])
    scores = {("a",): 0.5 + tilt + np.zeros((3, 4)), ("b",): 0.5 - tilt + np.zeros((3, 5))}
    found = bootstrap(scores, {"mean": lambda means: (means["a",] + means["b",]) / 2})["mean"]
    assert (found.low, found.mean, found.high) == pytest.approx((50.0, 50.0, 50.0))


def test_a_difference_of_methods_is_paired():
    rng = np.random.default_rng(3)
    theirs = scores_of(R, n_seeds=3, spread=0.1, rng=rng)
    better = {cell: values + 0.02 * (cell[0] == 2) for cell, values in theirs.items()}
    found = difference(better, theirs)
    assert found["accuracy"].mean == pytest.approx(2.0)
    assert found["backward"].mean == pytest.approx(2.0)
    assert found["forward"].mean == pytest.approx(0.0)
    assert found["forgetting"].mean == pytest.approx(-2.0)
    assert found["accuracy"].high - found["accuracy"].low < 1e-6


def test_a_difference_on_one_set_agrees_with_the_paired_one():
    rng = np.random.default_rng(4)
    ours, theirs = rng.uniform(0, 1, (2, 2, 60))
    change = {"change": lambda means: means["ours", 0] - means["theirs", 0]}
    found = bootstrap({("ours", 0): ours, ("theirs", 0): theirs}, change)["change"]
    plain = paired_difference(ours, theirs)
    assert (found.mean, found.std) == pytest.approx((plain.mean, plain.std))
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.5)


def test_the_same_scores_give_the_same_bits_in_any_order_and_touch_no_global_generator():
    scores = scores_of(R, n_seeds=2, spread=0.1)
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    again = dict(reversed(scores.items()))
    assert continual(scores) == continual(again)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_a_missing_cell_is_named():
    scores = scores_of(R)
    del scores[1, 2]
    with pytest.raises(InputError, match=r"score the cells \[\(1, 2\)\]"):
        continual(scores)


def test_one_step_is_no_sequence():
    with pytest.raises(InputError, match="at least 2 of each"):
        continual({(0, 0): np.ones((1, 3))})


def test_other_objects_and_other_seeds_are_refused():
    scores = scores_of(R)
    with pytest.raises(InputError, match=r"\(2, 1\) have shape \(1, 9\) beside \(1, 5\)"):
        continual(scores | {(2, 1): np.ones((1, 9))})
    with pytest.raises(InputError, match=r"scored with \[1, 2\] seeds"):
        continual(scores | {(i, 1): np.ones((2, 5)) for i in range(3)})


def test_methods_of_other_lengths_are_not_compared():
    short = {cell: values for cell, values in scores_of(R).items() if max(cell) < 2}
    with pytest.raises(InputError, match="got 9 and 4"):
        difference(scores_of(R), short)


def test_markdown_sets_zero_shot_cells_in_italics():
    text = continual_markdown({"Ours": continual(scores_of(R, n_seeds=2))})
    lines = text.splitlines()
    assert lines[2] == "| Ours | VOC | 80.0 ± 0.0 | *50.0 ± 0.0* | *60.0 ± 0.0* |"
    assert lines[4] == "| Ours | COCO | 74.0 ± 0.0 | 67.0 ± 0.0 | 72.0 ± 0.0 |"
    assert lines[0].endswith(" | ".join(f"on {name}" for name in SEQUENCE) + " |")
    assert "| Ours | 71.0 [71.0, 71.0] | **-4.50** [-4.50, -4.50] |" in text
