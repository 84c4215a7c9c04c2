"""All cases by name: ``door/mutation/seed``."""

import random
from collections import defaultdict
from collections.abc import Callable

from tests.fuzz import (
    codes,
    commands,
    data_sets,
    exchange,
    images,
    interactions,
    store,
    study,
    weights,
)
from tests.fuzz.frame import Place

_MODULES = (
    codes, commands, data_sets, exchange, images, interactions, store, study, weights,
)  # fmt: skip


def _cases() -> dict[str, Callable[[Place], None]]:
    """Every module lists its doors: mutation -> (how many seeds, what runs one)."""
    return {
        f"{door}/{mutation}/{seed}": case
        for module in _MODULES
        for door, mutations in module.DOORS.items()
        for mutation, (n_seeds, case) in mutations.items()
        for seed in range(n_seeds)
    }


CASES = _cases()


def share_of(share: float) -> list[str]:
    """The same share of every door's cases, drawn once and for all, in the order of names."""
    by_door = defaultdict(list)
    for name in CASES:
        by_door[name.partition("/")[0]].append(name)
    drawn = (
        random.Random(door).sample(names, max(1, round(share * len(names))))
        for door, names in by_door.items()
    )
    return [name for names in drawn for name in names]
