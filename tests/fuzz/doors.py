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


# Every module lists its doors: mutation -> (how many seeds, what runs one).
_TABLE: dict[str, tuple[int, Callable[[Place], None]]] = {
    f"{door}/{mutation}": entry
    for module in _MODULES
    for door, mutations in module.DOORS.items()
    for mutation, entry in mutations.items()
}
CASES = {name: case for name, (_, case) in _TABLE.items()}  # by name without its seed


def names(share: float = 1.0, first: int = 0) -> list[str]:
    """The same share of every door's cases, drawn once and for all; seeds from ``first`` on."""
    by_door = defaultdict(list)
    for name, (n_seeds, _) in _TABLE.items():
        seeds = range(first, first + n_seeds)
        by_door[name.partition("/")[0]] += [f"{name}/{seed}" for seed in seeds]
    drawn = (
        random.Random(door).sample(found, max(1, round(share * len(found))))
        for door, found in by_door.items()
    )
    return [name for found in drawn for name in found]
