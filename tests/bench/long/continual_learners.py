"""Table 2+: continual learners on the same masks, in two orders of the scenes.

Run: ``python tests/bench/long/continual_learners.py --data ROOT --weights MODEL``
(half an hour of one core at demo size; not part of ``make bench``). Every learner sees clicks
alone: its masks are those of the evidence, begun by the model that it has at that step, but for the
paper's rows, which learn from its own. What was learned is kept in full by replay, and by ours,
whose weights then go back a part of the way; the paper's rows let it fade. The weights of the
evidence and the gate of classes are learned on the source, as the study does.
"""

import argparse
import copy
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

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
from openscenes.method.evidence_learning import learned
from openscenes.method.evolution import align, evolve
from openscenes.method.gate import calibrated
from openscenes.method.inference import InferenceConfig, RunContext, predictions
from openscenes.method.pseudo import pseudo_examples
from openscenes.method.replay import Pool
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.tensor_files import read_tensors
from openscenes.networks.weights import load_strictly
from openscenes.seeding import torch_generator
from openscenes.study.options import profile_named
from openscenes.study.pages.markdown import grid
from openscenes.study.profiles import Scene
from openscenes.study.runs.data import Study, new_scene, open_study, source, validation
from openscenes.study.runs.models import run_context
from openscenes.study.runs.recipes import FULL, KEPT, OURS, evolution_config
from openscenes.study.scores.continual import METRICS, continual

ORDERS: tuple[tuple[Scene, Scene], ...] = (("cityscapes", "coco"), ("coco", "cityscapes"))
EVOLVING = {"replay": KEPT, "FA": "st+fa", "IPT + FA": FULL, "ours": OURS}  # -> their variants
LEARNERS = ("fine-tuning", "joint", "replay", "LwF", "EWC", "FA", "IPT + FA", "ours")
LWF, EWC = 1.0, 100.0  # weights of what keeps the old
MOST = 80  # objects of a scene that are learned, and of a set that are scored
T = TypeVar("T")


def some(examples: Sequence[T], most: int) -> tuple[T, ...]:
    """At most so many, evenly out of all."""
    spread = np.linspace(0, len(examples) - 1, min(most, len(examples))).round().astype(int)
    return tuple(examples[i] for i in spread)


def step(
    learner: str,
    network: OpenSceneNet,
    scene: Scene,
    old: tuple[Example, ...],
    study: Study,
    teacher: InferenceConfig,
    source_objects: Sequence[Example],
    file: Path,
) -> tuple[OpenSceneNet, tuple[Example, ...]]:
    """The network after one more scene, and all that there is to replay.

    Args:
        teacher: how masks of evidence are made.
        source_objects: labelled, for the gate.
        file: of the masks, read or written; learners that begin alike share it.
    """
    context = run_context(study)
    config = evolution_config(study.profile, "coco", EVOLVING.get(learner, "st"))
    config = replace(config, corrections=None, train=replace(config.train, epochs=2))
    inference = study.profile.inference if "FA" in learner else teacher
    if not file.is_file():
        gate = calibrated(network, source_objects, context)
        inference = replace(inference, unknown_below=gate)
    clicked, network = some(new_scene(study, scene).clicked, MOST), copy.deepcopy(network)
    new = pseudo_examples(
        network, [from_clicks(one) for one in clicked], context, config.ipt, inference,
        file=file, gate="constant",
    )  # fmt: skip
    if learner in EVOLVING:
        found = evolve(network, Pool(old), clicked, config, context, pseudo=file)
        return found.network.eval(), found.pool.examples
    if not network.config.unknown_class:
        network = network.with_unknown_class(generator=torch_generator("unknown class", 0))
    train, augmentation = config.train, config.augmentation_new
    if learner == "LwF":
        extra = without_forgetting(network, LWF, context)
        learn(network, new, train, augmentation, context, extra)
    elif learner == "EWC":
        extra = elastic_weights(network, fisher(network, some(old, 48), context), EWC)
        learn(network, new, train, augmentation, context, extra)
    else:
        joint = some(old, 2 * len(new)) if learner == "joint" else ()
        align(network, Pool(old), [*new, *joint], replace(config, old_data=False), context)
    return network.eval(), (*old, *new)


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
    parser.add_argument("--only", nargs="+", choices=LEARNERS, default=LEARNERS)
    args = parser.parse_args()
    study = open_study(profile_named(args.profile), args.data, "cpu")
    context, start = run_context(study), OpenSceneNet(study.profile.network)
    load_strictly(start, read_tensors(args.weights)[0], "the model to begin with")
    start.eval()
    examples = source(study, "voc+sbd").examples
    labelled = some(examples, 300)
    teacher = replace(context.inference, tta="six views", evidence=EvidenceConfig())
    with context.pool() as pool:
        teacher = replace(teacher, evidence=learned(start, examples, context, teacher, pool))
    names = ("voc", *ORDERS[0])
    sets = {name: some(validation(study, name).examples, MOST) for name in names}
    before = {name: scored(start, one, context) for name, one in sets.items()}
    for order in ORDERS:
        rows, names = [], ("voc", *order)
        with TemporaryDirectory() as folder:
            for learner in args.only:
                scores = {(0, j): before[name] for j, name in enumerate(names)}
                network, old = start, labelled
                for t, scene in enumerate(order, start=1):
                    whose = "all" if t == 1 and "FA" not in learner else learner
                    file = Path(folder) / f"{whose} {scene}.json"
                    network, old = step(
                        learner, network, scene, old, study, teacher, examples, file
                    )  # fmt: skip
                    for j, name in enumerate(names):
                        scores[t, j] = scored(network, sets[name], context)
                rows.append((learner, *line(scores)))
                print(" > ".join(names), rows[-1], flush=True)
        print(grid(("", *METRICS.values(), "worst forgetting"), rows), flush=True)


if __name__ == "__main__":
    main()
