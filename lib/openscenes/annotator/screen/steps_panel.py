"""What was done in this window, step by step as the log has it; a press goes back to a step."""

from collections.abc import Callable

from ipywidgets import HTML, Select, VBox

from openscenes.annotator.exchange.exported import class_of
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.screen.toolbar import WIDE
from openscenes.annotator.store.snapshot import Action, Snapshot
from openscenes.files import one_line
from openscenes.study.pages.foreign_text import NAME

MOST_SHOWN = 200
WORDS: dict[Action, str] = {
    "asked": "box and point", "corrected": "click", "accepted": "accepted", "named": "named",
    "deleted": "deleted", "brushed": "brush", "erased": "eraser", "reshaped": "outline",
    "smoothed": "smoothed", "filled": "holes filled", "trimmed": "largest part kept",
    "boxed": "box moved", "raised": "to the front", "lowered": "to the back",
    "drawn": "drawn",
}  # fmt: skip


class StepsPanel:
    """The steps of this window, the newest first; those that were taken back lie above it."""

    def __init__(self, go_to: Callable[[int], object]) -> None:
        """``go_to`` gets how many steps shall be done."""
        self._following = False
        self.list = Select(options=[("nothing yet", 0)], value=0, rows=5, layout=WIDE)
        self.list.add_class("os-steps")
        self.list.observe(lambda change: self._following or go_to(change["new"]), "value")
        self.widget = VBox([HTML("Steps of this window"), self.list], layout=WIDE)

    def show(self, desk: Desk) -> None:
        """Follow the desk."""
        done, undone = desk.annotations.steps()
        lines = [step.after for step in (*done, *reversed(undone))]
        places = {name: f"image {n}" for n, name in enumerate(desk.folder.names, start=1)}
        named = [("the beginning", 0)] + [
            (f"{step_in_words(one)}, {places.get(one.image, one_line(one.image, NAME))}", n)
            for n, one in enumerate(lines, start=1)
        ]
        first = max(0, len(done) - MOST_SHOWN)
        options = tuple(reversed(named[first:]))
        self._following = True
        try:
            if tuple(self.list.options) != options:
                self.list.options = options
            self.list.value = len(done)
        finally:
            self._following = False


def go_to(desk: Desk, n_done: int) -> None:
    """Undo or redo until so many steps of the window are done; what is refused ends it."""
    back, before = len(desk.annotations.steps()[0]) > n_done, -1
    while (now := len(desk.annotations.steps()[0])) not in (n_done, before):
        if (now > n_done) != back:
            return  # a class renamed on several objects is one step
        (desk.undo if back else desk.redo)()
        before = now


def step_in_words(one: Snapshot) -> str:
    """What a line of the log did, and to what."""
    what = WORDS.get(one.action, one.action)
    if one.action == "corrected":
        what += " inside" if one.clicks[-1].sign > 0 else " outside"
    elif one.stroke is not None:
        what += f", {2 * one.stroke.radius:g} px wide"
    return f"{what}: {one_line(class_of(one), NAME)}"
