"""What a dry run tries beside the tables: one short training for each option of a profile."""

from __future__ import annotations

import _thread
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

from openscenes.networks import checkpoints
from openscenes.study.runs.data import Study, open_study
from openscenes.study.runs.models import Model
from openscenes.study.runs.recipes import FULL, Recipe, evolved, initial, peer
from openscenes.study.runs.runs import find, train

FIRST = initial("voc+sbd", 0)
RESUME = "resume.safetensors"


@dataclass(frozen=True)
class Trial:
    """One model, trained in another way than the tables' own.

    Attributes:
        initial, coco: what changes of these trainings.
        n_devices: that share it.
        stops: it is interrupted after its first step, and goes on from its resume file.
    """

    words: str
    recipe: Recipe
    initial: Mapping[str, Any] = field(default_factory=dict)
    coco: Mapping[str, Any] = field(default_factory=dict)
    n_devices: int = 1
    stops: bool = False


TRIALS = (
    Trial(
        "bfloat16, gradients summed over two passes", evolved(FIRST, "coco", FULL),
        {"precision": "bf16-mixed"}, {"precision": "bf16-mixed", "micro_batch": 2},
    ),
    Trial(
        "TF32 and repeatable operations, stopped and resumed", FIRST,
        {"precision": "tf32", "deterministic": True, "epochs": 2}, stops=True,
    ),
    Trial("two processes that share one training", FIRST, n_devices=2),
    Trial("clicks on errors, from the second epoch on", peer("ITIS", 0), {"epochs": 2}),
)  # fmt: skip


def option_trials(study: Study, device: str) -> Iterator[str]:
    """Train once more for each of ``TRIALS``; a line for each."""
    for trial in TRIALS:
        varied = tried_study(study, device, trial)
        model = find(varied, trial.recipe)
        if model.is_trained:
            continue
        stopped = trial.stops and _stopped(varied, trial.recipe, model)
        train(varied, trial.recipe)
        said = "" if not stopped else ", from its resume file"
        yield f"tried: {trial.words} (trained in {model.facts()['wall_s']:.0f} s{said})"


def tried_study(study: Study, device: str, trial: Trial) -> Study:
    """The same study, some of whose trainings have other settings."""
    profile = study.profile
    coco = replace(profile.coco, train=replace(profile.coco.train, **trial.coco))
    varied = replace(
        profile, initial=replace(profile.initial, **trial.initial), coco=coco,
        devices_per_model=trial.n_devices,
    )  # fmt: skip
    opened = open_study(varied, None, device)
    return replace(opened, memory=study.memory, stand_in=study.stand_in)


def _stopped(study: Study, recipe: Recipe, model: Model) -> bool:
    """Interrupt a training as Ctrl-C does, once its resume file is there; whether it was."""
    done = Event()
    Thread(target=_interrupt, args=(model.folder / RESUME, done), daemon=True).start()
    with suppress(KeyboardInterrupt), _every_step_kept():
        train(study, recipe)
        done.set()
        return False
    return True


@contextmanager
def _every_step_kept() -> Iterator[None]:
    usual, checkpoints.PAUSE_S = checkpoints.PAUSE_S, 0.0
    try:
        yield
    finally:
        checkpoints.PAUSE_S = usual


def _interrupt(file: Path, done: Event) -> None:
    while not done.wait(0.05):
        if file.exists():
            _thread.interrupt_main()
            return
