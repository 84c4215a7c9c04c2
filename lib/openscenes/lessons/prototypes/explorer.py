"""The prototype explorer: every map and number of IPT on one object, as settings are moved.

The network runs when an object is chosen, clicked or boxed, and at no other time.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as widgets

from openscenes.data import crops
from openscenes.data.examples import Example
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError
from openscenes.lessons.interactions.user_inputs import inside
from openscenes.lessons.prototypes.layers import LAYERS, draw, encoded, on_image, words
from openscenes.lessons.prototypes.objects import name_of, predict_object, reclicked
from openscenes.lessons.prototypes.refinement import (
    RefinedObject,
    Settings,
    measure,
    refine_object,
    rows,
    with_value,
)
from openscenes.method.ipt import IPTConfig
from openscenes.settings import sources
from openscenes.study.plan.on_demand import n_objects_evenly
from openscenes.study.runs.data import Study, validation, with_others
from openscenes.study.runs.models import Model
from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.canvas import Canvas, after, marks
from openscenes.widgets.controls import Control, Controls, buttons, column, opacity_of, row
from openscenes.widgets.history import History
from openscenes.widgets.overlays import encode_png
from openscenes.widgets.readout import caption, readout

CANVAS_PX = 400  # beside its sliders in a window of 900 px
SCENES = ("voc", "cityscapes", "coco")
SETTINGS = {  # pixels are those of a 512 crop, and scale with the crop
    "alpha": Control("α, weight of center", step=0.01),
    "beta": Control("β, weight of edge", step=0.01),
    "m": Control("m, of global's k", step=0.01),
    "n": Control("n, of merged's k", step=0.01),
    "center_points": Control("center points x", 0, 50, 1),
    "center_radius_px": Control("their radius, px", 0.0, 128.0, 1.0, digits=0),
    "kernel_px": Control("kernel, px", 1, 31, 2),
    "iterations": Control("iterations", 0, 20, 1),
    "temperature": Control("temperature", -1.0, 3.0, 0.05, powers=True),
    "feature": Control("F", choices=(("fourth stage (paper)", "layer4"), ("decoder", "decoder"))),
    "background": Control(
        "c̄ averages",
        choices=(("all but Q (paper)", "complement"), ("outside M_p", "outside_coarse")),
    ),
    "edge": Control(
        "edge", choices=(("what erosion takes", "boundary"), ("what it leaves", "inner"))
    ),
    "fusion": Control("mask by", choices=(("vote", "vote"), ("weighted sum", "weighted_sum"))),
}


def objects_to_explore(study: Study, n_each: int = 12) -> dict[str, list[Example]]:
    """Validation objects of the three scenes, evenly from each list, by scene."""
    return {name: n_objects_evenly(with_others(validation(study, name)), n_each) for name in SCENES}


class PrototypeExplorer:
    """Canvas, menus, sliders and numbers around one object; ``widget`` is what a cell shows."""

    def __init__(
        self,
        study: Study,
        model: Model,
        objects: Mapping[str, Sequence[Example]],
        settings: Settings | None = None,
    ) -> None:
        self._study, self._model, self._objects = study, model, objects
        self._settings = settings or Settings(IPTConfig())
        self._callbacks, self.n_predictions = Callbacks(), 0
        self._canvas, self._legend = Canvas(), widgets.HTML().add_class("os-legend")
        self._numbers = widgets.HTML().add_class("os-numbers")
        self._make_controls()
        self._choose(0)
        self._canvas.observe(self._callbacks.guarded(self._gestured), "gesture")
        self.widget = self._laid_out().add_class("os-prototype-explorer")

    @property
    def now(self) -> RefinedObject:
        """What is shown."""
        return self._history.now

    def _make_controls(self) -> None:
        layers = [(layer.title, name) for name, layer in LAYERS.items()]
        self._menus = Controls({
            "scene": Control("scene", choices=list(self._objects)),
            "object": Control("object", choices=()), "layer": Control("layer", choices=layers),
        }, label_width="4.5em")  # fmt: skip
        self._menus["layer"].value = "merged"
        self._offer_objects()
        self._menus.observe(self._callbacks, self._menu_moved)
        self._view = widgets.ToggleButtons(
            options=[("crop: move the point", "crop"), ("image: new box", "image")],
            style={"button_width": "13.5em"},
        ).add_class("os-view")
        self._view.observe(self._callbacks.guarded(lambda _: self._put_up()), "value")
        known = sources(IPTConfig)
        self._controls = Controls(
            {name: replace(c, source=known.get(name, "")) for name, c in SETTINGS.items()},
            label_width="9.5em",
        )
        self._controls.observe(self._callbacks, self._setting_moved)
        profile = self._study.profile
        own = Settings(profile.ipt, profile.inference.feature)
        printed = partial(self._move, Settings(IPTConfig()), "")
        self._buttons = buttons(self._callbacks, {
            "undo": ("undo", "One step back; u on the image", partial(self._step, "back")),
            "redo": ("redo", "One step forth; r on the image", partial(self._step, "forward")),
            "as_printed": ("as printed", "The paper's settings", printed),
            "as_in_table_4": (
                "as in Table 4", "The settings of this study", partial(self._move, own, "")
            ),
        })  # fmt: skip

    def _laid_out(self) -> widgets.VBox:
        left = column(
            self._view, self._canvas, self._legend, self._numbers,
            flex="0 0 auto", margin="0 12px 0 0",
        )  # fmt: skip
        side = column(
            self._menus["layer"], opacity_of(self._canvas), *self._controls.by_name.values(),
            row(*self._buttons.values()), flex="1 1 280px", min_width="0",
        )  # fmt: skip
        menus = row(*self._menus.named("scene", "object"))
        return column(menus, row(left, side), self._callbacks.shown)

    # ---- which object ----
    def _menu_moved(self, name: str, _value: Any) -> None:
        if name == "layer":
            return self._draw(time.perf_counter())
        self._choose(0 if name == "scene" else self._menus["object"].value)
        if name == "scene":
            self._offer_objects()

    def _offer_objects(self) -> None:
        examples = self._objects[self._menus["scene"].value]
        names = [(name_of(example), number) for number, example in enumerate(examples)]
        self._menus.offer("object", names, 0)

    def _choose(self, number: int) -> None:
        """Predict an object of the scene; its history begins anew, settings stay."""
        example = self._objects[self._menus["scene"].value][number]
        self._history = History(self._predicted(example))
        self._put_up()

    def _predicted(self, example: Example) -> RefinedObject:
        predicted = predict_object(self._study, self._model, example)
        self.n_predictions += 1
        return refine_object(predicted, self._settings)

    # ---- clicks ----
    def _gestured(self, change: Mapping[str, Any]) -> None:
        gesture = change["new"]
        kind = gesture["kind"]
        if kind in ("undo", "redo"):
            return self._step("back" if kind == "undo" else "forward")
        if kind in ("point", "click") and not gesture.get("dragging"):
            self._clicked(gesture)
        elif kind in ("box", "clear") and self._view.value == "image":
            self._canvas.box, self._canvas.clicks = after(gesture, (), ())
            self._canvas.overlay = b""
            self._legend.value = "Drag a box around an object, then click inside it."

    def _clicked(self, gesture: Mapping[str, Any]) -> None:
        """Predict again with the point that was clicked, and with the box where one was drawn."""
        if gesture["sign"] < 0:
            raise InputError(
                "Prototypes come from one point inside the object: click without Shift."
            )
        now, point = self.now.predicted, Point(float(gesture["row"]), float(gesture["col"]))
        box = now.example.interaction.box
        if self._view.value == "image" and self._canvas.box:
            box = Box(*map(float, self._canvas.box))
        else:
            point = inside(crops.move_point(crops.invert(now.affine), point), now.image.shape)
        example = reclicked(self._study, now.example, box, point)
        self._history.put(self._predicted(example), "")
        self._put_up()

    # ---- settings ----
    def _setting_moved(self, name: str, value: Any) -> None:
        self._move(with_value(self._settings, name, value), name)

    def _move(self, settings: Settings, control: str) -> None:
        """Refine the same prediction with other settings: the network does not run."""
        began = time.perf_counter()
        self._history.put(refine_object(self.now.predicted, settings, self.now), control)
        self._show_settings()
        self._draw(began)

    def _step(self, way: str) -> None:
        getattr(self._history, way)()
        self._put_up()

    def _show_settings(self) -> None:
        self._settings = self.now.settings
        self._controls.show(vars(self._settings.ipt) | {"feature": self._settings.feature})

    # ---- what is shown ----
    def _put_up(self) -> None:
        """Show the crop or the image of the present object, with its box and point."""
        began, predicted = time.perf_counter(), self.now.predicted
        whole = self._view.value == "image"
        image = predicted.image if whole else predicted.crop
        affine = crops.identity() if whole else predicted.affine
        given = predicted.example.interaction
        moved = Interaction(
            crops.move_box(affine, given.box), crops.move_point(affine, given.point)
        )
        self._canvas.show(image, label="", width_px=CANVAS_PX)
        self._canvas.mode = "interaction" if whole else "point"
        self._canvas.box, self._canvas.clicks = marks(moved).values()
        self._show_settings()
        self._draw(began)

    def _draw(self, began: float) -> None:
        name, measures = self._menus["layer"].value, measure(self.now)
        if self._view.value == "image":
            overlay = encode_png(on_image(draw(name, self.now), self.now.predicted))
        else:
            overlay = encoded(name, self.now)
        self._canvas.paint(overlay=overlay, label=words(name, self.now, measures))
        self._legend.value = caption(LAYERS[name].title, LAYERS[name].legend)
        ms = 1e3 * (time.perf_counter() - began)
        runs = {"predictions": str(self.n_predictions)}
        self._numbers.value = readout(rows(measures) | runs, self._canvas.seq, ms)
