"""The output of every click network of Table 1."""

from typing import NamedTuple

from torch import Tensor


class ClickOutput(NamedTuple):
    """Logits of a batch of B crops; a tuple, so that wrapped modules can walk through it.

    Attributes:
        logits: (B, 1, h, w), of the mask that the user sees.
        supervised: (B, M, h', w') maps that training supervises, ``logits`` included.
        selection: (B, M), how good each of M candidate masks is thought to be, or None.
    """

    logits: Tensor
    supervised: tuple[Tensor, ...]
    selection: Tensor | None = None
