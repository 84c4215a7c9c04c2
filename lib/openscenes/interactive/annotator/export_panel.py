"""Buttons that write what was accepted: COCO, PASCAL VOC, PNG."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial

from ipywidgets import HTML, Button, HBox, Layout, VBox

from openscenes.interactive.annotator.export import KINDS, Kind, export
from openscenes.interactive.annotator.objects import Annotations
from openscenes.interactive.annotator.workspace import Workspace

WORDS: dict[Kind, tuple[str, str]] = {
    "coco": ("Export COCO", "photographs, run-length codes and polygons in COCO's files"),
    "voc": ("Export VOC", "label maps in the layout of PASCAL VOC"),
    "png": ("Export PNG", "one black and white PNG per object"),
}


class ExportPanel:
    """One button per layout, and a line that says what was written, and where."""

    def __init__(
        self,
        annotations: Annotations,
        workspace: Workspace,
        guarded: Callable[[Callable[..., object]], Callable[..., None]],
    ) -> None:
        """Write into ``<workspace>/exports``; an older export of the same kind is replaced."""
        self.annotations, self.workspace = annotations, workspace
        self.buttons = {kind: self._button(kind, guarded) for kind in KINDS}
        self.report = HTML().add_class("os-export-report")
        row = HBox(list(self.buttons.values()), layout=Layout(flex_flow="row wrap"))
        self.widget = VBox([row, self.report], layout=Layout(width="auto", min_width="0"))

    def _button(
        self, kind: Kind, guarded: Callable[[Callable[..., object]], Callable[..., None]]
    ) -> Button:
        label, tooltip = WORDS[kind]
        button = Button(description=label, tooltip=tooltip, layout=Layout(width="auto"))
        button.add_class(f"os-export-{kind}")
        button.on_click(guarded(partial(self._write, kind)))
        return button

    def _write(self, kind: Kind, _: Button) -> None:
        self.report.value = ""
        self.report.value = html.escape(str(export(self.annotations, self.workspace, kind)))
