"""The study's contents page: every table and figure, its notebook, what it asks and makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from openscenes.errors import InputError
from openscenes.study.experiments import (
    table_1,
    table_2,
    table_3,
    table_4,
    table_4_plus,
    table_5,
    table_6,
    table_7,
)
from openscenes.study.experiments.rows import Plan, questions_of
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
        questions: (profile, seeds) -> everything that it asks.
        table: (study, seeds) -> the table; None for a figure.
    """

    key: str
    notebook: str
    about: str
    questions: Callable[[Profile, int], list[Evaluation]]
    table: Callable[[Study, int], Table] | None


def _asked(plans: Callable[[Profile], list[Plan]]) -> Callable[[Profile, int], list[Evaluation]]:
    return lambda profile, seeds: questions_of(plans(profile), seeds)


def _sequence(profile: Profile, seeds: int) -> list[Evaluation]:
    return [*questions_of(table_2.plans(profile), seeds), *table_2.matrix_questions(seeds)]


EXPERIMENTS: dict[str, Experiment] = {
    found.key: found
    for found in (
        Experiment(
            "1", "table_1_comparison", "every system: IoU after three clicks, clicks needed",
            table_1.questions, table_1.table,
        ),
        Experiment(
            "2", "table_2_sequence", "a life over three scenes, beside fine-tuned systems",
            _sequence, table_2.table,
        ),
        Experiment(
            "3", "table_3_ipt", "which prototypes refine a pseudo mask",
            table_3.questions, table_3.table,
        ),
        Experiment(
            "4", "table_4_alignment", "self-training, IPT, feature alignment and both",
            _asked(table_4.plans), table_4.table,
        ),
        Experiment(
            "4_plus", "table_4_plus_hints", "ours: what the same three clicks still tell",
            _asked(table_4_plus.plans), table_4_plus.table,
        ),
        Experiment(
            "5", "table_5_alignment_loss", "components of the alignment loss",
            _asked(table_5.plans), table_5.table,
        ),
        Experiment(
            "6", "table_6_initial_data", "how much ground truth the initial model needs",
            _asked(table_6.plans), table_6.table,
        ),
        Experiment(
            "7", "table_7_subsets", "evolving on more and more of one scene",
            _asked(table_7.plans), table_7.table,
        ),
        Experiment(
            "figures", "figure_3_4_pictures", "the framework as it ran, and masks before and after",
            table_3.questions, None,
        ),
    )
}  # fmt: skip


def experiment(key: str) -> Experiment:
    """The experiment of that key.

    Raises:
        InputError: naming those that exist.
    """
    if key not in EXPERIMENTS:
        raise InputError(f'there is no table "{key}"; choose one of {", ".join(EXPERIMENTS)}')
    return EXPERIMENTS[key]
