"""Controls are what fields declare; they report a reader's moves and nothing else."""

from dataclasses import dataclass

import ipywidgets as widgets
import pytest

from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.controls import Control, Controls, buttons, control, controls_of


@dataclass(frozen=True)
class Moved:
    """A state of four values, three of which a reader moves."""

    n_points: int = control("points", 3, low=0, high=9, step=1)
    radius_px: float = control("radius, px", 2.0, low=0.5, high=8.0, step=0.5, digits=1)
    mode: str = control("mode", "b", choices=(("first", "a"), ("second", "b")))
    hidden: int = 0


@pytest.fixture
def moves():
    return []


@pytest.fixture
def controls(moves):
    made = Controls(controls_of(Moved))
    made.show(vars(Moved()))
    made.observe(Callbacks(), lambda name, value: moves.append((name, value)))
    return made


def test_the_kind_of_a_control_follows_from_what_its_field_declares(controls):
    kinds = {name: type(widget) for name, widget in controls.by_name.items()}
    assert kinds == {"n_points": widgets.IntSlider, "radius_px": widgets.FloatSlider,
                     "mode": widgets.Dropdown}  # fmt: skip
    slider = controls["radius_px"]
    assert (slider.min, slider.max, slider.step, slider.value) == (0.5, 8.0, 0.5, 2.0)
    assert slider.readout_format == ".1f" and slider.description == "radius, px"
    assert "os-points" in controls["n_points"]._dom_classes
    assert "os-radius" in slider._dom_classes


def test_powers_are_of_ten_and_choices_may_be_slid_over():
    log = Control("temperature", -1.0, 3.0, 0.05, powers=True).widget()
    log.value = 1000.0
    assert (type(log), log.value) == (widgets.FloatLogSlider, 1000.0)
    sizes = Control("objects", choices=(10, 50), step=1, source="Sec. 4").widget()
    assert (type(sizes), sizes.value, sizes.tooltip) == (widgets.SelectionSlider, 10, "Sec. 4")


def test_moves_are_reported_by_name_and_what_python_shows_is_not(controls, moves):
    controls["n_points"].value = 5
    controls["mode"].value = "a"
    assert moves == [("n_points", 5), ("mode", "a")]
    controls.show(vars(Moved(n_points=7)))
    assert controls["n_points"].value == 7 and controls["mode"].value == "b"
    controls.offer("mode", ("c", "d"), "d")
    assert controls["mode"].value == "d" and len(moves) == 2


def test_a_button_does_its_own_action_and_bears_its_name(moves):
    made = buttons(Callbacks(), {
        name: (name, "tip", lambda name=name: moves.append(name)) for name in ("undo", "next_pair")
    }, "os-pair-")  # fmt: skip
    made["undo"].click()
    made["next_pair"].click()
    assert moves == ["undo", "next_pair"]
    assert "os-pair-next-pair" in made["next_pair"]._dom_classes
