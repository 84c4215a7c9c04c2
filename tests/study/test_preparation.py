"""What is trained for a table, in which order, and how many at once."""

import os
from dataclasses import replace

import pytest

from openscenes.study.material import Study, open_study
from openscenes.study.preparation import parallel_jobs, prepare, waves
from openscenes.study.profiles import DEMO, PAPER, profile_named


@pytest.fixture(scope="module")
def study() -> Study:
    return open_study(profile_named("smoke"), None, "cpu")


def test_initial_models_come_before_what_evolves_from_them() -> None:
    first, then = waves(DEMO, 4, seeds=2)
    assert len(first) == 2
    assert len(then) == 2 * 2 * 5
    assert not any(task.evolution for task in first)
    assert {(task.initial_set, task.seed) for task in then} == {
        (task.initial_set, task.seed) for task in first
    }


def test_the_paper_has_two_initial_sets_and_table_3_needs_one() -> None:
    assert [len(wave) for wave in waves(PAPER, 4, seeds=1)] == [2, 20]
    assert [len(wave) for wave in waves(PAPER, 3, seeds=1)] == [1, 0]


def test_jobs_share_the_cores(study: Study) -> None:
    assert parallel_jobs(study) == os.cpu_count()
    all_cores = replace(study, profile=replace(study.profile, cpu_threads=0))
    assert parallel_jobs(all_cores) == 1


def test_what_is_there_is_not_trained_again(study: Study) -> None:
    lines = list(prepare(study, 3, 1, None, "cpu"))
    assert all(line.startswith("ready: smoke initial") for line in lines)
    assert list(prepare(study, 3, 1, None, "cpu")) == []
