"""Does the judgement refuse harmful updates? Planted ones, good, neutral and harmful, with truth.

Run: ``python tests/bench/long/planted_updates.py --data ROOT --weights MODEL --unseen OTHER`` (some
seven minutes of one core a scene at demo size; not part of ``make bench``). Short trainings from
one model go to right and wrong masks; each update is a point on the way from the model to the
trained one, so that harm comes in all sizes. The gate sees clicks on 40 of the scene's objects and
the labelled source's validation set, as the annotator does; what an update does is measured on
others, with their ground truth: the scene's validation set, and the validation sets of OTHER, a
folder of the same makers (``openscenes scenes --seed N``). Without OTHER the source's truth is
training objects, of which a model forgets more.
ROOT holds scenes that no rule was tuned on.
"""

import argparse
import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import openscenes  # noqa: F401  (sets what must be set before torch is imported)
from openscenes import masks
from openscenes.annotator.evolve.advice import (
    AGREEMENT,
    CLASS_IOU,
    FEWEST,
    LABEL_FREE,
    QUALITY,
    SOURCE_IOU,
    advised,
    measured,
)
from openscenes.annotator.evolve.judgement import of_the_source
from openscenes.data import datasets, samples
from openscenes.data.examples import Example
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.evolution import align
from openscenes.method.inference import RunContext, predictions
from openscenes.method.pseudo import pseudo_examples
from openscenes.method.quality import Quality, learned_quality, signs, witness
from openscenes.method.replay import Pool
from openscenes.networks.openscene import OpenSceneNet
from openscenes.networks.tensor_files import read_tensors
from openscenes.networks.weights import load_strictly
from openscenes.seeding import torch_generator
from openscenes.study.options import profile_named
from openscenes.study.runs.data import Study, new_scene, open_study, source, validation
from openscenes.study.runs.models import run_context
from openscenes.study.runs.recipes import evolution_config

SHARES = (0.15, 0.3, 0.5, 0.75, 1.0)  # of the way to the trained model
NOISES = (0.01, 0.05, 0.1, 0.15, 0.2, 0.3)  # of each tensor's own spread
HARM, CLASS_HARM = 0.01, 0.10  # IoU; of one class
Mask = masks.BoolMask


@dataclass(frozen=True)
class Objects:
    """Apart by image: to learn from, to judge with, and to know what is true."""

    learn: tuple[Example, ...]
    judge: tuple[Example, ...]
    true: tuple[Example, ...]


def apart(examples: Sequence[Example], n_parts: int) -> list[tuple[Example, ...]]:
    """Parts that share no image."""
    images = {image: i for i, image in enumerate(sorted({e.image for e in examples}))}
    return [tuple(e for e in examples if images[e.image] % n_parts == k) for k in range(n_parts)]


def some(examples: Sequence[Example], most: int) -> tuple[Example, ...]:
    """At most so many, evenly out of all."""
    spread = np.linspace(0, len(examples) - 1, min(most, len(examples))).round().astype(int)
    return tuple(examples[i] for i in spread)


def taught(example: Example, change: Callable[[Mask], Mask]) -> Example:
    """The example with a wrong mask."""
    return replace(
        example, supervision=masks.encode(change(datasets.read_mask(example.supervision)))
    )


def box_filled(mask: Mask) -> Mask:
    row0, col0, row1, col1 = masks.tight_box(mask)
    made = np.zeros_like(mask)
    made[row0:row1, col0:col1] = True
    return made


def inverted(mask: Mask) -> Mask:
    return box_filled(mask) & ~mask


