"""The objects of the photograph in a list: go back to one, name it, begin a new one."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial

from ipywidgets import HTML, Button, Combobox, HBox, Layout, Select, VBox

from openscenes.annotator.exchange.export import KINDS, Kind, export
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.screen.drawing import LEGEND
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.snapshot import Snapshot
from openscenes.annotator.store.workspace import Workspace

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


NEW = ""  # the value of the list's first line
WIDE = Layout(width="auto", min_width="0")
UNNAMED = "object"


class ObjectPanel:
    """List and name field; both follow the desk, and tell it what the user chose or typed."""

    def __init__(
        self, choose: Callable[[str | None], object], name: Callable[[str], object]
    ) -> None:
        """``choose`` gets an object's id or None, ``name`` a class name."""
        self._choose, self._name, self._following = choose, name, False
        self.list = Select(options=[("a new object", NEW)], value=NEW, rows=6, layout=WIDE)
        self.list.add_class("os-objects")
        self.class_name = Combobox(
            placeholder="class of the chosen object (optional)",
            ensure_option=False, continuous_update=False, layout=WIDE,
        ).add_class("os-class")  # fmt: skip
        self.list.observe(self._chosen, "value")
        self.class_name.observe(self._named, "value")
        head = HTML("<b>Objects of this photograph</b>")
        self.widget = VBox([head, self.list, HTML(_legend()), self.class_name], layout=WIDE)

    def show(self, desk: Desk) -> None:
        """Follow the desk."""
        self._following = True
        try:
            lines = [(_line(number, one), one.object_id)
                     for number, one in enumerate(desk.objects, start=1)]  # fmt: skip
            chosen, options = desk.object, (("a new object", NEW), *lines)
            if tuple(self.list.options) != options:
                self.list.options = options
            self.list.value = NEW if chosen is None else chosen.object_id
            self.class_name.options = tuple(desk.names())
            self.class_name.value = (chosen.class_name or "") if chosen else ""
            self.class_name.disabled = chosen is None
        finally:
            self._following = False

    def _chosen(self, change: dict[str, str]) -> None:
        if not self._following:
            self._choose(change["new"] or None)

    def _named(self, change: dict[str, str]) -> None:
        if not self._following:
            self._name(change["new"])


def _line(number: int, one: Snapshot) -> str:
    n = len(one.clicks)
    state = "accepted" if one.accepted else "not accepted"
    name = one.class_name or UNNAMED
    return f"{number}. {name}, {n} click{'' if n == 1 else 's'}, {state}"


def _legend() -> str:
    parts = [
        f'<span style="white-space:nowrap"><span style="display:inline-block;width:0.8em;'
        f'height:0.8em;background:{colour};border:1px solid #000"></span> '
        f"{html.escape(name)}</span>"
        for colour, name in LEGEND
    ]
    return f'<div style="font-size:90%;line-height:1.5">{" &nbsp; ".join(parts)}</div>'
