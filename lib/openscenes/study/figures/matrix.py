"""Heat maps of R[i][j] for several methods, and how much each setting of the paper matters."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from openscenes.errors import InputError
from openscenes.study.figures.forest import draw_interval, finish_dot_plot
from openscenes.study.figures.palette import PALETTE
from openscenes.study.scores.continual import SEQUENCE, Continual, learned
from openscenes.study.scores.statistics import Estimate

COLOURS = "cividis"


def matrix_figure(
    methods: Mapping[str, Continual], title: str, names: Sequence[str] = SEQUENCE
) -> Figure:
    """R[i][j] of several methods side by side on one colour scale.

    Paper: Table 2 has some of these cells.
    All cells, with 95 % intervals; cells of sets that the model has learned are framed, the
    others are zero-shot and in italics.

    Args:
        methods: name -> matrix and summaries, all of one length.
        names: of the sets, in the order of the steps.
    Returns:
        One panel per method, steps from top to bottom, sets from left to right, with ACC, BWT,
        FWT and forgetting below.
    """
    n_steps = _n_steps(methods, names)
    means = [cell.mean for found in methods.values() for cell in found.cells.values()]
    scale = ScalarMappable(Normalize(min(means), max(means)), COLOURS)
    n_columns = min(2, len(methods))
    n_lines = -(-len(methods) // n_columns)
    figure = Figure(figsize=(1.6 + 3.3 * n_columns, 0.8 + 4.3 * n_lines))
    figure.set_layout_engine("constrained", h_pad=0.1)
    grid = figure.subplots(n_lines, n_columns, squeeze=False, sharey=True)
    panels = list(grid.flat)
    for panel in panels[len(methods) :]:
        panel.set_axis_off()
    panels = panels[: len(methods)]
    for panel, (method, found) in zip(panels, methods.items(), strict=True):
        _draw_matrix(panel, found, scale)
        panel.set_title(method, fontsize=10)
        panel.set_xticks(range(n_steps), [f"on {name}" for name in names[:n_steps]])
        panel.set_xlabel(_summaries(found), fontsize=8, labelpad=8, linespacing=1.5)
    panels[0].set_yticks(range(n_steps), [f"after {name}" for name in names[:n_steps]])
    bar = figure.colorbar(scale, ax=panels, shrink=0.6, pad=0.02)
    bar.set_label("mIoU, %", fontsize=9)
    figure.suptitle(title, fontsize=11)
    figure.legend(handles=_legend(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _n_steps(methods: Mapping[str, Continual], names: Sequence[str]) -> int:
    lengths = sorted({found.n_steps for found in methods.values()})
    if len(lengths) != 1 or lengths[0] > len(names):
        raise InputError(
            f"matrices side by side need one length of at most {len(names)} named sets, got "
            f"{lengths}; draw sequences of other lengths apart, and name their sets"
        )
    return lengths[0]


def _draw_matrix(panel: Axes, found: Continual, scale: ScalarMappable) -> None:
    n = found.n_steps
    values = np.array([[found.cells[step, j].mean for j in range(n)] for step in range(n)])
    panel.imshow(scale.to_rgba(values))
    for (step, number), cell in found.cells.items():
        _write_cell(panel, step, number, cell, _ink(scale, cell.mean))
    panel.tick_params(length=0, labelsize=9)
    panel.spines[:].set_visible(False)


def _write_cell(panel: Axes, step: int, number: int, cell: Estimate, ink: str) -> None:
    """The mean and its interval; a frame where the set is learned, italics where it is not."""
    known = learned(step, number)
    panel.text(
        number, step - 0.1, f"{cell.mean:.1f}", color=ink, ha="center", va="center", fontsize=12,
        style="normal" if known else "italic", weight="bold" if known else "normal",
    )  # fmt: skip
    panel.text(
        number, step + 0.22, f"{cell.low:.1f}–{cell.high:.1f}", color=ink, ha="center",
        va="center", fontsize=8,
    )  # fmt: skip
    if known:
        corner = (number - 0.46, step - 0.46)
        panel.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor=ink, linewidth=1.6))


def _ink(scale: ScalarMappable, value: float) -> str:
    red, green, blue, _ = scale.to_rgba(np.array([value]))[0]
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45 else "white"


def _summaries(found: Continual) -> str:
    signed = (("BWT", found.backward), ("FWT", found.forward), ("forgetting", found.forgetting))
    lines = [f"ACC {found.accuracy.mean:.1f} [{found.accuracy.low:.1f}, {found.accuracy.high:.1f}]"]
    lines += [f"{name} {v.mean:+.1f} [{v.low:+.1f}, {v.high:+.1f}]" for name, v in signed]
    return "\n".join(lines)


def _legend() -> list[Patch]:
    grey = PALETTE["neutral"]
    return [
        Patch(facecolor="none", edgecolor="black", label="frame: learned by then"),
        Patch(facecolor=grey, alpha=0.3, label="no frame, italics: zero-shot, not seen yet"),
    ]


def sensitivity_figure(
    rows: Sequence[tuple[str, str, Estimate]], title: str, default: str = "the default"
) -> Figure:
    """What each option changes against the default, grouped by the setting that it belongs to.

    The paper leaves these settings open; a dot is hollow where the interval holds zero,
    that is where the option does not differ significantly from the default.

    Args:
        rows: (setting, option, paired difference to the default in points); a setting's options
            follow each other.
        default: what the differences are taken to.
    Returns:
        One panel per setting, options from top to bottom, numbers at the right.
    """
    groups = [(name, list(members)) for name, members in groupby(rows, key=lambda row: row[0])]
    names = [name for name, _ in groups]
    if not rows or len(set(names)) != len(names):
        raise InputError(
            f"options must come setting by setting, got settings {names}; sort the rows by setting"
        )
    heights = [len(members) + 0.3 for _, members in groups]
    figure = Figure(figsize=(7.6, 1.4 + 0.27 * sum(heights) + 0.22 * len(names)))
    figure.set_layout_engine("constrained", h_pad=0.05, hspace=0.0)
    panels = figure.subplots(len(groups), 1, squeeze=False, sharex=True, height_ratios=heights)
    for panel, (name, members) in zip(panels[:, 0], groups, strict=True):
        _draw_group(panel, name, members)
    last = panels[-1, 0]
    last.tick_params(axis="x", labelbottom=True, length=3)
    last.spines["bottom"].set_visible(True)
    last.set_xlabel(f"difference to {default}, points of mIoU", fontsize=9)
    figure.suptitle(title, fontsize=11)
    figure.legend(handles=_dot_legend(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _draw_group(panel: Axes, name: str, members: Sequence[tuple[str, str, Estimate]]) -> None:
    panel.axvline(0, color=PALETTE["neutral"], linewidth=1.2, zorder=1)
    for position, (_, _, value) in enumerate(members):
        draw_interval(panel, position, value.mean, value.low, value.high)
        panel.text(
            1.01, position, f"{value.mean:+.2f} [{value.low:+.2f}, {value.high:+.2f}]",
            transform=panel.get_yaxis_transform(), va="center", fontsize=9,
        )  # fmt: skip
    panel.set_yticks(range(len(members)), [label for _, label, _ in members])
    panel.set_ylim(len(members) - 0.35, -0.65)
    finish_dot_plot(panel)
    panel.tick_params(axis="x", labelbottom=False, length=0)
    panel.spines["bottom"].set_visible(False)
    panel.set_title(name, fontsize=9, loc="left", weight="bold", pad=1)


def _dot_legend() -> list[Line2D]:
    colour = PALETTE["ours"]
    return [
        Line2D([], [], color=colour, marker="o", linewidth=2, label="95 % interval leaves out 0"),
        Line2D([], [], color=colour, marker="o", linewidth=2, markerfacecolor="white",
               label="holds 0: not significant"),
    ]  # fmt: skip
