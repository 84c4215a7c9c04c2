"""What stands above the image: tools, what is seen of it, and corrections of the whole mask."""

from collections.abc import Callable

from ipywidgets import HBox, Layout, ToggleButton, ToggleButtons, VBox, Widget, jslink, link

from openscenes.annotator.screen import correcting
from openscenes.annotator.screen.desk import Desk
from openscenes.annotator.screen.toolbar import WIDE, Acted, button
from openscenes.widgets.canvas import KEYS, Canvas
from openscenes.widgets.controls import Control

TOOLS = {"click": ("Box, click", "v"), "brush": ("Brush", "b"), "eraser": ("Eraser", "e"),
         "polygon": ("Outline", "o")}  # fmt: skip
KEYS_HERE = {
    **KEYS, **{key: f"tool {name}" for name, (_, key) in TOOLS.items()},
    **{str(number): "class" for number in range(1, 10)},
    "[": "radius 0.8", "]": "radius 1.25", "h": "hide", "x": "outside",
    "p": "previous", "t": "untouched", "PageUp": "raise", "PageDown": "lower",
}  # fmt: skip
MASK_BUTTONS: dict[str, tuple[str, str, Callable[[Desk], object]]] = {
    "smooth": ("Smooth", "take spikes and notches off the chosen mask",
               lambda desk: correcting.tidy(desk, "smoothed")),
    "fill": ("Fill holes", "of the chosen mask", lambda desk: correcting.tidy(desk, "filled")),
    "largest": ("Largest part", "keep the chosen mask's largest part alone",
                lambda desk: correcting.tidy(desk, "trimmed")),
    "raise": ("To front", "put the chosen object in front of all others (PageUp)",
              lambda desk: correcting.move_up(desk, 1)),
    "lower": ("To back", "put the chosen object behind all others (PageDown)",
              lambda desk: correcting.move_up(desk, -1)),
}  # fmt: skip


class ToolsPanel:
    """Controls of the canvas, most of which need no kernel; buttons follow the desk."""

    def __init__(self, canvas: Canvas, desk: Desk, acted: Acted) -> None:
        """``acted`` turns an action at the desk into a callback that also draws."""
        self.tool = ToggleButtons(
            options=[(f"{label} ({key})", name) for name, (label, key) in TOOLS.items()],
            value="click", style={"button_width": "auto"},
        ).add_class("os-tool")  # fmt: skip
        self.outside = _toggle(
            "Outside (x)", "outside", "clicks and strokes mean: not the object, as Shift-click does"
        )
        self.hide = _toggle("Hide (h)", "hide", "show the image alone")
        self.radius = _slider("brush px", 8, 0.5, 200, 0.5)
        self.opacity = _slider("opacity", 1, 0, 1, 0.05, digits=2)
        self.contrast = _slider("contrast", 1, 0.5, 3, 0.1)
        self.brightness = _slider("brightness", 1, 0.5, 3, 0.1)
        sliders = [self.radius, self.opacity, self.contrast, self.brightness]
        for name in ("tool", "outside", "hide", "radius", "opacity", "contrast", "brightness"):
            control: Widget = getattr(self, name)
            join = link if name == "tool" else jslink  # what is chosen of several is Python's
            join((control, "value"), (canvas, name))
            control.add_class(f"os-{name}")
        self.buttons = {
            name: button(label, name, acted(lambda do=do: do(desk)), tooltip=tooltip)
            for name, (label, tooltip, do) in MASK_BUTTONS.items()
        }
        rows = [[self.tool, self.outside, self.hide], sliders, [*self.buttons.values()]]
        wrapped = Layout(flex_flow="row wrap", align_items="center")
        self.widget = VBox([HBox(row, layout=wrapped) for row in rows], layout=WIDE)

    def show(self, desk: Desk) -> None:
        """Follow the desk."""
        for one in self.buttons.values():
            one.disabled = desk.object is None


def _slider(
    label: str, value: float, low: float, high: float, step: float, digits: int = 1
) -> Widget:
    made: Widget = Control(label, low, high, step, digits=digits).widget("5.6em", width="192px")
    made.value = value
    return made


def _toggle(label: str, name: str, tooltip: str) -> ToggleButton:
    return ToggleButton(description=label, tooltip=tooltip, layout=Layout(width="auto"))
