"""Known or unknown: from which probability on a predicted class counts (Sec. 3.3).

The unknown channel never sees a positive. Ours: a labelled object whose own channel is taken out of
the softmax stands for one of a class that no source object has.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from openscenes.data.examples import NO_CLASS, Example
from openscenes.method.inference import RunContext, predictions
from openscenes.method.other_looks import in_other_looks
from openscenes.networks.openscene import OpenSceneNet

Gate = Literal["calibrated", "constant", "given"]
N_CALIBRATED = 128  # objects, evenly out of all


def winners(probability: Tensor, unknown_class: bool = False) -> tuple[Tensor, Tensor]:
    """The class of each object and its probability, whatever that is.

    Paper: Sec. 3.3.
    Ours: where the background or the unknown channel wins, there is no class, with probability 0.

    Args:
        probability: (B, n), or (B, n + 1) with ``unknown_class``, whose channel is the last.
    Returns:
        (B,) channel or ``NO_CLASS``, (B,) float.
    """
    best, channel = probability.max(dim=1)
    is_class = channel > 0
    if unknown_class:
        is_class &= channel < probability.shape[1] - 1
    return torch.where(is_class, channel, NO_CLASS), torch.where(is_class, best, 0.0)


def known_classes(
    probability: Tensor, unknown_below: float, *, unknown_class: bool = False
) -> Tensor:
    """(B, n or n + 1) class probabilities -> (B,) channel, ``NO_CLASS`` where unknown.

    Paper: Sec. 3.3.
    Ours: channel 0 (background) and a winning unknown channel count as unknown, too.

    Args:
        unknown_class: whether the last channel is the unknown class.
    """
    channel, best = winners(probability, unknown_class)
    return torch.where(best >= unknown_below, channel, NO_CLASS)


def calibrated(network: OpenSceneNet, labelled: Sequence[Example], context: RunContext) -> float:
    """The probability from which on a class is known, of this network.

    Paper: none ("unknown" is not defined).
    Ours: leave one class out. ``N_CALIBRATED`` labelled objects, each in another look, are seen as
    they are, and again with their own channel left out of the softmax. ``balanced`` then refuses as
    many of the rightly named as it takes of the others. Nothing is trained, nothing of the new
    scene is seen.

    Args:
        labelled: objects of at least two classes; with fewer it is the context's constant.
    """
    objects = [example for example in labelled if example.labelled and example.class_index > 0]
    if len({example.class_index for example in objects}) < 2:
        return context.inference.unknown_below
    chosen, looks = in_other_looks(objects, N_CALIBRATED, context)
    plain = replace(context.inference, clip_to_box=False, tta="none", evidence=None)
    found = [one.prediction.class_probability for one in predictions(network, chosen, looks, plain)]
    probability = torch.cat(found).float().cpu()
    classes = torch.tensor([example.class_index for example in chosen])
    unknown_class = network.config.unknown_class
    named, seen = winners(probability, unknown_class)
    _, unseen = winners(without(probability, classes), unknown_class)
    right = named == classes
    if not right.any():
        return context.inference.unknown_below
    return balanced(seen[right], torch.cat([unseen, seen[~right]]))


def without(probability: Tensor, classes: Tensor) -> Tensor:
    """(B, n) probabilities of a softmax without the channel of each object's own class.

    Paper: none.

    Args:
        classes: (B,) channel that is left out.
    """
    rest = probability.scatter(1, classes[:, None], 0.0)
    return rest / rest.sum(dim=1, keepdim=True).clamp_min(1e-12)


def balanced(seen: Tensor, unseen: Tensor) -> float:
    """The threshold at which the share of ``seen`` below it is that of ``unseen`` from it on.

    Paper: none.

    Args:
        seen, unseen: (N,), (M,) in [0, 1]; neither is empty.
    """
    values = torch.cat([seen, unseen, torch.tensor([0.0, 1.0])]).double().unique()
    tried = (values[1:] + values[:-1]) / 2
    missed = (seen.double()[None] < tried[:, None]).double().mean(1)
    taken = (unseen.double()[None] >= tried[:, None]).double().mean(1)
    return float(tried[(missed - taken).abs().argmin()])
