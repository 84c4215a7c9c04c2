"""What two versions' measures say, and that the sentence gives the reasons."""

import math

import numpy as np
import pytest

from openscenes.annotator.evolve.advice import (
    AGREEMENT,
    CLASS_IOU,
    LABEL_FREE,
    QUALITY,
    SOURCE_IOU,
    TITLES,
    advised,
    measured,
)

RNG = np.random.default_rng(0)


def measures(n: int = 30, n_corrected: int | None = None, **gains: float):
    """Measures that change by so many points, give or take, or by chance alone."""
    made = {}
    for name in TITLES:
        n_objects = n_corrected if name == AGREEMENT and n_corrected is not None else n
        old = RNG.uniform(0.4, 0.6, n_objects)
        noise = np.tile([-0.02, 0.02], n)[:n_objects]
        made[name] = measured(name, old, old + gains.get(name, 0.0) / 100 + noise)
    return made


def test_a_measure_is_a_paired_difference_in_points() -> None:
    old = np.array([0.1, 0.5, 0.9, 0.3, 0.2])
    measure = measured("box", old, old + 0.02)
    assert (measure.n, measure.title) == (5, "mask's own box against yours, IoU (label-free)")
    assert (measure.old, measure.new) == (pytest.approx(40.0), pytest.approx(42.0))
    d = measure.difference
    assert (d.mean, d.low, d.high) == (pytest.approx(2.0),) * 3
    assert measure.change == "+2.0 points (+2.0 to +2.0, 5 objects)"
    assert measure.sign == 1


def test_few_objects_have_means_but_no_difference() -> None:
    few = measured("hit", np.zeros(4), np.ones(4))
    assert (few.old, few.new, few.difference, few.sign) == (0.0, 100.0, None, 0)
    assert few.change == "too few objects (4)"
    nothing = measured("hit", np.zeros(0), np.zeros(0))
    assert nothing.n == 0 and math.isnan(nothing.old) and nothing.difference is None


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ({AGREEMENT: 5}, "better"),
        ({AGREEMENT: -5}, "worse"),
        ({AGREEMENT: 5, QUALITY: -5}, "better"),  # masks that a person made come first
        ({AGREEMENT: -5, QUALITY: 5}, "worse"),
        ({QUALITY: 5}, "better"),
        ({QUALITY: -5}, "worse"),
        (dict.fromkeys(LABEL_FREE, 9), "inconclusive"),  # shown, and no more
        ({}, "inconclusive"),
        ({AGREEMENT: 5, SOURCE_IOU: -5}, "worse"),
        ({QUALITY: 5, CLASS_IOU: -9}, "worse"),
        ({QUALITY: 5, CLASS_IOU: -4}, "better"),
        ({SOURCE_IOU: -5}, "worse"),
        ({AGREEMENT: -5, SOURCE_IOU: 5}, "worse"),
        ({SOURCE_IOU: 5}, "inconclusive"),
    ],
)
def test_the_verdict(gains, verdict) -> None:
    told, sentence = advised(measures(**gains))
    assert told == verdict
    assert sentence.startswith(f"{verdict.capitalize()}: ") and sentence.endswith(".")
    assert TITLES[SOURCE_IOU] in sentence


def test_a_small_loss_of_predicted_quality_is_forgiven() -> None:
    assert advised(measures(n=200, **{QUALITY: -0.3}))[0] == "inconclusive"
    assert advised(measures(n=200, **{QUALITY: -0.7}))[0] == "worse"


def test_a_small_loss_on_the_source_is_forgiven_but_said() -> None:
    told, sentence = advised(measures(n=200, **{AGREEMENT: 5, SOURCE_IOU: -0.6}))
    assert told == "better"
    assert "validation set: -0.6 points" in sentence


def test_the_sentence_says_what_needs_no_truth() -> None:
    _, sentence = advised(measures(**{QUALITY: 5}))
    assert "label-free measures can mislead" in sentence
    assert "(label-free): +5.0 points" in sentence
    _, sentence = advised(measures(**{AGREEMENT: 5}))
    assert "label-free" not in sentence
    _, sentence = advised(measures(**{SOURCE_IOU: -5}))
    assert sentence.endswith("so it forgets.")
    _, sentence = advised(measures(**{CLASS_IOU: -9}))
    assert f"{TITLES[CLASS_IOU]}: -9.0 points" in sentence and "so it forgets" in sentence


def test_too_few_objects_cannot_tell() -> None:
    told, sentence = advised(measures(n=3, n_corrected=1, **{QUALITY: 50.0}))
    assert told == "inconclusive"
    assert "3 held-out objects, and at least 5 are needed" in sentence
