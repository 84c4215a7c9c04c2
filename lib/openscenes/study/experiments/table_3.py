"""Table 3: which prototypes refine a pseudo mask, and how robust the paper's settings are."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from openscenes.study.experiments.rows import TITLES, BlockSpec, RowSpec, data_and_seeds, table_of
from openscenes.study.profiles import Profile
from openscenes.study.runs.data import SOURCE, Study
from openscenes.study.runs.recipes import initial
from openscenes.study.scores.evaluation import Evaluation, score
from openscenes.study.scores.masks import CHOSEN, PAPER_ROWS, ipt_variants
from openscenes.study.scores.results import SCENES, Table
from openscenes.study.scores.statistics import Estimate, images_of, paired_difference

COARSE = "coarse mask"
LAST = PAPER_ROWS[-1]  # the whole module, to which other settings are compared
Sensitivity = list[tuple[str, str, Estimate]]


def blocks(profile: Profile) -> list[BlockSpec]:
    """Both new scenes, then the source; one evaluation has the scores of all rows.

    The vote is also compared with the sum that it follows.
    """
    initial_set = profile.initial_sets[0]
    shown = [name for name in ipt_variants(profile) if ": " not in name]
    claims = (*((name, COARSE) for name in shown), (LAST, PAPER_ROWS[-2]))
    specs = []
    for where in (*SCENES, SOURCE):
        scored = Evaluation(initial(initial_set, 0), where, "ipt")
        rows = [RowSpec(COARSE, scored, column=where)] + [
            RowSpec(name, scored, column=where, values=name,
                    above="" if name in PAPER_ROWS else LAST)
            for name in shown
        ]  # fmt: skip
        title = f"{TITLES[where]}, initial model on {initial_set.upper()}"
        specs.append(BlockSpec(title, tuple(rows), claims))
    return specs


def table(study: Study, seeds: int) -> Table:
    """Each prototype alone, all three, merge and vote: mIoU of pseudo masks.

    Paper: Table 3, on Cityscapes only; here as post-processing on validation objects, on both
    new scenes and on the source, where labels exist and the setting of the other tables was
    chosen.
    """
    specs = blocks(study.profile)
    caption = f"Pseudo mask mIoU on {data_and_seeds(study, specs, seeds)}."
    return table_of(study, "3", caption, specs, seeds)


def sensitivity(study: Study, seeds: int, where: str) -> Sensitivity:
    """What each setting changes against the paper's own module (merge and vote), in points.

    Returns:
        (setting, option, paired difference), the grid of F and the settings of Table 4 last.
    """
    scored = Evaluation(initial(study.profile.initial_sets[0], 0), where, "ipt")
    frames = [score(study, scored.with_seed(seed)) for seed in range(seeds)]
    shown = {name: name for name in ipt_variants(study.profile) if ": " in name}
    shown |= {"grid of F: the decoder's": "F from the decoder", f"together: {CHOSEN}": CHOSEN}
    rows, images = list[tuple[str, str, Estimate]](), images_of(frames[0]["object_id"])
    for name, column in shown.items():
        setting, option = name.split(": ", 1)
        ours, paper = (np.stack([frame[c] for frame in frames]) for c in (column, LAST))
        rows.append((setting, option, paired_difference(ours, paper, images)))
    return rows


def sensitivity_frame(scenes: Mapping[str, Sequence[tuple[str, str, Estimate]]]) -> pd.DataFrame:
    """What each setting that the paper leaves open changes, a line per scene and option.

    Args:
        scenes: name -> (setting, option, difference in points), as for ``sensitivity_figure``.
    Returns:
        Columns scene, setting, option and, in points, change, std (over seeds; empty for one),
        low, high (95 % interval), n_seeds, n_objects.
    """
    columns = ["scene", "setting", "option", "change", "std", "low", "high", "n_seeds", "n_objects"]
    lines = [
        (scene, setting, option, v.mean, v.std, v.low, v.high, v.n_seeds, v.n_objects)
        for scene, rows in scenes.items()
        for setting, option, v in rows
    ]
    return pd.DataFrame(lines, columns=columns)
