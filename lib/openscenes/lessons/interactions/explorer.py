"""The interaction explorer: move the point or the box, and see the network's mask change."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np

from openscenes.data.examples import Example
from openscenes.data.records import Box, Point
from openscenes.errors import InputError
from openscenes.lessons.interactions import layers
from openscenes.lessons.interactions.click_maps import ClickMap, click_map
from openscenes.lessons.interactions.segmentation import Segmentation, Training, segment
from openscenes.lessons.interactions.user_inputs import (
    UserInput,
    name_of,
    read_subject,
    usual_input,
    with_box,
    with_point,
)
from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.runs.data import Study
from openscenes.widgets import overlays
from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.canvas import Canvas, marks
from openscenes.widgets.controls import (
    Control,
    Controls,
    buttons,
    column,
    controls_of,
    opacity_of,
    row,
)
from openscenes.widgets.history import History
from openscenes.widgets.readout import caption, readout

CANVAS_PX, SHEET_PX, SHEET_COLUMNS = 416, 640, 5


class InteractionExplorer:
    """One object, one user input, its segmentation, and controls; ``widget`` is what a cell shows.

    Args:
        networks: by the name that the menu shows.
        objects: labelled objects by scene; ``first`` is one of them.
    """

    segmentation: Segmentation
    _history: History[UserInput]

    def __init__(
        self,
        study: Study,
        networks: Mapping[str, OpenSceneNet],
        objects: Mapping[str, Sequence[Example]],
        first: Example | None = None,
    ) -> None:
        self._study, self._networks, self._objects = study, networks, objects
        self._callbacks, self._n_drags = Callbacks(), 0
        self._map: ClickMap | None = None
        self._canvas, self._tiles = Canvas(mode="point"), Canvas().add_class("os-tiles")
        self._legend = widgets.HTML().add_class("os-legend")
        self._numbers = widgets.HTML().add_class("os-numbers")
        scene, number = _place_of(objects, first)
        self._make_controls(scene, number)
        self._put_up(number)
        self._canvas.observe(self._callbacks.guarded(self._gestured), "gesture")
        self.widget = self._laid_out().add_class("os-interaction-explorer")

    @property
    def user_input(self) -> UserInput:
        """What the network is given now."""
        return self._history.now

    def _make_controls(self, scene: str, number: int) -> None:
        self._menus = Controls({
            "network": Control("network", choices=list(self._networks)),
            "scene": Control("scene", choices=list(self._objects)),
            "object": Control("object", choices=()),
            "layer": Control("layer", choices=[*layers.LAYERS, layers.CLICK_MAP]),
        }, label_width="4.5em")  # fmt: skip
        self._menus["scene"].value = scene
        self._offer_objects(number)
        self._menus.observe(self._callbacks, self._menu_moved)
        self._mouse = widgets.ToggleButtons(
            options=[("move the point", "point"), ("draw the box", "interaction")],
            tooltips=["Click or drag; arrow keys and Enter", "Drag, or click two corners"],
            style={"button_width": "9.5em"},
        ).add_class("os-mouse")
        self._mouse.observe(self._callbacks.guarded(self._mouse_moved), "value")
        self._sliders = Controls(controls_of(UserInput))
        for name in ("heat_map_width_px", "margin_px"):
            usual = getattr(usual_input(self._study, self._objects[scene][number]), name)
            self._sliders[name].description += f" ({usual:g})"
        self._sliders.observe(self._callbacks, self._slider_moved)
        self._buttons = buttons(self._callbacks, {
            "undo": ("undo", "One step back; u on the image", partial(self._step, "back")),
            "redo": ("redo", "One step forth; r on the image", partial(self._step, "forward")),
            "reset": ("as in training", "The simulated user's box and point; Escape", self._reset),
            "next": ("next object", "n on the image", self._next),
            "map": ("try 200 clicks", "IoU for a grid of clicks over the box", self._try_clicks),
        })  # fmt: skip

    def _laid_out(self) -> widgets.VBox:
        left = column(
            self._canvas, self._legend, self._numbers, flex="0 0 auto", margin="0 12px 0 0"
        )
        side = column(
            self._mouse, self._menus["layer"], opacity_of(self._canvas),
            *self._sliders.by_name.values(), row(*self._buttons.values()),
            flex="1 1 280px", min_width="0",
        )  # fmt: skip
        menus = row(*self._menus.named("network", "scene", "object"))
        return column(menus, row(left, side), self._tiles, self._callbacks.shown)

    # ---- which object ----
    def _menu_moved(self, name: str, _value: Any) -> None:
        if name == "layer":
            self._draw(time.perf_counter())
        elif name == "network":
            self._segment()
        else:
            self._put_up(0 if name == "scene" else self._menus["object"].value)
        if name == "scene":
            self._offer_objects(0)

    def _offer_objects(self, number: int) -> None:
        """Fill the menu with the scene's objects."""
        examples = self._objects[self._menus["scene"].value]
        names = [(f"{i + 1}: {name_of(example)}", i) for i, example in enumerate(examples)]
        self._menus.offer("object", names, number)

    def _next(self) -> None:
        menu = self._menus["object"]
        menu.value = (menu.value + 1) % len(menu.options)

    def _put_up(self, number: int) -> None:
        """Show an object of the scene with its usual input; its history begins anew."""
        began = time.perf_counter()
        example = self._objects[self._menus["scene"].value][number]
        subject, usual = read_subject(self._study, example), usual_input(self._study, example)
        found = segment(self._training, subject, usual)
        self._subject, self._history = subject, History(usual)
        self._canvas.show(subject.image, label="", width_px=CANVAS_PX)
        self._show(found, began)

    # ---- the user's input ----
    def _gestured(self, change: Mapping[str, Any]) -> None:
        gesture = change["new"]
        kind = gesture["kind"]
        if kind in ("point", "click"):
            if gesture["sign"] < 0:
                raise InputError("IOG takes one point inside the object: click without Shift.")
            point = Point(float(gesture["row"]), float(gesture["col"]))
            self._go_on(with_point(self.user_input, point), f"drag {self._n_drags}", keep_map=True)
            self._n_drags += not gesture.get("dragging")  # one drag is one step of the history
        elif kind == "box":
            self._go_on(with_box(self.user_input, Box(*map(float, gesture["box"]))), "")
        else:
            actions: dict[str, Callable[[], None]] = {
                "undo": partial(self._step, "back"), "redo": partial(self._step, "forward"),
                "clear": self._reset, "next": self._next,
            }  # fmt: skip
            actions.get(kind, self._segment)()

    def _slider_moved(self, name: str, value: Any) -> None:
        self._go_on(replace(self.user_input, **{name: value}), name)

    def _mouse_moved(self, change: Mapping[str, Any]) -> None:
        self._canvas.mode = change["new"]

    def _reset(self) -> None:
        self._go_on(usual_input(self._study, self._subject.example), "")

    def _go_on(self, user_input: UserInput, control: str, *, keep_map: bool = False) -> None:
        began, found = time.perf_counter(), segment(self._training, self._subject, user_input)
        if user_input != self.user_input:
            self._history.put(user_input, control)
        self._show(found, began, keep_map=keep_map)

    def _step(self, way: str) -> None:
        began, wanted = time.perf_counter(), self._history.beside(way)
        found = segment(self._training, self._subject, wanted)
        getattr(self._history, way)()
        self._show(found, began)

    # ---- the segmentation ----
    @property
    def _training(self) -> Training:
        return Training(self._study, self._networks[self._menus["network"].value])

    def _segment(self) -> None:
        self._go_on(self.user_input, "")

    def _show(self, found: Segmentation, began: float, *, keep_map: bool = False) -> None:
        """A click map holds for one box and network: it goes when anything but the click moves."""
        self.segmentation = found
        self._sliders.show(vars(self.user_input))
        if not keep_map:
            self._map = None
        self._draw(began)

    def _try_clicks(self) -> None:
        began = time.perf_counter()
        self._map = click_map(self._training, self._subject, self.user_input)
        self._menus.show({"layer": layers.CLICK_MAP})
        self._draw(began)

    def _layer(self) -> np.ndarray:
        name = self._menus["layer"].value
        if name == layers.CLICK_MAP and self._map is not None:
            scores = self._map.in_image(self._subject.shape)
            low, high = np.nanmin(scores), np.nanmax(scores)
            return overlays.heat((scores - low) / max(float(high - low), 0.01))
        return layers.LAYERS.get(name, layers.LAYERS["image alone"])(
            self._subject, self.segmentation
        )

    def _draw(self, began: float) -> None:
        found, name = self.segmentation, self._menus["layer"].value
        self._canvas.paint(
            overlay=overlays.encode_png(self._layer()),
            label=layers.spoken(self._subject, found),
            **marks(found.interaction),
        )
        self._legend.value = caption(name, layers.LEGENDS.get(name, layers.HEAT_LEGEND))
        self._draw_tiles()
        ms = 1e3 * (time.perf_counter() - began)
        self._numbers.value = readout(self._rows(), self._canvas.seq, ms)

    def _draw_tiles(self) -> None:
        threshold = self._study.profile.inference.threshold
        tiles = layers.channel_tiles(self.segmentation) | layers.output_tiles(
            self.segmentation, threshold
        )
        page = layers.sheet(tiles, SHEET_COLUMNS, SHEET_PX)
        if self._tiles.size != [page.shape[1], page.shape[0]]:
            self._tiles.show(page, label="", width_px=SHEET_PX)
        label = layers.spoken_tiles(tiles, self.segmentation)
        self._tiles.paint(image=overlays.encode_jpeg(page), label=label)

    def _rows(self) -> dict[str, str]:
        rows = layers.numbers(self._subject, self.segmentation)
        if self._map is not None:
            rows["elsewhere"] = self._map.words()
        elif self._menus["layer"].value == layers.CLICK_MAP:
            rows["elsewhere"] = 'press "try 200 clicks" for this box and network'
        return rows


def _place_of(objects: Mapping[str, Sequence[Example]], first: Example | None) -> tuple[str, int]:
    """Scene and number of an object; the very first if None."""
    for scene, examples in objects.items():
        for number, example in enumerate(examples):
            if first is None or example.object_id == first.object_id:
                return scene, number
    raise InputError(
        f"object {'of any scene' if first is None else first.object_id} is not among the objects "
        "to explore; pass it in one of the lists"
    )
