"""The model behind the annotator: a box and a point give a mask, further clicks correct it.

The backbone runs once for an object; a correction runs the network's small corrector alone (as in
``study.scores.click_systems``, for one object at a time).
"""

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.annotator.evolve.evolving import version_in_use
from openscenes.annotator.store.version_files import WEIGHTS
from openscenes.annotator.store.versions import Version, Versions
from openscenes.annotator.store.workspace import Workspace
from openscenes.data import crops, samples
from openscenes.data.examples import Example, ImageCache
from openscenes.data.pasting import Pasted
from openscenes.data.records import Interaction
from openscenes.data.samples import Sample
from openscenes.errors import WeightsError
from openscenes.method.answers import Answers
from openscenes.method.click_cut import mark
from openscenes.method.evidence_config import FOR_PEOPLE
from openscenes.method.inference import InferenceConfig, RunContext
from openscenes.networks.devices import make_fabric
from openscenes.networks.openscene import OpenSceneNet
from openscenes.prediction.model_files import model_from_file
from openscenes.prediction.predict import (
    Click,
    checked_clicks,
    checked_interaction,
    following,
    mean_inside,
)
from openscenes.study.runs.data import Study
from openscenes.study.runs.released import released_initial

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

    def __init__(self, context: RunContext, network: OpenSceneNet, label: str) -> None:
        """``network`` runs as the context says; ``label`` names it in the log and on the page.

        Ours: image and box have a say in every answer.
        """
        inference = replace(context.inference, evidence=FOR_PEOPLE)
        self.context = replace(context, inference=inference)
        self.network = network.eval().requires_grad_(False).to(context.fabric.device)
        self.label = label
        self._last: _Encoded | None = None

    def image(self, path: Path) -> NDArray[np.uint8]:
        """An image's (H, W, 3) uint8 RGB pixels, upright, not to be written to; decoded once."""
        return self.context.cache.image(path, upright=True)

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
        interaction = following(interaction, further, shape, self.context.crop)
        before, now = self._last, self._encode(path, interaction, taken)
        given = checked_clicks(further, now.sample.affine, self.context.crop.size)
        window = self._window(now, given)
        threshold = self.context.inference.threshold
        confidence = mean_inside(window.values, window.values > threshold)
        inside = window._replace(values=window.values > threshold)
        mask = inside.within((0, 0, *now.sample.shape), "F")
        mark(mask, given)
        return ObjectPrediction(mask, confidence, time.perf_counter() - start, now is not before)

    def _encode(self, path: Path, interaction: Interaction, taken: Sequence[Code]) -> _Encoded:
        """The object's crop and its stages; the backbone runs where it is another object."""
        last, pixels = self._last, self.image(path)
        names = tuple(code["counts"] for code in taken)
        now = interaction, names
        if last is not None and last.pixels is pixels and (last.interaction, last.taken) == now:
            return last
        example = Example(str(path), path, interaction, None, upright=True)
        sample = samples.cut(example, self.context.crop, self.context.cache)
        neighbours = [self._neighbours(sample, taken)]
        answers = Answers(self.network, [sample], self.context, taken=neighbours)
        self._last = _Encoded(pixels, interaction, names, sample, answers)
        return self._last

    def _neighbours(self, sample: Sample, taken: Sequence[Code]) -> masks.BoolMask | None:
        """(S, S) bool, the crop's pixels that other objects have; None without any."""
        size, shape = self.context.crop.size, sample.shape
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


def session_at_once(workspace: Workspace, device: str = "auto") -> Session | None:
    """The workspace's version in use; in a new workspace, the initial model of the repository.

    One file of weights is read: no data set is drawn, listed or learned for it.

    Returns:
        None where there is no such file, and the study has to be opened first.
    """
    current = Versions(workspace.folder).current()
    if current is not None:
        return session_of(current, device)
    folder = released_initial()
    return None if folder is None else _session(folder / WEIGHTS, folder.name, device)


def session_in_use(study: Study, workspace: Workspace) -> Session:
    """The workspace's version in use; in a new workspace, the study's initial model.

    Where the initial model is missing in the cache it is trained, which is said before.

    Raises:
        InputError: if the workspace was begun with another profile.
    """
    return session_of(version_in_use(workspace, study), str(study.fabric.device))


def session_of(version: Version, device: str = "auto") -> Session:
    """A version of a workspace, ready to answer."""
    return _session(version.model.weights, version.name, device)


def _session(weights: Path, label: str, device: str) -> Session:
    """A session of a model file, which says for which crops and clicks it was trained."""
    model = model_from_file(weights, device="cpu", precision="fp32")
    fabric = make_fabric(device)
    context = RunContext(model.crop, model.clicks, InferenceConfig(), ImageCache(), fabric)
    return Session(context, copy.deepcopy(model.network), label)
