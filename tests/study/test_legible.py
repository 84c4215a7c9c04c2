"""Figures of many panels can be read on a page of 900 px: no text is below 9 px there."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from openscenes.lessons.alignment.alignment_figures import clouds_figure
from openscenes.lessons.alignment.pair_terms import Clouds
from openscenes.study.figures.forest import breakdown_figure, table_figure
from openscenes.study.figures.losses import TERM_NAMES, training_figure
from openscenes.study.figures.matrix import matrix_figure
from openscenes.study.scores.continual import Continual
from openscenes.study.scores.results import Block, Row, Table
from openscenes.study.scores.statistics import Estimate, estimate, paired_difference

DPI, PAGE_PX, SMALLEST_PX = 100, 900, 9.0
ROWS = ["Baseline", "BN re-estimation (control)", "+ST", "+ST +IPT", "+ST +FA", "+ST +IPT +FA"]


def smallest_px(figure):
    """Height of the smallest text, where the figure is shrunk to the page."""
    FigureCanvasAgg(figure).draw()
    box = figure.get_tightbbox()
    shrunk = min(1.0, PAGE_PX / (DPI * (box.width + 0.2)))  # a margin, as savefig leaves it
    sizes = [t.get_fontsize() for t in figure.findobj(Text) if t.get_visible() and t.get_text()]
    return shrunk * min(sizes) * DPI / 72


def breakdown():
    lines = [
        (block, row, f"class {g}", 20, 50.0, np.nan if row == ROWS[0] else 1.0, 0.5, 1.5)
        for block in ("Cityscapes, initial model", "COCO, initial model")
        for row in [*ROWS, "Upperbound"] for g in range(8)
    ]  # fmt: skip
    columns = ["block", "row", "group", "n_objects", "mean", "change", "low", "high"]
    return breakdown_figure(pd.DataFrame(lines, columns=columns), "By class")


def training():
    history = [{"epoch": e, **{term: 1.0 + e for term in TERM_NAMES}} for e in range(3)]
    facts = {"history": history, "images": "synthetic scenes"}
    return training_figure([
        SimpleNamespace(label=f"demo seed 0 initial voc > {scene} {words}", facts=lambda: facts)
        for scene in ("cityscapes", "coco") for words in ("st", "st+ipt", "st+fa", "st+ipt+fa")
    ])  # fmt: skip


def matrices():
    one = Estimate(70.0, 0.5, 69.0, 71.0, 3, 20)
    cells = {(i, j): one for i in range(3) for j in range(3)}
    found = Continual(cells, one, one, one, one)
    return matrix_figure(dict.fromkeys(("ours", "low rate", "IOG", "DEXTR"), found), "made up")


def clouds():
    points = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    found = Clouds(points, points + 1, points, points + 1, np.zeros(6, bool), 3.0)
    known = np.ones(6, bool)
    return clouds_figure(
        dict.fromkeys(("before", "+ST", "+ST +FA", "all"), found), known, title="t"
    )


def table():
    rng, blocks, lines = np.random.default_rng(0), [], []
    for title in ("Cityscapes, initial model on VOC+SBD", "COCO, initial model on VOC+SBD"):
        scores = {label: rng.uniform(0.3, 0.6, (2, 6)) for label in ROWS}
        first = scores[ROWS[0]]
        rows = [
            Row(label, 70.0, estimate(s), *[paired_difference(s, first) if i else None] * 2)
            for i, (label, s) in enumerate(scores.items())
        ]
        lines += [
            {"block": title, "row": label, "seed": seed, "object_id": str(k), "iou": iou}
            for label, s in scores.items() for seed in (0, 1) for k, iou in enumerate(s[seed])
        ]  # fmt: skip
        blocks.append(Block(title, tuple(rows)))
    return table_figure(Table("4", "mIoU.", tuple(blocks), pd.DataFrame(lines), ()))


@pytest.mark.parametrize("draw", [breakdown, training, matrices, clouds, table])
def test_text_can_be_read(draw):
    assert smallest_px(draw()) >= SMALLEST_PX
