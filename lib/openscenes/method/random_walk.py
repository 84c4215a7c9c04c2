"""A random walk with priors (Grady 2005): neighbours of like colour share a label.

Ours: all of this; the paper takes no corrections.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openscenes import masks
from openscenes.settings import require_between, require_whole, setting

FloatMap = NDArray[np.float32]
LEAST_WEIGHT = 1e-4  # between neighbours, so that the equations have one solution


@dataclass(frozen=True)
class WalkConfig:
    """What holds neighbours together, and when the solution is near enough."""

    contrast: float = setting(200.0, "Ours: weight exp(-contrast d^2) of colours in 0-1")
    prior: float = setting(0.2, "Ours: weight of the prior where trust is 1")
    tolerance: float = setting(1e-4, "Ours: squared residual that ends conjugate gradients")
    steps: int = setting(60, "Ours: of conjugate gradients, at most")

    def __post_init__(self) -> None:
        require_between(self, 0.0, 1e6, "contrast", "prior", "tolerance")
        require_whole(self, 1, 10_000, "steps")


def walked(
    prior: FloatMap, image: NDArray[np.uint8], trust: FloatMap, fixed: masks.BoolMask,
    config: WalkConfig = WalkConfig(),
) -> FloatMap:  # fmt: skip
    """Probability that a walker from each pixel ends inside, by conjugate gradients from the prior.

    Paper: none. It solves ``(L + T) x = T p`` at the pixels that are not fixed, L the Laplacian of
    four neighbours, weighted by ``exp(-contrast d^2)``, and T the trust on the diagonal.

    Args:
        prior: (h, w) in [0, 1], p; where fixed, x itself.
        image: (h, w, 3).
        trust: (h, w), 0 where the prior says nothing.
        fixed: (h, w).
    Returns:
        (h, w) in [0, 1].
    """
    colours = image.astype(np.float32) / 255
    down, right = (
        np.exp(-config.contrast * np.square(np.diff(colours, axis=axis)).sum(-1)) + LEAST_WEIGHT
        for axis in (0, 1)
    )
    pull = config.prior * trust
    diagonal = pull.copy()
    diagonal[1:] += down
    diagonal[:-1] += down
    diagonal[:, 1:] += right
    diagonal[:, :-1] += right

    def times(x: FloatMap) -> FloatMap:
        product = diagonal * x
        product[1:] -= down * x[:-1]
        product[:-1] -= down * x[1:]
        product[:, 1:] -= right * x[:, :-1]
        product[:, :-1] -= right * x[:, 1:]
        return product * free

    free = (~fixed).astype(np.float32)
    x = prior.copy()
    rest = (pull * prior) * free - times(x)
    towards = rest / diagonal
    size = float((rest * towards).sum(dtype=np.float64))
    for _ in range(config.steps):
        if size <= config.tolerance:
            break
        step = times(towards)
        length = size / float((towards * step).sum(dtype=np.float64))
        x += np.float32(length) * towards
        rest -= np.float32(length) * step
        scaled = rest / diagonal
        before, size = size, float((rest * scaled).sum(dtype=np.float64))
        towards = scaled + np.float32(size / before) * towards
    return np.clip(x, 0.0, 1.0)
