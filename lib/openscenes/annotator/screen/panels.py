"""Lists and buttons beside the image: its objects with their classes, exports and imports."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ipywidgets import HTML, FileUpload, HBox, Layout, Select, Text, VBox

from openscenes.amounts import amount
from openscenes.annotator.exchange.export import Kind, export
from openscenes.annotator.exchange.exported import class_of
from openscenes.annotator.exchange.imports import import_objects
from openscenes.annotator.screen.background import Progress, reported
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.screen.drawing import LEGEND, clicks_of
from openscenes.annotator.screen.toolbar import WIDE, Acted, button
from openscenes.annotator.store.objects import Annotations
from openscenes.annotator.store.workspace import Workspace
from openscenes.files import one_line
from openscenes.study.pages.foreign_text import NAME, in_html

WORDS: dict[Kind, tuple[str, str]] = {
    "coco": ("Export COCO", "images, run-length codes and polygons in COCO's files"),
    "voc": ("Export VOC", "label maps in the layout of PASCAL VOC"),
    "png": ("Export PNG", "one black and white PNG per object"),
    "labelme": ("Export labelme", "polygons in labelme's JSON files, beside copies of the images"),
    "yolo": ("Export YOLO", "segments to train YOLO with: images, labels, data.yaml"),
}


IMPORTED = (
    "Undo takes no import back: choose an object that is not wanted in its image's list, and "
    "press Delete, which Undo does take back."
)


class ExportPanel:
    """One button per layout, two to import, and a line that says what was written or added."""

    def __init__(self, desk: Desk, acted: Acted) -> None:
        """Write into ``<workspace>/exports``; an older export of the same kind is replaced."""
        self.desk, self.annotations, self.workspace = desk, desk.annotations, desk.workspace
        self.buttons = {
            kind: button(label, f"export-{kind}", acted(partial(self._export, kind)), tooltip=tip)
            for kind, (label, tip) in WORDS.items()
        }
        self.source = Text(placeholder="path of an export, or of COCO or VOC files")
        self.source.add_class("os-import-source")
        tip = "masks as accepted; into boxes the model draws masks, which wait to be accepted"
        self.importing = button("Import", "import", acted(self._import), tooltip=tip)
        self.upload = FileUpload(
            accept=".json,.xml", multiple=True, description="Import files", tooltip=tip,
            layout=Layout(width="auto"),
        ).add_class("os-import-files")  # fmt: skip
        take = acted(self._take)
        self.upload.observe(lambda change: change["new"] and take(change["new"]), "value")
        self.report = HTML().add_class("os-export-report")
        parts = [*self.buttons.values(), self.upload, self.source, self.importing]
        row = HBox(parts, layout=Layout(flex_flow="row wrap"))
        self.widget = VBox([row, self.report], layout=WIDE)

    def _export(self, kind: Kind) -> None:
        self._say(f"Export {kind}", export, kind)

    def _import(self) -> None:
        self._say("Import", self._imported, self.source.value, IMPORTED)

    def _imported(self, annotations: Annotations, workspace: Workspace, source: str) -> object:
        return import_objects(annotations, workspace, source, lambda: self.desk.session)

    def _take(self, files: Sequence[Mapping[str, Any]]) -> None:
        """Files from the browser: one of COCO, or VOC's."""
        self.upload.value = ()
        with TemporaryDirectory() as scratch:
            for number, file in enumerate(files):
                name = f"{number}{Path(str(file['name'])).suffix.lower()}"
                (Path(scratch) / name).write_bytes(bytes(file["content"]))
            alone = len(files) == 1
            self._say("Import", self._imported, f"{scratch}/{name}" if alone else scratch, IMPORTED)

    def _say(self, doing: str, what: Callable[..., object], given: str, then: str = "") -> None:
        """Do it while its progress is shown, then show its report; as before where it fails."""

        def progressed(said: Progress) -> None:
            so_far = f", {said.done} of {said.total}" if said.total else ""
            self.report.value = in_html(f"{doing}: {said.label}{so_far}")

        shown = self.report.value
        self.report.value = in_html(f"{doing} ...")
        try:
            with reported(progressed):
                shown = in_html(f"{what(self.annotations, self.workspace, given)} {then}")
        finally:
            self.report.value = shown


