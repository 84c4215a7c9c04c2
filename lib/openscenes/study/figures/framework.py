"""The framework as a drawing (Fig. 2 and 3), with one object of a run in every place."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from numpy.typing import NDArray
from torch import Tensor

from openscenes.data import samples
from openscenes.data.samples import Sample
from openscenes.method.evolution import EvolutionConfig, Pool
from openscenes.method.gate import calibrated, known_classes
from openscenes.method.inference import Prediction, predictions
from openscenes.method.ipt import IPTConfig, Refinement
from openscenes.method.pseudo import refine_batch
from openscenes.method.training import TrainConfig
from openscenes.study.figures.galleries import draw_interaction
from openscenes.study.figures.palette import PALETTE
from openscenes.study.profiles import SCENE_NAMES, Profile, Scene
from openscenes.study.runs.data import Labelled, Study, source, words_of
from openscenes.study.runs.models import Model, run_context
from openscenes.study.runs.recipes import FULL, evolution_config
from openscenes.study.scores.masks import IPTVariant, ipt_iou

Pixels = NDArray[Any]
WIDTH, HEIGHT, SIDE = 10.2, 8.9, 1.0  # inches; the side of every image
_TOPS = (1.15, 2.55, 3.95, 5.95, 7.4)  # of the rows of images: three of IPT, two of a pair
_TALL = (0.28, _TOPS[2] + SIDE - _TOPS[0])
_TEXT = 8.5  # points, so that a page 900 px wide can be read


@dataclass(frozen=True)
class _Trace:
    """One object on its way: crop, batches of one, its partner, and IoU before and after IPT."""

    sample: Sample
    prediction: Prediction
    refinement: Refinement
    class_words: str
    partner: Sample
    iou: tuple[float, float]


def position_by_gain(study: Study, model: Model, labelled: Labelled, share: float = 0.75) -> int:
    """The object whose gain of IoU by IPT stands at a share of all: 0 the worst, 1 the best.

    An object for a figure is chosen by rank, not by eye.
    """
    scores = ipt_iou(study, model, labelled, _variant(study))
    order = np.argsort((scores["refined"] - scores["iou"]).to_numpy(), kind="stable")
    return int(order[round(share * (len(order) - 1))])


def _trace(study: Study, model: Model, labelled: Labelled, position: int, old: Labelled) -> _Trace:
    """Run one object through the network, IPT, and the choice of a partner to align with."""
    profile, example = study.profile, labelled.examples[position]
    inference = profile.inference
    network, context = model.load(study), run_context(study)
    [(chunk, [sample], batch, prediction)] = predictions(network, [example], context)
    feature = inference.feature
    refinement = refine_batch(prediction, batch, chunk, profile.ipt, feature=feature, seed=0)
    threshold = calibrated(network, old.examples, context)
    grown = network.config.unknown_class
    channel = int(known_classes(prediction.class_probability, threshold, unknown_class=grown)[0])
    pool = Pool(old.examples)
    partner = pool.partner(replace(example, class_index=channel), seed=0, epoch=0)
    words = f"known ({old.index.classes[channel - 1]}): Eq. 7" if pool.knows(channel) else ""
    score = ipt_iou(study, model, labelled, _variant(study)).iloc[position]
    return _Trace(
        sample, prediction, refinement, words or "unknown: Eq. 8, its first term",
        samples.cut(partner, profile.crop, study.cache), (score["iou"], score["refined"]),
    )  # fmt: skip


def _variant(study: Study) -> dict[str, IPTVariant]:
    return {"refined": IPTVariant(study.profile.inference.feature, study.profile.ipt)}


def framework_figure(
    study: Study, model: Model, labelled: Labelled, position: int, old: Labelled | None = None
) -> Figure:
    """The data flow of the framework with the images and numbers of one object.

    Paper: Fig. 2 (IPT and feature alignment) and Fig. 3 (the sequence).
    Drawn from what the model really predicts and from the profile's settings; the object is
    one of the validation set, so that its truth can be shown, and stands for one of scene B.

    Args:
        labelled, position: the object; ``position_by_gain`` finds one by rank.
        old: what the model was initialised on; None reads the profile's first initial set.
    """
    old, sheet = old or source(study, study.profile.initial_sets[0]), _Sheet()
    made = _trace(study, model, labelled, position, old)
    scene: Scene = "cityscapes" if "cityscapes" in labelled.index.scene else "coco"
    sheet.words(0.1, 0.22, f"One object of {SCENE_NAMES[scene]} through the framework", fontsize=12)
    sheet.words(0.1, 0.5, f"{words_of(study, labelled)}; {model.label}")
    sheet.words(0.1, 1.6, "IPT\n(Sec. 3.2)", fontsize=10)
    sheet.words(2.1, 5.7, "One step of evolution (Sec. 3.3)", fontsize=10)
    _draw_network(sheet, made, study.profile)
    _draw_prototypes(sheet, made, study.profile)
    _draw_vote(sheet, made, study.profile.ipt)
    sheet.canvas.axhline(5.35, color="0.85", linewidth=1)
    _draw_step(sheet, made, evolution_config(study.profile, scene, FULL))
    return sheet.figure


class _Sheet:
    """A page measured in inches from its upper left corner, for images, bars and arrows."""

    def __init__(self) -> None:
        self.figure = Figure(figsize=(WIDTH, HEIGHT))
        self.canvas = self.figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        self.canvas.set_axis_off()

    def image(self, x: float, row: int, image: Pixels, title: str, cmap: str = "gray") -> Axes:
        """An image of one size; confidences are shown from 0 to 1, F over its own range."""
        place = (x / WIDTH, 1 - (_TOPS[row] + SIDE) / HEIGHT, SIDE / WIDTH, SIDE / HEIGHT)
        panel = self.figure.add_axes(place, xticks=[], yticks=[])
        low, high = (0, 1) if cmap == "cividis" else (None, None)
        panel.imshow(image, cmap=cmap, interpolation="nearest", vmin=low, vmax=high)
        panel.set_title(title, fontsize=_TEXT, pad=3)
        return panel

    def arrow(self, x0: float, y0: float, x1: float, y1: float, words: str = "") -> None:
        """An arrow, with words above its middle."""
        style = {"arrowstyle": "-|>", "color": "0.25", "shrinkA": 1, "shrinkB": 1}
        self.canvas.annotate("", (x1, y1), (x0, y0), arrowprops=style)
        self.words((x0 + x1) / 2, (y0 + y1) / 2 - 0.1, words, ha="center")

    def across(self, x0: float, x1: float, *rows: int, words: str = "") -> None:
        """Level arrows through the middle of rows."""
        for row in rows:
            self.arrow(x0, _middle(row), x1, _middle(row), words)

    def bar(self, x: float, y: float, size: tuple[float, float], words: str, colour: str) -> None:
        """A step of the computation: a rounded box, its words upright if it is tall."""
        pale = [1 - 0.18 * (1 - part) for part in to_rgb(PALETTE[colour])]
        patch = FancyBboxPatch((x, y), *size, facecolor=pale, edgecolor=PALETTE[colour])
        patch.set_boxstyle("round", pad=0, rounding_size=0.06)
        self.canvas.add_patch(patch)
        turned = 90 if size[1] > 2 * size[0] else 0
        middle = x + size[0] / 2, y + size[1] / 2
        self.words(*middle, words, rotation=turned, ha="center", linespacing=1.5)

    def words(self, x: float, y: float, text: str, **options: Any) -> None:
        """Text, from x on unless the options say otherwise, its middle at y."""
        self.canvas.text(x, y, text, va="center", **({"fontsize": _TEXT} | options))


def _middle(row: int) -> float:
    return _TOPS[row] + SIDE / 2


def _map(values: Tensor) -> Pixels:
    return values[0, 0].float().cpu().numpy()


def _masked(image: Pixels, mask: Pixels, colour: str = "mask") -> Pixels:
    grey = np.repeat(image.mean(2, keepdims=True), 3, 2)
    painted = 0.25 * grey + 191 * np.array(to_rgb(PALETTE[colour]))
    return np.where(mask[..., None] > 0, painted, 0.6 * grey + 60).astype(np.uint8)


def _draw_network(sheet: _Sheet, made: _Trace, profile: Profile) -> None:
    """Crop and interaction, the network, and its three outputs."""
    image, said, inference = made.sample.image, made.prediction, profile.inference
    crop = sheet.image(0.1, 1, image, "crop, box\nand click")
    draw_interaction(crop, made.sample.box, made.sample.point, size=5)
    sheet.bar(1.22, _TOPS[0], _TALL, f"network ({profile.network.backbone}), frozen", "ours")
    sheet.image(1.66, 0, _masked(image, _map(said.predicted_mask)), "predictor\nmask $M_b$")
    sheet.image(1.66, 1, _masked(image, _map(said.coarse_mask)), "coarse\nmask $M_p$")
    where = "layer 4" if inference.feature == "layer4" else inference.feature
    feature = said.feature(inference.feature)[0].float().mean(0).cpu().numpy()
    sheet.image(1.66, 2, feature, f"feature $F$ ({where}),\nmean of channels")
    sheet.across(1.1, 1.22, 1)
    sheet.across(1.5, 1.66, 0, 1, 2)


def _draw_prototypes(sheet: _Sheet, made: _Trace, profile: Profile) -> None:
    """Three selections, and the confidence map that the prototype of each gives (Eq. 1-3)."""
    found, ipt, image = made.refinement, profile.ipt, made.sample.image
    for row, (name, mask, title) in enumerate((
        ("global", found.global_mask, "global $Q$:\n$M_p \\odot M_b$"),
        ("center", found.center_mask, f"center $Q$: click\nand {ipt.center_points} near it"),
        ("edge", found.edge_mask, f"{ipt.edge} edge $Q$\nof $M_p$"),
    )):  # fmt: skip
        panel = sheet.image(3.05, row, _masked(image, _map(mask), "click"), title)
        if name == "center":  # single pixels would not be seen
            rows, cols = _map(mask).nonzero()
            panel.plot(cols, rows, "o", color=PALETTE["click"], markersize=3)
        title = f"confidence\n$P^{{({name[0]})}}$"
        sheet.image(4.65, row, _map(found.confidence[name]), title, "cividis")
        sheet.arrow(2.66, _middle(1), 3.05, _middle(row))
    sheet.across(2.66, 3.05, 0)
    sheet.across(4.05, 4.21, 0, 1, 2)
    sheet.across(4.49, 4.65, 0, 1, 2)
    rest = "outside $M_p$" if ipt.background == "outside_coarse" else "over $1-Q$"
    words = rf"$c$: mean $F$ over $Q$;  $\bar{{c}}$: {rest};  nearer to $c$? (Eq. 1-3)"
    sheet.bar(4.21, _TOPS[0], _TALL, words, "ours")
    sheet.canvas.plot([2.16, 2.16, 4.35], [4.95, 5.18, 5.18], color="0.25", linewidth=1)
    sheet.arrow(4.35, 5.18, 4.35, 4.95)


def _draw_vote(sheet: _Sheet, made: _Trace, ipt: IPTConfig) -> None:
    """Merging, thresholds (Eq. 4) with their numbers, the vote (Eq. 5, 6) and what it gained."""
    found, image = made.refinement, made.sample.image
    sheet.image(6.02, 1, _map(found.confidence["merged"]), "merged\n$P^{(m)}$", "cividis")
    sheet.across(5.65, 6.02, 1, words=f"{ipt.alpha:g}")
    sheet.arrow(5.65, _middle(2), 6.02, _middle(1) + 0.3, f"{ipt.beta:g}    ")
    sheet.across(5.65, 7.42, 0)
    sheet.across(7.02, 7.42, 1)
    limits = float(found.threshold_global[0]), float(found.threshold_merged[0])
    for row, (mask, title) in enumerate((
        (found.label_global, f"$M_c$: $P^{{(g)}} > m\\cdot k$\n{_product(ipt.m, limits[0])}"),
        (found.label_merged, f"$M_m$: $P^{{(m)}} > n\\cdot k$\n{_product(ipt.n, limits[1])}"),
        (made.prediction.coarse_mask, "$M_p$ votes,\ntoo"),
    )):  # fmt: skip
        sheet.image(7.42, row, _masked(image, _map(mask)), title)
    sheet.bar(8.56, _TOPS[0], _TALL, _vote_words(ipt), "ours")
    sheet.across(8.42, 8.56, 0, 1, 2)
    sheet.across(8.84, 9.02, 1)
    refined, (before, after) = _map(found.mask), made.iou
    sheet.image(9.02, 0, _map(found.votes) / 3, "votes $p$,\n0 to 3", "cividis")
    sheet.image(9.02, 1, _masked(image, refined), "refined\nmask $M$")
    title = f"$M$ and truth:\nIoU {100 * before:.1f} → {100 * after:.1f}"
    panel = sheet.image(9.02, 2, image, title)
    for shape, colour in ((made.sample.mask, "truth"), (refined > 0, "mask")):
        if shape.any() and not shape.all():
            panel.contour(shape, levels=[0.5], colors=[PALETTE[colour]], linewidths=1.6)


def _product(factor: float, threshold: float) -> str:
    """The two factors of a threshold, and the threshold."""
    mean = f"{threshold / factor:.2f}" if factor else "k"
    return f"{factor:g}·{mean} = {threshold:.2f}"


def _vote_words(ipt: IPTConfig) -> str:
    if ipt.fusion == "weighted_sum":
        return f"{ipt.coarse_weight:g} coarse + {1 - ipt.coarse_weight:g} mean $P$ > 1/2"
    if ipt.vote == "majority":
        return r"majority: $p \geq 2$ (Eq. 5, 6)"
    return "soft vote: each map weighted by its confidence (ours)"


def _draw_step(sheet: _Sheet, made: _Trace, config: EvolutionConfig) -> None:
    """One step of evolution: a pair, the losses of Eq. 11, their settings, and the way back."""
    old, image, height = made.partner, made.sample.image, _TOPS[4] + SIDE - _TOPS[3]
    sheet.image(0.6, 3, _masked(old.image, old.mask, "truth"), "crop and\nground truth")
    sheet.image(0.6, 4, _masked(image, _map(made.refinement.mask)), "crop and\npseudo mask $M$")
    sheet.bar(0.2, _TOPS[3], (0.28, SIDE), "pool A", "click")
    sheet.bar(0.2, _TOPS[4], (0.28, SIDE), "scene B", "right")
    sheet.bar(2.1, _TOPS[3], (0.28, height), "network, learning", "ours")
    sheet.across(1.6, 2.1, 3, 4)
    losses = _losses(made, config)
    for number, (colour, words) in enumerate(losses):
        y = _TOPS[3] + number * (height - 0.5) / (len(losses) - 1)
        sheet.bar(2.75, y, (4.55, 0.5), words, colour)
        sheet.arrow(2.38, y + 0.25, 2.75, y + 0.25)
        sheet.arrow(7.3, y + 0.25, 7.67, y + 0.25)
    sheet.bar(7.67, _TOPS[3], (2.35, height), _training(config.train), "ours")
    sheet.canvas.plot([8.8, 8.8, 0.08, 0.08], [8.4, 8.6, 8.6, _middle(3)], color="0.25", lw=1)
    sheet.across(0.08, 0.2, 3)
    sheet.words(2.1, 8.73, "next scene: the evolved network, and A with B as its pool (Sec. 3.4)")


def _losses(made: _Trace, config: EvolutionConfig) -> list[tuple[str, str]]:
    """Each loss of Eq. 11: the colour of A, B or both, and what it compares, with its weight."""
    end, head = f"× 1 → {config.old_loss_end:g} by epoch", config.class_loss_weight
    old = r"$\mathcal{L}^a_{ce}$: masks of A against its truth"
    old += f" + {head:g} × class head" if head else ""
    new = r"$\mathcal{L}^b_{ce}$: masks of B against the pseudo mask $M$"
    losses = [("click", f"{old};  {end}"), ("right", new)]
    if config.alignment is not None:
        feat, square = config.alignment.feature_weight, config.alignment.max_square_weight
        term = r"$\mathcal{L}_{feat}$: $\|c_a-c_b\|^2 + \Sigma\,\|F_b-c_a\|^2/M_b'$"
        known = f"this object's class is {made.class_words}"
        losses.append(("neutral", f"{term};  × {feat:g}\n{known}"))
        words = r"$\mathcal{L}_{max}$: decided predictions on B (Eq. 9, 10);  × "
        losses.append(("right", f"{words}{square:g}"))
    return losses


def _training(train: TrainConfig) -> str:
    """How the sum of the losses is trained."""
    name = {"adamw": "AdamW", "sgd": "SGD"}[train.optimiser]
    pace = "one cycle up to" if train.schedule == "one_cycle" else "constant rate"
    rest = "\nbackbone's BatchNorm frozen" if train.freeze_batchnorm else ""
    epochs = f"{train.batch_size} pairs a step, {train.epochs} epochs"
    total = r"$\mathcal{L}$: their sum (Eq. 11)"
    return f"{total}\n{name}, {pace} {train.learning_rate:g}\n{epochs}{rest}"
