"""The one forward path of Sec. 3.2: crop, network, masks M_p and M_b, feature F, pasted back."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal, NamedTuple

import lightning_fabric as fabric_module
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from openscenes.data import crops, interactions, samples
from openscenes.data.examples import Example, ImageCache
from openscenes.data.samples import Batch, Sample
from openscenes.method.beyond.test_time_augmentation import OTHER_VIEWS, warped_back
from openscenes.method.box_region import box_region
from openscenes.method.cutting import cut_in_order, paste_back
from openscenes.method.evidence import Evidence, evidence_of
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.objective import object_class_logits
from openscenes.method.random_walk import FloatMap
from openscenes.networks.config import Feature as Feature
from openscenes.networks.devices import make_fabric
from openscenes.networks.enlargement import enlarge
from openscenes.networks.openscene import NetworkOutput, OpenSceneNet
from openscenes.pool import Pool
from openscenes.settings import setting


@dataclass(frozen=True)
class InferenceConfig:
    """How masks and classes are read from a network's outputs."""

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
        0.0, "Ours: share of the box's side by which the box is widened before clipping"
    )
    tta: Literal["none", "six views"] = setting(
        "none", "Sec. 3.2; Ours: test-time augmentation by a flip, two zooms and two rotations"
    )
    evidence: EvidenceConfig | None = setting(
        None, "Ours: masks from the image and the tightness of the box (``method.evidence``)"
    )


@dataclass(frozen=True)
class RunContext:
    """What every stage of a run shares: crops, clicks, inference, image cache, devices, seed.

    ``workers`` is how many processes decode, cut, paste and score; 0 does it in the loop.
    """

    crop: crops.CropConfig = crops.CropConfig()
    clicks: interactions.ClickConfig = interactions.ClickConfig()
    inference: InferenceConfig = InferenceConfig()
    cache: ImageCache = field(default_factory=ImageCache)
    fabric: fabric_module.Fabric = field(default_factory=make_fabric)
    seed: int = 0
    workers: int = 0

    def pool(self) -> Pool[ImageCache]:
        """The processes that work beside the network, each with an image cache."""
        return Pool(self.workers, self.cache)


