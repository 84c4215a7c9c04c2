"""What a perfect judge could make of IPT's maps: the most that any vote or threshold can bring.

Ours: all of this. Prototypes are averages of F over the same coarse mask that they are to mend, so
the question is whether their maps know anything that the network's own map does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from openscenes import masks
from openscenes.data import samples
from openscenes.data.examples import Example
from openscenes.data.samples import Sample
from openscenes.masks import BoolMask
from openscenes.method.evidence_config import EvidenceConfig
from openscenes.method.inference import predictions
from openscenes.method.ipt import IPTConfig
from openscenes.method.pseudo import refine_batch
from openscenes.method.random_walk import FloatMap
from openscenes.method.tightness import allowed_region
from openscenes.progress import progress
from openscenes.study.runs.data import Labelled, Study
from openscenes.study.runs.models import Model, run_context

NETWORK, EVIDENCE, VOTE = "the network", "evidence of the image", "IPT's vote"
LEVELS = np.linspace(0.02, 0.98, 49)  # thresholds among which the best is looked for
COLUMNS = ("AUC in the box", "IoU", "IoU, best threshold")


def oracle_table(study: Study, model: Model, labelled: Labelled, n: int) -> pd.DataFrame:
    """How well each map of IPT knows the object, and what perfect choices would make of them.

    Args:
        n: objects, evenly out of all.
    Returns:
        A row per map or choice; AUC (0-1) of the map as a ranking of the pixels inside the user's
        box, IoU in points at the map's own threshold and at the best one of each object, in pixels
        of the crop, void left out, means over the objects; empty where a column has no meaning.
    """
    spread = np.linspace(0, len(labelled.examples) - 1, min(n, len(labelled.examples)))
    chosen = [labelled.examples[i] for i in spread.round().astype(int)]
    frames = [
        rows_of(cut, maps, ballots) for cut, maps, ballots in _predicted(study, model, chosen)
    ]
    shown = pd.concat(frames).groupby(level=0, sort=False).mean()
    return shown.assign(**{name: 100 * shown[name] for name in COLUMNS[1:]})


def rows_of(cut: Sample, maps: Mapping[str, tuple[FloatMap, float]], ballots: BoolMask
            ) -> pd.DataFrame:  # fmt: skip
    """The table of one object.

    Paper: Eq. 5-6 (the vote of three label maps).
    Ours: the perfect ballot is the best of the three; the perfect vote is right wherever one of
    the three is, pixel by pixel.

    Args:
        maps: name -> (S, S) in 0..1 and its threshold.
        ballots: (3, S, S).
    """
    counted = ~cut.void
    truth = cut.mask & counted
    box = allowed_region(cut.box, len(cut.mask), 0.0) & counted

    def iou(mask: BoolMask) -> float:
        return masks.iou(mask & counted, truth)

    rows = {
        name: (
            auc(one[box], truth[box]),
            iou(one > threshold),
            max(iou(one > level) for level in (*LEVELS, threshold)),
        )
        for name, (one, threshold) in maps.items()
    }
    unanimous = ballots.all(0), ~ballots.any(0)
    choices = {
        VOTE: ballots.sum(0) >= 2,
        "perfect vote: right where one of three is": ~unanimous[1] & (truth | unanimous[0]),
    }
    rows |= {name: (np.nan, iou(mask), np.nan) for name, mask in choices.items()}
    rows["perfect ballot: the best of three"] = np.nan, max(map(iou, ballots)), np.nan
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))


def auc(values: NDArray[np.float32], truth: BoolMask) -> float:
    """The probability that a pixel of the object ranks above one of the rest; ties count half.

    Paper: none.  Mann and Whitney's statistic; NaN where all pixels are of one kind.
    """
    n_object = int(truth.sum())
    n_rest = truth.size - n_object
    if not n_object or not n_rest:
        return np.nan
    return float((rankdata(values)[truth].sum() / n_object - (n_object + 1) / 2) / n_rest)


def _predicted(
    study: Study, model: Model, chosen: list[Example]
) -> Iterator[tuple[Sample, dict[str, tuple[FloatMap, float]], BoolMask]]:
    network, context = model.load(study), run_context(study)
    plain = replace(study.profile.inference, feature="layer4")
    views = replace(plain, tta="six views", evidence=EvidenceConfig())
    bar = progress("what a perfect judge could do", len(chosen))
    with context.pool() as pool:
        for one, seen in zip(
            predictions(network, chosen, context, plain, pool),
            predictions(network, chosen, context, views, pool),
            strict=True,
        ):
            chunk, _, batch, found = one
            made = refine_batch(found, batch, chunk, IPTConfig(), feature="layer4", seed=0)
            threshold = {"global": made.threshold_global}
            maps = {NETWORK: (found.probability, [plain.threshold] * len(chunk))} | {
                name: (values, threshold.get(name, made.threshold_merged).tolist())
                for name, values in made.confidence.items()
            }
            maps[EVIDENCE] = seen.prediction.probability, [0.5] * len(chunk)
            three = torch.cat([found.coarse_mask, made.label_global, made.label_merged], 1)
            for i, example in enumerate(chunk):
                cut = samples.cut(example, context.crop, context.cache)
                shown = {name: (v[i, 0].cpu().numpy(), t[i]) for name, (v, t) in maps.items()}
                yield cut, shown, three[i].cpu().numpy()
                bar.update()
    bar.close()
