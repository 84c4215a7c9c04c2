"""Every system of Table 1 behind one interface: clicks in, masks out.

A system looks at a chunk of objects once (crops, encoded stages) and then predicts as often as the
user clicks; clicks are in image pixels, predictions are probabilities in the pixels of a crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openscenes.data import crops, samples
from openscenes.data.crops import CropConfig
from openscenes.data.examples import Example, ImageCache
from openscenes.method import click_cut
from openscenes.method.beyond.box_losses import box_region
from openscenes.method.cutting import CropMap, crop_maps, cut_in_order
from openscenes.networks.enlargement import enlarge
from openscenes.networks.iog_refinement import RefinableIOG
from openscenes.peers.click_sampling import extreme_points
from openscenes.peers.zoo import PEERS, Peer, peer_of
from openscenes.pool import Pool
from openscenes.seeding import torch_generator
from openscenes.study.runs import peers, refinement
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import Model
from openscenes.study.runs.recipes import Recipe, refiner_of
from openscenes.study.runs.runs import find

ImageClicks = Sequence[NDArray[np.float32]]  # per object (K, 3): row, col, sign in image pixels
Thresholds = Sequence[float] | NDArray[np.float64]
NO_CLICKS = np.zeros((0, 3), np.float32)


class Predictor(Protocol):
    """A system before a chunk of objects."""

    def predict(self, clicks: ImageClicks, thresholds: Thresholds) -> list[CropMap]:
        """Return a probability map of each object, given all clicks so far.

        Args:
            clicks: of each object; none at all begins anew.
            thresholds: above which each object's map is the mask that its user sees.
        """


class System(Protocol):
    """A trained system."""

    @property
    def protocol_clicks(self) -> int:
        """Clicks that it needs before its first prediction; 0 for systems of free clicks."""

    @property
    def corrects(self) -> bool:
        """Whether it takes clicks after its first prediction."""

    def look(self, chunk: Sequence[Example], pool: Pool[ImageCache] | None = None) -> Predictor:
        """Look at objects, whose crops a pool cuts, if there is one."""


def system_of(study: Study, recipe: Recipe, model: Model, *, obey: bool = True) -> System:
    """The system that a model is: a peer, or a box-and-point network with its refinement.

    Args:
        obey: whether a box-and-point network's corrections go through ``click_cut``.
    """
    if recipe.lineage()[0].name in PEERS:
        peer = peer_of(study.profile, recipe.lineage()[0].name)
        network = peers.load_peer(model, peer).to(study.fabric.device)
        if peer.clicks.kind == "extremes":
            return ExtremeSystem(study, peer, network)
        return ClickSystem(study, peer, network)
    teacher = refiner_of(recipe)
    first = find(study, recipe.lineage()[0])
    refinable = refinement.load_refinable(study, find(study, teacher), first, model)
    return BoxSystem(study, refinable.to(study.fabric.device), obey)


@dataclass(frozen=True)
class ClickSystem:
    """Free clicks on the whole image: iFCN and those that followed it."""

    study: Study
    peer: Peer
    network: torch.nn.Module
    protocol_clicks: int = 0
    corrects: bool = True

    @torch.inference_mode()
    def look(self, chunk: Sequence[Example], pool: Pool[ImageCache] | None = None) -> Predictor:
        """Scale each image to the network's size; see of it what no click changes."""
        crops, network = _Crops(self.study, self.peer.crop, chunk, pool), cast(Any, self.network)
        if not hasattr(network, "image_features"):
            return _Clicked(self, crops)
        unclicked = network.inputs(crops.batch.images, crops.moved([NO_CLICKS] * len(chunk)), None)
        with self.study.fabric.autocast():
            return _Clicked(self, crops, (network.image_features(unclicked),))


@dataclass
class _Clicked:
    system: ClickSystem
    crops: _Crops
    seen: tuple[Any, ...] = ()
    previous: Tensor | None = None

    @torch.inference_mode()
    def predict(self, clicks: ImageClicks, thresholds: Thresholds) -> list[CropMap]:
        network = cast(Any, self.system.network)
        moved = self.crops.moved(clicks)
        with self.system.study.fabric.autocast():
            inputs = network.inputs(self.crops.batch.images, moved, self.previous)
            logits = network(inputs, *self.seen).logits
        probability = torch.sigmoid(enlarge(logits, self.crops.size))
        self.previous = probability > 0.5
        return self.crops.maps(probability)


@dataclass(frozen=True)
class ExtremeSystem:
    """DEXTR: four clicks on the object's extremes, which also bound its mask; no corrections."""

    study: Study
    peer: Peer
    network: torch.nn.Module
    protocol_clicks: int = 4
    corrects: bool = False

    @torch.inference_mode()
    def look(self, chunk: Sequence[Example], pool: Pool[ImageCache] | None = None) -> Predictor:
        """Cut the box that the extremes span, with DEXTR's margin."""
        cut = _Crops(self.study, self.peer.crop, chunk, pool, truth=True)
        return _Extreme(self, cut, chunk)


