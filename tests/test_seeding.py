"""Seeds: stable over machines, different for different things, nothing global touched."""

import random
import subprocess
import sys

import numpy as np
import torch

from openscenes.seeding import derive_seed, numpy_generator, torch_generator

KNOWN = ("augment", 0, 3, "voc/train:2007_000032/1")


def test_the_same_parts_give_the_same_seed_in_another_process():
    code = f"from openscenes.seeding import derive_seed; print(derive_seed(*{KNOWN!r}))"
    environment = {"PYTHONHASHSEED": "123", "PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True
    )
    assert int(run.stdout) == derive_seed(*KNOWN)


def test_seeds_of_old_runs_stay_what_they_were():
    assert derive_seed("user", 1) == 4942803260469671570


def test_every_part_counts_and_parts_do_not_run_together():
    seeds = {
        derive_seed(*parts)
        for parts in [("a", 1, "b"), ("a", 2, "b"), ("a", 1, "c"), ("ab", 1), ("a", "b1"), ("a",)]
    }
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_generators_repeat_and_differ_by_part():
    def draw(*parts):
        return numpy_generator(*parts).random(), torch.rand(1, generator=torch_generator(*parts))

    assert draw("x", 1) == draw("x", 1)
    assert draw("x", 1)[0] != draw("x", 2)[0]
    assert draw("x", 1)[1] != draw("x", 2)[1]


def test_nothing_global_is_touched():
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1]  # noqa: NPY002
    numpy_generator("x").random()
    torch.rand(1, generator=torch_generator("x"))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])  # noqa: NPY002
