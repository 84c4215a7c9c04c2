"""Who is paired with whom, how often the model named the class rightly, what each term weighs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from openscenes.lessons.alignment.pairs import BEFORE, UNKNOWN, Alignment
from openscenes.lessons.alignment.state import terms
from openscenes.study.profiles import SCENE_NAMES
from openscenes.synthetic.catalogue import CITYSCAPES_NAMES, COCO_NAMES


def pair_list(alignment: Alignment, epoch: int = 0) -> pd.DataFrame:
    """One row per pair before evolution: names, whether right, terms A and B, L_feat."""
    pairing = alignment.pairing(epoch)
    found = terms(alignment.seen(BEFORE, epoch), pairing, alignment.config)
    names = zip(pairing.said, pairing.true_names, strict=True)
    return pd.DataFrame(
        {
            "new object": pairing.true_names, "the model says": pairing.said,
            "right": [is_right(said, true) for said, true in names],
            "old object": pairing.old_names, "loss": _equations(alignment, epoch),
            "A": found.proto.numpy(), "B": found.pixel.numpy(), "L_feat": found.feat.numpy(),
            "L_max": found.max.numpy(), "L_ce, new": found.ce_new.numpy(),
        }
    )  # fmt: skip


def _equations(alignment: Alignment, epoch: int) -> list[str]:
    return ["Eq. 7" if known else "Eq. 8" for known in alignment.pairing(epoch).known.tolist()]


def is_right(said: str, true: str) -> bool:
    """Whether a class of VOC is the new scene's class, whatever the two data sets call it."""
    return said != UNKNOWN and true in (said, COCO_NAMES.get(said), CITYSCAPES_NAMES.get(said))


def naming(alignments: Mapping[str, Alignment]) -> pd.DataFrame:
    """How many new objects the model named, and how many of the names are right, by scene."""
    rows = []
    for scene, alignment in alignments.items():
        pairs = pair_list(alignment)
        rows.append(
            {"new scene": SCENE_NAMES[scene], "pairs": len(pairs),
             "named (Eq. 7)": int((pairs["loss"] == "Eq. 7").sum()),
             "rightly": int(pairs["right"].sum())}
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
