"""Every system of Table 1 behind one interface: clicks in, masks out.

A system looks at a chunk of objects once (crops, encoded stages) and then predicts as often as the
user clicks; clicks are in image pixels, predictions are probabilities in the pixels of a crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openscenes.data import crops, samples
from openscenes.data.crops import CropConfig
from openscenes.data.examples import Example, ImageCache
from openscenes.method.answers import Answers, ImageClicks
from openscenes.method.box_region import box_region
from openscenes.method.cutting import CropMap, crop_maps, cut_in_order
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.networks.enlargement import enlarge
from openscenes.networks.openscene import OpenSceneNet
from openscenes.peers.click_sampling import extreme_points
from openscenes.peers.zoo import PEERS, Peer, peer_of
from openscenes.pool import Pool
from openscenes.seeding import torch_generator
from openscenes.study.runs import peers
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import Model, run_context
from openscenes.study.runs.recipes import Recipe

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


def system_of(
    study: Study, recipe: Recipe, model: Model, *,
    obey: bool = True, evidence: EvidenceConfig | None = None,
) -> System:  # fmt: skip
    """The system that a model is: a peer, or a box-and-point network.

    Args:
        obey: whether a box-and-point network's corrections go through ``click_cut``.
        evidence: that its answers are weighed with; None: the network's alone.
    """
    if recipe.lineage()[0].name in PEERS:
        peer = peer_of(study.profile, recipe.lineage()[0].name)
        network = peers.load_peer(model, peer).to(study.fabric.device)
        if peer.clicks.kind == "extremes":
            return ExtremeSystem(study, peer, network)
        return ClickSystem(study, peer, network)
    return BoxSystem(study, model.load(study).to(study.fabric.device), obey, evidence)


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
    """Box and point, then corrections by the same network: IOG and ours."""

    study: Study
    network: OpenSceneNet
    obey: bool = True
    evidence: EvidenceConfig | None = None
    protocol_clicks: int = 3
    corrects: bool = True

    def look(self, chunk: Sequence[Example], pool: Pool[ImageCache] | None = None) -> Predictor:
        """Cut the user's boxes and run the backbone once."""
        study, context = self.study, run_context(self.study)
        inference = replace(context.inference, evidence=self.evidence)
        cuts = [plain for (plain,) in cut_in_order(chunk, study.profile.crop, study.cache, pool)]
        return _Boxed(
            Answers(self.network, cuts, replace(context, inference=inference), obeyed=self.obey)
        )


@dataclass(frozen=True)
class _Boxed:
    answers: Answers

    def predict(self, clicks: ImageClicks, thresholds: Thresholds) -> list[CropMap]:
        return self.answers.to(clicks, thresholds)


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
