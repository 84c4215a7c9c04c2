"""Table 7: a small life inside one scene, a quarter of its photographs at a time."""

from __future__ import annotations

from openscenes.study.experiments.lines import Line, Plan, asks, in_words, table_of
from openscenes.study.material import SOURCE, Study
from openscenes.study.profiles import Profile
from openscenes.study.recipes import FULL, Recipe, in_parts, initial
from openscenes.study.tables import Table

N_PARTS = 4
LABELS = ("None", "25%", "50%", "75%", "Full")


def step(seed: int, n_seen: int) -> Recipe:
    """The model after ``n_seen`` quarters."""
    first = initial("voc", seed)
    return in_parts(first, "cityscapes", FULL, N_PARTS)[n_seen - 1] if n_seen else first


def plans(_profile: Profile) -> list[Plan]:
    """One block, one row for each quarter."""

    def line(label: str, n_seen: int) -> Line:
        return Line(
            label,
            asks(lambda seed: step(seed, n_seen), "cityscapes"),
            asks(lambda seed: step(seed, n_seen), SOURCE),
            "cityscapes",
        )

    rows = tuple(line(label, n_seen) for n_seen, label in enumerate(LABELS))
    pairs = (*((label, "None") for label in LABELS[1:]), ("Full", "25%"))
    return [Plan("Cityscapes in four parts, initial model on VOC", rows, pairs)]


def table(study: Study, seeds: int) -> Table:
    """Evolving on more and more of a scene.

    Paper: Table 7.  Ours: the parts are drawn by photograph, and every step starts from the model
    and the pool that the one before it left.
    """
    caption = f"mIoU by the share of images seen, on {in_words(study, seeds)}."
    return table_of(study, "7", caption, plans(study.profile), seeds)
