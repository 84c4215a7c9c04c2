"""A small study run to its end by workers, in a process of its own that may be killed.

python graph_script.py <workers>
"""

import sys

from openscenes.study.graph.prepare import done
from openscenes.study.graph.wanted import Place, Wanted
from openscenes.study.options import profile_named
from openscenes.study.runs.data import open_study
from openscenes.study.runs.recipes import evolved, initial
from openscenes.study.scores.evaluation import Evaluation

SEEDS = 2


def wanted():
    """Two seeds of a model and of two that evolve from it, and their scores."""
    firsts = [initial("voc+sbd", seed) for seed in range(SEEDS)]
    recipes = [*firsts, *(evolved(one, "coco", v) for one in firsts for v in ("st", "st+fa"))]
    return Wanted(tuple(Evaluation(recipe, "coco") for recipe in recipes))


def main(workers):
    study = open_study(profile_named("smoke"), None, "cpu")
    place = Place(None, "cpu", int(workers))
    for _, line in done(study, wanted()(study), place):
        print(line.partition(" (trained")[0], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
