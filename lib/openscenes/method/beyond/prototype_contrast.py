"""A feature that prototypes can separate: object and rest pulled apart while the model begins.

Ours: IPT (Sec. 3.2) compares cells with prototypes, but no loss of the paper asks F for that. Here
each cell must be nearer to the prototype of its own side, so that a vote has its best chance.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from openscenes.data.samples import Batch
from openscenes.method.prototypes import as_full_precision, full_precision, mean_features
from openscenes.networks.config import Feature
from openscenes.networks.openscene import NetworkOutput
from openscenes.settings import require_between, require_one_of, setting


@dataclass(frozen=True)
class ContrastConfig:
    """How strongly an initial training asks for a feature that prototypes separate."""

    weight: float = setting(
        0.0, "Ours: beside the masks' cross entropy; the paper has no such term"
    )
    temperature: float = setting(0.1, "Ours: of a difference of cosines, at most 2")
    feature: Feature = setting("decoder", "Ours: which F; the decoder's grid is finer")

    def __post_init__(self) -> None:
        require_between(self, 0.0, 1e6, "weight")
        require_between(self, 1e-3, 1e3, "temperature")
        require_one_of(self, "feature", ("layer4", "decoder"))


def prototype_contrast(output: NetworkOutput, batch: Batch, config: ContrastConfig) -> Tensor:
    """Cross entropy of the nearer prototype of the true mask, for every cell of F.

    Paper: none; the prototypes are those of Eq. 1.
    Ours: with f_j = F_j / ||F_j||, c and c_bar the means of f over the object and over the rest of
    the crop, and T the temperature,

        P_j = sigmoid((cos(f_j, c) - cos(f_j, c_bar)) / T),   L = w H W mean_j BCE(P_j, M_j)

    where M_j is the mask's share of the cell; void pixels count nowhere.

    Args:
        output: of B crops.
        batch: the same B crops; one that has no object, no rest or no true mask gives 0.
    Returns:
        (B,) float32, times the crop's pixels, to stand beside sums over pixels.
    """
    features = output.features if config.feature == "layer4" else output.fine_features
    with full_precision(features):
        unit = F.normalize(as_full_precision(features), dim=1)
        sides = torch.cat([batch.masks & ~batch.void, ~batch.masks & ~batch.void], 1)
        means = F.normalize(mean_features(unit, sides), dim=2)
        cosines = means @ unit.flatten(2)
        logits = (cosines[:, 0] - cosines[:, 1]) / config.temperature
        shares = F.adaptive_avg_pool2d(
            sides.to(unit.dtype),
            unit.shape[2:],  # type: ignore[arg-type]
        ).flatten(2)
        counted = shares.sum(1)
        target = shares[:, 0] / counted.clamp_min(1e-6)
        losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        mean = (counted * losses).sum(1) / counted.sum(1).clamp_min(1e-6)
    asked = batch.labelled & sides.flatten(2).any(2).all(1)
    return config.weight * batch.masks[0].numel() * torch.where(asked, mean, 0.0)
