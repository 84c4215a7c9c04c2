"""The model behind the annotator: a box and a point give a mask, further clicks correct it.

The backbone runs once for an object; its stages are kept, so that a correction runs the pyramid
pooling and the heads alone (as in ``study.scores.click_systems``, for one object at a time).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openscenes.annotator.evolve.evolving import SEED, version_in_use
from openscenes.annotator.store.versions import Version
from openscenes.annotator.store.workspace import Workspace
from openscenes.data import crops, samples
from openscenes.data.crops import Affine
from openscenes.data.examples import Example
from openscenes.data.pasting import Pasted, pasted
from openscenes.data.records import Box, Interaction
from openscenes.data.samples import Sample
from openscenes.errors import InputError, WeightsError
from openscenes.files import one_line
from openscenes.networks.backbones import Stages
from openscenes.networks.enlargement import enlarge
from openscenes.networks.iog_refinement import RefinableIOG
from openscenes.prediction.predict import checked_interaction, mean_inside
from openscenes.study.plan.on_demand import trained
from openscenes.study.runs.data import Study
from openscenes.study.runs.recipes import initial, refiner_of
from openscenes.study.runs.refinement import load_refinable

Click = tuple[float, float, int]  # row, col in pixels of the image; +1 inside, -1 outside


@dataclass(frozen=True)
class ObjectPrediction:
    """What the model predicts for one object.

    Attributes:
        mask: (H, W) bool, in the image's pixels.
        confidence: mean probability over the mask, in [0, 1].
        seconds: from the clicks to the mask.
        encoded: the backbone ran for it.
    """

    mask: NDArray[np.bool_]
    confidence: float
    seconds: float
    encoded: bool


@dataclass(frozen=True)
class _Encoded:
    """An object that the backbone has encoded, on these very pixels."""

    pixels: NDArray[np.uint8]
    interaction: Interaction
    sample: Sample
    inputs: Tensor
    stages: Stages


class Session:
    """One model in use, and the stages of the object that it encoded last."""

    def __init__(self, study: Study, network: RefinableIOG, label: str) -> None:
        """``network`` runs as the study says; ``label`` names it in the log and on the page."""
        self.study = study
        self.network = network.eval().requires_grad_(False).to(study.fabric.device)
        self.label = label
        self._last: _Encoded | None = None

    def image(self, path: Path) -> NDArray[np.uint8]:
        """An image's (H, W, 3) uint8 RGB pixels, upright, not to be written to; decoded once."""
        return self.study.cache.image(path, upright=True)

    def predict(
        self,
        path: Path,
        box: Sequence[float],
        point: Sequence[float],
        further: Sequence[Click] = (),
    ) -> ObjectPrediction:
        """The mask that box, point and all further clicks give.

        Paper: Sec. 3.1 (box and point). IOG: further clicks go through its refinement branch.

        Args:
            box: (row0, col0, row1, col1), half-open in its pixels.
            point: (row, col) inside the box.
            further: clicks after the first prediction, in their order.
        Raises:
            DataError: if the image is missing or damaged.
            InputError: if box, point or a click cannot be used, in one sentence.
            WeightsError: if the prediction is not finite.
        """
        start = time.perf_counter()
        interaction = checked_interaction(self.image(path), box, point)
        before, now = self._last, self._encode(path, interaction)
        window = self._window(now, further)
        threshold = self.study.profile.inference.threshold
        confidence = mean_inside(window.values, window.values > threshold)
        mask = window.within((0, 0, *now.sample.shape), "F") > threshold
        return ObjectPrediction(mask, confidence, time.perf_counter() - start, now is not before)

    def reach(self, box: Box) -> Box:
        """The part of the plane that the model sees for a box: the box and its margin."""
        crop = self.study.profile.crop
        return _seen(crops.window_affine(box, crop), crop.size)

    def _encode(self, path: Path, interaction: Interaction) -> _Encoded:
        """The object's crop and its stages; the backbone runs where it is another object."""
        last, pixels = self._last, self.image(path)
        if last is not None and last.pixels is pixels and last.interaction == interaction:
            return last
        profile = self.study.profile
        example = Example(str(path), path, interaction, None, upright=True)
        sample = samples.cut(example, profile.crop, self.study.cache)
        batch = samples.collate([sample]).to(self.study.fabric.device)
        with torch.inference_mode(), self.study.fabric.autocast():
            inputs = batch.inputs(profile.clicks)
            stages = self.network.encode(inputs)
        self._last = _Encoded(pixels, interaction, sample, inputs, stages)
        return self._last

    def _window(self, seen: _Encoded, further: Sequence[Click]) -> Pasted:
        with torch.inference_mode(), self.study.fabric.autocast():
            if further:
                maps = self.network.click_maps(seen.inputs, self._moved(seen, further))
                logits = self.network.refined(seen.stages, maps).logits
            else:
                logits = self.network.first(seen.stages).logits
            size = self.study.profile.crop.size
            probability = torch.sigmoid(enlarge(logits.float(), (size, size)))[0, 0].cpu().numpy()
        if not np.isfinite(probability).all():
            raise WeightsError(
                f"The prediction of {self.label} is not finite; its weights are damaged, choose "
                "another version."
            )
        return pasted(probability, seen.sample.affine, seen.sample.shape)

    def _moved(self, seen: _Encoded, further: Sequence[Click]) -> Tensor:
        """Further clicks in crop pixels, (1, K, 3); those that the model cannot see are refused."""
        given = _numbers(further)
        points = crops.apply(seen.sample.affine, given[:, 1::-1])
        size = self.study.profile.crop.size
        outside = ~((points >= -0.5) & (points <= size - 0.5)).all(axis=1)
        if outside.any():
            row, col = given[outside][0, :2]
            reach = ", ".join(f"{side:.0f}" for side in self.reach(seen.interaction.box))
            raise InputError(
                f"The click ({row:.0f}, {col:.0f}) lies outside the crop of this "
                f"object, ({reach}); click nearer to the box, or draw a larger one."
            )
        clicks = np.c_[points[:, ::-1], given[:, 2]][None].astype(np.float32)
        return torch.from_numpy(clicks).to(seen.inputs.device)


