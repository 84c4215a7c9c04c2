"""``python -m openscenes dry-run``: the paper's profile on a handful of synthetic images.

Before data and GPU hours are spent, every table is made once with the published networks, crops of
512 px and the paper's own settings; the numbers mean nothing.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from openscenes.method.training import TrainConfig
from openscenes.paths import cache_dir
from openscenes.study.experiments.registry import EXPERIMENTS, Experiment, experiment, key_words
from openscenes.study.graph.prepare import prepare
from openscenes.study.pages.tables import write_table
from openscenes.study.profiles import PAPER, Profile
from openscenes.study.runs.data import Study, open_study
from openscenes.study.runs.provenance import peak_memory_mb
from openscenes.synthetic import SceneSizes

_TIME = "Ours: a dry run; a pass or two over a few objects run the code of hundreds over all"


# The paper's precision stays, float32: in bfloat16 the gradient of a score made from 4096 channels
# (iFCN, FCTSFN) corrupts memory in oneDNN on two threads or more.
def _shortened(train: TrainConfig, epochs: int) -> TrainConfig:
    return replace(train, epochs=epochs, batch_size=2)


# Two images per split. Table 7 needs four of Cityscapes, one for each quarter, and of those
# objects a smallest area and a number that leave every quarter two, which is a batch.
DRY_RUN = replace(
    PAPER,
    name="dry-run",
    data="a handful of synthetic scenes (a dry run, its numbers mean nothing)",
    synthetic=SceneSizes(
        voc_train=2, voc_val=2, sbd=2, cityscapes_train=4, cityscapes_val=1, coco_train=2,
        coco_val=2,
    ),
    initial=_shortened(PAPER.initial, 2),  # of which the second has clicks on errors
    cityscapes=replace(
        PAPER.cityscapes, train=_shortened(PAPER.cityscapes.train, 1), max_objects=8, min_area=830
    ),
    coco=replace(
        PAPER.coco, train=_shortened(PAPER.coco.train, 1), max_objects=2, min_area=5000,
        image_fraction=1.0,
    ),
    imagenet=False,
    n_clicks=4,  # a first prediction after three, and a correction
    store_gib=1.0,
    workers=0,
    reasons={
        "initial": _TIME, "cityscapes": _TIME, "coco": _TIME,
        "imagenet": "Ours: nothing is fetched for a dry run",
        "n_clicks": "Ours: a dry run; the fifth click runs the code of the fourth",
    },
)  # fmt: skip


def dry_run(
    profile: Profile, folder: Path, device: str = "cpu", *, keys: Sequence[str] = tuple(EXPERIMENTS)
) -> Iterator[str]:
    """Make every table of a profile once; a line for each model, score and table.

    What was interrupted goes on where it was, as models and scores are kept.

    Args:
        profile: ``DRY_RUN``, or smaller; its trainings run one after the other.
        folder: where the tables go.
        device: as for ``devices.make_fabric``.
        keys: of the experiments to make.
    """
    chosen = [experiment(key) for key in keys]
    study = open_study(replace(profile, cpu_threads=0), None, device)
    for one in chosen:
        yield from _made(study, one, folder, device)


def _made(study: Study, chosen: Experiment, folder: Path, device: str) -> Iterator[str]:
    began = time.monotonic()
    yield from prepare(study, chosen.evaluations(study.profile, 1), None, device)
    if chosen.table is not None:
        table = chosen.table(study, 1)
        path = write_table(table, study, folder, wall_s=time.monotonic() - began)
        yield f"made: table {chosen.key} in {time.monotonic() - began:.0f} s, see {path}"


def print_dry_run(keys: Sequence[str], device: str) -> None:
    """Make the tables in the open, and say what it took.

    Raises:
        InputError: before anything is trained, if a key or the device is none.
    """
    began, folder = time.monotonic(), cache_dir() / "dry-run"
    for line in dry_run(DRY_RUN, folder, device, keys=keys):
        print(f"{time.monotonic() - began:6.0f} s  {line}", file=sys.stderr, flush=True)
    print(
        f"The paper's profile ran through tables "
        f"{', '.join(map(key_words, keys))}: {time.monotonic() - began:.0f} s, "
        f"{peak_memory_mb() / 1024:.1f} GiB at most, {os.cpu_count()} cores."
    )
