"""The objective, Eq. 11: losses of labelled batches and of batches of pairs, one per object."""

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openscenes.data.examples import NO_CLASS
from openscenes.data.samples import Batch
from openscenes.method.alignment import (
    AlignmentConfig,
    feature_alignment_loss,
    maximum_squares_loss,
)
from openscenes.networks.enlargement import enlarge
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


def supervised_losses(
    output: NetworkOutput, batch: Batch, class_weight: float
) -> dict[str, Tensor]:
    """Losses of objects with a supervision of their own, (B,) each.

    Paper: Sec. 3.1, Eq. 11 (L_ce).
    """
    losses = {"ce": mask_cross_entropy(output, batch)}
    if class_weight > 0:
        losses["class"] = class_weight * class_cross_entropy(output, batch)
    return losses


def pair_losses(
    output: NetworkOutput,
    old: Batch,
    new: Batch,
    alignment: AlignmentConfig | None,
    old_weight: float,
    class_weight: float,
    classifier: nn.Module | None = None,
) -> dict[str, Tensor]:
    """Eq. 11 for B pairs.

    Paper: Sec. 3.3, Eq. 11.
    Ours: one forward pass over both halves, which share batch statistics.

    Args:
        output: of 2B crops, first all old ones, then all new ones.
        old, new: B crops each; pair i is (old[i], new[i]).
        alignment: None leaves out L_feat and L_max.
        old_weight: of the old data's cross entropies.
        class_weight: of the class head's.
        classifier: the class head, which then learns on features that it does not change; None:
            its cross entropy reaches the backbone.
    Returns:
        name -> (B,) float32.
    """
    half_old, half_new = halves(output)
    classified = half_old
    if classifier is not None:
        classified = half_old._replace(classes=classifier(half_old.features.detach()))
    losses = {
        "ce_old": old_weight * mask_cross_entropy(half_old, old),
        "class_old": old_weight * class_weight * class_cross_entropy(classified, old),
        "ce_new": mask_cross_entropy(half_new, new),
    }
    if alignment is not None:
        losses |= alignment_losses(half_old, old, half_new, new, alignment)
    return losses


def alignment_losses(
    out_old: NetworkOutput, old: Batch, out_new: NetworkOutput, new: Batch, config: AlignmentConfig
) -> dict[str, Tensor]:
    """L_feat and L_max of B pairs.

    Paper: Eq. 7-10.  Symbols: c_a over ground truth times predictor, c_b over the refined mask
    times predictor; M'_b is the predictor's probability.
    """
    known = new.classes != NO_CLASS
    probability_new = torch.sigmoid(out_new.predictor.float())
    cells = probability_new.shape[-1] // out_new.features.shape[-1]
    if cells > 1:  # the predictor reads the decoder
        probability_new = F.avg_pool2d(probability_new, cells)
    feature = feature_alignment_loss(
        out_old.features, _confirmed(old.masks, out_old), out_new.features,
        _confirmed(new.masks, out_new), new.masks, probability_new, known, config,
    )  # fmt: skip
    classes = torch.softmax(out_new.classes.float(), dim=1)
    squares = maximum_squares_loss(probability_new, classes, known, config, new.masks[0].numel())
    return {"feat": feature, "max": squares}


def measured_terms(
    losses: Mapping[str, Tensor],
    output: NetworkOutput,
    old: Batch,
    new: Batch,
    config: AlignmentConfig,
) -> dict[str, Tensor]:
    """The losses of B pairs with A and B of Eq. 7 in place of their sum, which is minimised.

    Paper: Table 5.
    """
    half_old, half_new = halves(output)
    alone = {
        "A": replace(config, pixel_term=False, class_agnostic_pixel_term=False),
        "B": replace(config, proto_term=False, class_agnostic_proto_term=False),
    }
    found = {n: alignment_losses(half_old, old, half_new, new, c)["feat"] for n, c in alone.items()}
    return {name: loss for name, loss in losses.items() if name != "feat"} | found


def _confirmed(supervision: Tensor, output: NetworkOutput) -> Tensor:
    """Supervision where the predictor agrees, (B, 1, S, S); the supervision itself if nowhere."""
    size = (supervision.shape[-2], supervision.shape[-1])
    with torch.no_grad():
        agreed = supervision & (enlarge(output.predictor, size) > 0)
    some = agreed.flatten(1).any(dim=1)
    return torch.where(some[:, None, None, None], agreed, supervision)


def halves(output: NetworkOutput) -> tuple[NetworkOutput, NetworkOutput]:
    """Split an output of 2B crops into two of B.

    Paper: Sec. 3.3, pairs of an old and a new object.
    Ours: by ``chunk``: the gradients of two slices would each be padded to 2B crops, added, and
    laid out another way than the maps.
    """
    coarse = [logits.chunk(2) for logits in output.coarse]
    maps = output._asdict()
    del maps["coarse"], maps["corrected"]
    others = {name: values.chunk(2) for name, values in maps.items()}

    def half(number: int) -> NetworkOutput:
        parts = {name: halves[number] for name, halves in others.items()}
        return NetworkOutput(coarse=tuple(halves[number] for halves in coarse), **parts)

    return half(0), half(1)
