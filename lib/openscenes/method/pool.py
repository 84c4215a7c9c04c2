"""The pool of everything learned before, and whom a new object is aligned with.

Paper: Sec. 3.3 (an image of the same class, or a random one), Sec. 3.4 (all previous images are
merged into one combined data set).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from openscenes.data.examples import NO_CLASS, Example
from openscenes.errors import InputError
from openscenes.seeding import numpy_generator


@dataclass(frozen=True)
class Pool:
    """Examples learned so far; ``class_index`` is true for labelled and predicted for others.

    Paper: Sec. 3.4.
    """

    examples: tuple[Example, ...]

    def __post_init__(self) -> None:
        if not self.examples:
            raise InputError("the pool is empty: evolution needs at least one earlier object")

    @cached_property
    def by_class(self) -> dict[int, list[int]]:
        """Class channel -> positions in the pool."""
        found: dict[int, list[int]] = {}
        for position, example in enumerate(self.examples):
            found.setdefault(example.class_index, []).append(position)
        return found

    def knows(self, class_index: int) -> bool:
        """Whether an object of that class can be sampled.

        Paper: Sec. 3.3.
        """
        return class_index != NO_CLASS and class_index in self.by_class

    def partner(self, example: Example, seed: int, epoch: int) -> Example:
        """An object of the same class where there is one, any object else.

        Paper: Sec. 3.3.
        Ours: drawn uniformly over objects, anew in each epoch.
        """
        generator = numpy_generator("partner", seed, epoch, example.object_id)
        if self.knows(example.class_index):
            positions = self.by_class[example.class_index]
            return self.examples[positions[int(generator.integers(len(positions)))]]
        return self.examples[int(generator.integers(len(self.examples)))]

    def merged_with(self, examples: Sequence[Example]) -> Pool:
        """Everything learned before and now.

        Paper: Sec. 3.4.
        """
        return Pool(self.examples + tuple(examples))
