"""The annotator: one call shows it, and after a restart of the kernel shows it again."""

import time
from collections.abc import Callable
from typing import Any

from ipywidgets import HTML, HBox, Layout, VBox

from openscenes.annotator.evolve.opening import LateStudy
from openscenes.annotator.evolve.session import session_at_once, session_in_use, session_of
from openscenes.annotator.screen.class_panel import ClassPanel
from openscenes.annotator.screen.correcting import outlines
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.screen.drawing import (
    ObjectPainter,
    Part,
    alternative,
    marks,
    next_step,
)
from openscenes.annotator.screen.evolve_panel import EvolvePanel
from openscenes.annotator.screen.image_panel import ImagePanel
from openscenes.annotator.screen.panels import ExportPanel, LeftOutPanel, ObjectPanel
from openscenes.annotator.screen.steps_panel import StepsPanel, go_to
from openscenes.annotator.screen.toolbar import HELP, WIDE, Toolbar, follow
from openscenes.annotator.screen.tools_panel import KEYS_HERE, ToolsPanel
from openscenes.annotator.store.log import Log
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.versions import Version, Versions
from openscenes.annotator.store.windows import window_at
from openscenes.annotator.store.workspace import Workspace, open_workspace
from openscenes.errors import OpenScenesError
from openscenes.settings import folder_parameter, text_parameter
from openscenes.study.pages.foreign_text import in_html
from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.canvas import Canvas
from openscenes.widgets.readout import readout


def annotator(
    folder: str, *, workspace: str = "", profile: str = "demo", data: str = "", device: str = "auto"
) -> VBox:
    """The annotator of a folder of images, as a widget; arguments as in ``annotate.ipynb``.

    It answers at once; what Evolve needs is prepared meanwhile. Nothing goes over the network.

    Raises:
        InputError: if there is no image, or the workspace cannot be used.
    """
    kept = text_parameter("workspace", workspace) or None
    opened = open_workspace(folder_parameter("folder", folder), kept)
    return Annotator(LateStudy(profile, data, device), opened).widget


