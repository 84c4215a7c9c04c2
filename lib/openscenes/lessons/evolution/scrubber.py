"""The same object along several task sequences: its score and its mask after every step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.data import crops
from openscenes.data.examples import Example
from openscenes.data.records import Box, Interaction, ObjectRecord, Point
from openscenes.lessons.evolution.sequences import (
    FINE_TUNED,
    FORGOTTEN,
    OURS,
    Scores,
    TaskSequence,
    ranking,
    scores_of,
)
from openscenes.lessons.loading import loaded
from openscenes.masks import BoolMask
from openscenes.method.inference import image_probability
from openscenes.study.runs.data import Study, validation
from openscenes.study.runs.models import run_context
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.runs import find

OUTSIDE = 140  # grey of what lies outside the image
Square = tuple[int, int, int]  # first row, first column, side


@dataclass(frozen=True)
class ObjectChoice:
    """The object at a rank of an order of a set, in two sequences (the first ranks), at time t."""

    where: str = "voc"
    sequences: tuple[str, str] = (OURS, FINE_TUNED)
    order: str = FORGOTTEN
    rank: int = 0
    time: int = 0


@dataclass(frozen=True)
class Panel:
    """A sequence's (S, S) mask at one time, None after its end; IoU after each step in points."""

    sequence: str
    mask: BoolMask | None
    iou: NDArray[np.float64]


@dataclass(frozen=True)
class ObjectView:
    """What is shown under a choice: a square of the image around the crop, grey outside."""

    choice: ObjectChoice
    example: Example
    image: NDArray[np.uint8]
    truth: BoolMask
    void: BoolMask
    interaction: Interaction
    panels: tuple[Panel, ...]
    n_objects: int

    @property
    def record(self) -> ObjectRecord:
        """The object's name, class and area."""
        assert isinstance(self.example.supervision, ObjectRecord)
        return self.example.supervision


@dataclass(frozen=True)
class Scrubber:
    """Scores and masks of task sequences of one seed, computed when first needed and cached."""

    study: Study
    sequences: Mapping[str, TaskSequence]

    def scores(self, name: str, where: str) -> Scores:
        """(n_times, n_objects) IoU in 0-1."""
        steps = self.sequences[name]
        key = ("scores", steps, where)
        return self.study.remembered(key, lambda: scores_of(self.study, steps, where))

    def examples(self, where: str) -> Sequence[Example]:
        """The objects of a validation set, as they are listed."""
        return validation(self.study, where).examples

    def position(self, choice: ObjectChoice) -> int:
        """Which object of the set a choice shows."""
        left, right = (self.scores(name, choice.where) for name in choice.sequences)
        return int(ranking(choice.order, left, right)[choice.rank])

    def mask(self, recipe: Recipe, example: Example) -> BoolMask:
        """A model's mask in pixels of the image, (H, W), as it is scored."""
        key = ("mask", recipe, example.object_id)
        made = self.study.remembered(key, lambda: masks.encode(self._predict(recipe, example)))
        return masks.decode(made)

    def _predict(self, recipe: Recipe, example: Example) -> BoolMask:
        study = self.study
        network = loaded(study, find(study, recipe))
        probability = image_probability(network, example, run_context(study))
        return probability > study.profile.inference.threshold

    def view(self, choice: ObjectChoice) -> ObjectView:
        """What is shown under a choice."""
        position = self.position(choice)
        example = self.examples(choice.where)[position]
        image = self.study.cache.image(example.image)
        truth, void = self.study.cache.supervision(example)
        seen = seen_square(example.interaction.box, self.study.profile.crop)
        return ObjectView(
            choice,
            example,
            cut_square(image, seen, OUTSIDE),
            cut_square(truth, seen, False),
            cut_square(np.zeros_like(truth) if void is None else void, seen, False),
            _moved(example.interaction, seen),
            tuple(self._panel(name, choice, position, example, seen) for name in choice.sequences),
            len(self.examples(choice.where)),
        )

    def _panel(
        self, name: str, choice: ObjectChoice, position: int, example: Example, seen: Square
    ) -> Panel:
        sequence, mask = self.sequences[name], None
        if choice.time < len(sequence):
            mask = cut_square(self.mask(sequence[choice.time], example), seen, False)
        return Panel(name, mask, 100.0 * self.scores(name, choice.where)[:, position])


def _moved(interaction: Interaction, seen: Square) -> Interaction:
    """Box and point with the square's first pixel as the origin."""
    (row, col, _), box, point = seen, interaction.box, interaction.point
    moved = Box(box.row0 - row, box.col0 - col, box.row1 - row, box.col1 - col)
    return Interaction(moved, Point(point.row - row, point.col - col))


def seen_square(box: Box, crop: crops.CropConfig) -> Square:
    """The smallest square around what a crop shows, in pixels of the image."""
    inverse = crops.invert(crops.window_affine(box, crop))
    seen = crops.move_box(inverse, Box(0, 0, crop.size, crop.size))
    side = int(np.ceil(max(seen.row1 - seen.row0, seen.col1 - seen.col0) - 1e-6))
    row, col = (seen.row0 + seen.row1) / 2, (seen.col0 + seen.col1) / 2
    return round(row - side / 2), round(col - side / 2), side


def cut_square(pixels: NDArray, square: Square, outside: int | bool) -> NDArray:
    """The pixels of a square, (side, side, ...), with one value where it leaves the image."""
    row, col, side = square
    height, width = pixels.shape[:2]
    cut = np.full((side, side, *pixels.shape[2:]), outside, dtype=pixels.dtype)
    top, left = max(row, 0), max(col, 0)
    there = pixels[top : min(row + side, height), left : min(col + side, width)]
    cut[top - row :, left - col :][: there.shape[0], : there.shape[1]] = there
    return cut
