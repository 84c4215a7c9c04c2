"""Segmentations of one object by many user inputs at a time."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openscenes import masks
from openscenes.data import crops, pasting, samples
from openscenes.data.interactions import ClickConfig
from openscenes.data.records import Box, Interaction
from openscenes.data.samples import Sample
from openscenes.lessons.interactions.user_inputs import (
    BoolMask,
    Part,
    Subject,
    UserInput,
    inside,
    shown_box,
)
from openscenes.method.inference import forward
from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.runs.data import Study
from openscenes.study.runs.models import Model

FloatMap = NDArray[np.float32]
CHANNELS: dict[Part, slice] = {
    "colours": slice(0, 3), "foreground": slice(3, 4), "background": slice(4, 5),
}  # fmt: skip


class Training(NamedTuple):
    """A network beside the study that trained it, on its device and in evaluation mode."""

    study: Study
    network: OpenSceneNet


@dataclass(frozen=True)
class Segmentation:
    """The segmentation of an object by one user input.

    Attributes:
        interaction: the box as the network was shown it, and the point.
        channels: (5, S, S) float32 in [0, 255], the network's input.
        probability, predictor: (S, S) float32 in [0, 1], fine output and pixel predictor.
        in_image: (H, W) float32 in [0, 1], the probability in the image.
        mask: (H, W) bool, ``in_image`` above the profile's threshold.
        iou: with the ground truth, in image pixels.
        network_ms: the share of its batch's time in the network.
    """

    user_input: UserInput
    interaction: Interaction
    sample: Sample
    channels: FloatMap
    probability: FloatMap
    predictor: FloatMap
    in_image: FloatMap
    mask: BoolMask
    iou: float
    network_ms: float

    @property
    def at_click(self) -> float:
        """The probability of the clicked pixel."""
        point = inside(self.interaction.point, self.mask.shape)
        return float(self.in_image[round(point.row), round(point.col)])


def load_trainings(studies: Sequence[Study], models: Sequence[Model]) -> dict[str, Training]:
    """Trainings by the clicks that they were shown: "many users, Gaussians of 40 px"."""
    found: dict[str, Training] = {}
    for study, model in zip(studies, models, strict=True):
        users = "one user" if study.profile.augmentation.click_core == 1 else "many users"
        name = f"{users}, Gaussians of {study.profile.clicks.heat_map_width_px:g} px"
        found[name] = Training(study, model.load(study).to(study.fabric.device))
    return found


def networks_of(trainings: Mapping[str, Training]) -> dict[str, OpenSceneNet]:
    """The networks alone, by the same names."""
    return {name: training.network for name, training in trainings.items()}


def segment(training: Training, subject: Subject, user_input: UserInput) -> Segmentation:
    """Segment one object by one user input."""
    return segment_all(training, subject, [user_input])[0]


def segment_all(
    training: Training, subject: Subject, inputs: Sequence[UserInput]
) -> list[Segmentation]:
    """Segment one object by many user inputs, batch by batch; equal crops are cut once.

    One view, no clipping to the box, whatever the profile's inference settings.
    """
    study = training.study
    cuts: dict[tuple[Box, float], Sample] = {}
    every = [_sample(study, subject, user_input, cuts) for user_input in inputs]
    found: list[Segmentation] = []
    for start in range(0, len(every), study.profile.inference.batch_size):
        part = slice(start, start + study.profile.inference.batch_size)
        found += _segmented(training, subject, inputs[part], every[part])
    return found


def _sample(
    study: Study, subject: Subject, user_input: UserInput, cuts: dict[tuple[Box, float], Sample]
) -> Sample:
    box, point = shown_box(user_input, subject.shape), user_input.interaction.point
    if (box, user_input.margin_px) not in cuts:
        example = replace(subject.example, interaction=Interaction(box, point))
        crop = replace(study.profile.crop, margin_px=user_input.margin_px)
        cuts[box, user_input.margin_px] = samples.cut(example, crop, study.cache)
    sample = cuts[box, user_input.margin_px]
    return replace(sample, point=crops.move_point(sample.affine, point))


def _segmented(
    training: Training, subject: Subject, inputs: Sequence[UserInput], cuts: Sequence[Sample]
) -> list[Segmentation]:
    """One batch through the network, and back into the image."""
    study, profile = training.study, training.study.profile
    channels = torch.cat(
        [_channels(*pair, profile.clicks) for pair in zip(cuts, inputs, strict=True)]
    )
    began = time.perf_counter()
    on_device = channels.to(study.fabric.device).contiguous(memory_format=torch.channels_last)
    made = forward(training.network, on_device, profile.inference, study.fabric.autocast())
    maps = [values[:, 0].cpu().numpy() for values in (made.probability, made.predictor)]
    network_ms = 1e3 * (time.perf_counter() - began) / len(cuts)
    found = []
    for i, (user_input, sample) in enumerate(zip(inputs, cuts, strict=True)):
        probability, predictor = (values[i] for values in maps)
        in_image = pasting.paste(probability, sample.affine, sample.shape)
        mask = in_image > profile.inference.threshold
        shown = Interaction(shown_box(user_input, subject.shape), user_input.interaction.point)
        iou = masks.iou(mask, subject.truth, subject.void)
        found.append(Segmentation(
            user_input, shown, sample, channels[i].numpy(), probability, predictor, in_image, mask,
            iou, network_ms,
        ))  # fmt: skip
    return found


def _channels(sample: Sample, user_input: UserInput, clicks: ClickConfig) -> Tensor:
    """(1, 5, S, S): the five channels, without those that the input leaves out."""
    config = replace(clicks, heat_map_width_px=user_input.heat_map_width_px)
    channels = samples.collate([sample]).inputs(config)
    for part in user_input.without:
        shown = channels[:, CHANNELS[part]]
        channels[:, CHANNELS[part]] = shown.mean((2, 3), keepdim=True) if part == "colours" else 0.0
    return channels