class Annotator:
    """Everything behind ``widget``, which is to be shown."""

    def __init__(self, study: LateStudy, workspace: Workspace) -> None:
        """Open log and version; a log with damaged lines is read as far as it goes, and said."""
        self.workspace, self.device = workspace, study.device
        self.callbacks, self.versions = Callbacks(), Versions(workspace.folder)
        annotations = Annotations(Log(workspace.log_path), window_at(workspace.folder))
        session = session_at_once(workspace, study.device) or session_in_use(study(), workspace)
        self.desk = Desk(workspace, annotations, session)
        self.painter, self.detail_painter, acted = ObjectPainter(), ObjectPainter(), self._acted
        self.canvas = Canvas(mode="interaction", main=True, gesture_of_key=KEYS_HERE)
        self._lay()
        self.tools = ToolsPanel(self.canvas, self.desk, acted)
        self.steps = StepsPanel(acted(lambda n_done: go_to(self.desk, n_done)))
        self.toolbar = Toolbar(self.desk, acted)
        self.objects = ObjectPanel(acted(self.desk.choose))
        self.classes, self.images = ClassPanel(self.desk, acted), ImagePanel(self.desk, acted)
        self.exports = ExportPanel(self.desk, acted)
        self.evolving = EvolvePanel(workspace, annotations, self.callbacks, self.loaded)
        self.hint = HTML().add_class("os-hint")
        self.readout = HTML().add_class("os-readout-box")
        self.notice = HTML(in_html(annotations.log.complaint())).add_class("os-notice")
        self.left_out = LeftOutPanel(acted(lambda: self.desk.take_for_same()))
        self.canvas.observe(acted(lambda change: follow(self.desk, change["new"])), "gesture")
        self.canvas.observe(acted(lambda _: None), "tool")
        self.canvas.observe(self.callbacks.guarded(lambda _: self._draw_detail()), "view")
        self.widget = self._assembled()
        self.draw(0.0)
        self.evolving.open(study)

    def draw(self, seconds: float) -> None:
        """Show the desk as it is; ``seconds`` is how long the action took so far."""
        desk, start = self.desk, time.perf_counter()
        if desk.displayed is not self._laid:
            self._lay()
        layer, (box, clicks) = self.painter.overlay(desk), marks(desk)
        tool = self.canvas.tool
        part = Part.seen(self.canvas.view, desk.displayed.shape)
        detail = self.detail_painter.overlay(desk, part) if part else b""
        with self.canvas.hold_sync():
            self.canvas.overlay, self.canvas.box, self.canvas.clicks = layer, box, clicks
            self.canvas.detail_overlay = detail
            self.canvas.rings = outlines(desk) if tool == "polygon" else []
            self.canvas.label, self.canvas.seq = alternative(desk, tool), self.canvas.seq + 1
        self.left_out.show(desk)
        self.objects.show(desk)
        self.classes.show()
        self.images.show()
        self.toolbar.show(desk)
        self.tools.show(desk)
        self.steps.show(desk)
        self.hint.value = in_html(next_step(desk, tool))
        ms = 1000 * (seconds + time.perf_counter() - start)
        self.readout.value = readout(self._facts(), self.canvas.seq, ms)

    def _lay(self) -> None:
        """Put up the desk's image."""
        self._laid = shown = self.desk.displayed
        self.canvas.show(shown.pixels, label="", size=shown.shape)

    def _draw_detail(self) -> None:
        """Give the canvas what is zoomed into, as finely as it is seen."""
        part = Part.seen(self.canvas.view, self.desk.displayed.shape)
        with self.canvas.hold_sync():
            self.canvas.detail_box = list(part.window) if part else []
            self.canvas.detail = part.image(self.desk) if part else b""
            overlay = self.detail_painter.overlay(self.desk, part) if part else b""
            self.canvas.detail_overlay = overlay

    def take_up(self) -> None:
        """Predict with the version in use from now on, if another window has taken up another.

        One that cannot be read keeps nobody from working: the version before answers on.
        """
        label = self.desk.session.label
        try:
            current = self.versions.current()
            if current is not None and current.name != label:
                self.loaded(current)()
        except OpenScenesError as error:
            said = f"The version in use cannot be read, so {self.versions.title(label)} answers on"
            said = f"{said}: {error}"
            self.notice.value = in_html(said)

    def loaded(self, version: Version) -> Callable[[], None]:
        """Read a version's weights; what is returned predicts with it from then on."""
        if version.name == self.desk.session.label:
            return lambda: None
        session = session_of(version, self.device)

        def use() -> None:
            self.desk.use(session)
            self.notice.value = in_html(f"From now on {self.versions.title(version.name)} answers.")

        return use

    def _acted(self, action: Callable[..., object]) -> Callable[..., None]:
        """An action of the user as a callback: catch up with other windows, act, draw."""

        def whole(*arguments: Any) -> None:
            start, n_accepted = time.perf_counter(), self.desk.n_accepted()
            try:
                self.desk.refresh()
                self.take_up()
                action(*arguments)
            finally:
                self.draw(time.perf_counter() - start)
                if self.desk.n_accepted() != n_accepted:
                    self.evolving.show()

        return self.callbacks.guarded(whole)

    def _facts(self) -> dict[str, str]:
        desk = self.desk
        title = self.versions.title(desk.session.label)
        rows = {"model": "of the repository" if title == desk.session.label else title}
        if desk.object is not None:
            share = 100 * desk.mask_of(desk.object).mean()
            rows["mask"] = f"{share:.1f} % of the image"
        if desk.prediction is not None:
            rows["confidence"] = f"{desk.prediction.confidence:.2f}"
            rows["model's time"] = f"{1000 * desk.prediction.seconds:.0f} ms"
        return rows

    def _assembled(self) -> VBox:
        side = VBox(
            [self.toolbar.progress, self.hint, self.callbacks.shown, self.toolbar.widget,
             self.objects.widget, self.classes.widget, self.steps.widget, self.readout,
             self.notice, self.left_out.widget],
            layout=Layout(flex="1 1 220px", min_width="0", padding="0 0 0 12px"),
        )  # fmt: skip
        wrapping = Layout(flex_flow="row wrap", align_items="flex-start")
        wide = Layout(flex="4 1 440px", min_width="0")
        left = VBox([self.tools.widget, self.canvas, self.images.widget], layout=wide)
        top = HBox([left, side], layout=wrapping)
        below = [HTML(HELP), self.exports.widget, self.evolving.widget]
        return VBox([top, *below], layout=WIDE).add_class("os-annotator")
