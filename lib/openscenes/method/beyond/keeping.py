"""What keeps the source while a new scene is learned: old objects' answers stay as they were."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from openscenes.data.samples import Batch
from openscenes.method.inference import RunContext
from openscenes.networks.enlargement import enlarge
from openscenes.networks.openscene import NetworkOutput, OpenSceneNet


def frozen_copy(network: OpenSceneNet, context: RunContext) -> OpenSceneNet:
    """The network as it is now, which learns nothing; on the context's device.

    Paper: none.
    """
    return copy.deepcopy(network).to(context.fabric.device).eval().requires_grad_(False)


def distilled(
    output: NetworkOutput, batch: Batch, before: OpenSceneNet, context: RunContext
) -> Tensor:
    """Binary cross entropy of six outputs against what the network answered before the step.

    Paper: none; Hinton et al. (2015), Li and Hoiem (2016), on old crops, which are still there.
    Ours: with p the probabilities of an output, p* those of the frozen network on the same crop,
    ``L = -sum (p* log p + (1 - p*) log(1 - p))`` over the six outputs of ``mask_cross_entropy``
    and the crop's pixels; void pixels count too, since no truth is asked.

    Args:
        output: of B old crops.
        batch: the same B crops.
        before: of ``frozen_copy``.
    Returns:
        (B,) float32, summed over pixels and outputs.
    """
    with torch.no_grad(), context.fabric.autocast():
        told: NetworkOutput = before(batch.inputs(context.clicks))
    size = (batch.masks.shape[-2], batch.masks.shape[-1])
    losses = [
        F.binary_cross_entropy_with_logits(
            enlarge(now, size), enlarge(then, size).sigmoid(), reduction="none"
        )
        for now, then in zip(_logits(output), _logits(told), strict=True)
    ]
    return torch.stack([loss.sum(dim=(1, 2, 3)) for loss in losses]).sum(dim=0)


def _logits(output: NetworkOutput) -> list[Tensor]:
    return [*output.coarse, output.fine, output.predictor]
