"""The prototype explorer: every map and number of IPT on one object, under the reader's hand.

The network is asked when an object is chosen, clicked or boxed, and at no other time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from openscenes.data import crops
from openscenes.data.examples import Example
from openscenes.data.records import Box, Point
from openscenes.errors import InputError
from openscenes.lessons.prototypes.asked import Asked, ask, name_of, reclicked
from openscenes.lessons.prototypes.controls import controls, show
from openscenes.lessons.prototypes.layers import LAYERS, draw, encoded, on_picture, words
from openscenes.lessons.prototypes.state import Look, Settings, look, read, rows, with_value
from openscenes.method.ipt import IPTConfig
from openscenes.study.plan.on_demand import n_objects_evenly
from openscenes.study.runs.data import Study, validation, with_others
from openscenes.study.runs.models import Model
from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.canvas import Canvas, after
from openscenes.widgets.history import History
from openscenes.widgets.overlays import encode_png
from openscenes.widgets.readout import readout

CANVAS_PX = 400  # Ours: beside its sliders in a window of 900 px
SCENES = ("voc", "cityscapes", "coco")
_FILL = widgets.Layout(width="auto", min_width="0")
_STYLE = {"description_width": "4.5em"}


def objects_to_explore(study: Study, n_each: int = 12) -> dict[str, list[Example]]:
    """Validation objects of the three scenes, evenly from each list, by scene."""
    return {name: n_objects_evenly(with_others(validation(study, name)), n_each) for name in SCENES}


class PrototypeExplorer:
    """Canvas, menus, sliders and numbers around one look at a time.

    Attributes:
        widget: what a cell shows.
        n_asked: how often the network was run.
        now: the look that is shown.
    """

    def __init__(
        self,
        study: Study,
        model: Model,
        objects: Mapping[str, Sequence[Example]],
        settings: Settings | None = None,
    ) -> None:
        self._study, self._model, self._objects = study, model, objects
        self._settings = settings or Settings(IPTConfig())
        self._callbacks, self._quiet, self._seq, self.n_asked = Callbacks(), False, 0, 0
        self._make_parts()
        self._choose()
        self._connect()
        self.widget = self._laid_out()

    @property
    def now(self) -> Look:
        """The look that is shown."""
        return self._history.now

    # ---- parts ----
    def _make_parts(self) -> None:
        self._canvas = Canvas()
        self._scene = _menu("scene", list(self._objects), "os-scene")
        self._object = _menu("object", self._names(), "os-object")
        self._layer = _menu("layer", [(v.title, k) for k, v in LAYERS.items()], "os-layer")
        self._layer.value = "merged"
        self._view = widgets.ToggleButtons(
            options=[("crop: move the point", "crop"), ("picture: new box", "picture")],
            style={"button_width": "13.5em"},
        ).add_class("os-view")
        self._opacity = widgets.FloatSlider(
            1.0, min=0.0, max=1.0, step=0.05, description="opacity", style=_STYLE, layout=_FILL
        )
        self._legend = widgets.HTML().add_class("os-legend")
        self._numbers = widgets.HTML().add_class("os-numbers")
        self._controls = controls(self._settings)
        self._buttons = {
            words: widgets.Button(
                description=words, tooltip=tip, layout=widgets.Layout(width="auto")
            ).add_class(f"os-{words.split()[-1]}")
            for words, tip in (
                ("undo", "One step back; u on the picture"),
                ("redo", "One step forth; r on the picture"),
                ("as printed", "The paper's settings"),
                ("as in Table 4", "The reading that this study trains with"),
            )
        }

    def _connect(self) -> None:
        guarded = self._callbacks.guarded
        self._scene.observe(guarded(lambda _: self._fill_objects()), "value")
        self._object.observe(guarded(lambda _: self._choose()), "value")
        self._view.observe(guarded(lambda _: self._put_up()), "value")
        self._layer.observe(guarded(lambda _: self._draw(time.perf_counter())), "value")
        self._canvas.observe(guarded(self._gestured), "gesture")
        for name, control in self._controls.items():
            control.observe(guarded(self._mover(name)), "value")
        profile = self._study.profile
        own = Settings(profile.ipt, profile.inference.feature)
        actions: tuple[Callable[[], None], ...] = (
            self._undo, self._redo,
            lambda: self._move(Settings(IPTConfig()), ""), lambda: self._move(own, ""),
        )  # fmt: skip
        for button, action in zip(self._buttons.values(), actions, strict=True):
            button.on_click(guarded(lambda _, action=action: action()))
        widgets.jslink((self._opacity, "value"), (self._canvas, "opacity"))

    def _laid_out(self) -> widgets.VBox:
        wrapped = widgets.Layout(flex_flow="row wrap", align_items="flex-start")
        left = widgets.VBox(
            [self._view, self._canvas, self._legend, self._numbers],
            layout=widgets.Layout(flex="0 0 auto", max_width="100%", margin="0 12px 0 0"),
        )
        side = widgets.VBox(
            [self._layer, self._opacity, *self._controls.values(),
             widgets.HBox(list(self._buttons.values()), layout=wrapped)],
            layout=widgets.Layout(flex="1 1 280px", min_width="0"),
        )  # fmt: skip
        menus = widgets.HBox([self._scene, self._object], layout=wrapped)
        body = widgets.HBox([left, side], layout=wrapped)
        made = widgets.VBox([menus, body, self._callbacks.shown])
        return made.add_class("os-prototype-explorer")

    # ---- which object ----
    def _names(self) -> list[tuple[str, int]]:
        examples = self._objects[self._scene.value]
        return [(name_of(example), i) for i, example in enumerate(examples)]

    def _fill_objects(self) -> None:
        self._quiet = True
        self._object.options = self._names()
        self._quiet = False
        self._choose()

    def _choose(self) -> None:
        """Ask about the object of the menus; its history begins anew, settings stay."""
        if self._quiet:
            return
        asked = self._ask(self._objects[self._scene.value][self._object.value])
        self._history = History(look(asked, self._settings))
        self._put_up()

    def _ask(self, example: Example) -> Asked:
        self.n_asked += 1
        return ask(self._study, self._model, example)

    # ---- clicks ----
    def _gestured(self, change: Mapping[str, Any]) -> None:
        gesture = change["new"]
        kind = gesture["kind"]
        if kind in ("undo", "redo"):
            return self._undo() if kind == "undo" else self._redo()
        if kind in ("point", "click") and not gesture.get("dragging"):
            self._clicked(gesture)
        elif kind in ("box", "clear") and self._view.value == "picture":
            self._canvas.box, self._canvas.clicks = after(gesture, (), ())
            self._canvas.overlay = b""
            self._legend.value = "Drag a box around an object, then click inside it."

    def _clicked(self, gesture: Mapping[str, Any]) -> None:
        """Ask again with the point that was clicked, and with the box where one was drawn."""
        if gesture["sign"] < 0:
            raise InputError("Prototypes come from one point inside the object: click without "
                             "Shift.")  # fmt: skip
        now, point = self.now.asked, Point(float(gesture["row"]), float(gesture["col"]))
        box = now.example.interaction.box
        if self._view.value == "picture" and self._canvas.box:
            box = Box(*map(float, self._canvas.box))
        else:
            point = _inside(crops.move_point(crops.invert(now.affine), point), now)
        asked = self._ask(reclicked(self._study, now.example, box, point))
        self._history.put(look(asked, self._settings), "")
        self._put_up()

    # ---- sliders ----
    def _mover(self, name: str) -> Callable[[Mapping[str, Any]], None]:
        def moved(change: Mapping[str, Any]) -> None:
            if not self._quiet:
                self._move_one(name, change["new"])

        return moved

    def _move_one(self, name: str, value: object) -> None:
        try:
            self._move(with_value(self._settings, name, value), name)
        except InputError:
            self._show_settings()
            raise

    def _move(self, settings: Settings, control: str) -> None:
        """Look at the same answer with other settings: the network is not asked."""
        began = time.perf_counter()
        self._history.put(look(self.now.asked, settings, self.now), control)
        self._show_settings()
        self._draw(began)

    def _undo(self) -> None:
        self._history.back()
        self._put_up()

    def _redo(self) -> None:
        self._history.forward()
        self._put_up()

    def _show_settings(self) -> None:
        """Controls follow the look that is shown, without being taken for the reader's hand."""
        self._settings, self._quiet = self.now.settings, True
        show(self._controls, self._settings)
        self._quiet = False

    # ---- pictures ----
    def _put_up(self) -> None:
        """Show the crop or the picture of the present look, with its box and point."""
        began, asked = time.perf_counter(), self.now.asked
        whole = self._view.value == "picture"
        image = asked.picture if whole else asked.crop
        self._canvas.show(image, label="", width_px=CANVAS_PX)
        affine = crops.identity() if whole else asked.affine
        box = crops.move_box(affine, asked.example.interaction.box)
        point = crops.move_point(affine, asked.example.interaction.point)
        self._canvas.mode = "interaction" if whole else "point"
        self._canvas.box = [round(side) for side in box]
        self._canvas.clicks = [[round(point.row), round(point.col), 1]]
        self._show_settings()
        self._draw(began)

    def _draw(self, began: float) -> None:
        seen, reading, name = self.now, read(self.now), self._layer.value
        self._seq += 1
        with self._canvas.hold_sync():
            self._canvas.overlay, self._canvas.seq = self._overlay(name), self._seq
            self._canvas.label = words(name, seen, reading)
        self._legend.value = f"<b>{LAYERS[name].title}</b>: {LAYERS[name].legend}"
        ms = 1e3 * (time.perf_counter() - began)
        self._numbers.value = readout(
            rows(reading) | {"network asked": f"{self.n_asked} times"}, self._seq, ms
        )

    def _overlay(self, name: str) -> bytes:
        if self._view.value == "picture":
            return encode_png(on_picture(draw(name, self.now), self.now.asked))
        return encoded(name, self.now)


def _menu(description: str, options: list[Any], css: str) -> widgets.Dropdown:
    return widgets.Dropdown(
        description=description, options=options, style=_STYLE, layout=_FILL
    ).add_class(css)  # fmt: skip


def _inside(point: Point, asked: Asked) -> Point:
    """The nearest pixel of the picture: a crop may reach beyond it."""
    height, width = asked.picture.shape[:2]
    return Point(min(max(point.row, 0.0), height - 1.0), min(max(point.col, 0.0), width - 1.0))
