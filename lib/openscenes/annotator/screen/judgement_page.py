"""A judgement as figures: what changed on average, and what changed for single objects."""

import base64
from collections.abc import Sequence
from textwrap import fill, wrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from openscenes import masks
from openscenes.annotator.evolve.advice import AGREEMENT, QUALITY, Measure
from openscenes.annotator.evolve.judgement import Candidate, Judgement, is_truth
from openscenes.annotator.evolve.kept_predictions import kept_predictions
from openscenes.annotator.evolve.scene import clicked, image_paths, placed
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.annotator.store.versions import Version, Versions
from openscenes.annotator.store.workspace import Workspace
from openscenes.data.crops import CropConfig, move_box, move_point
from openscenes.data.records import Box
from openscenes.files import one_line
from openscenes.study.figures.galleries import draw_interaction
from openscenes.study.figures.palette import PALETTE
from openscenes.study.figures.save import show_figure
from openscenes.study.pages.foreign_text import in_figure, in_html
from openscenes.study.runs.data import Study
from openscenes.widgets import overlays

NOTHING = "–"
AROUND = 0.25  # of the box's longer side, shown on each side of it


def page_of(workspace: Workspace, study: Study, candidate: Candidate) -> str:
    """A judgement as HTML; this takes seconds, as the versions may have to predict again."""
    judgement = candidate.judgement
    verdict, colon, reasons = judgement.advice.partition(":")
    said = f"<b>{in_html(verdict)}</b>{in_html(colon + reasons, 2000)} {in_html(judgement.worth)}"
    parts = [f'<p class="os-verdict" style="line-height:1.4">{said}</p>', _table(judgement)]
    for figure, alt in judgement_figures(workspace, study, candidate).values():
        shown = show_figure(figure, alt)
        data = base64.b64encode(bytes(shown.data)).decode("ascii")
        parts.append(
            f'<img style="max-width:100%;height:auto" alt="{in_html(alt)}" '
            f'src="data:image/{shown.format};base64,{data}">'
        )
    return "\n".join(parts)


def judgement_figures(
    workspace: Workspace, study: Study, candidate: Candidate
) -> dict[str, tuple[Figure, str]]:
    """What a judgement is drawn as, by file name, each with its words."""
    judgement, held_out = candidate.judgement, candidate.held_out
    versions = Versions(workspace.folder)
    names = versions.title(judgement.new), versions.title(judgement.old)
    drawn = {
        "differences.png": (
            differences_figure(judgement, names),
            differences_text(judgement, names),
        )
    }
    if held_out:
        pair = candidate.old, candidate.new
        gallery = objects_figure(workspace, study, pair, held_out, judgement)
        drawn["objects.png"] = gallery, objects_text(judgement)
    return drawn


def _table(judgement: Judgement) -> str:
    rows = []
    for m in judgement.measures.values():
        change = NOTHING
        if d := m.difference:
            change = f"{d.mean:+.1f} ({d.low:+.1f} to {d.high:+.1f})"
        means = "".join(f"<td>{_points(value)}</td>" for value in (m.old, m.new))
        first = f'<th scope="row" style="text-align:left">{in_html(m.title)}</th>'
        rows.append(f"<tr>{first}<td>{m.n}</td>{means}<td>{change}</td></tr>")
    names = ("measure, in points", "objects", "in use", "new", "change (95 % interval)")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        '<table class="os-judgement" cellpadding="3" '
        'style="font-variant-numeric:tabular-nums;line-height:1.3">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _points(value: float) -> str:
    return f"{value:.1f}" if value == value else NOTHING


def differences_figure(judgement: Judgement, names: tuple[str, str]) -> Figure:
    """Every measure's change with its 95 % interval; to the right of zero the new one is better.

    Args:
        names: of the new version and the old one.
    Returns:
        One line per measure, means of both versions at the right; a measure of too few objects
        has no interval and says so.
    """
    measures = list(judgement.measures.values())
    figure = Figure(figsize=(9.4, 1.5 + 0.5 * len(measures)), layout="constrained")
    panel = figure.subplots()
    panel.axvline(0, color=PALETTE["neutral"], linewidth=1.2, zorder=1)
    for position, measure in enumerate(measures):
        _draw_measure(panel, position, measure)
    titles = [
        fill(f"{m.title}, {m.n} object{'s' * (m.n != 1)}", 48, break_on_hyphens=False)
        for m in measures
    ]
    panel.set_yticks(range(len(measures)), titles, fontsize=9, linespacing=1.1)
    panel.set_ylim(len(measures) - 0.4, -0.6)
    panel.set_xlabel("new - old, points", fontsize=9)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color="0.92")
    panel.set_axisbelow(True)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.text(1.01, 1.0, "old → new", transform=panel.transAxes, fontsize=9, va="bottom")
    new, old = map(in_figure, names)
    title = f"{new[:1].upper()}{new[1:]} beside {old}: {judgement.verdict}"
    figure.suptitle(title, fontsize=11)
    return figure


def differences_text(judgement: Judgement, names: tuple[str, str]) -> str:
    """Text alternative of the figure."""
    said = [f"{m.title}: {m.change}" for m in judgement.measures.values() if m.n]
    return f"Change from {names[1]} to {names[0]}: {'; '.join(said)}."


