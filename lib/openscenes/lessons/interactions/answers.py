"""What the network answers to questions about one object, many at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openscenes import masks
from openscenes.data import crops, samples
from openscenes.data.interactions import ClickConfig
from openscenes.data.records import Box, Interaction
from openscenes.data.samples import Sample
from openscenes.lessons.interactions.state import (
    BoolMask,
    Part,
    Question,
    Subject,
    asked_box,
    inside,  # fmt: skip
)
from openscenes.method.inference import forward
from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import Model

CHANNELS: dict[Part, slice] = {
    "colours": slice(0, 3), "foreground": slice(3, 4), "background": slice(4, 5),
}  # fmt: skip


Training = tuple[Study, OpenSceneNet]


@dataclass(frozen=True)
class Answer:
    """What the network makes of one question.

    Attributes:
        interaction: the box as the network was told it, and the point.
        sample: the crop.
        channels: (5, S, S) float32 in [0, 255], the network's input.
        probability: (S, S) float32 in [0, 1], the coarse answer in the crop.
        predictor: (S, S) float32 in [0, 1], the pixel predictor, enlarged.
        in_image: (H, W) float32 in [0, 1], the coarse answer in the photograph.
        mask: (H, W) bool, ``in_image`` above the profile's threshold.
        iou: with the ground truth, in image pixels.
        network_ms: the share of its batch's time in the network.
    """

    question: Question
    interaction: Interaction
    sample: Sample
    channels: NDArray[np.float32]
    probability: NDArray[np.float32]
    predictor: NDArray[np.float32]
    in_image: NDArray[np.float32]
    mask: BoolMask
    iou: float
    network_ms: float

    @property
    def at_click(self) -> float:
        """The probability of the clicked pixel."""
        point = inside(self.interaction.point, self.mask.shape)
        return float(self.in_image[round(point.row), round(point.col)])


def load_trainings(studies: Sequence[Study], models: Sequence[Model]) -> dict[str, Training]:
    """Networks beside the studies that they belong to, named by the clicks that they were shown.

    Returns:
        Such as ``{"many users, bumps of 40 px": (study, network)}``, in their order.
    """
    found: dict[str, Training] = {}
    for study, model in zip(studies, models, strict=True):
        users = "one user" if study.profile.augmentation.click_core == 1 else "many users"
        name = f"{users}, bumps of {study.profile.clicks.heat_map_width_px:g} px"
        found[name] = (study, model.load(study).to(study.fabric.device))
    return found


def networks_of(trainings: Mapping[str, Training]) -> dict[str, OpenSceneNet]:
    """The networks alone, by the same names."""
    return {name: network for name, (_, network) in trainings.items()}


def answers(
    study: Study, network: OpenSceneNet, subject: Subject, questions: Sequence[Question]
) -> list[Answer]:
    """Ask many questions about one object, batch by batch; crops that are alike are cut once.

    Ours: the network is asked plainly, from one view and without confining its mask to the box,
    whatever the profile's own way of reading.

    Args:
        network: on the study's device and in evaluation mode, as ``load_trainings`` gives it.
    """
    cuts: dict[tuple[Box, float], Sample] = {}
    asked = [_sample(study, subject, question, cuts) for question in questions]
    found: list[Answer] = []
    for start in range(0, len(asked), study.profile.inference.batch_size):
        part = slice(start, start + study.profile.inference.batch_size)
        found += _asked(study, network, subject, questions[part], asked[part])
    return found


def answer(study: Study, network: OpenSceneNet, subject: Subject, question: Question) -> Answer:
    """Ask one question about one object."""
    return answers(study, network, subject, [question])[0]


def _sample(
    study: Study, subject: Subject, question: Question, cuts: dict[tuple[Box, float], Sample]
) -> Sample:
    box, point = asked_box(question, subject.shape), question.interaction.point
    if (box, question.margin_px) not in cuts:
        example = replace(subject.example, interaction=Interaction(box, point))
        crop = replace(study.profile.crop, margin_px=question.margin_px)
        cuts[box, question.margin_px] = samples.cut(example, crop, study.cache)
    sample = cuts[box, question.margin_px]
    return replace(sample, point=crops.move_point(sample.affine, point))


def _asked(
    study: Study,
    network: OpenSceneNet,
    subject: Subject,
    questions: Sequence[Question],
    asked: Sequence[Sample],
) -> list[Answer]:
    """One batch through the network, and back into the photograph."""
    clicks = study.profile.clicks
    channels = torch.cat([_inputs(s, q, clicks) for s, q in zip(asked, questions, strict=True)])
    began = time.perf_counter()
    probability, predictor = _maps(study, network, channels)
    network_ms = 1e3 * (time.perf_counter() - began) / len(asked)
    return [
        _answer(study, subject, questions[i], asked[i], (channels[i].numpy(), *maps), network_ms)
        for i, maps in enumerate(zip(probability, predictor, strict=True))
    ]


def _inputs(sample: Sample, question: Question, clicks: ClickConfig) -> Tensor:
    """(1, 5, S, S): the five channels, without those that the question leaves out."""
    config = replace(clicks, heat_map_width_px=question.heat_map_width_px)
    inputs = samples.collate([sample]).inputs(config)
    for part in question.without:
        shown = inputs[:, CHANNELS[part]]
        inputs[:, CHANNELS[part]] = shown.mean((2, 3), keepdim=True) if part == "colours" else 0.0
    return inputs


def _maps(
    study: Study, network: OpenSceneNet, channels: Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(B, S, S) coarse probability and pixel predictor of (B, 5, S, S) channels."""
    on_device = channels.to(study.fabric.device).contiguous(memory_format=torch.channels_last)
    said = forward(network, on_device, study.profile.inference, study.fabric.autocast())
    return said.probability[:, 0].cpu().numpy(), said.predictor[:, 0].cpu().numpy()


def _answer(
    study: Study,
    subject: Subject,
    question: Question,
    sample: Sample,
    maps: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    network_ms: float,
) -> Answer:
    channels, probability, predictor = maps
    in_image = crops.paste(probability, sample.affine, sample.shape)
    mask = in_image > study.profile.inference.threshold
    told = Interaction(asked_box(question, subject.shape), question.interaction.point)
    iou = masks.iou(mask, subject.truth, subject.void)
    return Answer(
        question, told, sample, channels, probability, predictor, in_image, mask, iou, network_ms
    )
