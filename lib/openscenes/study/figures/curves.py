"""Curves: what each further click brings (Table 1), what each further quarter brings (Table 7)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from openscenes.errors import InputError
from openscenes.study.figures.palette import PALETTE, SERIES
from openscenes.study.scores.continual import Means, Values, bootstrap
from openscenes.study.scores.noc import MAX_CLICKS, ClickCurve
from openscenes.study.scores.results import Block, Table
from openscenes.study.scores.statistics import Estimate

OURS = "Ours"
TARGETS = {"VOC": 0.85, "Cityscapes": 0.80, "COCO": 0.85}  # Table 1
MARKERS = ("o", "s", "^", "v", "D", "P", "X")
_DASHED: dict[str, Any] = {"linestyle": (0, (4, 3)), "zorder": 0.9}


Series = Mapping[str, Mapping[str, ClickCurve]]  # test set -> system -> curve


def click_figure(
    series: Series, title: str, targets: Mapping[str, float] = TARGETS,
    max_clicks: int = MAX_CLICKS, beginnings: Mapping[str, str] | None = None,
) -> Figure:  # fmt: skip
    """Mean IoU against the number of clicks, one panel per test set.

    IoU@k of Table 1 for every k.  Bands are 95 % intervals that draw images and seeds.

    Args:
        series: test set -> system -> curve; a system keeps its colour in all panels, "Ours" has
            the house's.
        targets: test set -> target IoU of NoC, drawn as a line.
        max_clicks: where the axis ends.
        beginnings: system -> what its training starts from, for the legend.
    """
    figure = _curve_figure(series, title, max_clicks, beginnings, lambda name, iou: iou)
    for panel, name in zip(figure.axes, series, strict=True):
        if name in targets:
            panel.set_title(_with_target(panel, targets[name]), fontsize=10)
            panel.axhline(100 * targets[name], color=PALETTE["neutral"], linewidth=1.2, **_DASHED)
    figure.axes[0].set_ylabel("mean IoU, %", fontsize=10)
    return figure


def noc_figure(
    series: Series, title: str, targets: Mapping[str, float] = TARGETS,
    max_clicks: int = MAX_CLICKS, beginnings: Mapping[str, str] | None = None,
) -> Figure:  # fmt: skip
    """Share of objects that have reached the target after so many clicks, a panel per test set.

    NoC is a mean of which this is the whole distribution: NoC = 1 + the sum of (1 - share)
    over 1 to ``max_clicks`` - 1 clicks, so the area above a curve is what NoC counts.  An object
    that reached the target stays counted where a later click spoils it.

    Args:
        series, title, max_clicks, beginnings: as for ``click_figure``.
        targets: test set -> IoU in 0-1.
    """
    missing = [name for name in series if name not in targets]
    if missing:
        raise InputError(f"no target IoU is given for {', '.join(missing)}; add it to targets")
    figure = _curve_figure(
        series, title, max_clicks, beginnings, lambda name, iou: reached(iou, targets[name])
    )
    for panel, name in zip(figure.axes, series, strict=True):
        panel.set_title(_with_target(panel, targets[name]), fontsize=10)
        panel.set_ylim(-2, 102)
    figure.axes[0].set_ylabel("objects at the target, %", fontsize=10)
    return figure


def _with_target(panel: Axes, target: float) -> str:
    return f"{panel.get_title()}, target {100 * target:.0f} %"


def reached(iou: Values, target: float) -> Values:
    """Whether the best prediction so far has the target IoU: (..., n_clicks) 0.0 or 1.0."""
    return (np.maximum.accumulate(iou, axis=-1) >= target).astype(np.float64)


def _curve_figure(
    series: Series, title: str, max_clicks: int, beginnings: Mapping[str, str] | None,
    values_of: Callable[[str, Values], Values],
) -> Figure:  # fmt: skip
    styles = system_styles(series)
    figure = Figure(figsize=(1.0 + 3.9 * len(series), 4.2), layout="constrained")
    panels = figure.subplots(1, len(series), squeeze=False, sharey=True)[0]
    for panel, (name, curves) in zip(panels, series.items(), strict=True):
        scores = {
            system: values_of(name, _checked(system, curve, max_clicks))
            for system, curve in curves.items()
        }
        estimates = _estimates(scores, next(iter(curves.values())).images)
        for system, curve in curves.items():
            _draw_curve(panel, curve.first, estimates[system], *styles[system])
        n_objects = next(iter(scores.values())).shape[1]
        panel.set_title(f"{name} ({n_objects} objects)", fontsize=10)
        _finish(panel, max_clicks)
    figure.suptitle(title, fontsize=11)
    figure.legend(
        handles=_system_legend(series, styles, beginnings or {}), loc="outside lower center",
        frameon=False, ncols=min(len(styles) + 1, 4 if beginnings else 5),
    )  # fmt: skip
    return figure


def system_styles(series: Series) -> dict[str, tuple[str, str]]:
    """system -> (colour, marker), alike in every figure of the same systems.

    Each has a marker of its own, too, since lines of seven systems cross.
    """
    others = dict.fromkeys(name for curves in series.values() for name in curves if name != OURS)
    free = [colour for colour in SERIES if colour != PALETTE["ours"]]
    styles = {
        name: (free[i % len(free)], MARKERS[1 + i % (len(MARKERS) - 1)])
        for i, name in enumerate(others)
    }
    if any(OURS in curves for curves in series.values()):
        styles[OURS] = (PALETTE["ours"], MARKERS[0])
    return styles


def _checked(system: str, curve: ClickCurve, max_clicks: int) -> Values:
    shape = curve.iou.shape
    if len(shape) != 3 or curve.first + shape[2] - 1 > max_clicks:
        raise InputError(
            f"the curve of {system} starts at click {curve.first} with IoU of shape {shape}; give "
            f"(n_seeds, n_objects, n_clicks) up to click {max_clicks}"
        )
    return curve.iou


def _estimates(
    scores: Mapping[str, Values], images: Sequence[str] | None
) -> dict[str, list[Estimate]]:
    keyed = {
        (system, i, "objects"): values[..., i]
        for system, values in scores.items()
        for i in range(values.shape[2])
    }
    drawn = {"objects": images} if images else None
    found = bootstrap(keyed, {key: partial(_mean_of, key=key) for key in keyed}, drawn)
    return {
        system: [found[system, i, "objects"] for i in range(values.shape[2])]
        for system, values in scores.items()
    }


def _mean_of(means: Means, key: tuple[str, int, str]) -> NDArray[np.float64]:
    return means[key]


def _draw_curve(
    panel: Axes, first: int, estimates: Sequence[Estimate], colour: str, marker: str
) -> None:
    """A line with its band; a single prediction is a marker with an error bar."""
    alone = len(estimates) == 1
    clicks = np.arange(first, first + len(estimates))
    mean, low, high = (np.array([getattr(e, name) for e in estimates])
                       for name in ("mean", "low", "high"))  # fmt: skip
    panel.plot(
        clicks, mean, color=colour, marker=marker, markersize=8 if alone else 5, linewidth=1.6,
        markeredgecolor="white", markeredgewidth=0.5, zorder=3,
    )  # fmt: skip
    if not alone:
        panel.fill_between(clicks, low, high, color=colour, alpha=0.13, linewidth=0, zorder=1)
    else:
        panel.plot([first, first], [low[0], high[0]], color=colour, linewidth=1.6, zorder=2)


def _finish(panel: Axes, max_clicks: int) -> None:
    panel.set_xlim(0.4, max_clicks + 0.6)
    panel.set_xticks([1, 3, *range(5, max_clicks + 1, 5)])
    _settle(panel, "clicks")


def _settle(panel: Axes, about: str) -> None:
    panel.set_xlabel(about, fontsize=10)
    panel.tick_params(labelsize=10)
    panel.grid(axis="y", color="0.92")
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _system_legend(
    series: Series, styles: Mapping[str, tuple[str, str]], beginnings: Mapping[str, str]
) -> list[Line2D | Patch]:
    starts = {name: curve.first for curves in series.values() for name, curve in curves.items()}
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colour, marker=marker, label=_named(name, starts[name], beginnings))
        for name, (colour, marker) in styles.items()
    ]
    return [*handles, Patch(color=PALETTE["neutral"], alpha=0.25, label="95 % interval")]


def _named(system: str, first: int, beginnings: Mapping[str, str]) -> str:
    """The system, the click of its first answer where it is a later one, and its weights."""
    said = [f"from click {first}"] if first > 1 else []
    said += [beginnings[system]] if system in beginnings else []
    return f"{system} ({', '.join(said)})" if said else system


def subset_figure(table: Table) -> Figure:
    """Change of mIoU with the share of images seen, beside the paper's: Table 7.

    Paper: Table 7.
    Changes to the start, since the paper's values are from other images; the rows of a
    block are taken as equal shares, the first having seen none and the last all.

    Returns:
        One panel per block; thin lines are single seeds, numbers are our mIoU.
    """
    n_blocks = len(table.blocks)
    figure = Figure(figsize=(1.0 + min(4.6 * n_blocks, 10.2), 4.2), layout="constrained")
    panels = figure.subplots(1, n_blocks, squeeze=False, sharey=True)[0]
    for panel, block in zip(panels, table.blocks, strict=True):
        _draw_seeds(panel, table, block)
        _draw_subsets(panel, block)
        objects = f"{block.rows[0].ours.n_objects} objects"
        panel.set_title(f"{fill(block.title, min(56, 120 // n_blocks))}\n({objects})", fontsize=9.5)
    panels[0].set_ylabel("change of mIoU to the start, points", fontsize=10)
    figure.suptitle(f"Table {table.number}: {table.caption}", fontsize=11)
    figure.legend(handles=_subset_legend(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def _draw_subsets(panel: Axes, block: Block) -> None:
    start = block.rows[0]
    panel.axhline(0, color=PALETTE["neutral"], linewidth=1.2, zorder=1)
    changes = [0.0 if row.to_first is None else row.to_first.mean for row in block.rows]
    panel.plot(range(len(changes)), changes, "o-", color=PALETTE["ours"], markersize=6, zorder=4)
    for x, row in enumerate(block.rows):
        if row.to_first is not None:
            interval = [row.to_first.low, row.to_first.high]
            panel.plot([x, x], interval, color=PALETTE["ours"], linewidth=2.5, zorder=3)
        if row.paper is not None and start.paper is not None and x:
            panel.plot(
                x + 0.12, row.paper - start.paper, "D", markerfacecolor="none", markersize=6,
                markeredgecolor=PALETTE["paper"], zorder=5,
            )  # fmt: skip
    labels = [f"{row.label}\n{row.ours.mean:.1f}" for row in block.rows]
    panel.set_xticks(range(len(labels)), labels)
    _settle(panel, "share of the scene's images seen; our mIoU")


def _draw_seeds(panel: Axes, table: Table, block: Block) -> None:
    mine = table.objects[table.objects["block"] == block.title]
    means = 100.0 * mine.groupby(["row", "seed"])["iou"].mean().unstack("seed")
    means = means.loc[[row.label for row in block.rows]]
    if means.shape[1] > 1:
        for changes in (means - means.iloc[0]).to_numpy().T:
            panel.plot(range(len(changes)), changes, "-", color=PALETTE["ours"], alpha=0.35, lw=1)


def _subset_legend() -> list[Line2D]:
    ours, paper = PALETTE["ours"], PALETTE["paper"]
    return [
        Line2D([], [], color=ours, marker="o", linewidth=2.5, label="ours, 95 % interval"),
        Line2D([], [], color=ours, alpha=0.35, linewidth=1, label="one seed"),
        Line2D([], [], color=paper, marker="D", linestyle="", markerfacecolor="none",
               label="the paper's change"),
    ]  # fmt: skip
