"""Asking the model: a box and a point give a mask, further clicks correct it.

The backbone runs once for an object; its stages are kept, so that a correction runs the pyramid
pooling and the heads alone (as in ``study.scores.click_systems``, for one object at a time).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openscenes.data import crops, samples
from openscenes.data.crops import Affine
from openscenes.data.examples import Example
from openscenes.data.records import Box, Interaction
from openscenes.errors import InputError, WeightsError
from openscenes.networks.backbones import Stages
from openscenes.networks.enlargement import enlarge
from openscenes.networks.iog_refinement import RefinableIOG
from openscenes.prediction.predict import checked_interaction, mean_inside
from openscenes.study.runs.data import Study

Click = tuple[float, float, int]  # row, col in pixels of the image; +1 inside, -1 outside


@dataclass(frozen=True)
class Answer:
    """What the model says of one object.

    Attributes:
        mask: (H, W) bool, in the image's pixels.
        confidence: mean probability over the mask, in [0, 1].
        seconds: from the question to the mask.
        encoded: the backbone ran for this answer.
    """

    mask: NDArray[np.bool_]
    confidence: float
    seconds: float
    encoded: bool


@dataclass(frozen=True)
class _Looked:
    """An object that the backbone has seen."""

    image: Path
    interaction: Interaction
    affine: Affine
    shape: tuple[int, int]
    inputs: Tensor
    stages: Stages


class Session:
    """One model in use, and the object that it looked at last.

    Ours: one object's stages are kept. Whoever comes back to an earlier object waits for the
    backbone once more.
    """

    def __init__(self, study: Study, network: RefinableIOG, label: str) -> None:
        """``network`` answers in the study's crop, click width, device and precision.

        Args:
            label: the model's name in the log and on the page.
        """
        self.study = study
        self.network = network.eval().requires_grad_(False).to(study.fabric.device)
        self.label = label
        self._looked: _Looked | None = None

    def image(self, path: Path) -> NDArray[np.uint8]:
        """An image's pixels, decoded once while there is room.

        Returns:
            (H, W, 3) uint8 RGB; not to be written to.
        Raises:
            DataError: if it is missing or damaged.
        """
        return self.study.cache.image(path)

    def answer(
        self,
        path: Path,
        box: Sequence[float],
        point: Sequence[float],
        further: Sequence[Click] = (),
    ) -> Answer:
        """The mask that box, point and all further clicks give.

        Paper: Sec. 3.1 (box and point). IOG: further clicks go through its refinement branch.

        Args:
            path: the image.
            box: (row0, col0, row1, col1), half-open in its pixels.
            point: (row, col) inside the box.
            further: clicks after the first answer, in their order.
        Raises:
            InputError: if box, point or a click cannot be used, in one sentence.
            WeightsError: if the model's answer is not finite.
        """
        start = time.perf_counter()
        interaction = checked_interaction(self.image(path), box, point)
        known = self._knows(path, interaction)
        looked = self._look(path, interaction)
        window = self._window(looked, further)
        threshold = self.study.profile.inference.threshold
        sure = mean_inside(window.probability, window.probability > threshold)
        mask = window.mask(threshold, looked.shape)
        return Answer(mask, sure, time.perf_counter() - start, not known)

    def reach(self, box: Box) -> Box:
        """The part of the plane that the model sees for a box: the box and its margin."""
        crop = self.study.profile.crop
        corners = crops.box_corners(Box(0.0, 0.0, float(crop.size), float(crop.size)))
        return crops.hull_box(crops.apply(crops.invert(crops.window_affine(box, crop)), corners))

    def _knows(self, path: Path, interaction: Interaction) -> bool:
        looked = self._looked
        return looked is not None and (looked.image, looked.interaction) == (path, interaction)

    def _look(self, path: Path, interaction: Interaction) -> _Looked:
        """The object's crop and its stages; the backbone runs where it is another object."""
        if self._looked is not None and self._knows(path, interaction):
            return self._looked
        profile = self.study.profile
        example = Example(str(path), path, interaction, None)
        sample = samples.cut(example, profile.crop, self.study.cache)
        batch = samples.collate([sample]).to(self.study.fabric.device)
        with torch.inference_mode(), self.study.fabric.autocast():
            inputs = batch.inputs(profile.clicks)
            stages = self.network.encode(inputs)
        self._looked = _Looked(path, interaction, sample.affine, sample.shape, inputs, stages)
        return self._looked

    def _window(self, looked: _Looked, further: Sequence[Click]) -> Window:
        with torch.inference_mode(), self.study.fabric.autocast():
            if further:
                moved = self._moved(looked, further)
                maps = self.network.click_maps(looked.inputs, moved)
                logits = self.network.refined(looked.stages, maps).answer
            else:
                logits = self.network.first(looked.stages).answer
            size = self.study.profile.crop.size
            answer = torch.sigmoid(enlarge(logits.float(), (size, size)))[0, 0].cpu().numpy()
        if not np.isfinite(answer).all():
            raise WeightsError(
                f"The answer of {self.label} is not finite; its weights are damaged, choose "
                "another version."
            )
        return pasted(answer, looked.affine, looked.shape)

    def _moved(self, looked: _Looked, further: Sequence[Click]) -> Tensor:
        """Further clicks in crop pixels, (1, K, 3); those that the model cannot see are refused."""
        given = np.asarray(further, dtype=np.float64)
        points = crops.apply(looked.affine, given[:, 1::-1])
        size = self.study.profile.crop.size
        outside = ~((points >= -0.5) & (points <= size - 0.5)).all(axis=1)
        if outside.any():
            row, col = given[outside][0, :2]
            reach = ", ".join(f"{side:.0f}" for side in self.reach(looked.interaction.box))
            raise InputError(
                f"The click ({row:.0f}, {col:.0f}) lies outside what the model sees of this "
                f"object, ({reach}); click nearer to the box, or draw a larger one."
            )
        clicks = np.c_[points[:, ::-1], given[:, 2]][None].astype(np.float32)
        return torch.from_numpy(clicks).to(looked.inputs.device)


