"""The model behind the annotator: a box and a point give a mask, further clicks correct it.

The backbone runs once for an object; a correction runs the network's small corrector alone (as in
``study.scores.click_systems``, for one object at a time).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.annotator.evolve.evolving import SEED, version_in_use
from openscenes.annotator.store.versions import Version
from openscenes.annotator.store.workspace import Workspace
from openscenes.data import crops, samples
from openscenes.data.examples import Example
from openscenes.data.pasting import Pasted
from openscenes.data.records import Interaction
from openscenes.data.samples import Sample
from openscenes.errors import WeightsError
from openscenes.method.answers import Answers
from openscenes.method.click_cut import mark
from openscenes.method.evidence_config import FOR_PEOPLE, EvidenceConfig
from openscenes.networks.openscene import OpenSceneNet
from openscenes.prediction.predict import (
    Click,
    checked_clicks,
    checked_interaction,
    following,
    mean_inside,
)
from openscenes.study.plan.on_demand import trained
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import run_context
from openscenes.study.runs.recipes import initial

Code = Mapping[str, Any]


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
    taken: tuple[str, ...]
    sample: Sample
    answers: Answers


class Session:
    """One model in use, and its answers about the object that it encoded last."""

    def __init__(
        self,
        study: Study,
        network: OpenSceneNet,
        label: str,
        evidence: EvidenceConfig | None = FOR_PEOPLE,
    ) -> None:
        """``network`` runs as the study says; ``label`` names it in the log and on the page.

        Ours: image and box have a say in every answer; ``evidence=None`` is the network alone.
        """
        context = run_context(study)
        inference = replace(context.inference, evidence=evidence)
        self.context = replace(context, inference=inference)
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
        taken: Sequence[Code] = (),
    ) -> ObjectPrediction:
        """The mask that box, point and all further clicks give.

        Paper: Sec. 3.1 (box and point). Ours: each further click corrects the mask before it, and
        each clicked pixel has the user's label.

        Args:
            box: (row0, col0, row1, col1), half-open in its pixels.
            point: (row, col) inside the box.
            further: clicks after the first prediction, in their order.
            taken: run-length codes of the image's other objects, which are background unless a
                click claims one.
        Raises:
            DataError: if the image is missing or damaged.
            InputError: if box, point or a click cannot be used, in one sentence.
            WeightsError: if the prediction is not finite.
        """
        start = time.perf_counter()
        image = self.image(path)
        interaction = checked_interaction(image, box, point)
        shape = image.shape[0], image.shape[1]
        interaction = following(interaction, further, shape, self.study.profile.crop)
        before, now = self._last, self._encode(path, interaction, taken)
        given = checked_clicks(further, now.sample.affine, self.study.profile.crop.size)
        window = self._window(now, given)
        threshold = self.study.profile.inference.threshold
        confidence = mean_inside(window.values, window.values > threshold)
        mask = window.within((0, 0, *now.sample.shape), "F") > threshold
        mark(mask, given)
        return ObjectPrediction(mask, confidence, time.perf_counter() - start, now is not before)

    def _encode(self, path: Path, interaction: Interaction, taken: Sequence[Code]) -> _Encoded:
        """The object's crop and its stages; the backbone runs where it is another object."""
        last, pixels = self._last, self.image(path)
        names = tuple(code["counts"] for code in taken)
        now = interaction, names
        if last is not None and last.pixels is pixels and (last.interaction, last.taken) == now:
            return last
        profile = self.study.profile
        example = Example(str(path), path, interaction, None, upright=True)
        sample = samples.cut(example, profile.crop, self.study.cache)
        neighbours = [self._neighbours(sample, taken)]
        answers = Answers(self.network, [sample], self.context, taken=neighbours)
        self._last = _Encoded(pixels, interaction, names, sample, answers)
        return self._last

    def _neighbours(self, sample: Sample, taken: Sequence[Code]) -> masks.BoolMask | None:
        """(S, S) bool, the crop's pixels that other objects have; None without any."""
        size, shape = self.study.profile.crop.size, sample.shape
        window = crops.seen_window(sample.affine, size, shape)
        shown = np.zeros((window[2] - window[0], window[3] - window[1]), bool)
        for code in taken:
            shown |= masks.decode(code, window)
        if not shown.any():
            return None
        return crops.warp_window(shown, window, shape, sample.affine, size)

    def _window(self, seen: _Encoded, given: NDArray[np.float32]) -> Pasted:
        (one,) = seen.answers.to([given])
        if not np.isfinite(one.sent.array).all():
            raise WeightsError(
                f"The prediction of {self.label} is not finite; its weights are damaged, choose "
                "another version."
            )
        return one.pasted()


def session_in_use(study: Study, workspace: Workspace) -> Session:
    """The workspace's version in use; in a new workspace, the study's initial model.

    Where the initial model is missing in the cache it is trained, which is said before.

    Raises:
        InputError: if the workspace was begun with another profile.
    """
    return session_of(study, version_in_use(workspace, study))


def session_of(study: Study, version: Version) -> Session:
    """A version of a workspace, ready to answer."""
    trained(study, [initial(study.profile.initial_sets[-1], SEED)])
    return Session(study, version.model.load(study), version.name)
