"""The replay buffer of life-long evolution (Sec. 3.3, 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from openscenes.data.examples import NO_CLASS, Example
from openscenes.errors import InputError
from openscenes.seeding import numpy_generator


@dataclass(frozen=True)
class Pool:
    """The replay buffer: all examples learned so far, with true or predicted classes.

    Paper: Sec. 3.4 (all previous images are merged into one combined data set).
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

    def restrict_class(self, example: Example) -> Example:
        """The example, of unknown class where the pool has no object of its class.

        Paper: Sec. 3.3.
        """
        return (
            example if self.knows(example.class_index) else replace(example, class_index=NO_CLASS)
        )

    def partner(self, example: Example, seed: int, epoch: int) -> Example:
        """An object of the same class where there is one, any object else.

        Paper: Sec. 3.3.
        Ours: drawn uniformly over objects, in each epoch again.
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
