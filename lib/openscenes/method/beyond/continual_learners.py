"""Learning without forgetting, and elastic weights: two continual learners, on masks.

Ours: that they learn masks; both are told as of classifiers. Fine-tuning, joint training and replay
are values of ``evolution.align``.
"""

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openscenes.data import crops, samples
from openscenes.data.examples import Example
from openscenes.data.samples import Batch
from openscenes.errors import InputError
from openscenes.method.inference import RunContext
from openscenes.method.objective import mask_cross_entropy
from openscenes.method.training import TrainConfig, train
from openscenes.networks.openscene import NetworkOutput, OpenSceneNet

Extra = Callable[[NetworkOutput, Tensor], Tensor]  # (output of B crops, their inputs) -> (B,)


def learn(
    network: OpenSceneNet,
    examples: Sequence[Example],
    config: TrainConfig,
    augmentation: crops.Augmentation,
    context: RunContext,
    extra: Extra,
) -> list[dict[str, float]]:
    """Train a network in place on the new objects alone, with a loss that keeps the old ones.

    Paper: none.  ``L = L_ce(new) + L_extra``.
    """

    def objective(module: nn.Module, batches: Sequence[Batch], _epoch: int) -> dict[str, Tensor]:
        inputs = batches[0].inputs(context.clicks)
        output: NetworkOutput = module(inputs)
        return {"ce": mask_cross_entropy(output, batches[0]), "extra": extra(output, inputs)}

    still = (network.classifier, network.corrector)
    return train(
        network, lambda _epoch: [(one,) for one in examples], objective, config, (augmentation,),
        context, still=still,
    )  # fmt: skip


def without_forgetting(network: OpenSceneNet, weight: float, context: RunContext) -> Extra:
    """Learning without Forgetting: on new images, answer as before.

    Paper: none; Li and Hoiem (2016).  With p the probabilities, p* those of the network as it is,
    ``L = -lambda sum (p* log p + (1 - p*) log(1 - p))`` over the crop's pixels.
    """
    before = copy.deepcopy(network).to(context.fabric.device).eval()

    def extra(output: NetworkOutput, inputs: Tensor) -> Tensor:
        with torch.no_grad(), context.fabric.autocast():
            told = torch.sigmoid(before(inputs).fine.float())
        losses = F.binary_cross_entropy_with_logits(output.fine.float(), told, reduction="none")
        pixels = inputs.shape[-2] * inputs.shape[-1]
        return weight * pixels * losses.mean(dim=(1, 2, 3))

    return extra


def elastic_weights(
    network: OpenSceneNet, importance: Mapping[str, Tensor], weight: float
) -> Extra:
    """Elastic weight consolidation: weights that old objects hang on stay where they are.

    Paper: none; Kirkpatrick et al. (2017).  ``L = lambda / 2 sum_i F_i (theta_i - theta*_i)^2``,
    times the crop's pixels, as all losses are sums over these.

    Args:
        network: to be trained; theta* are its weights now.
        importance: F of ``fisher``, by name.
    """
    kept = {name: value.detach().clone() for name, value in network.named_parameters()}

    def extra(output: NetworkOutput, inputs: Tensor) -> Tensor:
        moved = torch.stack([
            (importance[name] * (value - kept[name].to(value.device)) ** 2).sum()
            for name, value in network.named_parameters() if name in importance
        ])  # fmt: skip
        pixels = inputs.shape[-2] * inputs.shape[-1]
        return (weight / 2 * pixels * moved.sum()).expand(len(inputs))

    return extra


def fisher(
    network: OpenSceneNet, examples: Sequence[Example], context: RunContext
) -> dict[str, Tensor]:
    """How much the masks of objects hang on each weight: the diagonal of the Fisher information.

    Paper: none; Kirkpatrick et al. (2017).  ``F_i = mean_x (d l(x) / d theta_i)^2``, l being L_ce
    per pixel with the object's own supervision.

    Raises:
        InputError: without an object.
    """
    if not examples:
        raise InputError("the Fisher information is a mean over objects, got none; give some")
    network.to(context.fabric.device).eval().requires_grad_(True)
    used = [(name, value) for name, value in network.named_parameters()]
    found = {name: torch.zeros_like(value) for name, value in used}
    for example in examples:
        cut = samples.cut(example, context.crop, context.cache)
        batch = samples.collate([cut]).to(context.fabric.device)
        inputs = batch.inputs(context.clicks)
        loss = mask_cross_entropy(network(inputs), batch).sum() / batch.masks[0].numel()
        values = [value for _, value in used]
        gradients = torch.autograd.grad(loss, values, allow_unused=True)
        for (name, _), gradient in zip(used, gradients, strict=True):
            if gradient is not None:
                found[name] += gradient**2 / len(examples)
    return {name: value for name, value in found.items() if value.any()}
