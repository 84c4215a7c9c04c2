"""How much the place of the click matters: the score of the answer for a whole grid of clicks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openscenes.data.records import Point
from openscenes.lessons.interactions.answers import Training, answers
from openscenes.lessons.interactions.state import Question, Subject, asked_box, with_point
from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.runs.data import Study


@dataclass(frozen=True)
class ClickMap:
    """The score of the answer for each of N clicks on a grid over one box.

    Attributes:
        points: (N, 2) int (row, col) in image pixels, row by row.
        iou: (N,) float.
        inside: (N,) bool, whether the click is on the object.
        area: (N,) int, pixels of each answer.
        step: pixels between neighbours.
    """

    points: NDArray[np.int64]
    iou: NDArray[np.float64]
    inside: NDArray[np.bool_]
    area: NDArray[np.int64]
    step: int

    @property
    def best(self) -> Point:
        """The click with the best answer."""
        row, col = self.points[int(self.iou.argmax())]
        return Point(float(row), float(col))

    def in_image(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """(H, W) float32: each click's score over its cell of the grid, NaN outside the box."""
        scores = np.full(shape, np.nan, np.float32)
        before = self.step // 2
        for (row, col), iou in zip(self.points, self.iou, strict=True):
            top, left = max(row - before, 0), max(col - before, 0)
            scores[top : row - before + self.step, left : col - before + self.step] = iou
        return scores

    def words(self) -> str:
        """What the map says, as a sentence."""
        on, off = self.iou[self.inside], self.iou[~self.inside]
        text = f"{len(self.iou)} clicks, every {self.step} px: best IoU {self.iou.max():.2f}"
        if len(on):
            text += f", on the object {on.mean():.2f} on average and {on.min():.2f} at worst"
        return text + (f", beside it {off.mean():.2f}" if len(off) else "")


def click_map(
    study: Study, network: OpenSceneNet, subject: Subject, question: Question, n: int = 200
) -> ClickMap:
    """Ask again for about n clicks on a grid over the box, all else as in the question."""
    points, step = grid_points(asked_box(question, subject.shape), n)
    scores: list[tuple[float, int]] = []
    for part in _parts(points.tolist(), study.profile.inference.batch_size):
        questions = [with_point(question, Point(*map(float, point))) for point in part]
        found = answers(study, network, subject, questions)
        scores += [(one.iou, int(one.mask.sum())) for one in found]
    iou, area = np.array(scores).T
    on_object = subject.truth[points[:, 0], points[:, 1]]
    return ClickMap(points, iou, on_object, area.astype(np.int64), step)


def click_maps(
    trainings: Mapping[str, Training],
    subject: Subject,
    questions: Mapping[str, Question],
    n: int = 200,
) -> dict[str, ClickMap]:
    """The map of every training, each asked in its own way."""
    return {
        name: click_map(study, network, subject, questions[name], n)
        for name, (study, network) in trainings.items()
    }


def grid_points(box: Sequence[float], n: int) -> tuple[NDArray[np.int64], int]:
    """About n pixels on a square grid in the middle of a half-open box, and their distance."""
    row0, col0, row1, col1 = (round(value) for value in box)
    step = max(1, round(((row1 - row0) * (col1 - col0) / n) ** 0.5))
    rows, cols = _middle(row0, row1, step), _middle(col0, col1, step)
    return np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1).reshape(-1, 2), step


def _middle(start: int, end: int, step: int) -> NDArray[np.int64]:
    """Pixels of start..end at a distance of step, with equal margins."""
    spare = (end - 1 - start) % step
    return np.arange(start + spare // 2, end, step)


def _parts(points: Sequence[Sequence[int]], size: int) -> Iterable[Sequence[Sequence[int]]]:
    return (points[start : start + size] for start in range(0, len(points), size))
