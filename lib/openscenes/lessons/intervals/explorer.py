"""The interval explorer: what a study of so many objects and seeds would have found."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from ipywidgets import HTML, Layout
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.typing import NDArray

from openscenes.lessons.intervals.interval_figures import (
    draw_studies,
    studies_frame,
    studies_limits,
    studies_words,
)
from openscenes.lessons.intervals.sampling import (
    SimulatedStudies,
    StudyDesign,
    Values,
    simulate_studies,
    spread,
)
from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.canvas import canvas
from openscenes.widgets.controls import Control, Controls, column, controls_of, row
from openscenes.widgets.overlays import encode_png
from openscenes.widgets.readout import readout

WIDTH_PX, DPI, MOST_FRAMES = 600, 100, 16


class IntervalExplorer:
    """Simulated studies with their intervals; ``widget`` is what a cell shows.

    Args:
        worlds: name -> (n_seeds, n_objects) measured differences in points, to draw from.
    """

    def __init__(self, worlds: Mapping[str, Values], design: StudyDesign | None = None) -> None:
        self.worlds, self.design = worlds, design or StudyDesign()
        self.callbacks, self._painter = Callbacks(), StudiesPainter()
        declared = {"world": Control("differences of", choices=list(worlds))}
        self.controls = Controls(
            declared | controls_of(StudyDesign), "os-interval-", "7.5em",
            flex="1 1 22em", max_width="30em", align_self="center",
        )  # fmt: skip
        self.controls.show(vars(self.design))
        self.controls.observe(self.callbacks, self._moved)
        self.numbers = HTML(layout=Layout(flex="1 1 0", min_width="260px"))
        self.canvas = canvas(np.full((2, 2, 3), 255, np.uint8), label="", width_px=WIDTH_PX)
        world, *sliders = self.controls.by_name.values()
        parts = [
            world,
            row(*sliders),
            row(self.canvas.add_class("os-interval-image"), self.numbers),
        ]
        self.widget = column(*parts, self.callbacks.shown).add_class("os-interval")
        self._draw(self.design)

    def _moved(self, name: str, value: Any) -> None:
        changed = {} if name == "world" else {name: value}
        self._draw(replace(self.design, **changed))

    def _draw(self, design: StudyDesign) -> None:
        began, world = time.monotonic(), self.worlds[self.controls["world"].value]
        self.studies = simulate_studies(world, design)
        self.design = design
        drawn = self._painter.painted(self.studies)
        self.canvas.paint(
            image=encode_png(drawn),
            size=[drawn.shape[1], drawn.shape[0]],
            label=studies_words(self.studies),
        )
        ms = 1000 * (time.monotonic() - began)
        self.numbers.value = readout(_numbers(self.studies, world), self.canvas.seq, ms)


class StudiesPainter:
    """``studies_figure`` as pixels, three times as fast: axes of equal limits are drawn once."""

    def __init__(self) -> None:
        self._frame_of = lru_cache(MOST_FRAMES)(_drawn_frame)

    def painted(self, studies: SimulatedStudies) -> NDArray[np.uint8]:
        """(H, W, 4) uint8 RGBA."""
        agg, ground = self._frame_of(studies_limits(studies), len(studies.mean))
        agg.restore_region(ground)
        panel = agg.figure.axes[0]
        for artist in draw_studies(panel, studies):
            panel.draw_artist(artist)
            artist.remove()
        return np.asarray(agg.buffer_rgba()).copy()


def _drawn_frame(limits: tuple[float, float], n_studies: int) -> tuple[FigureCanvasAgg, Any]:
    figure = studies_frame(limits, n_studies)
    figure.set_dpi(DPI)
    agg = FigureCanvasAgg(figure)
    agg.draw()
    return agg, agg.copy_from_bbox(figure.bbox)


def _numbers(studies: SimulatedStudies, world: Values) -> dict[str, str]:
    measured = spread(world)
    rows = {
        "leave out zero": f"{studies.power:.0%}",
        "hold the truth": f"{studies.coverage:.0%}",
        "mean width of an interval": f"{studies.width:.2f} points",
        "measured spread over objects": f"{measured.objects:.2f} points",
        "measured spread over seeds": f"{measured.seeds:.2f} points",
    }
    if studies.design.difference:
        needed = measured.objects_needed(studies.design.difference)
        rows["objects for 80 % power, seeds ignored"] = f"{needed:,.0f}"
    return rows
