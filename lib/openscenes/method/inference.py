"""method.inference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import lightning_fabric as fabric_module
import torch
from torch import Tensor

from openscenes.data import crops, interactions, samples
from openscenes.data.examples import Example, ImageCache
from openscenes.data.samples import Batch, Sample
from openscenes.method.beyond.box_losses import box_region
from openscenes.method.beyond.test_time_augmentation import OTHER_VIEWS, cut_view, warped_back
from openscenes.method.objective import object_class_logits
from openscenes.networks.iog import enlarge
from openscenes.networks.openscene import NetworkOutput, OpenSceneNet
from openscenes.settings import setting

Feature = Literal["layer4", "decoder"]


@dataclass(frozen=True)
class InferenceConfig:
    """How a network's outputs are read."""

    feature: Feature = setting("layer4", "Sec. 3.2: the fourth layer of the ResNet")
    threshold: float = setting(0.5, "Ours: absolute probability; IOG reports nine thresholds")
    unknown_below: float = setting(
        0.5,
        "Ours: the unknown channel never sees a positive, so a "
        "class is known only if its probability reaches this",
    )
    batch_size: int = setting(16, "Ours: only speed")
    clip_to_box: bool = setting(False, "Ours: the paper lets a mask leave the user's box")
    clip_margin: float = setting(
        0.0, "Ours: share of the box's side by which it is widened before it confines"
    )
    views: Literal["one", "six"] = setting(
        "one", "Sec. 3.2; Ours: six averages the plain view, a flip, two zooms, two rotations"
    )


@dataclass(frozen=True)
class Prediction:
    """What the network says of B crops, all on one device, float32 or bool.

    Attributes:
        probability: (B, 1, S, S) foreground probability, fine output.
        coarse_mask: (B, 1, S, S) bool, M_p.
        predicted_mask: (B, 1, S, S) bool, the binarised predictor M_b.
        layer4: (B, C, h, w), the fourth stage's feature.
        decoder: (B, C', h', w'), the decoder's high-resolution feature.
        class_probability: (B, n) of the object.
    """

    probability: Tensor
    coarse_mask: Tensor
    predicted_mask: Tensor
    layer4: Tensor
    decoder: Tensor
    class_probability: Tensor

    def feature(self, name: Feature) -> Tensor:
        """The feature that prototypes are built from.

        Paper: Sec. 3.2 ("an image feature F from the fourth layer of the Resnet model").
        Ours: the decoder's feature is the other choice, for its finer grid.
        """
        return self.layer4 if name == "layer4" else self.decoder


def read_output(output: NetworkOutput, size: int, config: InferenceConfig) -> Prediction:
    """Masks, features and class of a network output.

    Paper: Sec. 3.2, the three components M_p, M_b and F.
    Ours: M_p is the fine output above 0.5; the object's class is pooled over the predictor.
    """
    probability = torch.sigmoid(enlarge(output.fine, (size, size)))
    predictor = torch.sigmoid(output.predictor.float())
    logits = object_class_logits(output.classes, predictor)
    return Prediction(
        probability=probability,
        coarse_mask=probability > config.threshold,
        predicted_mask=enlarge(predictor, (size, size)) > 0.5,
        layer4=output.features,
        decoder=output.fine_features,
        class_probability=torch.softmax(logits, dim=1),
    )


def predictions(
    network: OpenSceneNet,
    examples: Sequence[Example],
    clicks: interactions.ClickConfig,
    crop: crops.CropConfig,
    config: InferenceConfig,
    *,
    cache: ImageCache,
    fabric: fabric_module.Fabric,
) -> Iterator[tuple[Sequence[Example], list[Sample], Batch, Prediction]]:
    """Run the network over examples without augmentation, batch by batch.

    Paper: Sec. 3.2.
    """
    network.to(fabric.device).eval()
    with torch.inference_mode():
        for chunk, cuts, batch in samples.sequential_batches(
            examples, crop, cache, config.batch_size
        ):
            batch = batch.to(fabric.device)
            prediction = _asked(network, batch, clicks, crop, config, fabric)
            if config.views == "six":
                several = [(prediction.probability, torch.ones_like(prediction.probability))]
                for view in OTHER_VIEWS:
                    seen = cut_view(chunk, view, crop, cache)
                    other = samples.collate(seen).to(fabric.device)
                    answer = _asked(network, other, clicks, crop, config, fabric)
                    several.append(warped_back(answer.probability, seen, cuts))
                prediction = _with_probability(prediction, _weighted_mean(several), config)
            if config.clip_to_box:
                region = box_region(batch.boxes, crop.size, config.clip_margin)
                prediction = _with_probability(prediction, prediction.probability * region, config)
            yield chunk, cuts, batch, prediction


def _asked(
    network: OpenSceneNet,
    batch: Batch,
    clicks: interactions.ClickConfig,
    crop: crops.CropConfig,
    config: InferenceConfig,
    fabric: fabric_module.Fabric,
) -> Prediction:
    with fabric.autocast():
        output = network(batch.inputs(clicks), fine_only=True)
    return read_output(output, crop.size, config)


def _weighted_mean(several: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Mean of maps that were already multiplied by their weights."""
    total = torch.stack([values for values, _ in several]).sum(dim=0)
    return total / torch.stack([weight for _, weight in several]).sum(dim=0)


def _with_probability(
    prediction: Prediction, probability: Tensor, config: InferenceConfig
) -> Prediction:
    return replace(prediction, probability=probability, coarse_mask=probability > config.threshold)
