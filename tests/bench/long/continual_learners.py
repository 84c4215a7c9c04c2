"""Table 2+: continual learners on the same masks, in two orders of the scenes.

Run: ``python tests/bench/long/continual_learners.py --data ROOT --weights MODEL``
(half an hour of one core at demo size; not part of ``make bench``). Every learner sees clicks
alone: its masks are those of the evidence, begun by the model that it has at that step, but for the
paper's row, which learns from its own.
"""

import argparse
import copy
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import openscenes  # noqa: F401  (sets what must be set before torch is imported)
from openscenes import masks
from openscenes.data import samples
from openscenes.data.examples import Example, from_clicks
from openscenes.method.beyond.continual_learners import (
    elastic_weights,
    fisher,
    learn,
    without_forgetting,
)
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.evolution import EvolutionConfig, align
from openscenes.method.inference import RunContext, predictions
from openscenes.method.pseudo import pseudo_examples
from openscenes.method.replay import Pool
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.tensor_files import read_tensors
from openscenes.networks.weights import load_strictly
from openscenes.seeding import torch_generator
from openscenes.study.options import profile_named
from openscenes.study.pages.markdown import grid
from openscenes.study.runs.data import Study, new_scene, open_study, source, validation
from openscenes.study.runs.models import run_context
from openscenes.study.runs.recipes import evolution_config
from openscenes.study.scores.continual import METRICS, continual

ORDERS = (("cityscapes", "coco"), ("coco", "cityscapes"))
LEARNERS = ("fine-tuning", "joint", "replay", "LwF", "EWC", "FA (the paper)", "ours")
LWF, EWC = 1.0, 100.0  # weights of what keeps the old
MOST = 80  # objects of a scene that are learned, and of a set that are scored


def some(examples: Sequence[Example], most: int) -> tuple[Example, ...]:
    """At most so many, evenly out of all."""
    spread = np.linspace(0, len(examples) - 1, min(most, len(examples))).round().astype(int)
    return tuple(examples[i] for i in spread)


def step(
    learner: str,
    network: OpenSceneNet,
    scene: str,
    old: tuple[Example, ...],
    study: Study,
) -> tuple[OpenSceneNet, tuple[Example, ...]]:
    """The network after one more scene, and all that there is to replay."""
    context, base = run_context(study), evolution_config(study.profile, "coco", "st")
    base = replace(base, corrections=None, train=replace(base.train, epochs=2))
    clicked = [from_clicks(one) for one in new_scene(study, scene).clicked]
    paper = learner == LEARNERS[5]
    teacher = replace(context.inference, tta="six views", evidence=EvidenceConfig())
    new = pseudo_examples(network, some(clicked, MOST), context, None, None if paper else teacher)
    if not network.config.unknown_class:
        network = network.with_unknown_class(generator=torch_generator("unknown class", 0))
    network, kept = copy.deepcopy(network), (*old, *new)
    train, augmentation = base.train, base.augmentation_new

    def pairs(examples: Sequence[Example], config: EvolutionConfig) -> None:
        align(network, Pool(old), list(examples), config, context)

    if learner == "LwF":
        extra = without_forgetting(network, LWF, context)
        learn(network, new, train, augmentation, context, extra)
    elif learner == "EWC":
        extra = elastic_weights(network, fisher(network, some(old, 48), context), EWC)
        learn(network, new, train, augmentation, context, extra)
    elif learner in ("fine-tuning", "joint"):
        joint = some(old, 2 * len(new)) if learner == "joint" else ()
        pairs([*new, *joint], replace(base, old_data=False))
    elif paper:
        pairs(new, replace(base, alignment=study.profile.alignment))
    else:
        pairs(new, replace(base, old_loss_end=1.0 if learner == "replay" else base.old_loss_end))
    return network.eval(), kept


def scored(
    network: OpenSceneNet, examples: Sequence[Example], context: RunContext
) -> NDArray[np.float64]:
    """(1, N) IoU of plain answers in their crops."""
    found = predictions(network, examples, context)
    maps = chain.from_iterable(one.prediction.probability[:, 0].cpu().numpy() for one in found)
    truths = (samples.cut(one, context.crop, context.cache).mask for one in examples)
    return np.array([[masks.iou(p > 0.5, truth) for p, truth in zip(maps, truths, strict=True)]])


def line(scores: dict[tuple[int, int], NDArray[np.float64]]) -> list[str]:
    """ACC, transfers, mean and worst forgetting, in points."""
    found = continual(scores)
    means = {cell: 100 * values.mean() for cell, values in scores.items()}
    worst = max(max(means[i, j] for i in range(3)) - means[2, j] for j in range(3))
    return [f"{getattr(found, name).mean:.1f}" for name in METRICS] + [f"{worst:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    args = parser.parse_args()
    study = open_study(profile_named(args.profile), args.data, "cpu")
    context, start = run_context(study), OpenSceneNet(study.profile.network)
    load_strictly(start, read_tensors(args.weights)[0], "the model to begin with")
    start.eval()
    labelled = some(source(study, "voc+sbd").examples, 300)
    for order in ORDERS:
        sets = [some(validation(study, name).examples, MOST) for name in ("voc", *order)]
        rows = []
        for learner in LEARNERS:
            network, old, scores = start, labelled, {}
            for t in range(3):
                if t:
                    network, old = step(learner, network, order[t - 1], old, study)
                scores |= {(t, j): scored(network, one, context) for j, one in enumerate(sets)}
            rows.append((learner, *line(scores)))
            print(" > ".join(("voc", *order)), rows[-1], flush=True)
        print(grid(("", *METRICS.values(), "worst forgetting"), rows), flush=True)


if __name__ == "__main__":
    main()
