"""Several rounds, longer training, weights all the way: does a student of evidence masks gain more?

Run: ``python tests/bench/long/rounds.py --data FOLDER --seed 7`` (some ten minutes of one core at
demo size once the initial model is trained; not part of ``make bench``). In each further round the
last student makes the masks anew, and evolves from there as in one round of Table 4+. FOLDER holds
the four data sets; where a rule is to be chosen, take scenes that no table reports
(``openscenes scenes --seed 7``).
"""

import argparse
from dataclasses import replace
from functools import partial

import openscenes  # noqa: F401  (sets what must be set before torch is imported)
from openscenes.study.options import profile_named
from openscenes.study.pages.markdown import grid
from openscenes.study.profiles import Evolving, Profile
from openscenes.study.runs.data import SOURCE, open_study
from openscenes.study.runs.recipes import KEPT, OURS, evolved, finetuned, initial
from openscenes.study.runs.runs import train_all
from openscenes.study.scores.evaluation import Evaluation, score
from openscenes.study.scores.results import SCENES, change
from openscenes.study.scores.statistics import images_of, paired_difference

ROUNDS, LONGER = 3, 3


def longer(profile: Profile, times: int) -> Profile:
    """The same profile whose steps of evolution take so many times the epochs."""

    def more(one: Evolving) -> Evolving:
        return replace(one, train=replace(one.train, epochs=times * one.train.epochs))

    return replace(profile, cityscapes=more(profile.cityscapes), coco=more(profile.coco))


def main() -> None:
    """A line for each scene and student, as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--data", default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--user", default="iog", choices=("iog", "human"))
    parsed = parser.parse_args()
    study = open_study(profile_named(parsed.profile), parsed.data, "cpu")
    slow = replace(study, profile=longer(study.profile, LONGER))
    first, lines = initial("voc+sbd", parsed.seed), []
    for scene in SCENES:
        by = partial(evolved, first, scene, user=parsed.user)
        onto = {f"{n} rounds": (study, by(*[OURS] * n)) for n in range(1, ROUNDS + 1)}
        onto |= {f"{n} rounds, weights all the way": (study, by(*[KEPT] * n))
                 for n in range(1, ROUNDS)}  # fmt: skip
        onto[f"1 round, {LONGER} times as long"] = slow, by(OURS)
        onto["ground truth"] = study, finetuned(first, scene)
        users = {scene: parsed.user, SOURCE: "iog"}
        before = [score(study, Evaluation(first, one, user=users[one])) for one in users]
        for name, (where, recipe) in onto.items():
            train_all(where, recipe.lineage())
            after = [score(where, Evaluation(recipe, one, user=users[one])) for one in users]
            gains = [
                paired_difference(
                    new["iou"].to_numpy()[None], old["iou"].to_numpy()[None],
                    images_of(old["object_id"]),
                )
                for new, old in zip(after, before, strict=True)
            ]  # fmt: skip
            lines.append((scene, name, f"{100 * after[0]['iou'].mean():.1f}", *map(change, gains)))
            print(*lines[-1], sep=" | ", flush=True)
    print(grid(("scene", "student", "mIoU", "to the initial model", "source"), lines))


if __name__ == "__main__":
    main()