@dataclass
class _Extreme:
    system: ExtremeSystem
    crops: _Crops
    chunk: Sequence[Example]

    @torch.inference_mode()
    def predict(self, clicks: ImageClicks, thresholds: Thresholds) -> list[CropMap]:
        batch, network = self.crops.batch, cast(Any, self.system.network)
        generators = [torch_generator("extremes", e.object_id) for e in self.chunk]
        extremes = extreme_points(batch.masks, slack_px=0.0, generators=generators)
        with self.system.study.fabric.autocast():
            logits = network(network.inputs(batch.images, extremes, None)).logits
        probability = torch.sigmoid(enlarge(logits, self.crops.size))
        inside = box_region(batch.boxes, self.crops.size[0], 0.0)
        return self.crops.maps(probability * inside)


@dataclass(frozen=True)
class BoxSystem:
    """Box and point, then corrections by the refinement branch: IOG and ours."""

    study: Study
    network: RefinableIOG
    obey: bool = True
    protocol_clicks: int = 3
    corrects: bool = True

    @torch.inference_mode()
    def look(self, chunk: Sequence[Example], pool: Pool[ImageCache] | None = None) -> Predictor:
        """Cut the user's boxes and run the backbone once."""
        cut = _Crops(self.study, self.study.profile.crop, chunk, pool)
        inputs = cut.batch.inputs(self.study.profile.clicks)
        with self.study.fabric.autocast():
            stages = self.network.encode(inputs)
        return _Boxed(self, cut, inputs, stages)


@dataclass
class _Boxed:
    """``answers``: (n, S, S), the last, which the users see; ``told``: clicks that led there."""

    system: BoxSystem
    crops: _Crops
    inputs: Tensor
    stages: Any
    answers: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))
    told: Sequence[int] = ()

    @torch.inference_mode()
    def predict(self, clicks: ImageClicks, thresholds: Thresholds) -> list[CropMap]:
        network, given = self.system.network, [len(one) for one in clicks]
        moved = self.crops.moved(clicks)
        with self.system.study.fabric.autocast():
            if not any(given):
                logits = network.first(self.stages).logits
            else:
                drawn = network.click_maps(self.inputs, moved)
                logits = network.refined(self.stages, drawn).logits
        probability = torch.sigmoid(enlarge(logits, self.crops.size))
        if not self.system.obey:
            return self.crops.maps(probability)
        before, self.answers = self.answers, probability[:, 0].float().cpu().numpy()
        if any(given):
            told = zip(before, self._all_clicks(moved, given), self.told, thresholds, strict=True)
            for row, (cut, one) in enumerate(zip(self.crops.cuts, told, strict=True)):
                self.answers[row] = _obeyed(self.answers[row], cut.image, *one)
        self.told = given
        maps = self.crops.maps(torch.from_numpy(self.answers)[:, None])
        return [replace(one, clicks=made) for one, made in zip(maps, clicks, strict=True)]

    def _all_clicks(self, moved: Tensor, given: Sequence[int]) -> list[NDArray[np.float32]]:
        """Each object's inside point, then its corrections, in pixels of the crop."""
        return [
            np.concatenate([np.array([[*cut.point, 1]], np.float32), row[:n]])
            for cut, row, n in zip(self.crops.cuts, moved.cpu().numpy(), given, strict=True)
        ]


def _obeyed(
    probability: NDArray[np.float32], image: NDArray[np.uint8], before: NDArray[np.float32],
    clicks: NDArray[np.float32], told: int, threshold: float,
) -> NDArray[np.float32]:  # fmt: skip
    """The answer before where there is no new click, else what obeys all of them."""
    n_new = len(clicks) - 1 - told
    if n_new < 1:
        return before
    return click_cut.obey(probability, image, before, clicks, n_new=n_new, threshold=threshold)


class _Crops:
    """A chunk's crops, and the way between them and their images."""

    def __init__(
        self, study: Study, config: CropConfig, chunk: Sequence[Example],
        pool: Pool[ImageCache] | None = None, *, truth: bool = False,
    ) -> None:  # fmt: skip
        cut = cut_in_order(chunk, config, study.cache, pool, truth=truth)
        self.cuts = [plain for (plain,) in cut]
        self.batch = samples.collate(self.cuts).to(study.fabric.device)
        self.size = (config.size, config.size)

    def moved(self, clicks: ImageClicks) -> Tensor:
        """Clicks in crop pixels, (B, K, 3), padded with zeros to the longest list."""
        longest = max(1, *map(len, clicks))
        padded = np.zeros((len(self.cuts), longest, 3), dtype=np.float32)
        for row, given, cut in zip(padded, clicks, self.cuts, strict=True):
            if len(given):
                points = crops.apply(cut.affine, given[:, 1::-1].astype(np.float64))
                row[: len(given)] = np.c_[points[:, ::-1], given[:, 2]]
        return torch.from_numpy(padded).to(self.batch.images.device)

    def maps(self, probability: Tensor) -> list[CropMap]:
        """(B, 1, S, S) maps one by one, each with its way into its image."""
        return crop_maps(probability, self.cuts)