MOST_LINES = 12  # of what is left out
NEW = ""  # the value of the list's first line


class ObjectPanel:
    """The image's objects; the list follows the desk, and tells it what the user chose."""

    def __init__(self, choose: Callable[[str | None], object]) -> None:
        """``choose`` gets an object's id or None."""
        self._following = False
        self.list = Select(options=[("a new object", NEW)], value=NEW, rows=6, layout=WIDE)
        self.list.add_class("os-objects")
        self.list.observe(self._told(lambda chosen: choose(chosen or None)), "value")
        head = HTML("Objects of this image")
        self.widget = VBox([head, self.list, HTML(_legend())], layout=WIDE)

    def show(self, desk: Desk) -> None:
        """Follow the desk."""
        self._following = True
        try:
            lines = [(f"{number}. {one_line(class_of(one), NAME)}, {clicks_of(one)}", one.object_id)
                     for number, one in enumerate(desk.objects, start=1)]  # fmt: skip
            chosen, options = desk.object, (("a new object", NEW), *lines)
            if tuple(self.list.options) != options:
                self.list.options = options
            self.list.value = NEW if chosen is None else chosen.object_id
        finally:
            self._following = False

    def _told(self, tell: Callable[[str], object]) -> Callable[[dict[str, str]], None]:
        """Report what the user changed, and nothing that follows the desk."""

        def changed(change: dict[str, str]) -> None:
            if not self._following:
                tell(change["new"])

        return changed


class LeftOutPanel:
    """What of the folder is not shown, and a button for an image that was replaced or edited."""

    def __init__(self, take_for_same: Callable[..., object]) -> None:
        """``take_for_same`` puts the objects of the former content onto the image."""
        self.list, self.sentence = HTML().add_class("os-left-out"), HTML()
        self.take = button("Take it for the same image", "take-for-same", take_for_same)
        own = Layout(width="auto", min_width="0")  # it is hidden at times, others are not
        self.former = VBox([self.sentence, self.take], layout=own)
        self.widget = VBox([self.list, self.former], layout=WIDE)

    def show(self, desk: Desk) -> None:
        """Follow the desk."""
        n, name = desk.n_left_behind, one_line(desk.facts.path, NAME)
        self.list.value = left_out_list(desk)
        self.sentence.value = in_html(
            f"{amount(n, 'object', 'were')} made on other content of {name}: it was replaced or "
            "edited since."
        ) if n else ""  # fmt: skip
        self.former.layout.display = "flex" if n else "none"


def left_out_list(desk: Desk) -> str:
    """What of the folder is not shown, and why, as HTML; empty where nothing is left out."""
    lines = [f"left out: {name} ({why})" for name, why in desk.folder.why().items()]
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"left out: {len(lines) - MOST_LINES} more"]
    said = [line for line in (desk.workspace.read_only, desk.misfits) if line]
    items = "".join(f"<li>{in_html(line, 400)}</li>" for line in [*said, *lines])
    style = "line-height:1.3;font-size:90%;margin:0;padding-left:1.2em"
    return f'<ul style="{style}">{items}</ul>' if items else ""


def _legend() -> str:
    parts = [
        f'<span style="white-space:nowrap"><span style="display:inline-block;width:0.8em;'
        f'height:0.8em;background:{colour};border:1px solid #000"></span> '
        f"{name}</span>"
        for colour, name in LEGEND
    ]
    said = f"without a class: {' &nbsp; '.join(parts)}"
    return f'<div style="font-size:90%;line-height:1.5">{said}</div>'
