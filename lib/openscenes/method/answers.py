"""A network's answers about objects: to the first three clicks, and to every correction after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openscenes.data import crops, samples
from openscenes.data.samples import Sample
from openscenes.masks import BoolMask
from openscenes.method import click_cut
from openscenes.method.cutting import CropMap, crop_maps
from openscenes.method.evidence import NO_CLICKS, evidence_of
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.inference import RunContext
from openscenes.networks.enlargement import enlarge
from openscenes.networks.openscene import OpenSceneNet

ImageClicks = Sequence[NDArray[np.float32]]  # per object (K, 3): row, col, sign in image pixels
_Done = tuple[tuple[float, ...], ...]


class Answers:
    """Objects that are being corrected: the backbone runs once for each, a correction is cheap.

    Paper: Sec. 3.1 for the first answer.
    Ours: with ``inference.evidence`` every answer is weighed with what image and box say, before a
    click is obeyed.
    Ours: corrections come one after the other, each on the mask before it, and each is obeyed
    (``click_cut``), so that an answer depends on the list of clicks alone; clicks that are taken
    back are forgotten.
    """

    @torch.inference_mode()
    def __init__(
        self,
        network: OpenSceneNet,
        cuts: Sequence[Sample],
        context: RunContext,
        *,
        obeyed: bool = True,
        taken: Sequence[BoolMask | None] | None = None,
    ) -> None:
        """Answer box and point of each crop.

        Paper: Sec. 3.1.

        Args:
            network: in evaluation mode, on the context's device.
            obeyed: whether corrections go through ``click_cut``.
            taken: for each crop the (S, S) pixels of neighbours, which are background unless a
                positive click claims them, or None.
        """
        self.obeyed, self.taken = obeyed, taken or [None] * len(cuts)
        self.network, self.cuts, self.context = network, list(cuts), context
        self.batch = samples.collate(self.cuts).to(context.fabric.device)
        with context.fabric.autocast():
            stages = network.encode(self.batch.inputs(context.clicks))
            output = network.first(stages, fine_only=True)
            self.seen = network.see(stages, output.fine_features)
        self.first = self._probability(output.fine)
        if (evidence := context.inference.evidence) is not None:
            self._weigh(self.first, range(len(cuts)), evidence)
        for i, (cut, neighbours) in enumerate(zip(self.cuts, self.taken, strict=True)):
            if neighbours is not None:
                point = np.clip(np.rint([cut.point]), 0, len(neighbours) - 1).astype(int)
                self.first[i, 0][torch.from_numpy(click_cut.still_taken(neighbours, point))] = 0.0
        self.now, self.done = self.first.clone(), [_Done()] * len(self.cuts)

    @torch.inference_mode()
    def to(
        self, clicks: ImageClicks, thresholds: Sequence[float] | NDArray[np.float64] | None = None
    ) -> list[CropMap]:
        """Each object's probability after the first three clicks and all these.

        Paper: Sec. 3.1.

        Args:
            clicks: corrections so far; an empty list gives the first answer.
            thresholds: above which each user sees a mask; None: as masks are predicted.
        """
        if thresholds is None:
            thresholds = [self.context.inference.threshold] * len(self.cuts)
        asked = [tuple(map(tuple, given)) for given in clicks]
        for i, (done, given) in enumerate(zip(self.done, asked, strict=True)):
            if given[: len(done)] != done:
                self.now[i], self.done[i] = self.first[i], _Done()
        while behind := [i for i, given in enumerate(asked) if len(self.done[i]) < len(given)]:
            for i in behind:
                self.done[i] = asked[i][: len(self.done[i]) + 1]
            chosen = torch.tensor(behind, device=self.now.device)
            moved = self._moved(behind)
            answered = self._corrected(chosen, moved)
            if (evidence := self.context.inference.evidence) is not None:
                self._weigh(answered, behind, evidence.for_corrections, moved.numpy())
            if self.obeyed:
                for row, i in enumerate(behind):
                    answered[row, 0] = self._obeying(answered[row, 0], i, moved[row], thresholds[i])
            self.now[chosen] = answered
        maps = crop_maps(self.now, self.cuts)
        if not self.obeyed:
            return maps
        return [replace(one, clicks=given) for one, given in zip(maps, clicks, strict=True)]

    def _corrected(self, chosen: Tensor, moved: Tensor) -> Tensor:
        """The network's answers to the last click of some objects, (n, 1, S, S)."""
        config = self.context.clicks
        told = self.batch.told(config).of(chosen).and_then(moved.to(self.now.device), config)
        with self.context.fabric.autocast():
            logits = self.network.correct(
                tuple(one[chosen] for one in self.seen), told, self.now[chosen]
            )
        return self._probability(logits)

    def _weigh(
        self,
        maps: Tensor,
        which: Sequence[int],
        evidence: EvidenceConfig,
        moved: NDArray[np.float32] | None = None,
    ) -> None:
        """Put evidence masks in the place of (n, 1, S, S) maps of some objects, one view each."""
        for row, i in enumerate(which):
            seen = maps[row, 0].float().cpu().numpy()
            clicks = NO_CLICKS if moved is None else moved[row, : len(self.done[i])]
            if np.isfinite(seen).all():  # who asked says what is damaged
                found = evidence_of(self.cuts[i], seen, seen, evidence, clicks)
                maps[row, 0] = torch.from_numpy(found.probability)

    def _obeying(self, answer: Tensor, i: int, moved: Tensor, threshold: float) -> Tensor:
        """(S, S), the answer in which the last click is obeyed and no earlier one is undone."""
        inside = np.array([[*self.cuts[i].point, 1]], np.float32)
        clicks = np.concatenate((inside, moved[: len(self.done[i])].numpy()))
        before = self.now[i, 0].cpu().numpy()
        made = click_cut.obey(
            answer.cpu().numpy(), self.cuts[i].image, before, clicks,
            taken=self.taken[i], threshold=threshold,
        )  # fmt: skip
        return torch.from_numpy(made)

    def _moved(self, behind: Sequence[int]) -> Tensor:
        """Clicks in pixels of their crops, (n, K, 3), padded with zeros to the longest list."""
        padded = np.zeros((len(behind), max(len(self.done[i]) for i in behind), 3), np.float32)
        for row, i in zip(padded, behind, strict=True):
            given = np.array(self.done[i], np.float64)
            points = crops.apply(self.cuts[i].affine, given[:, 1::-1])
            row[: len(given)] = np.c_[points[:, ::-1], given[:, 2]]
        return torch.from_numpy(padded)

    def _probability(self, logits: Tensor) -> Tensor:
        size = self.context.crop.size
        return torch.sigmoid(enlarge(logits, (size, size)))
