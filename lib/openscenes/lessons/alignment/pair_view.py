"""One pair under a choice of scene, model, epoch and settings, and all that follows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure

from openscenes.lessons.alignment.alignment_figures import (
    Scatter,
    clouds_figure,
    limits_of,
    pair_figure,
    scatter,
)
from openscenes.lessons.alignment.layers import DrawnPair, largest
from openscenes.lessons.alignment.pair_terms import (
    Clouds,
    Plane,
    Terms,
    cell_maps,
    clouds,
    plane_of,
    prototypes_of,
    terms,
)
from openscenes.lessons.alignment.pairs import BEFORE, Alignment
from openscenes.method.alignment import AlignmentConfig
from openscenes.method.evolution import old_weight
from openscenes.study.profiles import SCENE_NAMES
from openscenes.widgets.controls import control


@dataclass(frozen=True)
class PairChoice:
    """Scene, model (a row of Table 4), pair, epoch, floor of M'_b in Eq. 7, weight of L_feat."""

    scene: str = control("new scene", choices=())
    model: str = control("model", BEFORE, choices=())
    pair: int = control("pair", 0, high=0, step=1)
    epoch: int = control("epoch", 0, high=0, step=1)
    floor: float = control(
        "floor of M'_b", AlignmentConfig.probability_floor, low=-3, step=0.05, high=0, powers=True,
        digits=3,
    )  # fmt: skip
    weight: float = control("FA weight", AlignmentConfig.feature_weight, step=0.01)


@dataclass(frozen=True)
class PairView:
    """What is shown under a choice.

    Attributes:
        terms: the pair's numbers, (1,) each; ``before`` is its A before evolution.
        empty: one of the two objects has no prototype, and L_feat is zero.
        spread: variance of all pairs' cells.
    """

    choice: PairChoice
    drawn: DrawnPair
    terms: Terms
    before: float
    weight_old: float
    empty: bool
    spread: float

    @property
    def proto(self) -> float:
        """Term A, ||c_a - c_b||^2."""
        return self.terms.proto.item()


def first_choice(alignments: Mapping[str, Alignment]) -> PairChoice:
    """The first pair of a predicted class, with the study's own settings."""
    scene, alignment = next(iter(alignments.items()))
    named = np.flatnonzero(alignment.pairing().known.numpy())
    pair = int(named[0]) if len(named) else 0
    config = alignment.config
    return PairChoice(
        scene, pair=pair, floor=config.probability_floor, weight=config.feature_weight
    )


def view_pair(alignment: Alignment, choice: PairChoice) -> PairView:
    """Everything about the chosen pair; a network runs only where it has not yet."""
    config = replace(alignment.config, probability_floor=choice.floor, feature_weight=choice.weight)
    pair = alignment.pairing(choice.epoch).pair(choice.pair)
    outputs = alignment.outputs(choice.model, choice.epoch).pair(choice.pair)
    weight_old = old_weight(alignment.evolution, choice.epoch)
    found = terms(
        outputs, pair, config, weight_old=weight_old,
        class_weight=alignment.evolution.class_loss_weight,
    )  # fmt: skip
    before, farthest = _before(alignment, choice)
    maps = cell_maps(outputs, pair, config)
    drawn = DrawnPair(pair, maps, choice.floor, farthest, outputs.new.classes.shape[1])
    cloud = clouds_of(alignment, choice.model, choice.epoch)
    empty = bool(cloud.empty[choice.pair])
    return PairView(choice, drawn, found, before, weight_old, empty, cloud.spread)


def _before(alignment: Alignment, choice: PairChoice) -> tuple[float, float]:

    def made() -> tuple[float, float]:
        pair = alignment.pairing(choice.epoch).pair(choice.pair)
        outputs = alignment.outputs(BEFORE, choice.epoch).pair(choice.pair)
        found = prototypes_of(outputs, pair)
        proto = (found.old - found.new).square().sum().item()
        return proto, largest(cell_maps(outputs, pair, alignment.config).distance)

    return alignment.remembered(made, "pair before", choice.epoch, choice.pair)


def plane(alignment: Alignment) -> Plane:
    """The plane of all objects of a scene, fitted once, before evolution, in the first epoch."""
    return alignment.remembered(
        lambda: plane_of(alignment.outputs(BEFORE), alignment.pairing()), "plane"
    )


