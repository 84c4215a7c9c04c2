"""Settings of the interactive-prototype module, each with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from openscenes.errors import InputError
from openscenes.settings import require_between, require_one_of, setting

Prototype = Literal["global", "center", "edge"]
PROTOTYPES: tuple[Prototype, ...] = ("global", "center", "edge")


@dataclass(frozen=True)
class IPTConfig:
    """Settings of the interactive-prototype module; the defaults are the paper's.

    Pixels are meant on a crop of ``reference_px`` and scale with the height of the masks.
    """

    alpha: float = setting(0.3, "Sec. 4.1.2: weight of the center map")
    beta: float = setting(0.7, "Sec. 4.1.2: weight of the edge map")
    m: float = setting(0.70, "Sec. 4.1.2: threshold of the global map = m * k")
    n: float = setting(0.75, "Sec. 4.1.2: threshold of the merged map = n * k")
    center_points: int = setting(3, "Sec. 4.1.2: x points besides the click")
    center_radius_px: float = setting(
        10.0, "Ours: the radius of the Gaussian maps; the paper says 'around'"
    )
    kernel_px: int = setting(5, "Sec. 4.1.2: kernel 5 x 5")
    iterations: int = setting(3, "Sec. 4.1.2")
    temperature: float = setting(1.0, "Eq. 3")
    reference_px: int = setting(512, "Sec. 4.1.3: crops of 512 x 512")
    background: Literal["complement", "outside_coarse"] = setting(
        "complement", "Eq. 3: 1 - Q; Ours: outside_coarse averages 1 - M_p"
    )
    edge: Literal["boundary", "inner"] = setting(
        "boundary", "Ours: M_p - erode(M_p); inner is the eroded mask itself"
    )
    soft_predictor: bool = setting(
        False, "Sec. 3.2: M_b is a binary 0-1 mask; Ours: True weighs by its probability"
    )
    prototypes: tuple[Prototype, ...] = setting(PROTOTYPES, "Table 3: which maps take part")
    fusion: Literal["vote", "weighted_sum"] = setting(
        "vote", "Eq. 5-6; weighted_sum: the rows of Table 3 without voting"
    )
    vote: Literal["majority", "weighted_sum"] = setting(
        "majority", "Eq. 6; Ours: weighted_sum lets a map vote as strongly as it is sure"
    )
    coarse_weight: float = setting(0.8, "Sec. 4.3.1: share of the coarse map in weighted sums")
    hard_coarse: bool = setting(
        False, "Ours: weighted sums take the coarse probability; a hard mask changes nothing"
    )
    clip_to_box: bool = setting(False, "Ours: the paper lets a refined mask leave the user's box")

    def __post_init__(self) -> None:
        """Refuse settings that no run can mean."""
        require_between(self, 0.0, 1.0, "alpha", "beta", "m", "n", "coarse_weight")
        require_between(self, 0, 10_000, "center_points", "center_radius_px", "iterations")
        require_between(self, 1, 10_000, "kernel_px", "reference_px")
        require_between(self, 1e-6, 1e9, "temperature")
        require_one_of(self, "background", ("complement", "outside_coarse"))
        require_one_of(self, "edge", ("boundary", "inner"))
        require_one_of(self, "fusion", ("vote", "weighted_sum"))
        require_one_of(self, "vote", ("majority", "weighted_sum"))
        _check_combinations(self)

    def erosion_radius(self, height: int) -> int:
        """Radius in pixels of one erosion that equals all iterations, at least 1."""
        full = self.iterations * (self.kernel_px // 2)
        return max(1, round(full * height / self.reference_px))

    def center_radius(self, height: int) -> float:
        """Radius in pixels around the click, at least 1."""
        return max(1.0, self.center_radius_px * height / self.reference_px)


def _check_combinations(config: IPTConfig) -> None:
    chosen = config.prototypes
    if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(PROTOTYPES):
        raise InputError(
            f"IPTConfig.prototypes is {chosen!r}; choose one or more of {', '.join(PROTOTYPES)}, "
            "each once."
        )
    if config.kernel_px % 2 == 0:
        raise InputError(f"IPTConfig.kernel_px is {config.kernel_px}; give an odd number.")
    if not 0 < config.alpha + config.beta < 1 + 1e-6:
        raise InputError(
            f"IPTConfig.alpha + beta is {config.alpha + config.beta:g}; give weights whose sum is "
            "above 0 and at most 1, so that the merged map stays a confidence."
        )
