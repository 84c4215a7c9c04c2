"""How far each term of Eq. 11 moves the backbone: its gradient's norm, on one batch an epoch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from openscenes.kept import keep, kept
from openscenes.method.inference import RunContext
from openscenes.method.training import TrainConfig
from openscenes.networks.openscene import OpenSceneNet

NORM = "gradient "  # before a term's name, in the rows of a history
_FILE = "gradients.json"  # beside the resume file, while a run lasts


class GradientNorms:
    """Norms by epoch and term; an interrupted run finds those that it has measured.

    Paper: none.
    Ours: of the mean over a batch's objects, as the loop minimises it. Where devices share a
    training nothing is measured, since each holds a part of every gradient.
    """

    def __init__(
        self, network: OpenSceneNet, context: RunContext, folder: Path | None, train: TrainConfig
    ) -> None:
        """``folder``: where the run's resume file lies; None keeps nothing."""
        self.network, self.fabric = network, context.fabric
        self.scale = context.crop.size**2 if train.reduction == "mean" else 1
        self.file = None if folder is None else folder / _FILE
        self.by_epoch: dict[str, dict[str, float]] = kept(self.file) or {} if self.file else {}

    def wanted(self, epoch: int) -> bool:
        """Whether this epoch's are still to be measured.

        Paper: none.
        """
        return self.fabric.world_size == 1 and str(epoch) not in self.by_epoch

    def measure(self, terms: Mapping[str, Tensor], epoch: int) -> None:
        """Keep the norms of an epoch; the gradients that the loop will take stay to be made.

        Paper: none.

        Args:
            terms: name -> (B,) losses, before their sum is minimised.
        """
        learning = [p for p in self.network.backbone_parameters() if p.requires_grad]
        norms = torch.stack([self._norm(loss, learning) for loss in terms.values()]).tolist()
        self.by_epoch[str(epoch)] = dict(zip(terms, norms, strict=True))
        if self.file is not None:
            keep(self.file, self.by_epoch)

    def _norm(self, loss: Tensor, learning: list[nn.Parameter]) -> Tensor:
        if not loss.requires_grad:
            return loss.new_zeros(())
        mean = loss.mean() / self.scale
        self.fabric.backward(mean, retain_graph=True, inputs=learning)
        norm = get_total_norm([p.grad for p in learning if p.grad is not None])
        for parameter in learning:
            parameter.grad = None
        return norm.to(loss)

    def beside(self, history: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
        """The rows of a finished run's losses, each with its epoch's norms.

        Paper: none.
        """
        if self.file is not None:
            self.file.unlink(missing_ok=True)
        return [
            {**row, **{f"{NORM}{term}": norm for term, norm in self._of(row).items()}}
            for row in history
        ]

    def _of(self, row: Mapping[str, float]) -> dict[str, float]:
        return self.by_epoch.get(f"{int(row['epoch']) - 1}", {})
