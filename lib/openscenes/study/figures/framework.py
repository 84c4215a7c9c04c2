"""The framework as a drawing (Fig. 2 and 3), with one object of a run in every place."""

from dataclasses import dataclass, replace

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
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
from openscenes.study.figures.galleries import draw_interaction, error_colours
from openscenes.study.figures.palette import PALETTE
from openscenes.study.figures.sheet import SIDE, TEXT, TOPS, Pixels, Sheet, middle_of
from openscenes.study.profiles import SCENE_NAMES, Profile, Scene
from openscenes.study.runs.data import Labelled, Study, source, words_of
from openscenes.study.runs.models import Model, run_context
from openscenes.study.runs.recipes import FULL, evolution_config
from openscenes.study.scores.masks import IPTVariant, ipt_iou

LARGE = 1.5  # inches; the side of the two masks that are compared
_TALL = (0.26, TOPS[2] + SIDE - TOPS[0])
_LARGE_TOPS = (TOPS[0], TOPS[2] + SIDE - LARGE)


@dataclass(frozen=True)
class _Trace:
    """One object on its way: crop, batches of one, its partner, and IoU before and after IPT.

    Attributes:
        changes: of the IoU by IPT, in points, of all the objects that it is one of.
    """

    sample: Sample
    prediction: Prediction
    refinement: Refinement
    class_words: str
    partner: Sample
    iou: tuple[float, float]
    changes: NDArray[np.float64]


