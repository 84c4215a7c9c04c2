"""Figures of intervals: all resamples, paired and unpaired, simulated studies, power."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from openscenes.lessons.intervals.sampling import (
    SIZES,
    SimulatedStudies,
    Values,
    every_resample,
    percentiles,
    studies_by_size,
)
from openscenes.lessons.panels import dot_plot, plain
from openscenes.study.figures.palette import PALETTE, SERIES
from openscenes.study.scores.statistics import Estimate


def resample_figure(values: Sequence[float]) -> Figure:
    """At most six differences in points, and means of all resamples with a 95 % interval."""
    means = every_resample(values)
    low, high = percentiles(means)
    figure = Figure(figsize=(7.6, 3.7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1, 3.2])
    above.plot(values, np.zeros(len(values)), "o", color=PALETTE["ours"], markersize=8)
    above.set_yticks([0], [f"{len(values)} differences"])
    below.hist(means, bins=60, color=PALETTE["right"])
    below.axvspan(low, high, color=PALETTE["ours"], alpha=0.12)
    below.set_ylabel(f"of {len(means):,} resamples", fontsize=9)
    below.set_xlabel("difference of an object; mean of a resample (points)", fontsize=9)
    for panel in (above, below):
        panel.axvline(0, color=PALETTE["neutral"], linewidth=1)
        panel.axvline(float(np.mean(values)), color="black", linewidth=1.2, linestyle=":")
        plain(panel, "x")
    above.set_title(
        f"mean {np.mean(values):+.2f}, 95 % of all resamples in [{low:+.2f}, {high:+.2f}]",
        fontsize=10,
    )
    return figure


def intervals_figure(rows: Mapping[str, Estimate], title: str) -> Figure:
    """Estimates below each other on one scale; a dot is hollow where the interval holds zero."""
    figure = Figure(figsize=(7.6, 1.1 + 0.42 * len(rows)), layout="constrained")
    panel = figure.subplots()
    dot_plot(panel, {name: (value.mean, value.low, value.high) for name, value in rows.items()})
    for height, value in enumerate(rows.values()):
        words = f"{value.mean:+.2f} [{value.low:+.2f}, {value.high:+.2f}]"
        panel.text(
            1.01, height, words, transform=panel.get_yaxis_transform(), va="center", fontsize=8.5
        )
    panel.set_xlabel("difference, points of mIoU", fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def studies_figure(studies: SimulatedStudies) -> Figure:
    """Intervals of simulated studies: blue without zero, an open dot where the truth is missed."""
    figure = studies_frame(studies_limits(studies), len(studies.mean))
    draw_studies(figure.axes[0], studies)
    return figure


def studies_limits(studies: SimulatedStudies) -> tuple[float, float]:
    """Even points that hold every interval, so that few plans differ in their axes."""
    low, high = np.floor(studies.low.min() / 2), np.ceil(studies.high.max() / 2)
    return min(-2.0, 2 * float(low)), max(4.0, 2 * float(high))


def studies_frame(limits: tuple[float, float], n_studies: int) -> Figure:
    """Axes and legend of an image of studies, laid out by hand: a slider waits for them."""
    figure = Figure(figsize=(6.0, 4.4))
    panel = figure.add_axes((0.03, 0.24, 0.94, 0.65))
    panel.axvline(0, color=PALETTE["neutral"], linewidth=1.2)
    panel.set_xlim(limits)
    panel.set_ylim(-1, n_studies)
    panel.set_yticks([])
    panel.set_xlabel("difference found, points of mIoU, with its 95 % interval", fontsize=9)
    plain(panel, "x")
    figure.legend(handles=_studies_legend(), loc="lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def draw_studies(panel: Axes, studies: SimulatedStudies) -> list[Artist]:
    """Intervals, dots, the truth and the title; all that a plan of the same axes changes."""
    truth = panel.axvline(
        studies.design.difference, color=PALETTE["truth"], linewidth=2, linestyle="--"
    )
    title = panel.text(
        0.5, 1.02, studies_words(studies).replace(": ", ":\n"), transform=panel.transAxes,
        ha="center", va="bottom", fontsize=9.5,
    )  # fmt: skip
    return [*_draw_intervals(panel, studies), truth, title]


def _draw_intervals(panel: Axes, studies: SimulatedStudies) -> list[Artist]:
    order = np.argsort(studies.mean)
    mean, low, high = (values[order] for values in (studies.mean, studies.low, studies.high))
    heights, truth = np.arange(len(mean)), studies.design.difference
    colours = np.where((low > 0) | (high < 0), PALETTE["ours"], PALETTE["neutral"])
    filled = np.where((low <= truth) & (truth <= high), colours, "#FFFFFF")
    lines = panel.hlines(heights, low, high, colors=colours.tolist(), linewidth=1.8)
    dots = panel.scatter(
        mean, heights, s=22, c=filled.tolist(), edgecolors=colours.tolist(), zorder=3
    )
    return [lines, dots]


def studies_words(studies: SimulatedStudies) -> str:
    """What an image of studies shows, in one sentence."""
    design = studies.design
    seeds = "1 seed" if design.n_seeds == 1 else f"{design.n_seeds} seeds"
    return (
        f"{len(studies.mean)} studies of {design.n_objects} objects and {seeds}, truth "
        f"{design.difference:+.1f}: {studies.power:.0%} leave out zero, {studies.coverage:.0%} "
        f"hold the truth, mean width {studies.width:.1f}"
    )


def _studies_legend() -> list[Line2D]:
    ours, grey, truth = PALETTE["ours"], PALETTE["neutral"], PALETTE["truth"]
    return [
        Line2D([], [], color=ours, marker="o", label="leaves out zero: significant"),
        Line2D([], [], color=grey, marker="o", label="holds zero: not significant"),
        Line2D([], [], color=grey, marker="o", markerfacecolor="white", label="misses the truth"),
        Line2D([], [], color=truth, linestyle="--", linewidth=2, label="true difference"),
    ]


def power_figure(worlds: Mapping[str, Values], difference: float, n_seeds: Sequence[int]) -> Figure:
    """Power and coverage of studies by number of objects: a column per world, a curve per n_seeds.

    Args:
        worlds: name -> (n_seeds, n_objects) measured differences in points.
    """
    figure = Figure(figsize=(4.6 * len(worlds), 5.6), layout="constrained")
    panels = figure.subplots(2, len(worlds), squeeze=False, sharey="row", sharex=True)
    for (power_panel, coverage_panel), (name, world) in zip(panels.T, worlds.items(), strict=True):
        for number, colour in zip(n_seeds, SERIES, strict=False):
            curve = studies_by_size(world, difference, number)
            label = "1 seed" if number == 1 else f"{number} seeds"
            power, coverage = [100 * s.power for s in curve], [100 * s.coverage for s in curve]
            power_panel.plot(SIZES, power, "o-", color=colour, markersize=4, label=label)
            coverage_panel.plot(SIZES, coverage, "o-", color=colour, markersize=4)
        for panel, wanted in ((power_panel, 80), (coverage_panel, 95)):
            _finish_by_size(panel, wanted, world.shape[1])
        power_panel.set_title(name, fontsize=9.5)
        coverage_panel.set_xlabel("objects (dashed: how many there are here)", fontsize=9)
    panels[0, 0].set_ylabel("power: intervals without zero, %", fontsize=9)
    panels[1, 0].set_ylabel("coverage: intervals with the truth, %", fontsize=9)
    panels[0, 0].legend(fontsize=8.5, frameon=False)
    figure.suptitle(
        f"Simulated studies with a true difference of {difference:+.1f} points", fontsize=11
    )
    return figure


def _finish_by_size(panel: Axes, wanted: float, n_here: int) -> None:
    panel.axhline(wanted, color=PALETTE["neutral"], linewidth=1.2, linestyle=":")
    panel.axvline(n_here, color=PALETTE["truth"], linewidth=1.2, linestyle="--")
    panel.set_xscale("log")
    panel.set_xticks(SIZES, [str(n) for n in SIZES], fontsize=8)
    panel.minorticks_off()
    panel.set_ylim(-4, 104)
    plain(panel)
