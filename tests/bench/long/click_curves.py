"""Clicks on evidence, on some objects of each validation set: IoU after each, NoC, never reached.

Run: ``python tests/bench/long/click_curves.py --profile study --data FOLDER --objects 80`` (some
minutes of one core a set at study size; not part of ``make bench``). Table 1 asks the same of all
objects and all systems, which takes hours there. Scored are the initial model and, on a scene, the
row of one round of ours after it; both must have been trained. RITM, SimpleClick and FocalClick
publish such numbers for GrabCut, Berkeley, SBD and DAVIS, which these are not.
"""

import argparse
from dataclasses import replace

import numpy as np

import openscenes  # noqa: F401  (sets what must be set before torch is imported)
from openscenes.study.experiments.corrections import FIRST, GOALS, SHOWN, WHERE
from openscenes.study.experiments.rows import TITLES
from openscenes.study.options import profile_named
from openscenes.study.pages.markdown import grid
from openscenes.study.runs.data import open_study, validation
from openscenes.study.runs.evidence import with_learned
from openscenes.study.runs.recipes import OURS, evolved, inference_config, initial
from openscenes.study.runs.runs import find
from openscenes.study.scores.clicks import click_iou
from openscenes.study.scores.noc import ClickCurve

USERS = {"iog": "deepest pixel", "human": "a person's"}


def main() -> None:
    """A line for each set, model and user, as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--data", default=None)
    parser.add_argument("--objects", type=int, default=80)
    parser.add_argument("--users", nargs="*", default=list(USERS), choices=USERS)
    parsed = parser.parse_args()
    study = open_study(profile_named(parsed.profile), parsed.data, "cpu")
    first, lines = initial("voc+sbd", 0), []
    for where in WHERE:
        onto = {"evolved": evolved(first, where, OURS)} if where != "voc" else {}
        for user in parsed.users:
            whole = validation(study, where, user=user if user == "human" else None)
            step = max(1, len(whole.examples) // parsed.objects)
            some = replace(whole, examples=whole.examples[::step])
            asked = inference_config(study.profile, False, False, user, evidence=True)
            learned = with_learned(study, first, find(study, first), asked).evidence
            for name, recipe in ({"initial": first} | onto).items():
                found = click_iou(study, recipe, find(study, recipe), some, user, evidence=learned)
                names = [one for one in found if one.startswith("click_")]
                curve = ClickCurve(FIRST, found[names].to_numpy()[None])
                means = 100 * curve.iou.mean(axis=(0, 1))
                lines.append((
                    TITLES[where], len(some.examples), name, USERS[user],
                    *(f"{means[k - FIRST]:.1f}" for k in SHOWN),
                    *(f"{np.mean(curve.noc(goal)):.1f}" for goal in GOALS),
                    *(f"{100 * np.mean(curve.never_reached(goal)):.1f} %" for goal in GOALS),
                ))  # fmt: skip
                print(*lines[-1], sep=" | ", flush=True)
    head = ("set", "objects", "model", "clicks", *(f"IoU@{k}" for k in SHOWN),
            *(f"NoC@{100 * goal:.0f}" for goal in GOALS),
            *(f"never {100 * goal:.0f}" for goal in GOALS))  # fmt: skip
    print(grid(head, lines))


if __name__ == "__main__":
    main()
