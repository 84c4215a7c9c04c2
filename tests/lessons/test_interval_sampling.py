"""Intervals by hand, against the study's own, and what imagined studies must obey."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from openscenes.errors import InputError
from openscenes.lessons.intervals import sampling
from openscenes.lessons.intervals.sampling import SimulatedStudies, StudyDesign, simulate_studies
from openscenes.study.profiles import PROFILES
from openscenes.study.scores.statistics import estimate, paired_difference

WORLD = np.random.default_rng(0).normal(1.0, 4.0, (3, 60)) + np.array([[-1.0], [0.0], [1.0]])


def test_every_resample_of_two_values_by_hand():
    assert sampling.every_resample([1.0, 5.0]).tolist() == [1.0, 3.0, 3.0, 5.0]


def test_all_resamples_are_as_many_as_there_are_and_keep_the_mean():
    values = [1.0, -2.0, 4.0, 0.5]
    means = sampling.every_resample(values)
    assert len(means) == 4**4
    assert means.mean() == pytest.approx(np.mean(values))
    # the bootstrap's variance of a mean: the values' own variance by n
    assert means.var() == pytest.approx(np.var(values) / 4)


def test_too_many_resamples_are_refused():
    with pytest.raises(InputError, match=r"7\^7; give between 1 and 6 values"):
        sampling.every_resample([0.0] * 7)


def test_the_percentiles_of_a_hundred_and_one_means():
    assert sampling.percentiles(np.arange(101.0)) == pytest.approx((2.5, 97.5))


def test_pairing_takes_out_what_both_rows_share():
    rng = np.random.default_rng(1)
    hard = rng.uniform(0.2, 0.9, (1, 200)) + rng.normal(0, 0.01, (2, 200))
    better = hard + 0.01 + rng.normal(0, 0.01, (2, 200))
    paired, apart = paired_difference(better, hard), sampling.unpaired(better, hard)
    assert apart.mean == pytest.approx(paired.mean)
    assert paired.differs and not apart.differs
    assert apart.high - apart.low > 5 * (paired.high - paired.low)


def test_committed_scores_are_the_tables_own():
    frame = sampling.report_scores("4", PROFILES["demo"])
    means = pd.read_csv(sampling.shown_folder(PROFILES["demo"]) / "tables" / "table_4.csv")
    coco = means[means["block"].str.startswith("COCO")].set_index("row")["ours"]
    for row in ("Baseline", "+ST"):
        scores = sampling.scores_in(frame, "COCO", row)
        assert 100 * scores.mean() == pytest.approx(coco[row], abs=0.01)
    gain = sampling.differences_in(frame, "COCO", "+ST", "Baseline")
    assert gain.mean() == pytest.approx(coco["+ST"] - coco["Baseline"], abs=0.02)


def test_scores_that_are_not_there_are_refused_with_what_is(tmp_path):
    with pytest.raises(InputError, match=r"no scores of table 4 .*make table-4"):
        sampling.report_scores("4", PROFILES["demo"], tmp_path)
    frame = sampling.report_scores("4", PROFILES["smoke"])  # has no reports: the demo's are shown
    with pytest.raises(InputError, match=r'no row "\+XY" .* rows are Baseline'):
        sampling.scores_in(frame, "COCO", "+XY")


def test_intervals_of_many_studies_are_those_of_each_one():
    """Against a loop over studies and resamples."""
    samples = np.random.default_rng(2).normal(size=(3, 2, 7))
    low, high = sampling._intervals(samples)
    objects, seeds = sampling._draws(2, 7)
    for i, sample in enumerate(samples):
        means = [
            sum(drawn * repeated * sample[s, o]
                for (s, repeated), (o, drawn) in product(enumerate(b), enumerate(a))) / (2 * 7)
            for a, b in zip(objects, seeds, strict=True)
        ]  # fmt: skip
        np.testing.assert_allclose((low[i], high[i]), sampling.percentiles(np.array(means)))


def test_an_imagined_interval_is_as_wide_as_the_studys():
    many = simulate_studies(WORLD, StudyDesign(60, 3, 0.0), n_studies=200)
    real = estimate(WORLD / 100)
    assert many.width == pytest.approx(real.high - real.low, rel=0.35)


def test_moving_the_truth_moves_every_study_and_nothing_else():
    here, there = (simulate_studies(WORLD, StudyDesign(50, 2, truth)) for truth in (0.0, 2.5))
    for name in ("mean", "low", "high"):
        np.testing.assert_allclose(getattr(there, name) - getattr(here, name), 2.5)
    assert here.width == pytest.approx(there.width)
    assert here.coverage == there.coverage
    assert there.power > here.power


def test_more_objects_narrow_intervals_and_one_seed_makes_them_wrong():
    few, many = (simulate_studies(WORLD, StudyDesign(n, 3, 0.0), 200) for n in (10, 500))
    assert many.width < few.width
    alone, several = (simulate_studies(WORLD, StudyDesign(500, n, 0.0), 200) for n in (1, 10))
    assert alone.width < several.width  # it looks surer,
    assert alone.coverage < 0.6 < 0.85 < several.coverage  # and is mostly wrong


def test_power_coverage_and_width_by_hand():
    low, high = np.array([-1.0, 0.5, 1.5, -3.0]), np.array([1.0, 2.0, 3.0, -1.0])
    studies = SimulatedStudies(StudyDesign(10, 1, 1.0), (low + high) / 2, low, high)
    assert (studies.power, studies.coverage) == (0.75, 0.5)
    assert studies.width == pytest.approx(1.75)


def test_a_power_curve_has_a_place_for_every_size():
    curve = sampling.studies_by_size(WORLD, 2.0, 10, (10, 50, 200))
    assert [studies.design for studies in curve] == [StudyDesign(n, 10, 2.0) for n in (10, 50, 200)]
    assert curve[0].power < curve[-1].power


def test_spread_and_the_objects_that_it_asks_for():
    world = np.array([[0.0, 2.0, 4.0], [2.0, 4.0, 6.0]])
    found = sampling.spread(world)
    assert found.objects == pytest.approx(2.0)
    assert found.seeds == pytest.approx(np.sqrt(2))
    assert found.objects_needed(1.0) == pytest.approx((2.8 * 2.0) ** 2)
    assert np.isnan(sampling.spread(world[:1]).seeds)


def test_the_formula_agrees_with_the_curve_where_seeds_agree():
    world = np.random.default_rng(3).normal(0.0, 4.0, (1, 4000)).repeat(3, axis=0)
    needed = sampling.spread(world).objects_needed(1.0)
    power = simulate_studies(world, StudyDesign(round(needed), 3, 1.0), n_studies=400).power
    assert power == pytest.approx(0.8, abs=0.08)


def test_fewer_trainings_than_a_lesson_compares_are_refused():
    assert len(sampling.report_scores("4", PROFILES["demo"], n_seeds=3))
    with pytest.raises(InputError, match=r"^9 trainings are compared here, and .* has 3; make rep"):
        sampling.report_scores("4", PROFILES["demo"], n_seeds=9)