def upper_half(mask: Mask) -> Mask:
    made = mask.copy()
    row0, _, row1, _ = masks.tight_box(mask)
    made[(row0 + row1 + 1) // 2 :] = False
    return made


def shifted(mask: Mask) -> Mask:
    row0, col0, row1, col1 = masks.tight_box(mask)
    return np.roll(mask, ((row1 - row0) // 4, (col1 - col0) // 4), (0, 1))


def dot(mask: Mask) -> Mask:
    """A tenth of the object, the deepest."""
    depth = masks.distance_to_outside(mask)
    return mask & (depth >= np.quantile(depth[mask], 0.9))


def spoiled(examples: Sequence[Example]) -> tuple[Example, ...]:
    """Half of them are of the most frequent class with inverted masks, all others are right."""
    names = [e.supervision.class_name for e in examples]
    worst = max(sorted(set(names)), key=names.count)
    wrong = [taught(e, inverted) for e in examples if e.supervision.class_name == worst]
    right = [e for e in examples if e.supervision.class_name != worst]
    n = len(examples) // 2
    return tuple((wrong * n)[:n] + right[:n])


def trained(
    start: OpenSceneNet, scene: Objects, old: tuple[Example, ...], study: Study, context: RunContext
) -> dict[str, Callable[[], OpenSceneNet]]:
    """Short trainings by name."""
    profile = study.profile
    config = evolution_config(profile, "coco", "st")
    config = replace(config, corrections=None, train=replace(config.train, epochs=2))
    fast = replace(config.train, learning_rate=4 * config.train.learning_rate)

    def run(new: Sequence[Example], pool: Sequence[Example] = old, **changes: Any) -> OpenSceneNet:
        network = start.with_unknown_class(generator=torch_generator("unknown class", 0))
        align(network, Pool(tuple(pool)), list(new), replace(config, **changes), context)
        return network.eval()

    with_evidence = replace(context.inference, tta="six views", evidence=EvidenceConfig())

    def evidence() -> OpenSceneNet:
        return run(pseudo_examples(start, scene.learn, context, None, with_evidence))

    wrong = {"box filled": box_filled, "inverted": inverted, "upper half": upper_half,
             "shifted": shifted, "collapsed": dot}  # fmt: skip
    return {
        "truth": lambda: run(scene.learn),
        "evidence": evidence,
        "own masks": lambda: run(pseudo_examples(start, scene.learn, context, None)),
        "source again": lambda: run(old[: len(scene.learn)]),
        "scene alone, fast": lambda: run(scene.learn, old_data=False, train=fast),
        **{name: lambda how=how: run([taught(e, how) for e in scene.learn])
           for name, how in wrong.items()},
        "a class of the scene inverted": lambda: run(spoiled(scene.learn)),
        "a class of the source inverted": lambda: run(spoiled(old[:64]), pool=spoiled(old)),
    }  # fmt: skip


def between(start: OpenSceneNet, end: OpenSceneNet, share: float) -> OpenSceneNet:
    """The network part of the way; an unknown class stays the end's."""
    made, first = copy.deepcopy(end), start.state_dict()
    for name, value in made.state_dict().items():
        if value.is_floating_point() and first[name].shape == value.shape:
            value.lerp_(first[name], 1 - share)
    return made


def shaken(start: OpenSceneNet, noise: float, seed: int) -> OpenSceneNet:
    """The network with noise on every weight, as from a bad step."""
    made, generator = copy.deepcopy(start), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in made.parameters():
            if value.dim() > 1:
                value += noise * value.std() * torch.randn(value.shape, generator=generator)
    return made


def crop_masks(
    network: OpenSceneNet, examples: Sequence[Example], context: RunContext
) -> NDArray[np.bool_]:
    """(N, S, S) answers."""
    found = predictions(network, examples, context)
    return np.concatenate([one.prediction.probability[:, 0].cpu().numpy() > 0.5 for one in found])


def plant(args: argparse.Namespace, scene_name: str) -> dict[str, Any]:
    """All updates of one scene: their answers on held-out objects, and what is true of them."""
    study = open_study(profile_named(args.profile), args.data, "cpu")
    context, start = run_context(study), OpenSceneNet(study.profile.network)
    load_strictly(start, read_tensors(args.weights)[0], "the model to begin with")
    start.eval()
    parts = apart(new_scene(study, scene_name).truth, 4)
    learn, true = sum(parts[1:], ()), validation(study, scene_name).examples
    unseen = args.unseen and open_study(study.profile, args.unseen, "cpu")
    if unseen:
        true = (*true, *validation(unseen, scene_name).examples)
    scene = Objects(some(learn, 64), some(parts[0], 40), true)
    spread = apart(source(study, "voc+sbd").examples, 4)
    old, source_true = some(sum(spread[1:], ()), 300), some(spread[0], 160)
    if unseen:
        source_true = validation(unseen, "voc").examples
    sets = {
        "held out": scene.judge,
        "scene": scene.true,
        "source judge": validation(study, "voc").examples,
        "source": source_true,
    }
    sets = {name: some(one, args.most or len(one)) for name, one in sets.items()}
    truths = {n: [samples.cut(e, context.crop, context.cache).mask for e in found]
              for n, found in sets.items()}  # fmt: skip

    def answered(network: OpenSceneNet) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, examples in sets.items():
            answers = crop_masks(network, examples, context)
            made[name] = np.array(
                [masks.iou(*pair) for pair in zip(answers, truths[name], strict=True)]
            )
            if name == "held out":
                made["answers"] = np.packbits(answers, axis=None), answers.shape
        return made

    views = replace(context.inference, tta="six views", clip_to_box=False)
    seen = [
        (cut, *maps)
        for one in predictions(start, scene.judge, context, views)
        for cut, *maps in zip(one.samples, *one.prediction.two_maps(), strict=True)
    ]
    with context.pool() as pool:
        quality = learned_quality(start, old, context, EvidenceConfig(), pool)
    updates = {("start", 0.0): answered(start)}
    updates |= {("noise", noise): answered(shaken(start, noise, 1)) for noise in NOISES}
    for name, make in trained(start, scene, old, study, context).items():
        if args.only and name not in args.only:
            continue
        end = make()
        for share in SHARES:
            updates[name, share] = found = answered(between(start, end, share))
        said = {k: 100 * (found[k] - updates["start", 0.0][k]).mean() for k in sets}
        line = " ".join(f"{k} {change:+.1f}" for k, change in said.items())
        print(f"{name:30s} {line}  {time.process_time():.0f} s", flush=True)
    classes = {n: [e.supervision.class_name for e in one] for n, one in sets.items()}
    return {"classes": classes, "seen": seen, "quality": quality, "updates": updates}


def predicted(kept: dict[str, Any]) -> dict[tuple[str, float], NDArray[np.float64]]:
    """By update, the IoU that is predicted of its answers to the judge's objects."""
    seen = [witness(*one, EvidenceConfig()) for one in kept["seen"]]
    quality: Quality = kept["quality"]

    def of(bits: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.float64]:
        answers = np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)
        return np.array([quality.iou(signs(m, one)) for m, one in zip(answers, seen, strict=True)])

    return {name: of(*update["answers"]) for name, update in kept["updates"].items()}


def fitting(kept: dict[str, Any], likely: dict[tuple[str, float], NDArray[np.float64]]) -> str:
    """How well predicted IoU fits the true one: of updates, of single answers, and its level."""
    true = pd.DataFrame({name: one["held out"] for name, one in kept["updates"].items()})
    told = pd.DataFrame(likely)
    change, said = (one.mean().sub(one["start", 0.0].mean()) for one in (true, told))
    answers, likely_iou = (pd.Series(one.to_numpy().ravel()) for one in (true, told))
    fifths = pd.qcut(likely_iou, 5)
    level = answers.groupby(fifths, observed=True).mean()
    meant = likely_iou.groupby(fifths, observed=True).mean()
    return (
        f"Spearman of updates {change.corr(said, method='spearman'):.2f}, of answers "
        f"{answers.corr(likely_iou, method='spearman'):.2f}; of {len(answers)} answers by fifths, "
        + ", ".join(f"predicted {a:.2f} true {b:.2f}" for a, b in zip(meant, level, strict=True))
    )


def judged(
    kept: dict[str, Any], likely: dict[tuple[str, float], NDArray[np.float64]]
) -> pd.DataFrame:
    """A row per update: what it does, and what the rule of the annotator says of it."""
    start, rows = kept["updates"]["start", 0.0], []
    before, nothing = likely["start", 0.0], np.zeros(0)
    for (name, share), update in kept["updates"].items():
        old, new = (
            pd.DataFrame(
                {"class_name": kept["classes"]["source judge"], "iou": one["source judge"]}
            )
            for one in (start, update)
        )
        measures = {title: measured(title, nothing, nothing) for title in (AGREEMENT, *LABEL_FREE)}
        measures[QUALITY] = measured(QUALITY, before, likely[name, share])
        measures |= of_the_source(old, new)
        scene, source_change = (update[part] - start[part] for part in ("scene", "source"))
        worst = of_worst_class(source_change, kept["classes"]["source"])
        kind = "good" if scene.mean() > HARM else "neutral"
        if min(scene.mean(), source_change.mean()) < -HARM or worst < -CLASS_HARM:
            kind = "harmful"
        rows.append({
            "update": name, "share": share, "kind": kind, "verdict": advised(measures)[0],
            "scene": 100 * scene.mean(), "source": 100 * source_change.mean(),
            "worst class": 100 * worst, **{
                f"seen {name}": measures[name].difference.mean
                for name in (QUALITY, SOURCE_IOU, CLASS_IOU)
            },
        })  # fmt: skip
    return pd.DataFrame(rows[1:])


def of_worst_class(change: NDArray[np.float64], names: Sequence[str]) -> float:
    """Mean change of the class that lost most."""
    means = pd.Series(change).groupby(names).agg(["mean", "size"])
    return float(means.loc[means["size"] >= FEWEST, "mean"].min())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--unseen", type=Path)
    parser.add_argument("--most", type=int, help="objects of a set that are scored; all by default")
    parser.add_argument("--only", nargs="+", help="trainings by name; all by default")
    parser.add_argument("--scenes", nargs="+", default=["cityscapes", "coco"])
    args = parser.parse_args()
    for scene in args.scenes:
        kept = plant(args, scene)
        likely = predicted(kept)
        found = judged(kept, likely)
        print(found.to_string(index=False, float_format="{:+.1f}".format))
        refused = found["verdict"].eq("worse").groupby(found["kind"]).agg(["sum", "size"])
        print(scene, refused.to_dict("index"), flush=True)
        print(scene, fitting(kept, likely), flush=True)


if __name__ == "__main__":
    main()
