"""The same object along several lives: its score and its mask after every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.data import crops
from openscenes.data.examples import Example
from openscenes.data.records import Box, Interaction, ObjectRecord, Point
from openscenes.lessons.evolution.lives import (
    FORGOTTEN,
    OURS,
    TOLD,
    Life,
    Scores,
    ranking,
    scores_of,
)
from openscenes.masks import BoolMask
from openscenes.method.inference import predictions
from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.runs.data import Study, validation
from openscenes.study.runs.recipes import Recipe
from openscenes.study.runs.runs import find

OUTSIDE = 140  # grey of what lies outside the photograph
Square = tuple[int, int, int]  # first row, first column, side


@dataclass(frozen=True)
class Place:
    """What the controls say: which object, of which set, in which lives, at which time.

    Attributes:
        where: validation set.
        lives: names of the lives side by side; the first one ranks.
        order: one of ``ORDERS``.
        rank: place in that order, from 0.
        time: t.
    """

    where: str = "voc"
    lives: tuple[str, str] = (OURS, TOLD)
    order: str = FORGOTTEN
    rank: int = 0
    time: int = 0


@dataclass(frozen=True)
class Panel:
    """One life at one time.

    Attributes:
        mask: (S, S) bool, None where the life had ended before.
        iou: (n_times,) the object's score after each step of the life, in points.
    """

    life: str
    mask: BoolMask | None
    iou: NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """All that is shown at a place, cut to a square around what the network could see.

    Attributes:
        image: (S, S, 3) uint8 RGB in pixels of the photograph, grey outside it.
        truth, void: (S, S) bool.
        interaction: the user's box and point in pixels of the square.
        panels: one per life of the place.
        n_objects: of the set.
    """

    place: Place
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


@dataclass
class Scrubber:
    """Scores and masks of several lives; each is computed when it is first looked at, and kept.

    Attributes:
        lives: name -> models after each step, all of one seed.
    """

    study: Study
    lives: Mapping[str, Life]
    _networks: dict[Recipe, OpenSceneNet] = field(default_factory=dict, repr=False)
    _masks: dict[tuple[Recipe, str], dict] = field(default_factory=dict, repr=False)
    _scores: dict[tuple[str, str], Scores] = field(default_factory=dict, repr=False)

    def scores(self, name: str, where: str) -> Scores:
        """(n_times, n_objects) IoU in 0-1."""
        if (name, where) not in self._scores:
            self._scores[name, where] = scores_of(self.study, self.lives[name], where)
        return self._scores[name, where]

    def examples(self, where: str) -> Sequence[Example]:
        """The objects of a validation set, as they are listed."""
        return validation(self.study, where).examples

    def position(self, place: Place) -> int:
        """Which object of the set a place shows."""
        left, right = (self.scores(name, place.where) for name in place.lives)
        return int(ranking(place.order, left, right)[place.rank])

    def mask(self, recipe: Recipe, example: Example) -> BoolMask:
        """A model's answer in pixels of the photograph, (H, W), as it is scored."""
        key = recipe, example.object_id
        if key not in self._masks:
            self._masks[key] = masks.encode(self._ask(recipe, example))
        return masks.decode(self._masks[key])

    def _ask(self, recipe: Recipe, example: Example) -> BoolMask:
        profile, study = self.study.profile, self.study
        if recipe not in self._networks:
            self._networks[recipe] = find(study, recipe).load(study)
        ((_, (sample,), _, prediction),) = predictions(
            self._networks[recipe], [example], profile.clicks, profile.crop, profile.inference,
            cache=study.cache, fabric=study.fabric,
        )  # fmt: skip
        probability = prediction.probability[0, 0].float().cpu().numpy()
        pasted = crops.paste(probability, sample.affine, sample.shape)
        return pasted > profile.inference.threshold

    def view(self, place: Place) -> View:
        """What is to be seen at a place."""
        position = self.position(place)
        example = self.examples(place.where)[position]
        image = self.study.cache.image(example.image)
        truth, void = self.study.cache.supervision(example)
        seen = seen_square(example.interaction.box, self.study.profile.crop)
        return View(
            place,
            example,
            cut_square(image, seen, OUTSIDE),
            cut_square(truth, seen, False),
            cut_square(np.zeros_like(truth) if void is None else void, seen, False),
            _moved(example.interaction, seen),
            tuple(self._panel(name, place, position, example, seen) for name in place.lives),
            len(self.examples(place.where)),
        )

    def _panel(
        self, name: str, place: Place, position: int, example: Example, seen: Square
    ) -> Panel:
        life, mask = self.lives[name], None
        if place.time < len(life):
            mask = cut_square(self.mask(life[place.time], example), seen, False)
        return Panel(name, mask, 100.0 * self.scores(name, place.where)[:, position])


def _moved(interaction: Interaction, seen: Square) -> Interaction:
    """Box and point with the square's first pixel as the origin."""
    (row, col, _), box, point = seen, interaction.box, interaction.point
    moved = Box(box.row0 - row, box.col0 - col, box.row1 - row, box.col1 - col)
    return Interaction(moved, Point(point.row - row, point.col - col))


def seen_square(box: Box, crop: crops.CropConfig) -> Square:
    """The smallest square around what a crop shows, in pixels of the photograph."""
    inverse = crops.invert(crops.window_affine(box, crop))
    seen = crops.move_box(inverse, Box(0, 0, crop.size, crop.size))
    side = int(np.ceil(max(seen.row1 - seen.row0, seen.col1 - seen.col0) - 1e-6))
    row, col = (seen.row0 + seen.row1) / 2, (seen.col0 + seen.col1) / 2
    return round(row - side / 2), round(col - side / 2), side


def cut_square(pixels: NDArray, square: Square, outside: int | bool) -> NDArray:
    """The pixels of a square, (side, side, ...), with one value where it leaves the picture."""
    row, col, side = square
    height, width = pixels.shape[:2]
    cut = np.full((side, side, *pixels.shape[2:]), outside, dtype=pixels.dtype)
    rows, cols = (
        slice(max(row, 0), min(row + side, height)),
        slice(max(col, 0), min(col + side, width)),
    )
    there = pixels[rows, cols]
    top, left = rows.start - row, cols.start - col
    cut[top : top + there.shape[0], left : left + there.shape[1]] = there
    return cut
