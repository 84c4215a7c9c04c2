"""The evolution explorer: the mask and score of one object along two task sequences."""

import time
from functools import partial
from typing import Any

from ipywidgets import HTML, Layout

from openscenes.lessons.evolution.evolution_figures import (
    COLOURS_OF,
    LAYERS,
    iou_words,
    layer_of,
    time_words,
)
from openscenes.lessons.evolution.scrubber import ObjectChoice, ObjectView, Panel, Scrubber
from openscenes.lessons.evolution.sequences import ORDERS, TIMES, forgetting
from openscenes.lessons.panels import signed
from openscenes.study.experiments.rows import TITLES
from openscenes.study.figures.palette import PALETTE
from openscenes.study.pages.foreign_text import in_html
from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.canvas import Canvas, canvas, marks
from openscenes.widgets.controls import Control, Controls, buttons, column, row
from openscenes.widgets.overlays import encode_png
from openscenes.widgets.readout import caption, readout

WIDTH_PX = 300  # two images and their numbers fit into a window of 900 px
SIDES = ("left", "right")


class EvolutionExplorer:
    """Two task sequences side by side, by time and object; ``widget`` is what a cell shows."""

    def __init__(self, scrubber: Scrubber, choice: ObjectChoice | None = None) -> None:
        self.scrubber, self.choice = scrubber, choice or ObjectChoice()
        self.callbacks = Callbacks()
        self.controls = self._made_controls()
        self.headings, self.legend = (HTML(), HTML()), HTML().add_class("os-evolution-legend")
        self.numbers = HTML(layout=Layout(flex="1 1 0", min_width="260px"))
        view = scrubber.view(self.choice)
        self.canvases = tuple(
            canvas(view.image, label="", width_px=WIDTH_PX).add_class("os-evolution-image")
            for _ in SIDES
        )
        self._shown_object = ""
        self.widget = self._laid_out().add_class("os-evolution")
        self._draw(view, time.monotonic())

    def _made_controls(self) -> Controls:
        names, choice = list(self.scrubber.sequences), self.choice
        n_objects = len(self.scrubber.examples(choice.where))
        made = Controls({
            "set": Control("set", choices=[(TITLES[where], where) for where in TITLES]),
            "order": Control("order", choices=ORDERS),
            "left": Control("left", choices=names), "right": Control("right", choices=names),
            "layer": Control("show", choices=LAYERS),
            "time": Control("time t", high=len(TIMES) - 1, step=1),
            "object": Control("object", low=1, high=n_objects, step=1),
        }, "os-evolution-", "5em", width="24em")  # fmt: skip
        made["object"].continuous_update = False
        made.show({
            "set": choice.where, "order": choice.order, "object": choice.rank + 1,
            "time": choice.time, **dict(zip(SIDES, choice.sequences, strict=True)),
        })  # fmt: skip
        made.observe(self.callbacks, self._moved)
        return made

    def _laid_out(self) -> Any:
        steps = buttons(self.callbacks, {
            "earlier": ("earlier", "One step back", partial(self._step, "time", -1)),
            "later": ("later", "One step on", partial(self._step, "time", 1)),
            "previous_object": ("previous object", "", partial(self._step, "object", -1)),
            "next_object": ("next object", "", partial(self._step, "object", 1)),
        }, "os-evolution-")  # fmt: skip
        images = [
            column(heading, shown, flex="0 0 auto", width=f"{WIDTH_PX + 8}px")
            for heading, shown in zip(self.headings, self.canvases, strict=True)
        ]
        earlier, later, previous, following = steps.values()
        return column(
            row(*self.controls.named("set", "order", *SIDES, "layer")),
            row(self.controls["time"], earlier, later),
            row(self.controls["object"], previous, following),
            self.legend, row(*images, self.numbers), self.callbacks.shown,
        )  # fmt: skip

    def _step(self, name: str, by: int) -> None:
        slider = self.controls[name]
        slider.value = min(slider.max, max(slider.min, slider.value + by))

    def _moved(self, name: str, _value: Any) -> None:
        """Another set or order begins at its first object."""
        began, rank = time.monotonic(), self.controls["object"]
        number = 1 if name in ("set", "order") else rank.value
        where, order, left, right, at = (
            part.value for part in self.controls.named("set", "order", *SIDES, "time")
        )
        view = self.scrubber.view(ObjectChoice(where, (left, right), order, number - 1, at))
        self.choice = view.choice
        with self.controls.quiet():
            rank.value, rank.max = number, view.n_objects
        self._draw(view, began)

    def _draw(self, view: ObjectView, began: float) -> None:
        layer = self.controls["layer"].value
        for shown, heading, panel in zip(self.canvases, self.headings, view.panels, strict=True):
            self._paint(shown, view, panel)
            when = f"{time_words(view.choice.time)}: {iou_words(panel, view.choice.time)}"
            heading.value = f"<b>{in_html(panel.sequence)}</b><br>{when}"
        self._shown_object = view.example.object_id
        self.legend.value = caption(layer, ". Grey: outside the image.", _legend(layer))
        ms = 1000 * (time.monotonic() - began)
        found = readout(_numbers(view), self.canvases[0].seq, ms)
        self.numbers.value = _scores_table(view) + found

    def _paint(self, shown: Canvas, view: ObjectView, panel: Panel) -> None:
        layer = self.controls["layer"].value
        words = described(view, panel, layer)
        with shown.hold_sync():
            if view.example.object_id != self._shown_object:
                shown.show(view.image, label=words, width_px=WIDTH_PX)
            overlay = encode_png(layer_of(view, panel, layer))
            shown.paint(overlay=overlay, label=words, **marks(view.interaction))


def described(view: ObjectView, panel: Panel, layer: str) -> str:
    """Text alternative of an image."""
    return (
        f"{view.record.class_name} of {TITLES[view.choice.where]}, {panel.sequence}, "
        f"{time_words(view.choice.time)}: {iou_words(panel, view.choice.time)}. Shown: {layer}."
    )


def _legend(layer: str) -> str:
    return "".join(
        f'<span style="background:{colour};margin:0 .4em 0 1em">&emsp;</span>{words}'
        for words, colour in COLOURS_OF[layer].items()
    )


def _numbers(view: ObjectView) -> dict[str, str]:
    rows = {
        "object": f"{view.record.class_name}, {view.record.area:,} px",
        "place in the order": f"{view.choice.rank + 1} of {view.n_objects}",
    }
    for side, panel in zip(SIDES, view.panels, strict=True):
        lost = float(forgetting(panel.iou[:, None] / 100.0)[0])
        rows[f"{side}: last less first"] = signed(panel.iou[-1] - panel.iou[0])
        rows[f"{side}: forgotten"] = signed(lost)
    return rows


def _scores_table(view: ObjectView) -> str:
    """IoU of the object at every time, one row per sequence, a bar behind each number."""
    head = "".join(f'<th scope="col">t = {t}</th>' for t in range(len(TIMES)))
    lines = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:normal">{side}</th>'
        + "".join(_cell(panel, t, t == view.choice.time) for t in range(len(TIMES)))
        + "</tr>"
        for side, panel in zip(SIDES, view.panels, strict=True)
    )
    return (
        '<table class="os-evolution-scores" style="font-variant-numeric:tabular-nums;width:100%;'
        'max-width:30em;line-height:1.6">'
        f"<caption>IoU, %</caption><tr><th></th>{head}</tr>{lines}</table>"
    )


def _cell(panel: Panel, step: int, now: bool) -> str:
    if step >= len(panel.iou):
        return '<td style="text-align:center">none</td>'
    share = panel.iou[step]
    bar = f"linear-gradient(90deg,{PALETTE['right']}88 {share:.0f}%,transparent {share:.0f}%)"
    weight = "bold;outline:2px solid currentColor" if now else "normal"
    style = f"background:{bar};font-weight:{weight};text-align:center;min-width:3.2em"
    return f'<td style="{style}">{share:.1f}</td>'