def clouds_of(alignment: Alignment, model: str, epoch: int = 0) -> Clouds:
    """All pairs under a model, in the scene's plane."""
    return alignment.remembered(
        lambda: clouds(alignment.outputs(model, epoch), alignment.pairing(epoch), plane(alignment)),
        "clouds",
        epoch,
        alignment.models[model].digest,
    )


def scatter_of(alignment: Alignment, model: str, epoch: int) -> Scatter:
    """The clouds as pixels, on axes that are the same for every model and epoch of a scene."""

    def made() -> Scatter:
        limits = limits_of([clouds_of(alignment, BEFORE)], margin=0.25)  # room to grow
        found = clouds_of(alignment, model, epoch)
        return scatter(found, alignment.pairing(epoch).known.numpy(), limits)

    digest = alignment.models[model].digest
    return alignment.remembered(made, "scatter", epoch, digest)


def nearest_pair(shown: Scatter, found: Clouds, row: float, col: float) -> int:
    """The pair whose prototype, old or new, lies nearest to a pixel; pairs without are skipped."""
    at = np.array([row, col])
    ways = np.minimum(*(np.square(marks - at).sum(axis=1) for marks in (shown.old, shown.new)))
    return int(np.where(found.empty, np.inf, ways).argmin())


def clouds_page(alignment: Alignment, models: list[str]) -> Figure:
    """The clouds of several models, two in a line."""
    kept = plane(alignment).kept
    title = (
        f"VOC and {SCENE_NAMES[alignment.scene]}: {len(alignment.pairing())} pairs, "
        f"{alignment.study.profile.data}\nplane of the two leading components before evolution, "
        f"which hold {100 * kept:.0f} % of the variance there"
    )
    found = {name: clouds_of(alignment, name) for name in models}
    return clouds_figure(found, alignment.pairing().known.numpy(), title=title)


def pair_page(alignment: Alignment, choice: PairChoice) -> Figure:
    """The chosen pair with all its layers and numbers."""
    view = view_pair(alignment, choice)
    return pair_figure(view.drawn, f"{choice.model}: {sentence(view)}")


def sentence(view: PairView) -> str:
    """The pair and its numbers in words."""
    pair, found = view.drawn.pairing, view.terms
    equation = "Eq. 7" if view.drawn.known else "Eq. 8"
    return (
        f"old {pair.old_names[0]}, new {pair.true_names[0]} (predicted {pair.predicted[0]}); "
        f"A {found.proto.item():,.0f}, B {found.pixel.item():,.0f}, "
        f"L_feat by {equation} {found.feat.item():,.0f}"
    )


def scatter_words(view: PairView) -> str:
    """Text alternative of the scatter."""
    choice = view.choice
    return (
        f"Old and new objects' features in a plane, VOC and {SCENE_NAMES[choice.scene]}, "
        f"model {choice.model}, epoch {choice.epoch}. Chosen: pair {choice.pair}, "
        f"{sentence(view)}. Click near another prototype to choose its pair."
    )


def rows(view: PairView) -> dict[str, str]:
    """The readout: name -> value."""
    pair, found, choice = view.drawn.pairing, view.terms, view.choice
    known, weight = view.drawn.known, f"{choice.weight:g}"
    counted = f"{pair.new.masks[0].numel() / view.drawn.maps.share.size:g} A"  # common_size
    total = found.ce_old + found.ce_new + found.feat + found.max
    return {
        "old object": pair.old_names[0],
        "new object, predicted": pair.predicted[0],
        "new object, true": pair.true_names[0],
        "class": "known: Eq. 7 and 9" if known else "unknown: Eq. 8 and 10",
        "A, between prototypes": f"{found.proto.item():,.0f}",
        "A before evolution": f"{view.before:,.0f}",
        "A / variance of the cells": f"{view.proto / max(view.spread, 1e-12):.2f}",
        "B, pixels to c_a": f"{found.pixel.item():,.0f}" + ("" if known else " (not counted)"),
        f"L_feat = {weight} × {f'({counted} + B)' if known else counted}": "0 (no prototype)"
        if view.empty
        else f"{found.feat.item():,.0f}",
        "L_max": f"{found.max.item():,.0f}",
        f"L_ce, old, times {view.weight_old:.2f}": f"{found.ce_old.item():,.0f}",
        "L_ce, new": f"{found.ce_new.item():,.0f}",
        "sum, Eq. 11": f"{total.item():,.0f}",
    }
