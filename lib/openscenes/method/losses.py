"""Cross entropies of Eq. 11, summed over pixels, one value per object.

Paper: Eq. 11 (L_ce), Sec. 3.3.  IOG sums over pixels and five outputs; the learning rates of
Sec. 4.1.3 only make sense with that sum.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from openscenes.data.examples import NO_CLASS
from openscenes.data.samples import Batch
from openscenes.networks.iog import enlarge
from openscenes.networks.openscene import NetworkOutput


def mask_cross_entropy(output: NetworkOutput, batch: Batch) -> Tensor:
    """Binary cross entropy of all six outputs against the supervision.

    Paper: Eq. 11.
    Ours: five deeply supervised IOG outputs and the pixel predictor, each with weight 1; the
    paper says "binary cross entropy" without naming the outputs.

    Args:
        output: of B crops.
        batch: the same B crops; void pixels count nowhere.
    Returns:
        (B,) float32, summed over pixels and outputs.
    """
    size = (batch.masks.shape[-2], batch.masks.shape[-1])
    target = batch.masks.float()
    counted = (~batch.void).float()
    logits = [*output.coarse, output.fine, output.predictor]
    losses = [
        F.binary_cross_entropy_with_logits(enlarge(logit, size), target, reduction="none")
        for logit in logits
    ]
    return torch.stack([(loss * counted).sum(dim=(1, 2, 3)) for loss in losses]).sum(dim=0)


def object_class_logits(class_logits: Tensor, weights: Tensor) -> Tensor:
    """Pool per-pixel class logits over an object.

    Paper: Sec. 3.3 ("a 1D class probability").
    Ours: one 1x1 convolution gives logits per pixel; their mean over the foreground is the
    object's, so that both the 1D probability and Eq. 9's map exist.

    Args:
        class_logits: (B, n, h, w).
        weights: (B, 1, H, W) foreground mask or probability, resampled by area.
    Returns:
        (B, n) float32.
    """
    grid = (class_logits.shape[-2], class_logits.shape[-1])
    share = F.adaptive_avg_pool2d(weights.float(), grid)
    total = share.sum(dim=(2, 3)).clamp_min(1e-6)
    return (class_logits.float() * share).sum(dim=(2, 3)) / total


def class_cross_entropy(output: NetworkOutput, batch: Batch) -> Tensor:
    """Cross entropy of the class head on labelled objects, zero elsewhere.

    Paper: Sec. 3.3 ("this classifier is supervised ... with the sampled images from dataset A").
    Ours: scaled by the number of pixels, to stand beside sums over pixels.

    Returns:
        (B,) float32.
    """
    logits = object_class_logits(output.classes, batch.masks)
    known = batch.labelled & (batch.classes != NO_CLASS)
    losses = F.cross_entropy(logits, batch.classes.clamp_min(0), reduction="none")
    return torch.where(known, losses, 0.0) * batch.masks[0].numel()
