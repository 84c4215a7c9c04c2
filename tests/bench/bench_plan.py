"""Does the plan come true?  Seconds predicted beside those that a command takes, and their ratio.

Run alone on the machine: ``python tests/bench/bench_plan.py [PROFILE [KEYS...]]``, by default all
tables of profile smoke; ``dry-run`` predicts a dry run; ``ONLY=1`` predicts and runs nothing.  Plan
and command each begin with an empty cache, so that the scenes are drawn by both.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from tempfile import TemporaryDirectory


def predicted(profile: str, keys: Sequence[str]) -> tuple[float, int]:
    """Seconds of ``openscenes table`` here, and with how many processes."""
    from openscenes.study.options import profile_named
    from openscenes.study.plan.plan import planned

    plan = planned(profile_named(profile), 1, None, "cpu", keys=keys)[1]
    n = plan.machine.sides[-1]
    for name, seconds in plan.kinds().items():
        print(f"  {name}: {seconds.wall:.0f} s one by one")
    return plan.total(n), n


def dry_run() -> tuple[float, int]:
    """The same of a dry run, one task after the other: tables, then options."""
    from openscenes.study.experiments.registry import EXPERIMENTS
    from openscenes.study.graph.tasks import PseudoMasks, Training, tasks_of
    from openscenes.study.plan.costs import START
    from openscenes.study.plan.dry_run import DRY_RUN, dry_study, trained_and_scored
    from openscenes.study.plan.machines import here
    from openscenes.study.plan.options_tried import TRIALS, tried_study
    from openscenes.study.plan.requirements import objects_of
    from openscenes.study.plan.schedule import task_time
    from openscenes.study.runs.data import open_study, source
    from openscenes.study.runs.runs import find
    from openscenes.study.scores.evaluation import recipes_of

    study = dry_study(DRY_RUN, "cpu")
    objects, machine = objects_of(study), here(study)
    seconds = [machine.seconds[START]]

    def told(task, where=study, objects=objects, machine=machine, words=""):
        seconds.append(task_time(where.profile, task, objects, machine).wall)
        print(f"  {seconds[-1]:6.1f} s  {type(task).__name__} {task.label}{words}")

    scored = [e for one in EXPERIMENTS.values() for e in trained_and_scored(DRY_RUN, one)[1]]
    for task in tasks_of(DRY_RUN, scored, {}):
        told(task)
    made = {find(study, recipe).digest for recipe in recipes_of(scored)}
    whole = len(source(open_study(DRY_RUN, None, "cpu"), "voc+sbd").examples)
    for trial in TRIALS:
        varied, learned = tried_study(study, "cpu", trial), objects
        if trial.n_devices > 1:  # each process starts and opens the data itself, all of it
            seconds.append(trial.n_devices * machine.seconds[START])
            learned = objects | {"voc+sbd": whole}
        recipes = [r for r in trial.recipe.lineage() if find(varied, r).digest not in made]
        tasks = [PseudoMasks(recipe) for recipe in recipes if recipe.learns_masks]
        rates = machine if varied.precision == study.precision else here(varied)
        for task in (*tasks, *map(Training, recipes)):
            told(task, varied, learned, rates, f": {trial.words}")
    return sum(seconds), 1


def main() -> None:
    """Predict, run, compare."""
    what, *keys = sys.argv[1:] or ["smoke"]
    if len(sys.argv) > 1 and os.environ.get("INNER"):
        seconds, n = dry_run() if what == "dry-run" else predicted(what, keys)
        print(f"{seconds} {n}")
        return
    with TemporaryDirectory() as folder:
        env = os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
        if what == "dry-run":
            env = dict(os.environ)
        asked = [sys.executable, __file__, what, *keys]
        told = subprocess.run(
            asked, check=True, stdout=subprocess.PIPE, text=True,
            env=env | {"INNER": "1", "OPENSCENES_CACHE": f"{folder}/plan"},
        ).stdout.splitlines()  # fmt: skip
        print("\n".join(told[:-1]))
        seconds, n = map(float, told[-1].split())
        if os.environ.get("ONLY"):
            print(f"{what}: predicted {seconds:.0f} s with {n:.0f} processes")
            return
        command = [sys.executable, "-m", "openscenes"]
        command += ["dry-run", "--device", "cpu"]
        if what != "dry-run":
            command[3:] = ["table", *keys, "--profile", what, "--device", "cpu",
                           "--reports", f"{folder}/reports"]  # fmt: skip
        began = time.monotonic()
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL,
            env=os.environ | {"OPENSCENES_CACHE": f"{folder}/run"},
        )  # fmt: skip
        took = time.monotonic() - began
    print(f"{what}: predicted {seconds:.0f} s, actual {took:.0f} s, ratio {seconds / took:.2f}")


if __name__ == "__main__":
    main()
