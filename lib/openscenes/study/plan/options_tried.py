"""What a dry run tries beside the tables: one short training for each option of a profile."""

from __future__ import annotations

import _thread
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

from openscenes.study.runs.data import Study, open_study
from openscenes.study.runs.models import Model
from openscenes.study.runs.recipes import initial
from openscenes.study.runs.runs import find, train

FIRST = initial("voc+sbd", 0)
RESUME = "resume.safetensors"
# What is tried -> changes of the initial training, and devices that share it.
TRIALS: dict[str, tuple[dict[str, Any], int]] = {
    "bfloat16, gradients summed over two passes": (
        {"precision": "bf16-mixed", "batch_size": 4, "micro_batch": 2, "epochs": 1}, 1,
    ),
    "TF32 and repeatable operations, stopped and resumed": (
        {"precision": "tf32", "deterministic": True}, 1,
    ),
    "two processes that share one training": ({"batch_size": 4, "epochs": 1}, 2),
}  # fmt: skip


def option_trials(study: Study, device: str) -> Iterator[str]:
    """Train the initial model once more for each of ``TRIALS``; a line for each."""
    for words, (changes, n_devices) in TRIALS.items():
        varied = _varied(study, device, changes, n_devices)
        model = find(varied, FIRST)
        if model.is_trained:
            continue
        stopped = "deterministic" in changes and _stopped(varied, model)
        train(varied, FIRST)
        said = "" if not stopped else ", from its resume file"
        yield f"tried: {words} (trained in {model.facts()['wall_s']:.0f} s{said})"


def _varied(study: Study, device: str, changes: dict[str, Any], n_devices: int) -> Study:
    """The same study, whose initial training has other settings."""
    profile = replace(
        study.profile, initial=replace(study.profile.initial, **changes),
        devices_per_model=n_devices,
    )  # fmt: skip
    opened = open_study(profile, None, device)
    return replace(opened, memory=study.memory, stand_in=study.stand_in)


def _stopped(study: Study, model: Model) -> bool:
    """Interrupt a training as Ctrl-C does, once its resume file is there; whether it was."""
    done = Event()
    Thread(target=_interrupt, args=(model.folder / RESUME, done), daemon=True).start()
    with suppress(KeyboardInterrupt):
        train(study, FIRST)
        done.set()
        return False
    return True


def _interrupt(file: Path, done: Event) -> None:
    while not done.wait(0.05):
        if file.exists():
            _thread.interrupt_main()
            return
