"""Menus, sliders and buttons of the interaction explorer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets

from openscenes.lessons.interactions.layers import LAYERS
from openscenes.lessons.interactions.state import Question

CLICK_MAP = "IoU by place of the click"
SLIDERS = ("heat_map_width_px", "margin_px", "widened", "jitter", "draw")
_STYLE = {"description_width": "8.5em"}
_FILL = widgets.Layout(width="auto", min_width="0")
_AUTO = widgets.Layout(width="auto")
_WRAP = widgets.Layout(flex_flow="row wrap")


@dataclass(frozen=True)
class Controls:
    """Everything that can be moved, by name; every widget bears the CSS class ``os-<name>``."""

    network: widgets.Dropdown
    scene: widgets.Dropdown
    thing: widgets.Dropdown
    layer: widgets.Dropdown
    mouse: widgets.ToggleButtons
    opacity: widgets.FloatSlider
    sliders: Mapping[str, widgets.ValueWidget]
    buttons: Mapping[str, widgets.Button]

    def show(self, question: Question) -> None:
        """Bring the sliders to a question's values."""
        for name, slider in self.sliders.items():
            slider.value = getattr(question, name)

    def menus(self) -> widgets.HBox:
        """What is asked about what, in a row that wraps."""
        return widgets.HBox([self.network, self.scene, self.thing], layout=_WRAP)

    def beside(self) -> widgets.VBox:
        """All else, to stand beside the picture."""
        row = widgets.HBox(list(self.buttons.values()), layout=_WRAP)
        parts = [self.mouse, self.layer, self.opacity, *self.sliders.values(), row]
        return widgets.VBox(parts, layout=widgets.Layout(flex="1 1 280px", min_width="0"))


def controls(networks: Sequence[str], scenes: Sequence[str], usual: Question) -> Controls:
    """The controls at the values of a question.

    Args:
        networks, scenes: their names, for the menus.
        usual: how the network was trained to be asked.
    """
    found = Controls(
        network=_menu("network", networks),
        scene=_menu("scene", scenes),
        thing=_menu("object", ()),
        layer=_menu("layer", (*LAYERS, CLICK_MAP)),
        mouse=widgets.ToggleButtons(
            options=[("move the point", "point"), ("draw the box", "interaction")],
            tooltips=["Click or drag; arrow keys and Enter", "Drag, or click two corners"],
            style={"button_width": "9.5em"},
        ),
        opacity=_slider(widgets.FloatSlider, "opacity", 0.0, 1.0, 0.05),
        sliders=_sliders(usual),
        buttons={
            "undo": _button("undo", "One step back; u on the picture"),
            "redo": _button("redo", "One step forth; r on the picture"),
            "reset": _button("as in training", "The simulated user's box and point; Escape"),
            "next": _button("next object", "n on the picture"),
            "map": _button("try 200 clicks", "IoU for a grid of clicks over the box; seconds"),
        },
    )
    found.opacity.value = 1.0
    _name(found)
    return found


def _sliders(usual: Question) -> dict[str, widgets.ValueWidget]:
    width, margin = usual.heat_map_width_px, usual.margin_px
    made: dict[str, widgets.ValueWidget] = {
        "heat_map_width_px": _slider(
            widgets.FloatSlider, f"bumps, px ({width:g})", 1.0, 120.0, 1.0
        ),
        "margin_px": _slider(widgets.FloatSlider, f"margin, px ({margin:g})", 0.0, 90.0, 1.0),
        "widened": _slider(widgets.FloatSlider, "box widened by", -0.4, 1.0, 0.02),
        "jitter": _slider(widgets.FloatSlider, "box jitter", 0.0, 0.4, 0.02),
        "draw": _slider(widgets.IntSlider, "jitter, draw no.", 0, 20, 1),
    }
    return made


def _name(found: Controls) -> None:
    for name in ("network", "scene", "layer", "mouse", "opacity"):
        getattr(found, name).add_class(f"os-{name}")
    found.thing.add_class("os-object")
    for name, widget in (*found.sliders.items(), *found.buttons.items()):
        widget.add_class(f"os-{name.removesuffix('_px').replace('_', '-')}")


def _menu(description: str, options: Iterable[Any]) -> widgets.Dropdown:
    style = {"description_width": "4.5em"}
    return widgets.Dropdown(
        description=description, options=list(options), style=style, layout=_FILL
    )


def _slider(kind: type, description: str, low: float, high: float, step: float) -> Any:
    return kind(
        min=low, max=high, step=step, value=low, description=description, style=_STYLE, layout=_FILL
    )


def _button(description: str, tooltip: str) -> widgets.Button:
    return widgets.Button(description=description, tooltip=tooltip, layout=_AUTO)
