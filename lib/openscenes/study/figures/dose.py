"""Dose and response: what a student gains against how much better its masks are."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from openscenes.errors import InputError
from openscenes.study.figures.palette import PALETTE
from openscenes.study.scores.statistics import Estimate


def dose_figure(found: Sequence[tuple[float, Estimate]], title: str) -> Figure:
    """One dot for each dose; on the dashed line a student gains all that its masks gained.

    Args:
        found: (by how many points of mean IoU the masks are better, what the student gains).
    """
    if not found:
        raise InputError("a figure of doses needs at least one, got none; give (dose, gain) pairs")
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    panel = figure.subplots()
    doses = [0.0, *(dose for dose, _ in found)]
    panel.axhline(0, color=PALETTE["neutral"], linewidth=1.2, zorder=1)
    ends = [0.0, max(doses)]
    panel.plot(
        ends, ends, color=PALETTE["neutral"], linestyle=(0, (4, 3)), linewidth=1.2, zorder=1,
        label="the student gains what its masks gained",
    )  # fmt: skip
    gains = [0.0, *(gain.mean for _, gain in found)]
    panel.plot(
        doses, gains, "o-", color=PALETTE["ours"], markersize=6, zorder=4,
        label="student, 95 % interval",
    )  # fmt: skip
    for dose, gain in found:
        panel.plot([dose, dose], [gain.low, gain.high], color=PALETTE["ours"], lw=2.5, zorder=3)
    panel.set_xlabel("masks better by, points of mean IoU (training objects)", fontsize=9.5)
    panel.set_ylabel("student better by, points of mIoU (validation)", fontsize=9.5)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_title(title, fontsize=10.5)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure
