"""The evolution scrubber: step through a life and see the same object's mask and score change."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence

from ipywidgets import HTML, Box, Button, Dropdown, IntSlider, Layout, VBox

from openscenes.lessons.evolution.figures import COLOURS_OF, LAYERS, iou_words, layer_of, time_words
from openscenes.lessons.evolution.lives import ORDERS, TIMES, forgetting
from openscenes.lessons.evolution.state import Panel, Place, Scrubber, View
from openscenes.study.experiments.rows import TITLES
from openscenes.study.figures.tables import PALETTE
from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.canvas import Canvas, canvas
from openscenes.widgets.overlays import encode_png
from openscenes.widgets.readout import readout

WIDTH_PX = 300  # Ours: two pictures and their numbers fit into a window of 900 px
WORDS = {"style": {"description_width": "5em"}, "layout": Layout(width="24em")}


def evolution_explorer(scrubber: Scrubber, place: Place | None = None) -> VBox:
    """Two lives of one model side by side, to be stepped through by time and by object.

    Ours: sliders and buttons take the keyboard (Tab, arrows, Space); a mask is asked of the
    network once and kept.

    Args:
        scrubber: the lives to choose from.
        place: where to begin; the most forgotten object of VOC at t = 0 if None.
    """
    return EvolutionExplorer(scrubber, place or Place()).widget


class EvolutionExplorer:
    """The widget with its parts; ``place`` is what it shows."""

    def __init__(self, scrubber: Scrubber, place: Place) -> None:
        self.scrubber, self.place, self._filling = scrubber, place, False
        self.callbacks = Callbacks()
        names = list(scrubber.lives)
        sets = [(TITLES[where], where) for where in TITLES]
        self.where = _menu("set", sets, place.where, "os-evolution-set")
        self.left = _menu("left life", names, place.lives[0], "os-evolution-left")
        self.right = _menu("right life", names, place.lives[1], "os-evolution-right")
        self.order = _menu("order", ORDERS, place.order, "os-evolution-order")
        self.layer = _menu("show", LAYERS, LAYERS[0], "os-evolution-layer")
        self.rank = _slider("object", 1, len(scrubber.examples(place.where)), place.rank + 1)
        self.time = _slider("time t", 0, len(TIMES) - 1, place.time)
        self.rank.continuous_update = False
        self.headings = (HTML(), HTML())
        self.numbers = HTML(layout=Layout(flex="1 1 0", min_width="260px"))
        self.legend = HTML().add_class("os-evolution-legend")
        view = scrubber.view(place)
        self.canvases = tuple(
            canvas(view.image, label="", width_px=WIDTH_PX).add_class("os-evolution-picture")
            for _ in place.lives
        )
        self._shown_object = ""
        self.widget = self._laid_out()
        self._observe()
        self._draw(view, time.monotonic())

    def _laid_out(self) -> VBox:
        wrapped = Layout(flex_flow="row wrap", align_items="center", width="100%")
        time_steps = [self._button("earlier", self.time, -1), self._button("later", self.time, 1)]
        objects = [
            self._button("previous object", self.rank, -1),
            self._button("next object", self.rank, 1),
        ]
        columns = [
            VBox([heading, shown], layout=Layout(flex="0 0 auto", width=f"{WIDTH_PX + 8}px"))
            for heading, shown in zip(self.headings, self.canvases, strict=True)
        ]
        menus = [self.where, self.order, self.left, self.right, self.layer]
        rows = [
            Box(menus, layout=wrapped),
            Box([self.time, *time_steps], layout=wrapped),
            Box([self.rank, *objects], layout=wrapped),
            self.legend,
            Box([*columns, self.numbers], layout=Layout(flex_flow="row wrap", width="100%")),
        ]
        return VBox([*rows, self.callbacks.shown]).add_class("os-evolution")

    def _button(self, words: str, slider: IntSlider, step: int) -> Button:
        button = Button(description=words, layout=Layout(width="10.5em"))

        def pressed(_button: Button) -> None:
            slider.value = min(slider.max, max(slider.min, slider.value + step))

        button.on_click(self.callbacks.guarded(pressed))
        return button.add_class(f"os-evolution-{words.replace(' ', '-')}")

    def _observe(self) -> None:
        for control in (self.left, self.right, self.layer, self.rank, self.time):
            control.observe(self.callbacks.guarded(self._moved), "value")
        for control in (self.where, self.order):
            control.observe(self.callbacks.guarded(self._ranked_anew), "value")

    def _ranked_anew(self, change: object) -> None:
        """Another set or order begins at its first object."""
        self._filling = True
        self.rank.value, self.rank.max = 1, len(self.scrubber.examples(self.where.value))
        self._filling = False
        self._moved(change)

    def _moved(self, _change: object) -> None:
        if self._filling:
            return
        began = time.monotonic()
        lives = (self.left.value, self.right.value)
        self.place = Place(
            self.where.value, lives, self.order.value, self.rank.value - 1, self.time.value
        )
        self._draw(self.scrubber.view(self.place), began)

    def _draw(self, view: View, began: float) -> None:
        for shown, heading, panel in zip(self.canvases, self.headings, view.panels, strict=True):
            self._paint(shown, view, panel)
            heading.value = _heading(view, panel)
        self._shown_object = view.example.object_id
        self.legend.value = _legend(self.layer.value)
        ms = 1000 * (time.monotonic() - began)
        found = readout(_numbers(view), self.canvases[0].seq, ms)
        self.numbers.value = _scores_table(view) + found

    def _paint(self, shown: Canvas, view: View, panel: Panel) -> None:
        words = described(view, panel, self.layer.value)
        with shown.hold_sync():
            if view.example.object_id != self._shown_object:
                shown.show(view.image, label=words, width_px=WIDTH_PX)
                shown.box = [round(side) for side in view.interaction.box]
                shown.clicks = [[*(round(at) for at in view.interaction.point), 1]]
            shown.overlay = encode_png(layer_of(view, panel, self.layer.value))
            shown.label = words
            shown.seq += 1


def _menu(words: str, options: Sequence, value: str, name: str) -> Dropdown:
    return Dropdown(options=options, value=value, description=words, **WORDS).add_class(name)


def _slider(words: str, low: int, high: int, value: int) -> IntSlider:
    made = IntSlider(value=value, min=low, max=high, description=words, **WORDS)
    return made.add_class(f"os-evolution-{words.split()[0]}")


def described(view: View, panel: Panel, layer: str) -> str:
    """What a picture shows, for who cannot see it."""
    return (
        f"{view.record.class_name} of {TITLES[view.place.where]}, {panel.life}, "
        f"{time_words(view.place.time)}: {iou_words(panel, view.place.time)}. Shown: {layer}."
    )


def _heading(view: View, panel: Panel) -> str:
    words = iou_words(panel, view.place.time)
    return f"<b>{html.escape(panel.life)}</b><br>{time_words(view.place.time)}: {words}"


def _numbers(view: View) -> dict[str, str]:
    record, rows = view.record, {}
    rows["object"] = f"{record.class_name}, {record.area:,} px"
    rows["place in the order"] = f"{view.place.rank + 1} of {view.n_objects}"
    for side, panel in zip(("left", "right"), view.panels, strict=True):
        lost = float(forgetting(panel.iou[:, None] / 100.0)[0])
        rows[f"{side}: last less first"] = _points(panel.iou[-1] - panel.iou[0])
        rows[f"{side}: forgotten"] = _points(lost)
    return rows


def _points(change: float) -> str:
    return f"{round(change, 1) + 0.0:+.1f}"  # never "-0.0"


def _legend(layer: str) -> str:
    """What the colours over the pictures mean."""
    marks = "".join(
        f'<span style="background:{colour};margin:0 .4em 0 1em">&emsp;</span>{words}'
        for words, colour in COLOURS_OF[layer].items()
    )
    beyond = "Where a crop reaches beyond its photograph, it is grey."
    return f'<div style="line-height:1.4"><b>{layer}</b>:{marks}. {beyond}</div>'


def _scores_table(view: View) -> str:
    """IoU of the object at every time, one row per life, a bar behind each number."""
    head = "".join(f'<th scope="col">t = {t}</th>' for t in range(len(TIMES)))
    lines = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:normal">{side}</th>'
        + "".join(_cell(panel, t, t == view.place.time) for t in range(len(TIMES)))
        + "</tr>"
        for side, panel in zip(("left", "right"), view.panels, strict=True)
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
