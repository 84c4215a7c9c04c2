"""The buttons beside the canvas: accept, undo, redo, delete, and from image to image."""

from collections.abc import Callable

from ipywidgets import HTML, Button, HBox, Layout

from openscenes.annotator.screen import correcting
from openscenes.annotator.screen.desk import Desk
from openscenes.study.pages.foreign_text import in_html
from openscenes.widgets.canvas import Gesture

KEYS = (
    ("drag", "box"),
    ("click", "inside"),
    ("Shift-click", "outside"),
    ("a", "accept"),
    ("n", "next image"),
    ("u", "undo"),
    ("r", "redo"),
    ("Delete", "delete"),
    ("Esc", "new object"),
    ("p", "previous"),
    ("t", "next untouched"),
    ("1-9", "class"),
    ("v b e o", "tools"),
    ("o, then clicks", "draw a new outline"),
    ("[ ]", "brush"),
    ("Ctrl-click", "choose an object"),
    ("wheel, + -, 0", "zoom, whole image"),
    ("Space-drag", "move the image"),
    ("h", "hide"),
    ("arrows + Enter", "click without a mouse"),
)
STYLE = """<style>
.os-annotator .jupyter-widgets.widget-html > .widget-html-content { line-height: 1.4 }
.os-classes .os-current { outline: 3px solid currentcolor; outline-offset: -4px }
</style>"""
HELP = (
    f'{STYLE}<div class="os-help" style="line-height:1.7;font-size:90%">'
    + " · ".join(f"<kbd>{key}</kbd> {meaning}" for key, meaning in KEYS)
    + "</div>"
)


def follow(desk: Desk, gesture: Gesture) -> None:
    """Do at the desk what a gesture on its canvas means; InputError if it cannot be done."""
    match gesture["kind"]:
        case "box":
            desk.draw(gesture["box"])
        case "point" if not gesture.get("dragging"):
            desk.point(gesture["row"], gesture["col"])
        case "click":
            desk.correct(gesture["row"], gesture["col"], gesture["sign"])
        case "stroke":
            correcting.paint(desk, gesture)
        case "ring":
            correcting.reform(desk, gesture)
        case "outline":
            correcting.outline(desk, gesture["points"])
        case "sides":
            correcting.resize(desk, gesture["box"])
        case "choose":
            correcting.choose_at(desk, gesture["row"], gesture["col"])
        case "class":
            desk.name_by_key(gesture["number"])
        case kind if kind in _COMMANDS:
            _COMMANDS[kind](desk)


_COMMANDS: dict[str, Callable[[Desk], None]] = {
    "undo": Desk.undo,
    "redo": Desk.redo,
    "clear": Desk.clear,
    "accept": Desk.accept,
    "delete": Desk.delete,
    "next": lambda desk: desk.go(1),
    "previous": lambda desk: desk.go(-1),
    "untouched": Desk.go_untouched,
    "raise": lambda desk: correcting.move_up(desk, 1),
    "lower": lambda desk: correcting.move_up(desk, -1),
}


WIDE = Layout(width="auto", min_width="0")
Acted = Callable[[Callable[..., object]], Callable[..., None]]  # an action as a guarded callback


def button(label: str, name: str, pressed: Callable[[], object], **looks: str) -> Button:
    """A button as wide as its label, found on the page as ``.os-<name>``."""
    made = Button(description=label, layout=Layout(width="auto"), **looks).add_class(f"os-{name}")
    made.on_click(lambda _: pressed())
    return made


class Toolbar:
    """Buttons that follow the desk: what cannot be done now cannot be pressed."""

    def __init__(self, desk: Desk, acted: Acted) -> None:
        """``acted`` turns an action at the desk into a callback that also draws."""
        actions: dict[str, tuple[str, Callable[[], object]]] = {
            "Accept": ("take the mask of the chosen object (key a)", desk.accept),
            "Undo": ("take back this window's last action (key u)", desk.undo),
            "Redo": ("bring it back (key r)", desk.redo),
            "Delete": ("delete the chosen object (Delete)", desk.delete),
            "Previous": ("the image before", lambda: desk.go(-1)),
            "Next": ("the next image (key n)", lambda: desk.go(1)),
        }
        self.buttons = {
            name: button(
                name, name.lower(), acted(action), tooltip=tooltip,
                button_style="primary" if name == "Accept" else "",
            )
            for name, (tooltip, action) in actions.items()
        }  # fmt: skip
        self.progress = HTML().add_class("os-progress")
        self.widget = HBox(list(self.buttons.values()), layout=Layout(flex_flow="row wrap"))

    def show(self, desk: Desk) -> None:
        """Follow the desk."""
        chosen, last = desk.object, len(desk.images) - 1
        name = in_html(desk.facts.path, 200)
        self.progress.value = f"{desk.progress()}<br>{name}"
        off = {
            "Accept": chosen is None or chosen.accepted,
            "Undo": desk.box is None and not desk.annotations.can_undo,
            "Redo": not desk.annotations.can_redo,
            "Delete": chosen is None,
            "Previous": desk.place == 0,
            "Next": desk.place == last,
        }
        for label, disabled in off.items():
            self.buttons[label].disabled = disabled
