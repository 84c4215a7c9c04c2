"""``python -m openscenes dry-run``: the paper's profile on a handful of synthetic images.

Before data and GPU hours are spent, every table is made once with the published networks, crops of
512 px and the paper's own settings; the numbers mean nothing. Each way through the code is gone
once: models that differ in numbers of their configuration alone are one model here, and a score
is made for all that run its code (``stand_ins``).
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
from openscenes.study.asked import key_words
from openscenes.study.experiments.registry import EXPERIMENTS, Experiment, experiment
from openscenes.study.pages.tables import write_table
from openscenes.study.plan.options_tried import option_trials
from openscenes.study.plan.stand_ins import quickest, scored_as, stand_in, stands_in_for
from openscenes.study.profiles import PAPER, Profile
from openscenes.study.runs.data import Labelled, Study, open_study, source, validation
from openscenes.study.runs.provenance import peak_memory_mb
from openscenes.study.runs.recipes import Recipe, in_order
from openscenes.study.runs.runs import find, train
from openscenes.study.runs.store import digest_of
from openscenes.study.scores.evaluation import Evaluation, recipes_of, score
from openscenes.synthetic import SceneSizes

_TIME = "Ours: a dry run; a pass over a few objects runs the code of hundreds over all"
Recipes = tuple[Recipe, ...]
TO_LEARN = 2  # objects of the source: a batch
# Of each validation set: of the source each half of the images chooses the other's threshold.
TO_TEST = {"voc": 2, "cityscapes": 1, "coco": 1}
NOT_COVERED = (
    "ImageNet's and IOG's published weights",
    "processes that load crops",
    "the official data sets' own files",
    "a GPU, unless it ran on one",
    "sizes of thousands of objects: memory of the host and the disk",
)


# The paper's precision stays, float32: in bfloat16 the gradient of a score made from 4096 channels
# (iFCN, FCTSFN) corrupts memory in oneDNN on two threads or more.
def _shortened(train: TrainConfig, epochs: int) -> TrainConfig:
    return replace(train, epochs=epochs, batch_size=2)


# Table 7 needs four images of Cityscapes, one for each quarter, and of those objects a smallest
# area and a number that leave every quarter two, which is a batch.
DRY_RUN = replace(
    PAPER,
    name="dry-run",
    ablations=True,
    data="a handful of synthetic scenes (a dry run, its numbers mean nothing)",
    synthetic=SceneSizes(
        voc_train=2, voc_val=2, sbd=2, cityscapes_train=4, cityscapes_val=2, coco_train=2,
        coco_val=2,
    ),
    initial=_shortened(PAPER.initial, 1),
    cityscapes=replace(
        PAPER.cityscapes, train=_shortened(PAPER.cityscapes.train, 1), max_objects=8, min_area=830
    ),
    coco=replace(
        PAPER.coco, train=_shortened(PAPER.coco.train, 1), max_objects=2, min_area=5000,
        image_fraction=1.0,
    ),
    imagenet=False,
    store_gib=1.0,
    n_clicks=3,  # three free ones, or a first prediction and two corrections
    thresholds=(0.3, 0.5),
    workers=0,
    reasons={
        "initial": _TIME, "cityscapes": _TIME, "coco": _TIME,
        "imagenet": "Ours: nothing is fetched for a dry run",
        "n_clicks": "Ours: a dry run; the fourth click runs the code of the third",
        "thresholds": "Ours: a dry run; two have a best one",
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
    study = dry_study(profile, device)
    for one in chosen:
        yield from _made(study, one, folder)
    yield from option_trials(study, device)


def dry_study(profile: Profile, device: str) -> Study:
    """The study of a dry run: a few objects of each set, and one model for those of one code."""
    study = open_study(replace(profile, cpu_threads=0), None, device)
    for initial_set in ("voc", "voc+sbd"):
        few = _few(source(study, initial_set), TO_LEARN)
        study.memory["source", initial_set] = few
    for name, n in TO_TEST.items():
        for user in (None, "human"):
            few = _few(validation(study, name, user=user), n)
            study.memory["validation", name, user] = few
    return replace(study, stand_in=stand_in, scored_as=scored_as, swept=quickest)


def _few(labelled: Labelled, n: int) -> Labelled:
    """At most n objects, of as many images as there are."""
    turns: dict[Path, int] = {}
    ranked = []
    for example in labelled.examples:
        turns[example.image] = turns.get(example.image, 0) + 1
        ranked.append((turns[example.image], example))
    chosen = sorted(ranked, key=lambda one: one[0])[:n]
    kept = tuple(e for e in labelled.examples if any(e is one for _, one in chosen))
    return Labelled(kept, digest_of([labelled.digest, "few", n]), labelled.index)


def trained_and_scored(profile: Profile, chosen: Experiment) -> tuple[Recipes, list[Evaluation]]:
    """What is trained and scored for a table, each in place of all of the same code."""
    asked = chosen.evaluations(profile, 1)
    scored = list(dict.fromkeys(map(scored_as, asked)))
    return in_order(stand_in(e.recipe) for e in (*asked, *scored)), scored


def _made(study: Study, chosen: Experiment, folder: Path) -> Iterator[str]:
    began = time.monotonic()
    recipes, evaluations = trained_and_scored(study.profile, chosen)
    for recipe in recipes:
        if not find(study, recipe).is_trained:
            made = train(study, recipe)
            yield f"ready: {made.label} (trained in {made.facts()['wall_s']:.0f} s)"
    for evaluation in evaluations:
        score(study, evaluation)
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
    print("\n".join(covered(keys)))


def covered(keys: Sequence[str]) -> list[str]:
    """Lines: what was trained and scored, for how many each stood, and what no dry run shows."""
    asked = dict.fromkeys(e for key in keys for e in experiment(key).evaluations(DRY_RUN, 1))
    scored = dict.fromkeys(map(scored_as, asked))
    groups = stands_in_for(in_order(recipes_of(asked)))
    told = {evaluation.recipe for evaluation in scored}
    return [
        "Covered: each model below was trained, and stood for those of the same code",
        *(f"  {made.words()}{_for(n)}{_scored(made in told)}" for made, n in groups.items()),
        f"Scores: {len(scored)} stood for {len(asked)}. Each model was scored on the scene that it "
        "learned last or on COCO, on the other sets the quickest one of its kind of system.",
        "Not covered: " + "; ".join(NOT_COVERED) + ".",
    ]


def _for(n: int) -> str:
    return "" if n == 1 else f" (for {n} models)"


def _scored(was: bool) -> str:
    return "" if was else ", not scored"
