"""From a gesture on the canvas to what it means at the desk, and the line that says the keys."""

from __future__ import annotations

from collections.abc import Callable

from openscenes.interactive.annotator.desk import Desk
from openscenes.interactive.canvas import Gesture

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
    ("arrows + Enter or -", "click without a mouse"),
)
HELP = (
    '<div class="os-help" style="line-height:1.7;font-size:90%">'
    + " · ".join(f"<kbd>{key}</kbd> {meaning}" for key, meaning in KEYS)
    + "</div>"
)


def follow(desk: Desk, gesture: Gesture) -> None:
    """Do at the desk what a gesture on its canvas means.

    Raises:
        InputError: if it cannot be done, in one sentence.
    """
    match gesture["kind"]:
        case "box":
            desk.draw(gesture["box"])
        case "point" if not gesture.get("dragging"):
            desk.point(gesture["row"], gesture["col"])
        case "click":
            desk.correct(gesture["row"], gesture["col"], gesture["sign"])
        case kind if kind in _COMMANDS:
            _COMMANDS[kind](desk)


_COMMANDS: dict[str, Callable[[Desk], None]] = {
    "undo": Desk.undo,
    "redo": Desk.redo,
    "clear": Desk.clear,
    "accept": Desk.accept,
    "delete": Desk.delete,
    "next": lambda desk: desk.go(1),
}
