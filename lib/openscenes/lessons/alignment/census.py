"""Which objects are paired, how often the predicted class is right, what each term weighs."""

from collections.abc import Mapping

import pandas as pd

from openscenes.lessons.alignment.pair_terms import terms
from openscenes.lessons.alignment.pairs import BEFORE, UNKNOWN, Alignment
from openscenes.study.profiles import SCENE_NAMES
from openscenes.study.runs.class_names import same_class


def pair_list(alignment: Alignment) -> pd.DataFrame:
    """One row per pair before evolution: names, whether right, terms A and B, L_feat."""
    pairing = alignment.pairing()
    found = terms(alignment.outputs(BEFORE), pairing, alignment.config)
    names = zip(pairing.predicted, pairing.true_names, strict=True)
    return pd.DataFrame(
        {
            "new object": pairing.true_names, "predicted class": pairing.predicted,
            "right": [is_right(*both) for both in names],
            "old object": pairing.old_names,
            "loss": ["Eq. 7" if known else "Eq. 8" for known in pairing.known.tolist()],
            "A": found.proto.numpy(), "B": found.pixel.numpy(), "L_feat": found.feat.numpy(),
            "L_max": found.max.numpy(), "L_ce, new": found.ce_new.numpy(),
        }
    )  # fmt: skip


def is_right(predicted: str, true: str) -> bool:
    """Whether a class of VOC is the new scene's class, whatever the two data sets call it."""
    return predicted != UNKNOWN and same_class(predicted, true)


def naming(alignments: Mapping[str, Alignment]) -> pd.DataFrame:
    """How many new objects got a predicted class, and how many of these are right, by scene."""
    rows = []
    for scene, alignment in alignments.items():
        pairs = pair_list(alignment)
        rows.append(
            {"new scene": SCENE_NAMES[scene], "pairs": len(pairs),
             "predicted (Eq. 7)": int((pairs["loss"] == "Eq. 7").sum()),
             "rightly predicted": int(pairs["right"].sum())}
        )  # fmt: skip
    return pd.DataFrame(rows).set_index("new scene")


def weighing(alignments: Mapping[str, Alignment]) -> pd.DataFrame:
    """Mean terms of the pairs of both kinds before evolution, by scene and equation."""
    lists = [
        pair_list(alignment).assign(scene=SCENE_NAMES[scene])
        for scene, alignment in alignments.items()
    ]
    grouped = pd.concat(lists).groupby(["scene", "loss"])
    means = grouped[["A", "B", "L_feat", "L_max", "L_ce, new"]].mean()
    return means.assign(pairs=grouped.size())
