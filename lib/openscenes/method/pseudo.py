"""Pseudo masks of a new scene: coarse prediction, predicted class, refinement by IPT.

Paper: Sec. 3.2 (offline: the network does not change), Sec. 3.3 (known or unknown class).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import lightning_fabric as fabric_module
import numpy as np
import torch
from torch import Tensor

from openscenes import masks
from openscenes.data import crops, interactions
from openscenes.data.examples import NO_CLASS, Example, ImageCache
from openscenes.data.samples import Batch, Sample
from openscenes.method.beyond.box_losses import box_region
from openscenes.method.inference import Feature, InferenceConfig, Prediction, predictions
from openscenes.method.ipt import IPTConfig, Refinement, refine
from openscenes.networks.openscene import OpenSceneNet
from openscenes.progress import progress
from openscenes.seeding import torch_generator


def refine_batch(
    prediction: Prediction,
    batch: Batch,
    examples: Sequence[Example],
    config: IPTConfig,
    *,
    feature: Feature,
    seed: int,
) -> Refinement:
    """IPT of one batch; the center points of an object depend on seed and object alone.

    Paper: Sec. 3.2.
    """
    last = batch.images.shape[-1] - 1
    return refine(
        prediction.feature(feature),
        prediction.coarse_mask,
        prediction.predicted_mask,
        batch.points.round().clamp(0, last).long(),
        config,
        generator=[torch_generator("center", seed, e.object_id) for e in examples],
        coarse_probability=prediction.probability,
    )


def pseudo_examples(
    network: OpenSceneNet,
    examples: Sequence[Example],
    clicks: interactions.ClickConfig,
    crop: crops.CropConfig,
    config: InferenceConfig,
    ipt: IPTConfig | None,
    *,
    cache: ImageCache,
    fabric: fabric_module.Fabric,
    seed: int,
    label: str = "pseudo masks",
) -> list[Example]:
    """Give each object of a new scene a pseudo mask and a predicted class.

    Paper: Sec. 3.2, 3.3; with ``ipt=None`` the coarse masks themselves ("+ST" of Table 4).
    Ours: an object whose class probability is below ``unknown_below`` is of unknown class.
    """
    made: list[Example] = []
    bar = progress(label, len(examples))
    for chunk, cuts, batch, prediction in predictions(
        network, examples, clicks, crop, config, cache=cache, fabric=fabric
    ):
        mask = prediction.coarse_mask
        if ipt is not None:
            mask = refine_batch(
                prediction, batch, chunk, ipt, feature=config.feature, seed=seed
            ).mask
        if config.clip_to_box:
            mask = mask & box_region(batch.boxes, crop.size, config.clip_margin)
        classes = known_classes(prediction.class_probability, config.unknown_below)
        pieces = zip(chunk, cuts, mask.cpu().numpy(), classes.tolist(), strict=True)
        for example, sample, piece, class_index in pieces:
            code = to_image(piece[0], sample)
            made.append(replace(example, supervision=code, class_index=class_index))
        bar.update(len(chunk))
    bar.close()
    return made


def to_image(mask: masks.BoolMask, sample: Sample) -> dict[str, Any]:
    """The run-length code, in image pixels, of a (S, S) crop mask.

    Ours: pasted with the crop's inverse warp, as predictions are.
    """
    pasted = crops.paste(mask.astype(np.float32), sample.affine, sample.shape)
    return masks.encode(pasted >= 0.5)


def known_classes(probability: Tensor, unknown_below: float) -> Tensor:
    """(B, n or n+1) class probabilities -> (B,) channel, ``NO_CLASS`` where unknown.

    Paper: Sec. 3.3.
    Ours: channel 0 (background) and a winning unknown channel count as unknown, too.
    """
    best, channel = probability.max(dim=1)
    return torch.where((best >= unknown_below) & (channel > 0), channel, NO_CLASS)
