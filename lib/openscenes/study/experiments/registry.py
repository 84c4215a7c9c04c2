"""The tables and figures of the study: each with its notebook and everything that it scores."""

from collections.abc import Callable
from dataclasses import dataclass

from openscenes.study.asked import known_table
from openscenes.study.experiments import (
    corrections,
    dose,
    table_1,
    table_2,
    table_3,
    table_4,
    table_4_plus,
    table_5,
    table_6,
    table_7,
)
from openscenes.study.experiments.rows import BlockSpec, evaluations_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import Study
from openscenes.study.scores.evaluation import Evaluation
from openscenes.study.scores.results import Table


@dataclass(frozen=True)
class Experiment:
    """One notebook of the study.

    Attributes:
        key: what follows "table-" or "figure-" on the command line.
        notebook: its file's stem.
        about: one line for lists and plans.
        blocks: profile -> the specifications of its rows.
        table: (study, seeds) -> the table; None for a figure.
        more: (profile, seeds) -> what is scored beside the rows.
    """

    key: str
    notebook: str
    about: str
    blocks: Callable[[Profile], list[BlockSpec]]
    table: Callable[[Study, int], Table] | None
    more: Callable[[Profile, int], list[Evaluation]] = lambda profile, seeds: []

    def evaluations(self, profile: Profile, seeds: int) -> list[Evaluation]:
        """Everything that it scores, each once."""
        rows = evaluations_of(self.blocks(profile), seeds)
        return list(dict.fromkeys([*rows, *self.more(profile, seeds)]))


EXPERIMENTS: dict[str, Experiment] = {
    found.key: found
    for found in (
        Experiment(
            "1", "table_1_comparison", "every system: IoU after three clicks, NoC",
            table_1.blocks, table_1.table, corrections.evaluations,
        ),
        Experiment(
            "2", "table_2_sequence", "a sequence of three scenes, beside fine-tuned systems",
            table_2.blocks, table_2.table, lambda _, seeds: table_2.matrix_evaluations(seeds),
        ),
        Experiment(
            "3", "table_3_ipt", "which prototypes refine a pseudo mask",
            table_3.blocks, table_3.table, dose.evaluations,
        ),
        Experiment(
            "4", "table_4_alignment", "self-training, IPT, feature alignment and both",
            table_4.blocks, table_4.table,
        ),
        Experiment(
            "4_plus", "table_4_plus_hints", "ours: masks from the image and the user's box",
            table_4_plus.blocks, table_4_plus.table, table_4_plus.asked_again,
        ),
        Experiment(
            "5", "table_5_alignment_loss", "components of the alignment loss",
            table_5.blocks, table_5.table,
        ),
        Experiment(
            "6", "table_6_initial_data", "how much ground truth the initial model needs",
            table_6.blocks, table_6.table,
        ),
        Experiment(
            "7", "table_7_subsets", "evolving on more and more of one scene",
            table_7.blocks, table_7.table,
        ),
        Experiment(
            "figures", "figure_3_4_images", "the framework as it ran, and masks before and after",
            table_3.blocks, None,
        ),
    )
}  # fmt: skip


def experiment(key: str) -> Experiment:
    """The experiment of that key."""
    return EXPERIMENTS[known_table(key)]