def _numbers(further: Sequence[Click]) -> NDArray[np.float64]:
    """(K, 3) row, col and sign of further clicks."""
    try:
        given = np.asarray(further, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        given = np.empty(0)
    finite = given.ndim == 2 and given.shape[1] == 3 and np.isfinite(given).all()
    if not finite or not np.isin(given[:, 2], (1, -1)).all():
        raise InputError(
            f"The further clicks are {one_line(repr(further))}; give finite (row, col, sign), with "
            "a sign of +1 inside the object or -1 outside."
        )
    return given


def session_in_use(study: Study, workspace: Workspace) -> Session:
    """The workspace's version in use; in a new workspace, the study's initial model.

    What of the initial model and its refinement branch is missing in the cache is trained, and
    said before. The branch was trained with the initial model; it is put onto what has evolved
    from it, as the study does.

    Raises:
        InputError: if the workspace was begun with another profile.
    """
    return session_of(study, version_in_use(workspace, study))


def session_of(study: Study, version: Version) -> Session:
    """A version of a workspace, ready to answer, with the refinement branch as above."""
    recipe = initial(study.profile.initial_sets[-1], SEED)
    first, branch = trained(study, [recipe, refiner_of(recipe)])
    return Session(study, load_refinable(study, branch, first, version.model), version.name)


def _seen(affine: Affine, size: int) -> Box:
    """What an (S, S) crop covers of its image's plane."""
    corners = crops.box_corners(Box(0.0, 0.0, float(size), float(size)))
    return crops.hull_box(crops.apply(crops.invert(affine), corners))
