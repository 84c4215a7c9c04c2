"""How much the place of the click matters: IoU for a whole grid of clicks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openscenes.data.records import Point
from openscenes.lessons.interactions.segmentation import Training, segment_all
from openscenes.lessons.interactions.user_inputs import Subject, UserInput, shown_box, with_point


@dataclass(frozen=True)
class ClickMap:
    """IoU (N,) for N clicks at points (N, 2) on a grid, and whether each is inside the object."""

    points: NDArray[np.int64]
    iou: NDArray[np.float64]
    inside: NDArray[np.bool_]
    step: int

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
        return text + (f", outside it {off.mean():.2f}" if len(off) else "")


def click_map(
    training: Training, subject: Subject, user_input: UserInput, n: int = 200
) -> ClickMap:
    """Segment again for about n clicks on a grid over the box, all else as in the input."""
    points, step = grid_points(shown_box(user_input, subject.shape), n)
    inputs = [with_point(user_input, Point(*map(float, point))) for point in points.tolist()]
    size = training.study.profile.inference.batch_size
    scores: list[float] = []
    for start in range(0, len(inputs), size):  # no more whole images at once than in a batch
        scores += [one.iou for one in segment_all(training, subject, inputs[start : start + size])]
    return ClickMap(points, np.array(scores), subject.truth[points[:, 0], points[:, 1]], step)


def click_maps(
    trainings: Mapping[str, Training], subject: Subject, inputs: Mapping[str, UserInput]
) -> dict[str, ClickMap]:
    """The map of every training, each by its own user input."""
    return {name: click_map(one, subject, inputs[name]) for name, one in trainings.items()}


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
