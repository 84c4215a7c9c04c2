"""How evidence masks are made (``method.evidence``)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from openscenes.errors import InputError
from openscenes.settings import require_between, require_kind, require_whole, setting

NETWORK_MAPS = 2  # one view, six views; then the cuts, and last the cut without a network


@dataclass(frozen=True)
class EvidenceConfig:
    """How evidence masks are made; ``evidence_learning.learned`` chooses the last three."""

    certainties: tuple[tuple[float, float], ...] = setting(
        ((0.2, 0.8), (0.1, 0.9), (0.05, 0.95)),
        "Ours: below and above these probabilities a cut is certain; one cut for each pair",
    )
    rounds: int = setting(1, "Ours: GrabCut's iterations; more cost time and gain 0.1")
    side_px: int = setting(112, "Ours: larger crops are cut at this size, for time")
    filter_px: int = setting(5, "Ours: bilateral filter of the crop before it is cut; 0 for none")
    correcting_px: int = setting(64, "Ours: the same at each correction, which has one cut less")
    cautious: bool = setting(
        False, "Ours: the mean with six clipped views, which hardly ever loses to these"
    )
    n_learned: int = setting(96, "Ours: labelled source objects that the weights are learned on")
    box_error: float = setting(0.0, "Ours: as the new scene's user errs: ClickConfig.box_jitter")
    power: float = setting(8.0, "Ours: of the tightness; learned on labelled source objects")
    priors: tuple[float, ...] = setting(
        (), "Ours: of each hypothesis; learned likewise; empty: all are equal"
    )
    slack: float = setting(
        0.0, "Ours: share of its side by which a user's box may err; learned likewise"
    )

    def __post_init__(self) -> None:
        for name in ("certainties", "priors"):  # lists, where they were read from a file
            values = (tuple(v) if isinstance(v, list) else v for v in getattr(self, name))
            object.__setattr__(self, name, tuple(values))
        require_whole(self, 1, 100, "rounds")
        require_whole(self, 0, 31, "filter_px")
        require_whole(self, 16, 4096, "side_px", "correcting_px")
        require_between(self, 0.0, 64.0, "power")
        require_between(self, 0.0, 0.5, "slack", "box_error")
        require_whole(self, 2, 10**6, "n_learned")
        require_kind(self.cautious, bool, "EvidenceConfig.cautious")
        if not all(0 <= low < high <= 1 for low, high in self.certainties):
            raise InputError(
                f"EvidenceConfig.certainties is {self.certainties!r}; give pairs of probabilities, "
                "the lower one first."
            )
        n = len(self.priors)
        if n and (n != self.n_hypotheses or min(self.priors) < 0 or max(self.priors) <= 0):
            raise InputError(
                f"EvidenceConfig.priors is {self.priors!r}; give a weight of at least 0 for each "
                f"of {self.n_hypotheses} hypotheses, one above 0, or none."
            )

    @property
    def for_corrections(self) -> EvidenceConfig:
        """Fewer and smaller cuts: the middle pair of certainties, and box and clicks alone."""
        middle = self.certainties[len(self.certainties) // 2 :][:1]
        return replace(self, certainties=middle, priors=(), side_px=self.correcting_px)

    @property
    def n_hypotheses(self) -> int:
        """K: the network's maps, the cuts, and the one without a network."""
        return NETWORK_MAPS + len(self.certainties) + 1


# Of people's boxes, which err by 4 % of a side, 1.5 times that was learned on source objects.
FOR_PEOPLE = EvidenceConfig(box_error=0.04, slack=0.06)
EXACT = EvidenceConfig()
