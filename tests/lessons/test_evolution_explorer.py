"""The scrubber's images and numbers follow its controls; figures draw the same layers."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from openscenes.data.examples import Example
from openscenes.data.records import Box, Interaction, ObjectRecord, Point
from openscenes.errors import DataError
from openscenes.lessons.evolution import evolution_figures
from openscenes.lessons.evolution.explorer import EvolutionExplorer
from openscenes.lessons.evolution.scrubber import ObjectChoice, ObjectView, Panel
from openscenes.lessons.evolution.sequences import FORGOTTEN, GAINED
from openscenes.study.experiments import table_7
from openscenes.study.figures.palette import PALETTE

SIDE = 12
SCORES = {"long": np.array([[0.8, 0.5], [0.6, 0.5], [0.3, 0.9]]),
          "short": np.array([[0.8, 0.5], [0.7, 0.4]])}  # fmt: skip
INTERACTION = Interaction(Box(2, 2, 8, 8), Point(4, 4))


class Scripted:
    """Two objects: the mask grows by a column at each step of each sequence."""

    def __init__(self):
        self.sequences, self.broken = {"long": (1, 2, 3), "short": (1, 2)}, False

    def scores(self, name, where):
        return SCORES[name]

    def examples(self, where):
        return range(2)

    def view(self, choice):
        if self.broken:
            raise RuntimeError("the network is gone")
        truth = np.zeros((SIDE, SIDE), bool)
        truth[2:8, 2:8] = True
        record = ObjectRecord("s", "i", str(choice.rank), "bus", Box(2, 2, 8, 8), 36, None, None)
        example = Example(f"{choice.where}:{choice.rank}", None, INTERACTION, record)
        panels = tuple(self.panel(name, choice, truth) for name in choice.sequences)
        image = np.full((SIDE, SIDE, 3), 40, np.uint8)
        return ObjectView(choice, example, image, truth, ~truth & False, INTERACTION, panels, 2)

    def panel(self, name, choice, truth):
        mask = None
        if choice.time < len(self.sequences[name]):
            mask = truth.copy()
            mask[2:8, 8 : 8 + choice.time] = True
        return Panel(name, mask, 100 * SCORES[name][:, choice.rank])


@pytest.fixture
def explorer():
    return EvolutionExplorer(Scripted(), ObjectChoice("voc", ("long", "short")))


def pixels(canvas):
    bgra = cv2.imdecode(np.frombuffer(canvas.overlay, np.uint8), cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA)


def rgb(name):
    return [int(PALETTE[name][i : i + 2], 16) for i in (1, 3, 5)]


def test_a_step_in_time_repaints_both_images(explorer):
    painted = [shown.seq for shown in explorer.canvases]
    assert pixels(explorer.canvases[0])[4, 8, 3] == 0
    explorer.controls["time"].value = 1
    assert [shown.seq for shown in explorer.canvases] == [n + 1 for n in painted]
    for shown in explorer.canvases:
        assert pixels(shown)[4, 8, :3].tolist() == rgb("too much")
        assert pixels(shown)[4, 4, :3].tolist() == rgb("right")
    assert "<b>long</b><br>t = 1, after Cityscapes: IoU 60.0 (-20.0)" == explorer.headings[0].value


def test_a_sequence_that_ended_says_so_and_is_left_blank(explorer):
    explorer.controls["time"].value = 2
    assert pixels(explorer.canvases[0])[..., 3].any()
    assert not pixels(explorer.canvases[1])[..., 3].any()
    assert "ends at t = 1: not trained further" in explorer.headings[1].value
    assert "none" in explorer.numbers.value


def test_the_text_alternative_says_what_is_seen(explorer):
    explorer.controls["time"].value = 1
    assert explorer.canvases[1].label == (
        "bus of VOC, short, t = 1, after Cityscapes: IoU 70.0 (-10.0). Shown: right, too much, "
        "missed."
    )


def test_numbers_stand_for_every_time_and_name_what_was_forgotten(explorer):
    for words in ("80.0", "60.0", "30.0", "70.0", "+50.0", "1 of 2", 'data-seq="1"'):
        assert words in explorer.numbers.value, words


def test_buttons_step_and_stop_at_the_ends(explorer):
    by_name = {b.description: b for b in buttons(explorer.widget)}
    by_name["later"].click()
    by_name["later"].click()
    by_name["later"].click()
    assert explorer.choice.time == 2
    by_name["earlier"].click()
    assert explorer.choice.time == 1
    by_name["next object"].click()
    by_name["next object"].click()
    assert explorer.choice.rank == 1
    assert explorer.canvases[0].box == [2, 2, 8, 8]
    assert explorer.canvases[0].clicks == [[4, 4, 1]]
    assert not explorer.callbacks.failures.outputs


def buttons(widget):
    for child in getattr(widget, "children", ()):
        yield from ([child] if hasattr(child, "click") else buttons(child))


def test_another_set_or_order_begins_at_its_first_object(explorer):
    explorer.controls["object"].value = 2
    explorer.controls["set"].value = "coco"
    assert explorer.choice == ObjectChoice("coco", ("long", "short"), FORGOTTEN, 0, 0)
    explorer.controls["object"].value = 2
    explorer.controls["order"].value = GAINED
    assert (explorer.choice.rank, explorer.choice.order) == (0, GAINED)


@pytest.mark.parametrize(
    ("name", "value"), [("set", "coco"), ("order", GAINED), ("time", 2), ("object", 2)]
)
def test_what_is_refused_changes_nothing(explorer, monkeypatch, name, value):
    """As where an image was damaged since."""

    def seen():
        values = [part.value for part in explorer.controls.by_name.values()]
        return explorer.choice, values, explorer.controls["object"].max, explorer.numbers.value

    def damaged(*_):
        raise DataError("unreadable image: a.jpg (cut short); restore the file.")

    before = seen()
    monkeypatch.setattr(Scripted, "view", damaged)
    explorer.controls[name].value = value
    assert "unreadable image: a.jpg" in explorer.callbacks.message.value
    assert seen() == before


def test_the_ground_truth_can_be_shown_alone(explorer):
    explorer.controls["layer"].value = evolution_figures.TRUTH
    layer = pixels(explorer.canvases[0])
    assert layer[4, 4, :3].tolist() == rgb("truth")
    assert layer[0, 0, 3] == 0


def test_a_failing_network_is_shown_and_not_lost(explorer):
    explorer.scrubber.broken = True
    explorer.controls["time"].value = 1
    (failure,) = explorer.callbacks.failures.outputs
    assert failure["output_type"] == "error"
    assert failure["evalue"] == "the network is gone"


def test_the_widget_bears_its_class(explorer):
    assert "os-evolution" in explorer.widget._dom_classes


def test_a_static_row_shows_every_time_of_every_sequence():
    choice = ObjectChoice("voc", ("long", "short"))
    figure = evolution_figures.evolution_figure(Scripted(), choice, (0, -1))
    drawn = [axis for axis in figure.axes if axis.images]
    assert len(drawn) == 2 * (3 + 2)
    labels = [axis.get_xlabel() for axis in drawn]
    assert labels[:5] == ["IoU 80.0", "IoU 60.0 (-20.0)", "IoU 30.0 (-50.0)", "IoU 80.0",
                          "IoU 70.0 (-10.0)"]  # fmt: skip
    assert [axis.get_ylabel() for axis in drawn if axis.get_ylabel()] == [
        "bus\nrank 1", "bus\nrank 2"
    ]  # fmt: skip
    view = Scripted().view(replace(choice, time=1))
    same = evolution_figures.layer_of(view, view.panels[0], evolution_figures.ERRORS)
    np.testing.assert_array_equal(drawn[1].images[1].get_array(), same)


def test_a_change_that_rounds_to_nothing_has_no_minus():
    panel = Panel("long", None, np.array([50.0, 49.99]))
    assert evolution_figures.iou_words(panel, 1) == "IoU 50.0 (+0.0)"


def test_curves_of_what_is_kept_by_hand():
    figure = evolution_figures.kept_figure(lambda name, where: SCORES["long"], ("long",), "x")
    voc, cityscapes = figure.axes
    curve = next(line for line in voc.lines if "long" in line.get_label())
    np.testing.assert_allclose(curve.get_ydata(), [-50.0, 40.0])
    assert curve.get_label() == "long: mean -5.0, median -5.0"
    curve = next(line for line in cityscapes.lines if "long" in line.get_label())
    np.testing.assert_allclose(curve.get_ydata(), [-30.0, 40.0])


def test_the_four_steps_draw_scene_source_and_paper():
    frame = pd.DataFrame({"block": table_7.TITLE, "row": ["None", "25%"], "paper": [70.0, 75.0]})
    for name, value in (("ours", 50.0), ("source", 60.0)):
        frame[name], frame[f"{name}_low"], frame[f"{name}_high"] = value, value - 1, value + 2
    figure = evolution_figures.four_steps_figure(frame, "x")
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(texts) == 3
    assert figure.axes[0].get_xticklabels()[0].get_text() == "before"
    assert len(figure.axes) == 1
    ours = frame.assign(block=f"{table_7.TITLE}; ours", paper=np.nan)
    two = pd.concat([frame, ours, frame.assign(block="another")])
    panels = evolution_figures.four_steps_figure(two, "x").axes
    assert [panel.get_title().split()[-1] for panel in panels] == ["VOC", "ours"]
    assert [len(panel.get_xticklabels()) for panel in panels] == [2, 2]
