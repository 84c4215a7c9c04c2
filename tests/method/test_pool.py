"""The pool: partners of the same class, random ones else, and growth from step to step."""

from collections import Counter
from pathlib import Path

import pytest

from openscenes.data.examples import NO_CLASS, Example
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError
from openscenes.method.evolution import Pool


def example(name, class_index=NO_CLASS):
    return Example(name, Path(name), Interaction(Box(0, 0, 1, 1), Point(0, 0)), None, class_index)


POOL = Pool(
    tuple(example(f"old {i}", class_index) for i, class_index in enumerate([3, 5, 3, 5, 3]))
)


def partners(new, n_epochs=200, seed=0):
    return [POOL.partner(new, seed, epoch) for epoch in range(n_epochs)]


def test_a_known_class_meets_its_own():
    found = Counter(partner.object_id for partner in partners(example("new", 3)))
    assert set(found) == {"old 0", "old 2", "old 4"}
    assert min(found.values()) > 40


@pytest.mark.parametrize("class_index", [NO_CLASS, 7])
def test_an_unknown_class_meets_anyone(class_index):
    found = Counter(partner.object_id for partner in partners(example("new", class_index)))
    assert set(found) == {f"old {i}" for i in range(5)}
    assert min(found.values()) > 20


def test_a_partner_depends_on_seed_epoch_and_object_alone():
    assert partners(example("new", 3)) == partners(example("new", 3))
    assert partners(example("new", 3)) != partners(example("new", 3), seed=1)
    assert partners(example("new", 3)) != partners(example("other", 3))


def test_objects_of_unknown_class_are_no_class():
    pool = Pool((example("a"), example("b", 3)))
    assert pool.knows(3)
    assert not pool.knows(5)
    assert not pool.knows(NO_CLASS)


def test_old_and_new_become_one_pool_and_the_old_one_stays():
    pseudo = [example("new 0", 5), example("new 1")]
    merged = POOL.merged_with(pseudo)
    assert merged.examples == (*POOL.examples, *pseudo)
    assert len(POOL.examples) == 5
    names = {merged.partner(example("x", 5), 0, epoch).object_id for epoch in range(100)}
    assert names == {"old 1", "old 3", "new 0"}


def test_an_empty_pool_is_refused():
    with pytest.raises(InputError, match="the pool is empty"):
        Pool(())