def _draw_measure(panel: Axes, position: int, measure: Measure) -> None:
    side = panel.get_yaxis_transform()
    if measure.difference is None:
        panel.text(
            0.02, position, "too few objects", transform=side, va="center", fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
        return
    d, colour = measure.difference, PALETTE["ours"]
    panel.plot([d.low, d.high], [position] * 2, color=colour, linewidth=2.5, zorder=2)
    panel.plot(d.mean, position, "o", color=colour, markersize=6, zorder=3)
    means = f"{measure.old:.1f} → {measure.new:.1f}"
    panel.text(1.01, position, means, transform=side, va="center", fontsize=9)


def objects_figure(
    workspace: Workspace,
    study: Study,
    versions: tuple[Version, Version],
    held_out: Sequence[Snapshot],
    judgement: Judgement,
    *,
    n: int = 5,
) -> Figure:
    """Held-out objects from the most gained over the typical to the most lost, old beside new.

    Objects are taken by rank, evenly, not by eye. Where the person
    corrected a mask, both predictions are shown against the accepted one.

    Args:
        versions: the old and the new one.
        n: how many objects.
    Returns:
        One row per object: image with box and click, old prediction, new prediction.
    """
    ranks = ranked(judgement.objects["change"], n)
    items = [held_out[rank] for rank in ranks]
    given = [kept_predictions(workspace, study, version, items) for version in versions]
    figure = Figure(figsize=(8.4, 1.1 + 2.5 * max(len(items), 1)), layout="constrained")
    panels = figure.subplots(max(len(items), 1), 3, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    scene = [clicked(item) for item in items]
    lying = placed(scene, image_paths(workspace, scene))
    rows = zip(panels, ranks, items, lying, given[0], given[1], strict=False)
    for line, rank, item, where, old, new in rows:
        image = study.cache.image(where.image, upright=True)
        _draw_row(line, image, item, [masks.decode(old.mask), masks.decode(new.mask)])
        line[0].set_title(_words(judgement.objects.iloc[rank]), fontsize=8.5, loc="left")
    for panel, version, which in zip(panels[0, 1:], versions, ("old", "new"), strict=True):
        lines = wrap(one_line(f"{which}: {version.label}", 3 * 36), 36)
        panel.set_title("\n".join(map(in_figure, lines)), fontsize=8.5)
    figure.suptitle(
        f"{len(items)} of {len(held_out)} held-out objects, from the most gained to the most lost",
        fontsize=10.5,
    )
    figure.legend(handles=_legend(), loc="outside lower center", ncols=5, frameon=False)
    return figure


def objects_text(judgement: Judgement) -> str:
    """Text alternative of the gallery."""
    change = judgement.objects["change"]
    if change.empty:
        return "No held-out objects."
    return (
        f"Of {len(change)} held-out objects {int((change > 0).sum())} gained and "
        f"{int((change < 0).sum())} lost; the largest gain is {100 * change.max():+.1f} points, "
        f"the median {100 * change.median():+.1f}, the largest loss {100 * change.min():+.1f}."
    )


def ranked(change: pd.Series, n: int) -> list[int]:
    """n positions, evenly by rank, from the largest gain to the largest loss."""
    order = np.argsort(-change.to_numpy(), kind="stable")
    chosen = np.linspace(0, len(order) - 1, min(n, len(order))).round().astype(int)
    return [int(order[rank]) for rank in chosen]


def _draw_row(
    line: Sequence[Axes], image: NDArray[np.uint8], item: Snapshot, given: Sequence[masks.BoolMask]
) -> None:
    """The window around the object, cut out of the image and both masks."""
    top, left, bottom, right = window(item.box, item.size)
    inside = (slice(top, bottom), slice(left, right))
    move = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]])
    for panel in line:
        panel.imshow(image[inside])
    draw_interaction(line[0], move_box(move, item.box), move_point(move, item.interaction.point))
    accepted = masks.decode(item.mask)[inside]
    for panel, mask in zip(line[1:], given, strict=True):
        cut = mask[inside]
        layer = overlays.tint(cut, PALETTE["mask"])
        if is_truth(item):
            layer = overlays.comparison(cut, accepted)
        panel.imshow(layer)


def window(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of a box with something around it, inside (height, width)."""
    around = AROUND * max(box.row1 - box.row0, box.col1 - box.col0) + CropConfig().margin_px / 2
    top, left = (max(0, int(side - around)) for side in box[:2])
    ends = zip(box[2:], size, strict=True)
    bottom, right = (min(limit, int(np.ceil(side + around))) for side, limit in ends)
    return top, left, bottom, right


def _words(row: pd.Series) -> str:
    given = row["class_name"]  # without one it is None, or NaN where others have one
    name = f"{in_figure(given)}: " if isinstance(given, str) and given else ""
    if row["corrected"]:
        old, new = 100 * row[f"{AGREEMENT} old"], 100 * row[f"{AGREEMENT} new"]
        return f"{name}IoU {old:.1f} → {new:.1f}"
    old, new = (100 * row[f"{QUALITY} {when}"] for when in ("old", "new"))
    return f"{name}predicted {old:.1f} → {new:.1f}"


def _legend() -> list[Patch | Line2D]:
    click = Line2D([], [], color=PALETTE["click"], marker="o", linestyle="", label="click")
    areas = [("prediction, not corrected", "mask"), ("right", "right"), ("too much", "too much"),
             ("missed", "missed")]  # fmt: skip
    return [click, *(Patch(color=PALETTE[name], label=label) for label, name in areas)]
