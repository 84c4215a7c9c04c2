"""The study's contents page: every table and figure, its notebook, what it asks and makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from openscenes.errors import InputError
from openscenes.study.experiments import (
    comparison,
    hints,
    initial_sets,
    losses,
    modules,
    parts,
    refinement,
    sequence,
)
from openscenes.study.experiments.lines import Plan, questions_of
from openscenes.study.material import Study
from openscenes.study.profiles import Profile
from openscenes.study.questions import Question
from openscenes.study.tables import Table


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
    questions: Callable[[Profile, int], list[Question]]
    table: Callable[[Study, int], Table] | None


def _asked(plans: Callable[[Profile], list[Plan]]) -> Callable[[Profile, int], list[Question]]:
    return lambda profile, seeds: questions_of(plans(profile), seeds)


def _sequence(profile: Profile, seeds: int) -> list[Question]:
    return [*questions_of(sequence.plans(profile), seeds), *sequence.matrix_questions(seeds)]


EXPERIMENTS: dict[str, Experiment] = {
    found.key: found
    for found in (
        Experiment(
            "1", "table_1_comparison", "every system: IoU after three clicks, clicks needed",
            comparison.questions, comparison.table,
        ),
        Experiment(
            "2", "table_2_sequence", "a life over three scenes, beside fine-tuned systems",
            _sequence, sequence.table,
        ),
        Experiment(
            "3", "table_3_ipt", "which prototypes refine a pseudo mask",
            refinement.questions, refinement.table,
        ),
        Experiment(
            "4", "table_4_alignment", "self-training, IPT, feature alignment and both",
            _asked(modules.plans), modules.table,
        ),
        Experiment(
            "4_plus", "table_4_plus_hints", "ours: what the same three clicks still tell",
            _asked(hints.plans), hints.table,
        ),
        Experiment(
            "5", "table_5_alignment_loss", "components of the alignment loss",
            _asked(losses.plans), losses.table,
        ),
        Experiment(
            "6", "table_6_initial_data", "how much ground truth the initial model needs",
            _asked(initial_sets.plans), initial_sets.table,
        ),
        Experiment(
            "7", "table_7_subsets", "evolving on more and more of one scene",
            _asked(parts.plans), parts.table,
        ),
        Experiment(
            "figures", "figure_3_4_pictures", "the framework as it ran, and masks before and after",
            refinement.questions, None,
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