@dataclass(frozen=True)
class Prediction:
    """A network's output for B crops, all on one device, float32 or bool.

    Attributes:
        probability: (B, 1, S, S) foreground probability, fine output.
        coarse_mask: (B, 1, S, S) bool, M_p.
        predictor: (B, 1, S, S) foreground probability of the pixel predictor.
        layer4: (B, C, h, w), the fourth stage's feature.
        decoder: (B, C', h', w'), the decoder's high-resolution feature.
        class_probability: (B, n) of the object.
        one_view: (B, 1, S, S), the probability of the plain crop alone, inside the box or not.
        evidence: of each object; empty where none is asked for.
    """

    probability: Tensor
    coarse_mask: Tensor
    predictor: Tensor
    layer4: Tensor
    decoder: Tensor
    class_probability: Tensor
    one_view: Tensor
    evidence: tuple[Evidence, ...] = ()

    @property
    def predicted_mask(self) -> Tensor:
        """(B, 1, S, S) bool, the binarised predictor M_b.

        Paper: Sec. 3.2.
        """
        return self.predictor > 0.5

    def feature(self, name: Feature) -> Tensor:
        """The feature that prototypes are built from.

        Paper: Sec. 3.2 ("an image feature F from the fourth layer of the Resnet model").
        Ours: the decoder's feature is the other choice, for its finer grid.
        """
        return self.layer4 if name == "layer4" else self.decoder

    def two_maps(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(B, S, S) each: the probability of one view, and as this prediction has it.

        Paper: Sec. 3.2.
        """
        one_view, all_views = (
            maps[:, 0].float().cpu().numpy() for maps in (self.one_view, self.probability)
        )
        return one_view, all_views


class Predicted(NamedTuple):
    """One batch of inference: B examples, their crops, the batch on its device, the prediction."""

    examples: Sequence[Example]
    samples: list[Sample]
    batch: Batch
    prediction: Prediction


def predictions(
    network: OpenSceneNet,
    examples: Sequence[Example],
    context: RunContext,
    inference: InferenceConfig | None = None,
    pool: Pool[ImageCache] | None = None,
) -> Iterator[Predicted]:
    """Run the network over examples without augmentation, batch by batch, in their order.

    Paper: Sec. 3.2.

    Args:
        inference: instead of the context's.
        pool: who cuts the crops, the next ones while the network runs; without one they are cut
            here. Its samples have empty masks: a score reads the truth in pixels of the image.
    """
    config = inference or context.inference
    network.to(context.fabric.device).eval()
    other_views = OTHER_VIEWS if config.tta == "six views" else ()
    cut = cut_in_order(examples, context.crop, context.cache, pool, views=other_views)
    for start in range(0, len(examples), config.batch_size):
        chunk = examples[start : start + config.batch_size]
        cuts, *views = (list(view) for view in zip(*islice(cut, len(chunk)), strict=True))
        batch = samples.collate(cuts).to(context.fabric.device)
        prediction = _predict(network, batch, context, config)
        if views:
            prediction = _averaged(network, views, cuts, prediction, context, config)
        if config.evidence is not None:
            prediction = _on_evidence(prediction, cuts, config.evidence, pool)
        if config.clip_to_box:
            region = box_region(batch.boxes, context.crop.size, config.clip_margin)
            prediction = _with_probability(prediction, prediction.probability * region, config)
        yield Predicted(chunk, cuts, batch, prediction)


def forward(
    network: OpenSceneNet,
    inputs: Tensor,
    config: InferenceConfig,
    autocast: AbstractContextManager[Any],
) -> Prediction:
    """One forward pass without gradient.

    Paper: Sec. 3.2.

    Args:
        network: in evaluation mode, on the inputs' device.
        inputs: (B, 5, S, S) float32 in [0, 255], as ``Batch.inputs`` makes them.
        autocast: the precision's context, such as ``fabric.autocast()``.
    """
    with torch.inference_mode():
        with autocast:
            output = network(inputs, fine_only=True)
        return read_output(output, inputs.shape[-1], config)


def read_output(output: NetworkOutput, size: int, config: InferenceConfig) -> Prediction:
    """Masks, features and class of a network output.

    Paper: Sec. 3.2, the three components M_p, M_b and F.
    Ours: M_p is the fine output above 0.5; the object's class is pooled over the predictor.

    Args:
        size: S, the crop's side in pixels.
    """
    probability = torch.sigmoid(enlarge(output.fine, (size, size)))
    predictor = torch.sigmoid(output.predictor.float())
    logits = object_class_logits(output.classes, predictor)
    return Prediction(
        probability=probability,
        coarse_mask=probability > config.threshold,
        predictor=enlarge(predictor, (size, size)),
        layer4=output.features,
        decoder=output.fine_features,
        class_probability=torch.softmax(logits, dim=1),
        one_view=probability,
    )


def image_probability(
    network: OpenSceneNet, example: Example, context: RunContext
) -> NDArray[np.float32]:
    """(H, W) foreground probability of one object in pixels of its image.

    Paper: Sec. 3.2.
    """
    ((_, cuts, _, prediction),) = predictions(network, [example], context)
    return next(paste_back(prediction.probability, cuts))


def _predict(
    network: OpenSceneNet, batch: Batch, context: RunContext, config: InferenceConfig
) -> Prediction:
    return forward(network, batch.inputs(context.clicks), config, context.fabric.autocast())


def _averaged(
    network: OpenSceneNet,
    views: Sequence[Sequence[Sample]],
    cuts: Sequence[Sample],
    plain: Prediction,
    context: RunContext,
    config: InferenceConfig,
) -> Prediction:
    """The plain prediction with the mean probability of all six views."""
    total, weight = [plain.probability], [torch.ones_like(plain.probability)]
    for seen in views:
        batch = samples.collate(seen).to(context.fabric.device)
        other = _predict(network, batch, context, config)
        values, covered = warped_back(other.probability, seen, cuts)
        total.append(values)
        weight.append(covered)
    return _with_probability(plain, torch.stack(total).sum(0) / torch.stack(weight).sum(0), config)


def _on_evidence(
    prediction: Prediction, cuts: Sequence[Sample], config: EvidenceConfig,
    pool: Pool[ImageCache] | None,
) -> Prediction:  # fmt: skip
    """The prediction with the masks of evidence, made by the pool's processes if there are any."""
    maps = prediction.two_maps()
    asked = [(*one, config) for one in zip(cuts, *maps, strict=True)]
    here = pool or Pool(0, ImageCache())
    found = tuple(here.ordered(_evidence, asked))
    device = prediction.probability.device
    probability, mask = (
        torch.from_numpy(np.stack(values)[:, None]).to(device)
        for values in zip(*((one.probability, one.mask) for one in found), strict=True)
    )
    return replace(prediction, probability=probability, coarse_mask=mask, evidence=found)


def _evidence(
    _cache: ImageCache, asked: tuple[Sample, FloatMap, FloatMap, EvidenceConfig]
) -> Evidence:
    return evidence_of(*asked)


def _with_probability(
    prediction: Prediction, probability: Tensor, config: InferenceConfig
) -> Prediction:
    return replace(prediction, probability=probability, coarse_mask=probability > config.threshold)
