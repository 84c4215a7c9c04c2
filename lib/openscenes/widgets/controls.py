"""Sliders, menus and buttons of an explorer, made from what the fields of its state declare."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

import ipywidgets as widgets

from openscenes.errors import OpenScenesError
from openscenes.widgets.callbacks import Callbacks

WRAPPED = {"flex_flow": "row wrap", "align_items": "flex-start"}


@dataclass(frozen=True)
class Control:
    """How a reader moves one value: a menu where there are choices, else a slider.

    Attributes:
        label: beside the control; units in it.
        low, high, step: of a slider, which is a whole number's where all three are.
        powers: low, high and step are exponents of ten.
        choices: values, or (words, value) each; with ``step`` a slider over them.
        digits: behind the point.
        source: where the value comes from, shown under the mouse.
    """

    label: str
    low: float = 0
    high: float = 1
    step: float = 0
    powers: bool = False
    choices: Sequence[Any] | None = None
    digits: int = 2
    source: str = ""

    def widget(self, label_width: str = "8.5em", **layout: str) -> Any:
        """The control, its label as wide as ``label_width``."""
        named: dict[str, Any] = {
            "description": self.label,
            "tooltip": self.source,
            "style": {"description_width": label_width},
            "layout": widgets.Layout(**({"width": "auto", "min_width": "0"} | layout)),
        }
        if self.choices is not None:
            kind = widgets.SelectionSlider if self.step else widgets.Dropdown
            return kind(options=list(self.choices), **named)
        named |= {"min": self.low, "max": self.high, "step": self.step}
        if all(isinstance(value, int) for value in (self.low, self.high, self.step)):
            return widgets.IntSlider(value=self.low, **named)
        kind = widgets.FloatLogSlider if self.powers else widgets.FloatSlider
        value = 10.0**self.low if self.powers else self.low
        return kind(value=value, readout_format=f".{self.digits}f", **named)


def control(label: str, default: Any = MISSING, **how: Any) -> Any:
    """A dataclass field that a reader may move; ``how`` are the other attributes of ``Control``."""
    return field(default=default, metadata={"control": Control(label, **how)})


def controls_of(state: Any) -> dict[str, Control]:
    """The controls that a dataclass declares, by field, in their order."""
    return {f.name: f.metadata["control"] for f in fields(state) if "control" in f.metadata}


class Controls:
    """Controls by name, which report what a reader moves and nothing that Python sets.

    Every widget bears a CSS class: the prefix and its name, without "n_" and "_px".
    """

    def __init__(
        self,
        parts: Mapping[str, Control],
        prefix: str = "os-",
        label_width: str = "8.5em",
        **layout: str,
    ) -> None:
        self.by_name = {name: part.widget(label_width, **layout) for name, part in parts.items()}
        self._quiet = False
        for name, widget in self.by_name.items():
            widget.add_class(prefix + css_name(name))

    def __getitem__(self, name: str) -> Any:
        """A control by its name."""
        return self.by_name[name]

    def named(self, *names: str) -> list[Any]:
        """Some controls, in this order."""
        return [self.by_name[name] for name in names]

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Nothing that moves in here is reported."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def show(self, values: Mapping[str, Any]) -> None:
        """Bring controls to the values of their names; other values are left out."""
        with self.quiet():
            for name in self.by_name.keys() & values.keys():
                self[name].value = values[name]

    def offer(self, name: str, choices: Sequence[Any], value: Any) -> None:
        """Fill a menu anew."""
        with self.quiet():
            self[name].options = list(choices)
            self[name].value = value

    def observe(self, callbacks: Callbacks, moved: Callable[[str, Any], object]) -> None:
        """Call ``moved`` with a control's name and value when it is moved; undo what is refused."""

        def reporting(name: str) -> Callable[[Mapping[str, Any]], None]:
            def report(change: Mapping[str, Any]) -> None:
                if self._quiet:
                    return
                try:
                    moved(name, change["new"])
                except OpenScenesError:
                    self.show({name: change["old"]})
                    raise

            return report

        for name, widget in self.by_name.items():
            widget.observe(callbacks.guarded(reporting(name)), "value")


Action = tuple[str, str, Callable[[], object]]  # words, tooltip, what it does


def buttons(
    callbacks: Callbacks, actions: Mapping[str, Action], prefix: str = "os-"
) -> dict[str, widgets.Button]:
    """Buttons by name; each bears a CSS class as controls do."""
    made = {}
    for name, (words, tooltip, action) in actions.items():
        layout = widgets.Layout(width="auto")
        made[name] = widgets.Button(description=words, tooltip=tooltip, layout=layout)
        made[name].on_click(callbacks.guarded(lambda _, action=action: action()))
        made[name].add_class(prefix + css_name(name))
    return made


def css_name(name: str) -> str:
    """A control's name as the end of its CSS class."""
    return name.removeprefix("n_").removesuffix("_px").replace("_", "-")


def row(*parts: widgets.Widget) -> widgets.HBox:
    """Widgets beside each other, in as many lines as they need."""
    return widgets.HBox(parts, layout=widgets.Layout(**WRAPPED))


def column(*parts: widgets.Widget, **layout: str) -> widgets.VBox:
    """Widgets below each other, no wider than the page."""
    return widgets.VBox(parts, layout=widgets.Layout(**({"max_width": "100%"} | layout)))


def opacity_of(canvas: widgets.Widget) -> widgets.FloatSlider:
    """A slider for how much a canvas shows of its overlay, which needs no kernel."""
    made = Control("opacity", step=0.05).widget()
    made.value = 1.0
    widgets.jslink((made, "value"), (canvas, "opacity"))
    return made.add_class("os-opacity")