def most_changed(study: Study, model: Model, labelled: Labelled) -> int:
    """The object whose IoU IPT changes most, for better or worse: by this rule, not by eye."""
    scores = ipt_iou(study, model, labelled, _variant(study))
    return int((scores["refined"] - scores["iou"]).abs().to_numpy().argmax())


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
    scores = ipt_iou(study, model, labelled, _variant(study))[["iou", "refined"]]
    before, after = scores.to_numpy().T
    return _Trace(
        sample, prediction, refinement, words or "unknown: Eq. 8, its first term",
        samples.cut(partner, profile.crop, study.cache), 
        (before[position], after[position]), 100 * (after - before),
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
        labelled, position: the object; ``most_changed`` finds one.
        old: what the model was initialised on; None reads the profile's first initial set.
    """
    old, sheet = old or source(study, study.profile.initial_sets[0]), Sheet()
    made = _trace(study, model, labelled, position, old)
    scene: Scene = "cityscapes" if "cityscapes" in labelled.index.scene else "coco"
    sheet.words(0.1, 0.22, f"One object of {SCENE_NAMES[scene]} through the framework", fontsize=12)
    sheet.words(0.1, 0.5, f"{words_of(study, labelled)}; {model.label}")
    sheet.words(0.1, 0.75, _change_words(made.changes, position))
    sheet.words(0.1, 1.8, "IPT\n(Sec. 3.2)", fontsize=10)
    sheet.words(2.95, 6.3, "One step of evolution (Sec. 3.3)", fontsize=10)
    _draw_network(sheet, made, study.profile)
    _draw_prototypes(sheet, made, study.profile)
    _draw_vote(sheet, made, study.profile.ipt)
    sheet.canvas.axhline(5.98, color="0.85", linewidth=1)
    _draw_step(sheet, made, evolution_config(study.profile, scene, FULL))
    return sheet.figure


def _map(values: Tensor) -> Pixels:
    return values[0, 0].float().cpu().numpy()


def _masked(image: Pixels, mask: Pixels, colour: str = "mask") -> Pixels:
    grey = np.repeat(image.mean(2, keepdims=True), 3, 2)
    painted = 0.25 * grey + 191 * np.array(to_rgb(PALETTE[colour]))
    return np.where(mask[..., None] > 0, painted, 0.6 * grey + 60).astype(np.uint8)


def _change_words(changes: NDArray[np.float64], position: int) -> str:
    """What IPT changed of the object's IoU, beside what it changed of all."""
    sizes = np.abs(changes)
    most = ", the largest change" if sizes[position] == sizes.max() else ""
    mean = f"{round(changes.mean(), 1) + 0.0:+.1f} on average"
    return f"IPT: IoU {changes[position]:+.1f} points{most}; {mean} over {len(changes)} objects"


def _draw_network(sheet: Sheet, made: _Trace, profile: Profile) -> None:
    """Crop and interaction, the network, and its three outputs."""
    image, said, inference = made.sample.image, made.prediction, profile.inference
    crop = sheet.image(0.1, 1, image, "crop, box\nand click")
    draw_interaction(crop, made.sample.box, made.sample.point, size=5)
    sheet.bar(1.24, TOPS[0], _TALL, "network,\nfrozen", "ours")
    sheet.image(1.66, 0, _masked(image, _map(said.predicted_mask)), "predictor\nmask $M_b$")
    sheet.image(1.66, 1, _masked(image, _map(said.coarse_mask)), "coarse\nmask $M_p$")
    where = "layer 4" if inference.feature == "layer4" else inference.feature
    feature = said.feature(inference.feature)[0].float().mean(0).cpu().numpy()
    sheet.image(1.66, 2, feature, f"feature $F$ ({where}),\nmean of channels")
    sheet.across(1.1, 1.24, 1)
    sheet.across(1.5, 1.66, 0, 1, 2)


def _draw_prototypes(sheet: Sheet, made: _Trace, profile: Profile) -> None:
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
        sheet.arrow(2.66, middle_of(1), 3.05, middle_of(row))
    sheet.across(2.66, 3.05, 0)
    sheet.across(4.05, 4.21, 0, 1, 2)
    sheet.across(4.49, 4.65, 0, 1, 2)
    rest = "outside $M_p$" if ipt.background == "outside_coarse" else "over $1-Q$"
    words = (
        rf"$c$: mean $F$ over $Q$;  $\bar{{c}}$: mean $F$ {rest};  $P$: nearer to $c$? (Eq. 1-3)"
    )
    sheet.bar(4.22, TOPS[0], _TALL, "Eq. 1-3", "ours")
    below = TOPS[2] + SIDE
    sheet.canvas.plot([2.16, 2.16, 4.35], [below, below + 0.25, below + 0.25], color="0.25", lw=1)
    sheet.arrow(4.35, below + 0.25, 4.35, below)
    sheet.words(4.5, below + 0.25, words)


def _draw_vote(sheet: Sheet, made: _Trace, ipt: IPTConfig) -> None:
    """Merging, thresholds (Eq. 4) with their numbers, the vote (Eq. 5, 6) and what it changed."""
    found, image, sample = made.refinement, made.sample.image, made.sample
    sheet.image(6.02, 1, _map(found.confidence["merged"]), "merged\n$P^{(m)}$", "cividis")
    sheet.across(5.65, 6.02, 1, words=f"{ipt.alpha:g}")
    sheet.arrow(5.65, middle_of(2), 6.02, middle_of(1) + 0.3, f"{ipt.beta:g}    ")
    sheet.across(5.65, 7.42, 0)
    sheet.across(7.02, 7.42, 1)
    limits = float(found.threshold_global[0]), float(found.threshold_merged[0])
    for row, (mask, title) in enumerate((
        (found.label_global, f"$M_c$: $P^{{(g)}} > m\\cdot k$\n{_product(ipt.m, limits[0])}"),
        (found.label_merged, f"$M_m$: $P^{{(m)}} > n\\cdot k$\n{_product(ipt.n, limits[1])}"),
        (made.prediction.coarse_mask, "$M_p$ votes,\ntoo"),
    )):  # fmt: skip
        sheet.image(7.42, row, _masked(image, _map(mask)), title)
    sheet.bar(8.56, TOPS[0], _TALL, "vote", "ours")
    sheet.across(8.42, 8.56, 0, 1, 2)
    sheet.words(4.5, TOPS[2] + SIDE + 0.5, f"vote: {_vote_words(ipt)}")
    for top, mask, title, iou in zip(
        _LARGE_TOPS, (made.prediction.coarse_mask, found.mask),
        ("before: coarse mask $M_p$", "after: refined mask $M$"), made.iou, strict=True,
    ):  # fmt: skip
        shown = error_colours(image, _map(mask) > 0, sample.mask, sample.void)
        sheet.image_at((9.0, top), shown, f"{title}\nIoU {100 * iou:.1f}", LARGE)
    after = _LARGE_TOPS[1] + LARGE / 2
    sheet.arrow(8.82, after, 9.0, after)
    colours = [Patch(color=PALETTE[name], label=name) for name in ("right", "too much", "missed")]
    sheet.figure.legend(handles=colours, loc="upper right", ncols=3, frameon=False, fontsize=TEXT)


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


def _draw_step(sheet: Sheet, made: _Trace, config: EvolutionConfig) -> None:
    """One step of evolution: a pair, the losses of Eq. 11, their settings, and the way back."""
    old, image, height = made.partner, made.sample.image, TOPS[4] + SIDE - TOPS[3]
    sheet.image(0.3, 3, _masked(old.image, old.mask, "truth"), "pool A: crop\nand ground truth")
    sheet.image(
        0.3, 4, _masked(image, _map(made.refinement.mask)), "scene B: crop\nand pseudo mask $M$"
    )
    sheet.bar(1.75, TOPS[3], (0.9, height), "network,\nlearning", "ours")
    sheet.across(1.3, 1.75, 3, 4)
    losses = _losses(made, config)
    for number, (colour, words) in enumerate(losses):
        y = TOPS[3] + number * (height - 0.5) / (len(losses) - 1)
        sheet.bar(2.95, y, (4.6, 0.5), words, colour)
        sheet.arrow(2.65, y + 0.25, 2.95, y + 0.25)
        sheet.arrow(7.55, y + 0.25, 7.85, y + 0.25)
    sheet.bar(7.85, TOPS[3], (2.65, height), _training(config.train), "ours")
    bottom = TOPS[4] + SIDE
    back = [bottom, bottom + 0.2, bottom + 0.2, middle_of(3)]
    sheet.canvas.plot([9.2, 9.2, 0.1, 0.1], back, color="0.25", lw=1)
    sheet.across(0.1, 0.3, 3)
    said = "next scene: the evolved network, and A with B as its pool (Sec. 3.4)"
    sheet.words(2.95, bottom + 0.35, said)


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
