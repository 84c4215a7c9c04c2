"""Losses and gradients that are no finite numbers stop a training, without a wait at each step."""

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from openscenes.data.loading import Item
from openscenes.errors import TrainingError


class Watch:
    """Losses and gradients that may not be finite, looked at every so many steps.

    Each look waits for the device.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.unseen: list[tuple[Sequence[Tensor], int, Sequence[Sequence[Item]]]] = []

    def add(
        self, values: Sequence[Tensor | None], step: int, items: Sequence[Sequence[Item]]
    ) -> bool:
        """Take in a step's (B,) losses, all else that it gave, and B items; whether to look."""
        self.unseen.append(([value for value in values if value is not None], step, items))
        return len(self.unseen) >= self.steps

    def look(self) -> None:
        """Raise TrainingError naming epoch, step and objects where something is not finite."""
        unseen, self.unseen = self.unseen, []
        values = [value.flatten() for given, _, _ in unseen for value in given]
        if not values or bool(torch.isfinite(torch.cat(values)).all()):
            return
        for (losses, *others), step, parts in unseen:
            items, good = list(chain(*parts)), torch.isfinite(losses).tolist()
            bad = [group[-1].object_id for (_, group), fine in zip(items, good, strict=True)
                   if not fine]  # fmt: skip
            if bad or not all(bool(torch.isfinite(value)) for value in others):
                what = f"loss of {', '.join(bad[:3])}" if bad else "sum of losses or gradients"
                raise TrainingError(
                    f"the {what} is not a finite number at epoch {items[0][0] + 1}, step "
                    f"{step + 1}; lower the learning rate or look at that object's image and mask"
                )
