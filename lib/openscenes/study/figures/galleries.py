"""Images: the user's input, the network's prediction, the mask that IPT refines (Fig. 4)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from openscenes.data.examples import Example
from openscenes.data.records import Box, ObjectRecord, Point
from openscenes.data.samples import Sample
from openscenes.method.inference import Feature, predictions
from openscenes.method.ipt import IPTConfig, Refinement
from openscenes.method.pseudo import refine_batch
from openscenes.study.figures.palette import PALETTE
from openscenes.study.pages.foreign_text import in_figure
from openscenes.study.runs.data import Labelled, Study, validation, words_of
from openscenes.study.runs.models import Model, run_context
from openscenes.study.scores.masks import IPTVariant, ipt_iou

BoolMask = NDArray[np.bool_]
_OUTLINED = [patheffects.withStroke(linewidth=2.6, foreground="black")]
_THINLY_OUTLINED = [patheffects.withStroke(linewidth=1.7, foreground="black")]


def gallery(
    study: Study,
    model: Model,
    labelled: Labelled,
    config: IPTConfig,
    feature: Feature,
    *,
    n: int = 3,
) -> Figure:
    """The paper's Figure 4 for objects from the most improved to the most harmed by IPT.

    Paper: Fig. 4.
    Objects are chosen by rank, evenly from the best change of IoU over the median to the
    worst, not by eye; crops are shown as the network sees them.

    Returns:
        One row per object: crop with box and click; coarse mask; confidence of the edge
        prototype with the eroded edge outlined; refined mask with its errors.
    """
    scores = ipt_iou(study, model, labelled, {"refined": IPTVariant(feature, config)})
    chosen = _ranked(scores, n)
    examples = [labelled.examples[position] for position in chosen]
    figure = Figure(figsize=(10.4, 0.9 + 2.7 * len(chosen)), layout="constrained")
    panels = figure.subplots(len(chosen), 4, squeeze=False)
    refined = _refined(study, model, examples, config, feature)
    for line, position, (sample, coarse, refinement, i) in zip(
        panels, chosen, refined, strict=True
    ):
        _draw_row(line, sample, coarse, refinement, i)
        line[0].set_ylabel(_words(scores.iloc[position]), fontsize=9)
    for panel, title in zip(panels[0], _COLUMNS, strict=True):
        panel.set_title(title, fontsize=9.5)
    ranks = "Best, median and worst" if len(chosen) == 3 else f"{len(chosen)} ranks, best to worst,"
    figure.suptitle(
        f"{ranks} change of IoU by IPT among {len(scores)} objects of {labelled.index.scene}\n"
        f"{words_of(study, labelled)}; crops stretched to squares, as the network sees them",
        fontsize=10.5,
    )
    figure.legend(handles=_error_legend(), loc="outside lower center", ncols=7, frameon=False)
    return figure


_COLUMNS = (
    "(a) crop, box and click",
    "(b) coarse mask on ground truth",
    "(c) edge confidence, eroded edge",
    "(d) refined mask, its errors",
)


def _ranked(scores: pd.DataFrame, n: int) -> list[int]:
    """n positions, evenly by rank, from the most improved object to the most harmed one."""
    change = (scores["refined"] - scores["iou"]).to_numpy()
    order = np.argsort(-change, kind="stable")
    ranks = np.linspace(0, len(order) - 1, min(n, len(order))).round().astype(int)
    return [int(order[rank]) for rank in ranks]


def _refined(
    study: Study, model: Model, examples: Sequence[Example], config: IPTConfig, feature: Feature
) -> list[tuple[Sample, BoolMask, Refinement, int]]:
    """Each object's sample and coarse mask, and its place in a batch of refinements."""
    found = []
    for chunk, cuts, batch, prediction in predictions(
        model.load(study), examples, run_context(study)
    ):
        refinement = refine_batch(prediction, batch, chunk, config, feature=feature, seed=0)
        coarse = prediction.coarse_mask.cpu().numpy()[:, 0]
        found += [(cuts[i], coarse[i], refinement, i) for i in range(len(chunk))]
    return found


def _draw_row(
    line: Sequence[Axes], sample: Sample, coarse: BoolMask, refinement: Refinement, i: int
) -> None:
    for panel in line:
        panel.set_xticks([])
        panel.set_yticks([])
    edge = refinement.confidence["edge"][i, 0].float().cpu().numpy()
    line[0].imshow(sample.image)
    draw_interaction(line[0], sample.box, sample.point)
    line[1].imshow(_washed(sample.image, sample.mask, PALETTE["truth"]))
    _outline(line[1], coarse, PALETTE["mask"])
    line[2].imshow(edge, cmap="cividis", vmin=0, vmax=1)
    _outline(line[2], refinement.edge_mask[i, 0].cpu().numpy() > 0, PALETTE["box"], width=1.0)
    mask = refinement.mask[i, 0].cpu().numpy()
    line[3].imshow(error_colours(sample.image, mask, sample.mask, sample.void))


