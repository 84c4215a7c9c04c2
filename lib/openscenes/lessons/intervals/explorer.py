"""The interval explorer: what a study of so many objects and seeds would have told."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from ipywidgets import HTML, Box, Dropdown, FloatSlider, IntSlider, Layout, SelectionSlider, VBox
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.typing import NDArray

from openscenes.lessons.intervals.figures import (
    draw_studies,
    studies_frame,
    studies_limits,
    studies_words,
)
from openscenes.lessons.intervals.state import SIZES, Plan, Studies, Values, imagined, spread
from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.canvas import canvas
from openscenes.widgets.overlays import encode_png
from openscenes.widgets.readout import readout

WIDTH_PX, DPI = 600, 100
MOST_SEEDS, MOST_POINTS, MOST_FRAMES = 10, 3.0, 16
STYLE = {"description_width": "7.5em"}
WIDE = Layout(width="30em", max_width="100%")
NARROW = Layout(flex="1 1 22em", width="auto", max_width="28em", align_self="center")


def interval_explorer(worlds: Mapping[str, Values], plan: Plan | None = None) -> VBox:
    """Imagined studies with their intervals, redrawn as the plan of the study is changed.

    Args:
        worlds: name -> (n_seeds, n_objects) measured differences in points, to draw from.
        plan: where to begin.
    """
    return IntervalExplorer(worlds, plan or Plan()).widget


class IntervalExplorer:
    """The widget with its parts; ``studies`` is what it shows."""

    def __init__(self, worlds: Mapping[str, Values], plan: Plan) -> None:
        self.worlds, self.callbacks, self._painter = worlds, Callbacks(), Painter()
        self.world = Dropdown(options=list(worlds), description="differences of",
                              style=STYLE, layout=WIDE)  # fmt: skip
        self.objects = SelectionSlider(
            options=SIZES, value=plan.n_objects, description="objects", style=STYLE, layout=NARROW
        )
        self.seeds = IntSlider(
            plan.n_seeds, 1, MOST_SEEDS, description="seeds", style=STYLE, layout=NARROW
        )
        self.difference = FloatSlider(
            plan.difference, min=-MOST_POINTS, max=MOST_POINTS, step=0.25,
            description="true difference", style=STYLE, layout=NARROW,
        )  # fmt: skip
        self.numbers = HTML(layout=Layout(flex="1 1 0", min_width="260px"))
        self.picture = canvas(np.full((2, 2, 3), 255, np.uint8), label="", width_px=WIDTH_PX)
        self.widget = self._laid_out()
        for control in self._controls():
            control.observe(self.callbacks.guarded(self._planned), "value")
        self._planned(None)

    def _controls(self) -> dict[Dropdown | SelectionSlider | IntSlider | FloatSlider, str]:
        return {self.world: "world", self.objects: "objects", self.seeds: "seeds",
                self.difference: "difference"}  # fmt: skip

    def _laid_out(self) -> VBox:
        for control, name in self._controls().items():
            control.add_class(f"os-interval-{name}")
        wrapped = Layout(flex_flow="row wrap", width="100%")
        rows = [
            self.world,
            Box([self.objects, self.seeds, self.difference], layout=wrapped),
            Box([self.picture.add_class("os-interval-picture"), self.numbers], layout=wrapped),
        ]
        return VBox([*rows, self.callbacks.shown]).add_class("os-interval")

    def _planned(self, _change: object) -> None:
        began = time.monotonic()
        world = self.worlds[self.world.value]
        plan = Plan(self.objects.value, self.seeds.value, self.difference.value)
        self.studies = imagined(world, plan)
        drawn = self._painter.painted(self.studies)
        with self.picture.hold_sync():
            height, width = drawn.shape[:2]
            self.picture.image, self.picture.size = encode_png(drawn), [width, height]
            self.picture.label = studies_words(self.studies)
            self.picture.seq += 1
        ms = 1000 * (time.monotonic() - began)
        self.numbers.value = readout(_numbers(self.studies, world), self.picture.seq, ms)


class Painter:
    """Pixels of ``studies_figure`` for one plan after another, in a third of the time.

    Ours: axes and legend are drawn once for all plans with the same limits.
    """

    def __init__(self) -> None:
        self._frame_of = lru_cache(MOST_FRAMES)(_drawn_frame)

    def painted(self, studies: Studies) -> NDArray[np.uint8]:
        """(H, W, 4) uint8 RGBA."""
        agg, ground = self._frame_of(studies_limits(studies), len(studies.mean))
        agg.restore_region(ground)
        panel = agg.figure.axes[0]
        for artist in draw_studies(panel, studies):
            panel.draw_artist(artist)
            artist.remove()
        return np.asarray(agg.buffer_rgba()).copy()


def _drawn_frame(limits: tuple[float, float], n_studies: int) -> tuple[FigureCanvasAgg, Any]:
    """A frame on its canvas, and its pixels."""
    figure = studies_frame(limits, n_studies)
    figure.set_dpi(DPI)
    agg = FigureCanvasAgg(figure)
    agg.draw()
    return agg, agg.copy_from_bbox(figure.bbox)


def _numbers(studies: Studies, world: Values) -> dict[str, str]:
    measured = spread(world)
    rows = {
        "leave out zero": f"{studies.power:.0%}",
        "hold the truth": f"{studies.coverage:.0%}",
        "mean width of an interval": f"{studies.width:.2f} points",
        "measured spread over objects": f"{measured.objects:.2f} points",
        "measured spread over seeds": f"{measured.seeds:.2f} points",
    }
    if studies.plan.difference:
        needed = measured.objects_needed(studies.plan.difference)
        rows["objects for 80 %, were seeds no matter"] = f"{needed:,.0f}"
    return rows
