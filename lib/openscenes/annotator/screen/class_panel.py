"""The list of classes beside the image: keys, colours, counts, one more, and another name."""

from collections.abc import Callable

from ipywidgets import HTML, Button, HBox, Layout, Text, VBox

from openscenes.annotator.screen.class_colours import UNNAMED, class_colours, ink_on
from openscenes.annotator.screen.classes import N_KEYS
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.screen.toolbar import WIDE, Acted, button
from openscenes.files import one_line
from openscenes.study.pages.foreign_text import NAME, in_html

NONE = "no class"


class ClassPanel:
    """One button per class; a press names the chosen object, and the next ones."""

    def __init__(self, desk: Desk, acted: Acted) -> None:
        """``acted`` turns an action at the desk into a callback that also draws."""
        self.desk, self._acted = desk, acted
        self._drawn: tuple[object, ...] = ()
        self.buttons: dict[str, Button] = {}
        self.list = HBox(
            layout=Layout(flex_flow="row wrap", max_height="112px", overflow="auto")
        ).add_class("os-classes")
        self.field = self._text("another class, then Enter", "class", desk.name)
        self.renamed = self._text("its new name, everywhere", "class-renamed", self._rename)
        self.dropped = button(
            "Remove", "class-dropped", acted(lambda: desk.classes.drop(self.current)),
            tooltip="take the marked class off the list; no object may have it",
        )  # fmt: skip
        self.head = HTML()
        row = HBox([self.field, self.renamed, self.dropped], layout=Layout(flex_flow="row wrap"))
        self.widget = VBox([self.head, self.list, row], layout=WIDE)

    @property
    def current(self) -> str:
        """The class of the chosen object, and without one that of the next; "" for none."""
        chosen = self.desk.object
        return self.desk.classes.label if chosen is None else chosen.class_name or ""

    def show(self) -> None:
        """Follow the desk."""
        names, counts = self.desk.classes.names(), self.desk.classes.counts()
        whose = "The next object's class" if self.desk.object is None else "The object's class"
        self.head.value = f"{whose}: {in_html(self.current or NONE, NAME)}"
        drawn = (names, tuple(counts[name] for name in names), self.current)
        if drawn != self._drawn:
            colours = class_colours(names)
            self.list.children = [
                self._button(number, name, counts[name], colours.get(name, UNNAMED))
                for number, name in enumerate(["", *names])
            ]
            self._drawn = drawn
        for one in (self.renamed, self.dropped):
            one.layout.display = "" if self.current else "none"
        self.dropped.disabled = counts[self.current] > 0

    def _button(self, number: int, name: str, n: int, colour: str) -> Button:
        """The button of a class, made once, so that the focus stays on it."""
        if name not in self.buttons:
            self.buttons[name] = Button(layout=Layout(width="auto", margin="1px"))
            act = self._acted(lambda: self.desk.name(name))
            self.buttons[name].on_click(lambda _: act())
        one = self.buttons[name]
        key = f"{number} " if 1 <= number <= N_KEYS else ""
        one.description = f"{key}{one_line(name, NAME) or NONE}"
        one.tooltip = f"{n} object{'s' * (n != 1)}" + (f"; key {number}" if key else "")
        one.style.button_color, one.style.text_color = colour, ink_on(colour)
        (one.add_class if name == self.current else one.remove_class)("os-current")
        return one

    def _rename(self, typed: str) -> None:
        self.desk.classes.rename(self.current, typed)

    def _text(self, words: str, css: str, told: Callable[[str], object]) -> Text:
        """A field that tells what was typed once, and is empty again."""
        field = Text(placeholder=words, continuous_update=False, layout=Layout(width="190px"))
        act = self._acted(told)

        def typed(change: dict[str, str]) -> None:
            if change["new"].strip():
                act(change["new"])
                field.value = ""

        field.observe(typed, "value")
        return field.add_class(f"os-{css}")
