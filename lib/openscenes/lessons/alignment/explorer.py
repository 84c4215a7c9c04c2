"""The alignment explorer: choose a pair among the clouds and see its terms of Eq. 7-11.

A network runs when a scene, a model or an epoch is first chosen, and at no other time.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np

from openscenes.lessons.alignment import pair_view
from openscenes.lessons.alignment.alignment_figures import NEW, OLD, SCATTER_PX, marked
from openscenes.lessons.alignment.layers import LAYERS, crop_of, draw, draw_old
from openscenes.lessons.alignment.pairs import Alignment
from openscenes.study.profiles import SCENE_NAMES
from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.canvas import Canvas, canvas
from openscenes.widgets.controls import Control, Controls, buttons, column, controls_of, row
from openscenes.widgets.history import History
from openscenes.widgets.overlays import encode_png
from openscenes.widgets.readout import caption, readout

SCATTER_WIDTH_PX, CROP_PX = 372, 152  # side by side in a window of 900 px
_KEY = (
    f'<div style="line-height:1.35;font-size:90%"><span style="color:{OLD}">●</span> old objects, '
    f'c_a; <span style="color:{NEW}">▲</span> new objects, c_b; dots: their cells.<br>Solid line: '
    "class known; dotted: unknown.</div>"
)


class AlignmentExplorer:
    """Scatter, crops and controls around one pair (``view``); ``widget`` is what a cell shows."""

    def __init__(
        self, alignments: Mapping[str, Alignment], first: pair_view.PairChoice | None = None
    ) -> None:
        self._alignments, self._callbacks = alignments, Callbacks()
        self._history = History(first or pair_view.first_choice(alignments))
        self._shown_clouds: tuple[object, ...] = ()
        self._shown_pair: tuple[object, ...] = ()
        self.scatter = _canvas(SCATTER_PX, SCATTER_WIDTH_PX, "scatter", mode="point")
        self.old, self.new = _canvas(CROP_PX, CROP_PX, "old"), _canvas(CROP_PX, CROP_PX, "new")
        self.captions, self.legend, self.numbers = self._made_texts()
        self.controls = self._made_controls()
        self.buttons = buttons(self._callbacks, {
            "undo": ("undo", "One step back; u on the scatter", partial(self._step, "back")),
            "redo": ("redo", "One step forth; r on the scatter", partial(self._step, "forward")),
            "next_pair": ("next pair", "n on the scatter", self._next),
            "own_settings": ("own settings", "Floor and weight of this study", self._own_settings),
        }, "os-alignment-")  # fmt: skip
        self.scatter.observe(self._callbacks.guarded(self._gestured), "gesture")
        self._show(self._viewed(self.choice), time.perf_counter())
        self.widget = self._laid_out().add_class("os-alignment-explorer")

    @property
    def choice(self) -> pair_view.PairChoice:
        """What is shown."""
        return self._history.now

    @property
    def _alignment(self) -> Alignment:
        return self._alignments[self.choice.scene]

    def _made_texts(self) -> tuple[tuple[widgets.HTML, widgets.HTML], widgets.HTML, widgets.HTML]:
        legend = widgets.HTML(layout=widgets.Layout(min_height="3.2em"))
        numbers = widgets.HTML(layout=widgets.Layout(flex="1 1 300px", min_width="0"))
        captions = widgets.HTML(), widgets.HTML()
        return captions, legend.add_class("os-alignment-legend"), numbers.add_class("os-numbers")

    def _made_controls(self) -> Controls:
        layers = [(layer.title, name) for name, layer in LAYERS.items()]
        declared = {"layer": Control("layer", choices=layers)} | controls_of(pair_view.PairChoice)
        made = Controls(declared, "os-alignment-", "6.5em")
        made["layer"].value = "distance"
        scenes = [(SCENE_NAMES[scene], scene) for scene in self._alignments]
        made.offer("scene", scenes, self.choice.scene)
        made.offer("model", list(self._alignment.models), self.choice.model)
        made.observe(self._callbacks, self._moved)
        return made

    def _laid_out(self) -> widgets.VBox:
        crops = [
            column(shown, words, width=f"{CROP_PX + 8}px")
            for words, shown in zip(self.captions, (self.old, self.new), strict=True)
        ]
        side = column(
            row(*crops), self.legend,
            *self.controls.named("layer", "pair", "epoch", "floor", "weight"),
            row(*self.buttons.values()), flex="1 1 320px", min_width="0", margin="0 12px 0 0",
        )  # fmt: skip
        left = column(self.scatter, widgets.HTML(_KEY), flex="0 0 auto", margin="0 8px 0 0")
        menus = row(*self.controls.named("scene", "model"))
        return column(menus, row(left, side, self.numbers), self._callbacks.shown)

    # ---- what the reader does ----
    def _gestured(self, change: Mapping[str, Any]) -> None:
        gesture = change["new"]
        if gesture["kind"] in ("undo", "redo"):
            self._step("back" if gesture["kind"] == "undo" else "forward")
        elif gesture["kind"] == "next":
            self._next()
        elif gesture["kind"] in ("point", "click"):
            found = pair_view.clouds_of(self._alignment, self.choice.model, self.choice.epoch)
            pair = pair_view.nearest_pair(self._scatter, found, gesture["row"], gesture["col"])
            self._choose("scatter", pair=pair)

    def _moved(self, name: str, value: Any) -> None:
        if name == "layer":
            return self._draw(time.perf_counter())
        anew = {"pair": 0, "epoch": 0} if name == "scene" else {}
        self._choose(name, **anew | {name: value})

    def _next(self) -> None:
        self._choose("", pair=(self.choice.pair + 1) % len(self._alignment.pairing()))

    def _own_settings(self) -> None:
        config = self._alignment.config
        self._choose("", floor=config.probability_floor, weight=config.feature_weight)

    def _step(self, way: str) -> None:
        began, view = time.perf_counter(), self._viewed(self._history.beside(way))
        getattr(self._history, way)()
        self._show(view, began)

    def _choose(self, control: str, **changes: Any) -> None:
        began, view = time.perf_counter(), self._viewed(replace(self.choice, **changes))
        self._history.put(view.choice, control)
        self._show(view, began)

    def _viewed(self, choice: pair_view.PairChoice) -> pair_view.PairView:
        """All that is shown of a choice, before anything follows it."""
        return pair_view.view_pair(self._alignments[choice.scene], choice)

    # ---- what is shown ----
    def _show(self, view: pair_view.PairView, began: float) -> None:
        self.view = view
        with self.controls.quiet():
            self.controls["pair"].max = len(self._alignment.pairing()) - 1
            self.controls["epoch"].max = self._alignment.evolution.train.epochs - 1
        self.controls.show(vars(self.choice))
        self._draw(began)

    def _draw(self, began: float) -> None:
        """Send images again where another pair is shown; maps and numbers always."""
        drawn, name = self.view.drawn, self.controls["layer"].value
        self._draw_scatter()
        title, legend = LAYERS[name].title, LAYERS[name].legend(drawn)
        words = f"New object, {pair_view.sentence(self.view)}. Shown: {title}: {legend}."
        self.old.paint()
        self.new.paint(overlay=encode_png(draw(name, drawn)), label=words)
        self.captions[0].value = caption("old", drawn.pairing.old_names[0])
        self.captions[1].value = caption("new", drawn.pairing.true_names[0])
        self.legend.value = caption(title, f"{legend}. Green, old: ground truth")
        ms = 1e3 * (time.perf_counter() - began)
        self.numbers.value = readout(pair_view.rows(self.view), self.scatter.seq, ms)

    def _draw_scatter(self) -> None:
        choice, drawn = self.choice, self.view.drawn
        clouds = (choice.scene, choice.model, choice.epoch)
        if self._shown_clouds != clouds:
            self._scatter = pair_view.scatter_of(self._alignment, choice.model, choice.epoch)
            self.scatter.show(self._scatter.image, label="", width_px=SCATTER_WIDTH_PX)
        if (self._shown_clouds, self._shown_pair) != (clouds, (choice.pair,)):
            self._shown_clouds, self._shown_pair = clouds, (choice.pair,)
            self.scatter.overlay = encode_png(marked(self._scatter, choice.pair))
            words = f"Old object, {drawn.pairing.old_names[0]}, with its ground truth."
            self.old.show(crop_of(drawn.pairing.old), label=words, width_px=CROP_PX)
            self.new.show(crop_of(drawn.pairing.new), label="", width_px=CROP_PX)
            self.old.overlay = encode_png(draw_old(drawn))
        self.scatter.paint(clicks=[], label=pair_view.scatter_words(self.view))


def _canvas(side: int, width_px: int, name: str, **how: Any) -> Canvas:
    blank = np.full((side, side, 3), 255, np.uint8)
    return canvas(blank, label="", width_px=width_px, **how).add_class(f"os-alignment-{name}")
