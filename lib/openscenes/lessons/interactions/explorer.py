"""The interaction explorer: move the point or the box, and watch what the network makes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import numpy as np

from openscenes.data.examples import Example
from openscenes.data.records import Box, Interaction, Point
from openscenes.errors import InputError
from openscenes.lessons.interactions.answers import Answer, answer
from openscenes.lessons.interactions.controls import CLICK_MAP, SLIDERS, controls
from openscenes.lessons.interactions.layers import LAYERS, answer_tiles, channel_tiles, sheet
from openscenes.lessons.interactions.maps import ClickMap, click_map
from openscenes.lessons.interactions.state import (
    Question,
    read_subject,
    usual_question,
    with_box,
    with_point,
)
from openscenes.lessons.interactions.words import legend, numbers, spoken, spoken_tiles
from openscenes.networks.openscene import OpenSceneNet
from openscenes.study.runs.data import Study
from openscenes.widgets import overlays
from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.canvas import Canvas
from openscenes.widgets.history import History
from openscenes.widgets.readout import readout

CANVAS_PX, SHEET_PX, SHEET_COLUMNS = 416, 640, 5


def interaction_explorer(
    study: Study,
    networks: Mapping[str, OpenSceneNet],
    objects: Mapping[str, Sequence[Example]],
    first: Example | None = None,
) -> widgets.VBox:
    """The widget of lesson 1.

    Args:
        study: where the pictures are.
        networks: by the name that the menu shows.
        objects: labelled objects by scene.
        first: which of them is shown first.
    """
    return InteractionExplorer(study, networks, objects, first).widget


class InteractionExplorer:
    """One object, one question, its answer, and the controls that change the question.

    Attributes:
        widget: what a cell shows.
        answer: what the network makes of the present question.
    """

    answer: Answer

    def __init__(
        self,
        study: Study,
        networks: Mapping[str, OpenSceneNet],
        objects: Mapping[str, Sequence[Example]],
        first: Example | None = None,
    ) -> None:
        self._study, self._networks, self._objects = study, networks, objects
        self._callbacks, self._seq, self._quiet, self._n_drags = Callbacks(), 0, False, 0
        self._map: ClickMap | None = None
        self._canvas, self._tiles = Canvas(mode="point"), Canvas().add_class("os-tiles")
        self._numbers = widgets.HTML().add_class("os-numbers")
        self._legend = widgets.HTML().add_class("os-legend")
        scene, number = _place_of(objects, first)
        usual = usual_question(study, objects[scene][number])
        self._controls = controls(list(networks), list(objects), usual)
        self._controls.scene.value = scene
        self._offer_objects(number)
        self._put_up()
        self._connect()
        self.widget = self._laid_out()

    @property
    def question(self) -> Question:
        """What the network is asked now."""
        return self._history.now

    # ---- parts ----
    def _connect(self) -> None:
        guarded, parts = self._callbacks.guarded, self._controls
        parts.network.observe(guarded(lambda _: self._ask()), "value")
        parts.scene.observe(guarded(lambda _: self._offer_objects(0)), "value")
        parts.thing.observe(guarded(lambda _: self._put_up()), "value")
        parts.layer.observe(guarded(lambda _: self._draw(time.perf_counter())), "value")
        parts.mouse.observe(guarded(self._take_up), "value")
        for name in SLIDERS:
            parts.sliders[name].observe(guarded(self._mover(name)), "value")
        actions = {
            "undo": self._undo, "redo": self._redo, "reset": self._reset, "next": self._next,
            "map": self._try_clicks,
        }  # fmt: skip
        for name, button in parts.buttons.items():
            button.on_click(guarded(lambda _, action=actions[name]: action()))
        self._canvas.observe(guarded(self._gestured), "gesture")
        widgets.jslink((parts.opacity, "value"), (self._canvas, "opacity"))

    def _laid_out(self) -> widgets.VBox:
        wrapped = widgets.Layout(flex_flow="row wrap", align_items="flex-start")
        left = widgets.VBox(
            [self._canvas, self._legend, self._numbers],
            layout=widgets.Layout(flex="0 0 auto", max_width="100%", margin="0 12px 0 0"),
        )
        body = widgets.HBox([left, self._controls.beside()], layout=wrapped)
        parts = [self._controls.menus(), body, self._tiles, self._callbacks.shown]
        return widgets.VBox(parts).add_class("os-interaction-explorer")

    # ---- which object ----
    def _offer_objects(self, number: int) -> None:
        """Fill the menu with the scene's objects and go to one of them."""
        examples, menu = self._objects[self._controls.scene.value], self._controls.thing
        names = [
            (f"{i + 1}: {read_subject(self._study, example).name}", i)
            for i, example in enumerate(examples)
        ]
        self._quiet = True
        menu.options, menu.value = names, number
        self._quiet = False
        if hasattr(self, "_history"):
            self._put_up()

    def _next(self) -> None:
        menu = self._controls.thing
        menu.value = (menu.value + 1) % len(menu.options)

    def _put_up(self) -> None:
        """Show the object of the menus, asked as in training; its history begins anew."""
        if self._quiet:
            return
        example = self._objects[self._controls.scene.value][self._controls.thing.value]
        self._subject = read_subject(self._study, example)
        self._history: History[Question] = History(usual_question(self._study, example))
        self._canvas.show(self._subject.image, label="", width_px=CANVAS_PX)
        self._ask()

    # ---- the question ----
    def _gestured(self, change: Mapping[str, Any]) -> None:
        gesture = change["new"]
        kind, now = gesture["kind"], self.question
        if kind in ("point", "click"):
            if gesture["sign"] < 0:
                raise InputError("IOG takes one point inside the object: click without Shift.")
            point = Point(float(gesture["row"]), float(gesture["col"]))
            self._move_point(point, bool(gesture.get("dragging")))
        elif kind == "box":
            self._go_on(with_box(now, Box(*map(float, gesture["box"]))), "")
        else:
            actions = {
                "undo": self._undo, "redo": self._redo, "clear": self._reset, "next": self._next
            }  # fmt: skip
            actions.get(kind, self._ask)()

    def _move_point(self, point: Point, dragging: bool) -> None:
        """All of one drag is one step of the history."""
        self._go_on(with_point(self.question, point), f"drag {self._n_drags}", keep_map=True)
        self._n_drags += not dragging

    def _mover(self, name: str) -> Callable[[Mapping[str, Any]], None]:
        def moved(change: Mapping[str, Any]) -> None:
            if not self._quiet:
                self._go_on(replace(self.question, **{name: change["new"]}), name)

        return moved

    def _reset(self) -> None:
        self._go_on(usual_question(self._study, self._subject.example), "")

    def _go_on(self, question: Question, control: str, *, keep_map: bool = False) -> None:
        if question != self.question:
            self._history.put(question, control)
        self._ask(keep_map=keep_map)

    def _undo(self) -> None:
        self._history.back()
        self._ask()

    def _redo(self) -> None:
        self._history.forward()
        self._ask()

    def _take_up(self, change: Mapping[str, Any]) -> None:
        """What the mouse does from now on; Python's marks are painted again."""
        self._canvas.mode = change["new"]

    # ---- the answer ----
    @property
    def _network(self) -> OpenSceneNet:
        return self._networks[self._controls.network.value]

    def _ask(self, *, keep_map: bool = False) -> None:
        began = time.perf_counter()
        self._show_sliders()
        self.answer = answer(self._study, self._network, self._subject, self.question)
        if not keep_map:
            self._map = None
        self._draw(began)

    def _try_clicks(self) -> None:
        """Ask about a grid of clicks, and show the map until something else than the click moves.

        A click map for another box or network would be a wrong picture.
        """
        began = time.perf_counter()
        self._map = click_map(self._study, self._network, self._subject, self.question)
        self._quiet, self._controls.layer.value = True, CLICK_MAP
        self._quiet = False
        self._draw(began)

    def _show_sliders(self) -> None:
        """Sliders follow the question, without being taken for the reader's hand."""
        self._quiet = True
        self._controls.show(self.question)
        self._quiet = False

    def _layer(self) -> np.ndarray:
        name = self._controls.layer.value
        if name == CLICK_MAP and self._map is not None:
            scores = self._map.in_image(self._subject.shape)
            return overlays.heat(_stretched(scores))
        return LAYERS.get(name, LAYERS["picture alone"])(self._subject, self.answer)

    def _draw(self, began: float) -> None:
        if self._quiet:
            return
        found, self._seq = self.answer, self._seq + 1
        with self._canvas.hold_sync():
            self._canvas.overlay = overlays.encode_png(self._layer())
            self._canvas.box, self._canvas.clicks = _marks(found.interaction)
            self._canvas.label, self._canvas.seq = spoken(self._subject, found), self._seq
        self._legend.value = legend(self._controls.layer.value)
        self._draw_tiles()
        ms = 1e3 * (time.perf_counter() - began)
        self._numbers.value = readout(self._rows(), self._seq, ms)

    def _draw_tiles(self) -> None:
        threshold = self._study.profile.inference.threshold
        tiles = channel_tiles(self.answer) | answer_tiles(self.answer, threshold)
        page = sheet(tiles, SHEET_COLUMNS, SHEET_PX)
        with self._tiles.hold_sync():
            if self._tiles.size != [page.shape[1], page.shape[0]]:
                self._tiles.show(page, label="", width_px=SHEET_PX)
            self._tiles.image, self._tiles.seq = overlays.encode_jpeg(page), self._seq
            self._tiles.label = spoken_tiles(list(tiles), self.answer)

    def _rows(self) -> dict[str, str]:
        rows = numbers(self._subject, self.answer)
        if self._map is not None:
            rows["elsewhere"] = self._map.words()
        elif self._controls.layer.value == CLICK_MAP:
            rows["elsewhere"] = 'press "try 200 clicks" for this box and network'
        return rows


def _marks(interaction: Interaction) -> tuple[list[int], list[list[int]]]:
    """Box and click as the canvas marks them."""
    point = interaction.point
    return [round(side) for side in interaction.box], [[round(point.row), round(point.col), 1]]


def _stretched(scores: np.ndarray) -> np.ndarray:
    """Scores from their lowest to their highest, so that differences are seen."""
    low, high = np.nanmin(scores), np.nanmax(scores)
    return (scores - low) / max(float(high - low), 0.01)


def _place_of(objects: Mapping[str, Sequence[Example]], first: Example | None) -> tuple[str, int]:
    """Scene and number of an object; the very first where none is asked for."""
    for scene, examples in objects.items():
        for number, example in enumerate(examples):
            if first is None or example.object_id == first.object_id:
                return scene, number
    raise InputError(
        f"object {'of any scene' if first is None else first.object_id} is not among the objects "
        "to explore; pass it in one of the lists"
    )