class Window(NamedTuple):
    """A rectangle of an image, and the probability in it; outside it is 0."""

    row0: int
    col0: int
    probability: NDArray[np.float32]

    def mask(self, threshold: float, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Where the probability is above a threshold, (height, width) bool.

        Ours: column by column in memory, as run-length codes are; for an image of 24
        megapixels the log then waits for no transposition.
        """
        height, width = self.probability.shape
        whole = np.zeros(shape, dtype=np.bool_, order="F")
        place = slice(self.row0, self.row0 + height), slice(self.col0, self.col0 + width)
        whole[place] = self.probability > threshold
        return whole


def pasted(answer: NDArray[np.float32], affine: Affine, shape: tuple[int, int]) -> Window:
    """``crops.paste`` of a crop's answer, with the work done around the crop only.

    Ours: of an image of 24 megapixels an object's window is a small part.

    Args:
        answer: (S, S) probabilities of the crop.
        affine: from the image to the crop.
        shape: (height, width) of the image.
    """
    corners = crops.box_corners(Box(0.0, 0.0, float(answer.shape[0]), float(answer.shape[1])))
    reach = np.array(crops.hull_box(crops.apply(crops.invert(affine), corners)))
    row0, col0 = (int(side) for side in np.clip(np.floor(reach[:2]) - 2, 0, shape))
    row1, col1 = (int(side) for side in np.clip(np.ceil(reach[2:]) + 2, 0, shape))
    moved = np.array([[1.0, 0.0, col0], [0.0, 1.0, row0]])
    window = crops.compose(affine, moved)
    return Window(row0, col0, crops.paste(answer, window, (row1 - row0, col1 - col0)))
