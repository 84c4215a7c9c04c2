"""Loss terms by epoch, as training logged them."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from openscenes.method.gradients import NORM
from openscenes.study.figures.palette import SERIES
from openscenes.study.runs.models import Model

SIDE_BY_SIDE = 3  # panels of a line, so that their text can be read on a page of 900 px
STROKES = ("-", "--", ":", "-.")

TERM_NAMES = {
    "ce": "masks", "class": "class head", "ce_old": "masks, old data",
    "ce_new": "pseudo masks, new scene", "feat": "feature alignment (Eq. 7, 8)",
    "max": "maximum squares (Eq. 9, 10)", "class_old": "class head, old data",
    "sides": "sides of the box", "click": "clicked pixel",
}  # fmt: skip


def training_figure(models: Sequence[Model]) -> Figure:
    """Loss terms by epoch: rows of panels per stage, a panel per term, a line per model.

    Terms as they are logged, before the division by the crop's pixels; seeds of one variant
    share a line's look. A model that learned nothing has no loss to show. Where one run leaves the
    others far behind, the scale is logarithmic.
    """
    learned = [(_stage_and_variant(m), pd.DataFrame(m.facts()["history"])) for m in models]
    histories = [(named, history) for named, history in learned if len(history)]
    stages = list(dict.fromkeys(stage for (stage, _), _ in histories))
    terms = _terms([history for _, history in histories])
    looks = _looks([variant for (_, variant), _ in histories])
    n_columns = min(SIDE_BY_SIDE, len(terms))
    n_lines = -(-len(terms) // n_columns)  # of a stage
    size = (1.2 + 2.6 * n_columns, 1.3 + 2.1 * len(stages) * n_lines)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(stages) * n_lines, n_columns, squeeze=False)
    of_stage = dict(zip(stages, panels.reshape(len(stages), -1), strict=True))
    for (stage, variant), history in histories:
        for panel, term in zip(of_stage[stage], terms, strict=False):
            if term in history:
                panel.plot(history["epoch"], history[term], marker=".", lw=1.3, **looks[variant])
    for stage, own in of_stage.items():
        _finish(list(own), stage, terms)
    data = ", ".join(dict.fromkeys(_data_of(model) for model in models))
    figure.suptitle(f"Loss per object by epoch, {data}", fontsize=11)
    handles = [Line2D([], [], marker=".", label=name, **look) for name, look in looks.items()]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(len(handles), 3), frameon=False
    )
    return figure


def _finish(line: Sequence[Axes], stage: str, terms: Sequence[str]) -> None:
    """Name what was drawn in one stage's panels; what was not is left blank."""
    drawn = [(panel, term) for panel, term in zip(line, terms, strict=False) if panel.lines]
    for panel in line:
        panel.set_visible(bool(panel.lines))
    for panel, term in drawn:
        panel.set_title(TERM_NAMES.get(term, term), fontsize=9)
        panel.set_xlabel("epoch", fontsize=9)
        panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if _is_far_apart(panel):
            panel.set_yscale("log")
        panel.yaxis.set_major_formatter(EngFormatter(sep=""))
        panel.tick_params(labelsize=9)
        panel.spines[["top", "right"]].set_visible(False)
    if drawn:
        drawn[0][0].set_ylabel(stage, fontsize=9)


def _stage_and_variant(model: Model) -> tuple[str, str]:
    """Of the last step: ("coco", "st+ipt") of "demo seed 0 initial voc > coco st+ipt"."""
    step = re.sub(r" seed \d+", "", model.label).split(" ", 1)[1].split(" > ")[-1]
    stage, _, variant = step.partition(" ")
    return stage, variant


def _data_of(model: Model) -> str:
    return str(model.facts().get("images", model.label.split(" ")[0]))


def _terms(histories: Sequence[pd.DataFrame]) -> list[str]:
    names = (str(name) for history in histories for name in history)
    found = dict.fromkeys(n for n in names if n != "epoch" and not n.startswith(NORM))
    known = [name for name in TERM_NAMES if name in found]
    return known + [name for name in found if name not in known]


def _looks(variants: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and stroke of each variant's lines; where colours run out, dashes tell them apart."""
    unique = list(dict.fromkeys(variants))
    rounds = [divmod(i, len(SERIES)) for i in range(len(unique))]
    return {
        name: {"color": SERIES[colour], "linestyle": STROKES[n % len(STROKES)]}
        for name, (n, colour) in zip(unique, rounds, strict=True)
    }


def _is_far_apart(panel: Axes) -> bool:
    """Whether the values, all positive, span more than two powers of ten."""
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in panel.lines])
    return bool(values.min() > 0 and values.max() > 100 * values.min())
