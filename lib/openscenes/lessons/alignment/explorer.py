"""The alignment explorer: choose a pair among the clouds and see what Eq. 7-11 make of it.

A network is asked when a scene, a model or an epoch is first chosen, and at no other time.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import numpy as np

from openscenes.data.samples import Batch
from openscenes.lessons.alignment.figures import NEW, OLD, SCATTER_PX, marked
from openscenes.lessons.alignment.layers import LAYERS, draw, draw_old
from openscenes.lessons.alignment.pairs import Alignment
from openscenes.lessons.alignment.view import (
    Choice,
    clouds_of,
    first_choice,
    nearest_pair,
    rows,
    scatter_of,
    scatter_words,
    sentence,
    view,
)
from openscenes.study.profiles import SCENE_NAMES
from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.canvas import Canvas, canvas
from openscenes.widgets.history import History
from openscenes.widgets.overlays import encode_png
from openscenes.widgets.readout import readout

SCATTER_WIDTH_PX, CROP_PX = 372, 152  # Ours: side by side in a window of 900 px
_STYLE = {"description_width": "6.5em"}
_FILL = widgets.Layout(width="auto", min_width="0")


class AlignmentExplorer:
    """Scatter, crops, menus, sliders and numbers around one pair at a time.

    Attributes:
        widget: what a cell shows.
        choice: what is shown.
        seen: what followed from it.
    """

    def __init__(self, alignments: Mapping[str, Alignment], first: Choice | None = None) -> None:
        self._alignments, self._callbacks, self._quiet = alignments, Callbacks(), False
        self._history = History(first or first_choice(alignments))
        self._scattered: tuple[object, ...] = ()
        self._scatter = scatter_of(self._alignment, self.choice.model, self.choice.epoch)
        self.seen = view(self._alignment, self.choice)
        self._make_parts()
        self._show_choice()
        self._draw(time.perf_counter())
        self._connect()
        self.widget = self._laid_out()

    @property
    def choice(self) -> Choice:
        """What is shown."""
        return self._history.now

    @property
    def _alignment(self) -> Alignment:
        return self._alignments[self.choice.scene]

    # ---- parts ----
    def _make_parts(self) -> None:
        blank = np.full((SCATTER_PX, SCATTER_PX, 3), 255, np.uint8)
        self.scatter = canvas(blank, label="", width_px=SCATTER_WIDTH_PX, mode="point")
        self.scatter.add_class("os-alignment-scatter")
        self.old, self.new = (self._crop_canvas(side) for side in ("old", "new"))
        self.captions = widgets.HTML(), widgets.HTML()
        self.legend = widgets.HTML(layout=widgets.Layout(min_height="3.2em"))
        self.legend.add_class("os-alignment-legend")
        self.numbers = widgets.HTML(layout=widgets.Layout(flex="1 1 300px", min_width="0"))
        self.numbers.add_class("os-numbers")
        scenes = [(SCENE_NAMES[scene], scene) for scene in self._alignments]
        layers = [(picture.title, name) for name, picture in LAYERS.items()]
        self.layer = _menu("layer", layers, "os-alignment-layer")
        self.layer.value = "distance"
        self.controls: dict[str, Any] = {
            "scene": _menu("new scene", scenes, "os-alignment-scene"),
            "model": _menu("model", list(self._alignment.models), "os-alignment-model"),
            "pair": _slider("pair", "os-alignment-pair"),
            "epoch": _slider("epoch", "os-alignment-epoch"),
            "floor": widgets.FloatLogSlider(
                min=-3, max=0, step=0.05, description="floor of M'_b", readout_format=".3f",
                style=_STYLE, layout=_FILL,
            ).add_class("os-alignment-floor"),
            "weight": widgets.FloatSlider(
                min=0, max=1, step=0.01, description="FA weight", style=_STYLE, layout=_FILL
            ).add_class("os-alignment-weight"),
        }  # fmt: skip
        self.buttons = {
            name: widgets.Button(
                description=name, tooltip=tip, layout=widgets.Layout(width="auto")
            ).add_class(f"os-alignment-{name.split()[0]}")
            for name, tip in (
                ("undo", "One step back; u on the scatter"),
                ("redo", "One step forth; r on the scatter"),
                ("next pair", "n on the scatter"),
                ("own settings", "Floor and weight that this study trains with"),
            )
        }

    def _crop_canvas(self, side: str) -> Canvas:
        batch = getattr(self.seen.drawn.pairing, side)
        made = canvas(batch.images[0].permute(1, 2, 0).numpy(), label="", width_px=CROP_PX)
        return made.add_class(f"os-alignment-{side}")

    def _connect(self) -> None:
        guarded = self._callbacks.guarded
        self.scatter.observe(guarded(self._gestured), "gesture")
        self.layer.observe(guarded(lambda _: self._draw(time.perf_counter())), "value")
        for name, control in self.controls.items():
            control.observe(guarded(self._mover(name)), "value")
        actions: tuple[Callable[[], None], ...] = (
            self._undo, self._redo, self._next, self._own_settings
        )  # fmt: skip
        for button, action in zip(self.buttons.values(), actions, strict=True):
            button.on_click(guarded(lambda _, action=action: action()))

    def _laid_out(self) -> widgets.VBox:
        wrapped = widgets.Layout(flex_flow="row wrap", align_items="flex-start")
        fixed = widgets.Layout(flex="0 0 auto", max_width="100%", margin="0 8px 0 0")
        crops = [
            widgets.VBox([shown, caption], layout=widgets.Layout(width=f"{CROP_PX + 8}px"))
            for caption, shown in zip(self.captions, (self.old, self.new), strict=True)
        ]
        names = ("pair", "epoch", "floor", "weight")
        side = widgets.VBox(
            [widgets.HBox(crops, layout=wrapped), self.legend, self.layer,
             *(self.controls[name] for name in names),
             widgets.HBox(list(self.buttons.values()), layout=wrapped)],
            layout=widgets.Layout(flex="1 1 320px", min_width="0", margin="0 12px 0 0"),
        )  # fmt: skip
        menus = widgets.HBox([self.controls["scene"], self.controls["model"]], layout=wrapped)
        left = widgets.VBox([self.scatter, widgets.HTML(_KEY)], layout=fixed)
        body = widgets.HBox([left, side, self.numbers], layout=wrapped)
        made = widgets.VBox([menus, body, self._callbacks.shown])
        return made.add_class("os-alignment-explorer")

    # ---- what the reader does ----
    def _gestured(self, change: Mapping[str, Any]) -> None:
        gesture = change["new"]
        actions = {"undo": self._undo, "redo": self._redo, "next": self._next}
        if gesture["kind"] in actions:
            actions[gesture["kind"]]()
        elif gesture["kind"] in ("point", "click"):
            found = clouds_of(self._alignment, self.choice.model, self.choice.epoch)
            pair = nearest_pair(self._scatter, found, gesture["row"], gesture["col"])
            self._choose(replace(self.choice, pair=pair), "scatter")

    def _mover(self, name: str) -> Callable[[Mapping[str, Any]], None]:
        def moved(change: Mapping[str, Any]) -> None:
            if not self._quiet:
                anew = {"pair": 0, "epoch": 0} if name == "scene" else {}
                self._choose(replace(self.choice, **{**anew, name: change["new"]}), name)

        return moved

    def _next(self) -> None:
        n_pairs = len(self._alignment.pairing())
        self._choose(replace(self.choice, pair=(self.choice.pair + 1) % n_pairs), "")

    def _own_settings(self) -> None:
        config = self._alignment.config
        self._choose(
            replace(self.choice, floor=config.probability_floor, weight=config.feature_weight), ""
        )

    def _undo(self) -> None:
        self._history.back()
        self._show()

    def _redo(self) -> None:
        self._history.forward()
        self._show()

    def _choose(self, choice: Choice, control: str) -> None:
        self._history.put(choice, control)
        self._show()

    # ---- what is shown ----
    def _show(self) -> None:
        began = time.perf_counter()
        self._show_choice()
        self.seen = view(self._alignment, self.choice)
        self._draw(began)

    def _show_choice(self) -> None:
        """Controls follow the choice, without being taken for the reader's hand."""
        self._quiet = True
        self.controls["pair"].max = len(self._alignment.pairing()) - 1
        self.controls["epoch"].max = self._alignment.evolution.train.epochs - 1
        for name, control in self.controls.items():
            control.value = getattr(self.choice, name)
        self._quiet = False

    def _draw(self, began: float) -> None:
        """Pictures are sent anew where another pair is shown; maps and numbers always."""
        choice, drawn, picture = self.choice, self.seen.drawn, LAYERS[self.layer.value]
        pair, legend = drawn.pairing, picture.legend(drawn)
        clouds = (choice.scene, choice.model, choice.epoch)
        if self._scattered[:3] != clouds:
            self._scatter = scatter_of(self._alignment, choice.model, choice.epoch)
            self.scatter.show(self._scatter.image, label="", width_px=SCATTER_WIDTH_PX)
        if self._scattered != (*clouds, choice.pair):
            self._scattered = (*clouds, choice.pair)
            self.scatter.overlay = encode_png(marked(self._scatter, choice.pair))
            words = f"Old object, {pair.old_names[0]}, with its ground truth."
            _put_up(self.old, pair.old, words)
            _put_up(self.new, pair.new, "")
            self.old.overlay = encode_png(draw_old(drawn))
        with self.new.hold_sync():
            self.new.overlay = encode_png(draw(self.layer.value, drawn))
            self.new.label = f"New object, {sentence(self.seen)}. Shown: {picture.title}: {legend}."
        self.captions[0].value = _caption("old", pair.old_names[0])
        self.captions[1].value = _caption("new", pair.true_names[0])
        self.legend.value = _caption(picture.title, f"{legend}. Green, old: ground truth")
        self._finish(began)

    def _finish(self, began: float) -> None:
        self.scatter.clicks, self.scatter.label = [], scatter_words(self.seen)
        for shown in (self.scatter, self.old, self.new):
            shown.seq += 1
        ms = 1e3 * (time.perf_counter() - began)
        self.numbers.value = readout(rows(self.seen), self.scatter.seq, ms)


def _put_up(shown: Canvas, batch: Batch, words: str) -> None:
    shown.show(batch.images[0].permute(1, 2, 0).numpy(), label=words, width_px=CROP_PX)


def _caption(name: str, words: str) -> str:
    return f'<div style="{_SMALL}"><b>{html.escape(name)}</b>: {html.escape(words)}</div>'


def _menu(words: str, options: list[Any], name: str) -> widgets.Dropdown:
    return widgets.Dropdown(
        description=words, options=options, style=_STYLE, layout=_FILL
    ).add_class(name)  # fmt: skip


def _slider(words: str, name: str) -> widgets.IntSlider:
    """Its upper end is set when a scene is shown."""
    made = widgets.IntSlider(0, min=0, max=0, description=words, style=_STYLE, layout=_FILL)
    return made.add_class(name)


_SMALL = "line-height:1.35;font-size:90%"
_KEY = (
    f'<div style="{_SMALL}">'
    f'<span style="color:{OLD}">●</span> old objects, c_a; '
    f'<span style="color:{NEW}">▲</span> new objects, c_b; dots: their cells.<br>Solid line: class '
    "known; dotted: unknown.</div>"
)
