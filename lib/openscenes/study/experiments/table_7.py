"""Table 7: a small life inside one scene, a quarter of its photographs at a time."""

from __future__ import annotations

from openscenes.study.experiments.rows import Line, Plan, asks, in_words, table_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import SOURCE, Study
from openscenes.study.runs.recipes import FULL, LOW_RATE_STEPS, Recipe, in_parts, initial
from openscenes.study.scores.results import Table

N_PARTS = 4
LABELS = ("None", "25%", "50%", "75%", "Full")


def step(seed: int, n_seen: int, variants: tuple[str, ...] = (FULL,)) -> Recipe:
    """The model after ``n_seen`` quarters."""
    first = initial("voc", seed)
    life = in_parts(first, "cityscapes", N_PARTS, *variants)
    return life[n_seen - 1] if n_seen else first


def plans(_profile: Profile) -> list[Plan]:
    """One row for each quarter: the paper's life, then a more careful one of ours."""
    title = "Cityscapes in four parts, initial model on VOC"
    pairs = (*((label, "None") for label in LABELS[1:]), ("Full", "25%"))
    return [
        Plan(title, _lines((FULL,), "cityscapes"), pairs),
        Plan(
            f"{title}; ours: statistics first, a fifth of the rate", _lines(LOW_RATE_STEPS), pairs
        ),
    ]


def _lines(variants: tuple[str, ...], column: str = "") -> tuple[Line, ...]:
    def line(label: str, n_seen: int) -> Line:
        def model_of(seed: int) -> Recipe:
            return step(seed, n_seen, variants)

        return Line(label, asks(model_of, "cityscapes"), asks(model_of, SOURCE), column)

    return tuple(line(label, n_seen) for n_seen, label in enumerate(LABELS))


def table(study: Study, seeds: int) -> Table:
    """Evolving on more and more of a scene.

    Paper: Table 7.  Ours: the parts are drawn by photograph, and every step starts from the model
    and the pool that the one before it left; a second life renews the statistics of the
    normalisations on each part before its masks are made, and then learns more slowly.
    """
    caption = f"mIoU by the share of images seen, on {in_words(study, seeds)}."
    return table_of(study, "7", caption, plans(study.profile), seeds)