def draw_interaction(panel: Axes, box: Box, point: Point, *, size: float = 6.0) -> None:
    """Draw the user's box and click; here, and only here, a point becomes (x, y)."""
    corner = (box.col0 - 0.5, box.row0 - 0.5)
    panel.add_patch(
        Rectangle(
            corner, box.col1 - box.col0, box.row1 - box.row0, fill=False, linewidth=1.2,
            edgecolor=PALETTE["box"], path_effects=_OUTLINED,
        )
    )  # fmt: skip
    panel.plot(
        point.col, point.row, "o", markersize=size, markerfacecolor=PALETTE["click"],
        markeredgecolor="white",
    )  # fmt: skip


def _outline(panel: Axes, mask: BoolMask, colour: str, width: float = 1.8) -> None:
    if mask.any() and not mask.all():
        lines = panel.contour(mask, levels=[0.5], colors=[colour], linewidths=width)
        if colour == PALETTE["box"]:
            lines.set(path_effects=_THINLY_OUTLINED)


def _washed(image: NDArray[np.uint8], mask: BoolMask, colour: str) -> NDArray[np.uint8]:
    """Half of a colour over the pixels of a mask: (H, W, 3) uint8."""
    washed = image.astype(np.float32)
    washed[mask] = 0.5 * washed[mask] + 0.5 * 255 * np.array(to_rgb(colour))
    return washed.astype(np.uint8)


def error_colours(
    image: NDArray[np.uint8], mask: BoolMask, truth: BoolMask, void: BoolMask
) -> NDArray[np.uint8]:
    """Right, too much and missed in their colours on a grey image; void stays uncoloured."""
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    for region, name in (
        (mask & truth, "right"), (mask & ~truth, "too much"), (~mask & truth, "missed")
    ):  # fmt: skip
        grey = _washed(grey, region & ~void, PALETTE[name])
    return grey


def _words(score: pd.Series) -> str:
    before, after = 100 * score["iou"], 100 * score["refined"]
    return (
        f"{in_figure(score['class_name'])}\nIoU {before:.1f} → {after:.1f} ({after - before:+.1f})"
    )


def _error_legend() -> list[Patch | Line2D]:
    areas = [
        ("ground truth", "truth"), ("right", "right"), ("too much", "too much"),
        ("missed", "missed"),
    ]  # fmt: skip
    handles: list[Patch | Line2D] = [
        Line2D([], [], color=PALETTE["click"], marker="o", linestyle="", label="click")
    ]
    handles.append(Line2D([], [], color=PALETTE["mask"], label="coarse mask"))
    return handles + [Patch(color=PALETTE[name], label=label) for label, name in areas]


def scene_sheet(study: Study, name: str, n: int = 6) -> Figure:
    """Images of a validation scene with the objects' outlines, boxes and clicks.

    Images are taken evenly from the scene's list, not chosen.
    """
    labelled = validation(study, name)
    groups = _by_image(labelled)
    places = np.linspace(0, len(groups) - 1, min(n, len(groups))).round().astype(int)
    columns = min(3, len(places))
    lines = -(-len(places) // columns)
    height, width = study.cache.image(groups[0][0].image).shape[:2]
    size = (4.0 * columns, 0.7 + 4.1 * lines * height / width)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    for panel, place in zip(panels.flat, places, strict=False):
        _draw_image(panel, study, groups[place])
    figure.suptitle(
        f"{labelled.index.scene}: {len(labelled.examples)} objects in {labelled.index.n_images} "
        f"images\n{words_of(study, labelled)}",
        fontsize=10.5,
    )
    return figure


def _by_image(labelled: Labelled) -> list[list[Example]]:
    groups: dict[object, list[Example]] = {}
    for example in labelled.examples:
        groups.setdefault(example.image, []).append(example)
    return list(groups.values())


def _draw_image(panel: Axes, study: Study, examples: Sequence[Example]) -> None:
    panel.imshow(study.cache.image(examples[0].image))
    for example in examples:
        mask, _ = study.cache.supervision(example)
        _outline(panel, mask, PALETTE["truth"], width=1.3)
        draw_interaction(panel, example.interaction.box, example.interaction.point, size=4.5)
        _name(panel, example, mask.shape[1])


def _name(panel: Axes, example: Example, width: int) -> None:
    """The class above the box, where there is room to read it."""
    record, box = example.supervision, example.interaction.box
    if isinstance(record, ObjectRecord) and box.col1 - box.col0 > width / 10:
        panel.text(
            box.col0, box.row0 - 2, in_figure(record.class_name), color="white", fontsize=9,
            path_effects=_OUTLINED, clip_on=True,
        )  # fmt: skip
