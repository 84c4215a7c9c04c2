"""Sliders and fields of the prototype explorer, one for each setting of IPT that can be moved."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets

from openscenes.lessons.prototypes.state import Settings

_WIDE = widgets.Layout(width="auto", min_width="0")
_STYLE = {"description_width": "9.5em"}


def controls(settings: Settings) -> dict[str, widgets.ValueWidget]:
    """A control for each setting, by the setting's name, at the settings' values.

    Ours: pixels are those of a 512 crop, as in the paper, and scale with the crop.
    """
    made: dict[str, widgets.ValueWidget] = {
        "alpha": _share("α, weight of center"),
        "beta": _share("β, weight of edge"),
        "m": _share("m, of global's k"),
        "n": _share("n, of merged's k"),
        "center_points": _whole("center points x", 0, 50),
        "center_radius_px": _slider(
            widgets.FloatSlider, "their radius, px", min=0.0, max=128.0, step=1.0,
            readout_format=".0f",
        ),
        "kernel_px": _whole("kernel, px", 1, 31, step=2),
        "iterations": _whole("iterations", 0, 20),
        "temperature": _slider(
            widgets.FloatLogSlider, "temperature", base=10, min=-1.0, max=3.0, step=0.05,
            readout_format=".2f",
        ),
        "feature": _field("F", [("fourth stage (paper)", "layer4"), ("decoder", "decoder")]),
        "background": _field(
            "c̄ averages", [("all but Q (paper)", "complement"), ("outside M_p", "outside_coarse")]
        ),
        "edge": _field("edge", [("what erosion takes", "boundary"), ("what it leaves", "inner")]),
        "fusion": _field("mask by", [("vote", "vote"), ("weighted sum", "weighted_sum")]),
    }  # fmt: skip
    for name, control in made.items():
        control.add_class(f"os-{name.replace('_', '-')}")
    show(made, settings)
    return made


def show(made: Mapping[str, widgets.ValueWidget], settings: Settings) -> None:
    """Bring every control to the settings' values."""
    for name, control in made.items():
        control.value = settings.feature if name == "feature" else getattr(settings.ipt, name)


def _share(description: str) -> widgets.FloatSlider:
    return _slider(widgets.FloatSlider, description, min=0.0, max=1.0, step=0.01)


def _whole(description: str, low: int, high: int, step: int = 1) -> widgets.IntSlider:
    return _slider(widgets.IntSlider, description, min=low, max=high, step=step)


def _slider(kind: type, description: str, **limits: object) -> widgets.ValueWidget:
    return kind(description=description, style=_STYLE, layout=_WIDE, **limits)


def _field(description: str, options: list[tuple[str, str]]) -> widgets.Dropdown:
    return widgets.Dropdown(
        description=description, options=options, style=_STYLE, layout=_WIDE
    )  # fmt: skip
