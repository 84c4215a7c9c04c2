"""The lessons' explorers, begun in JupyterLab and moved to Notebook 7, each front end at its width.

``KERNEL`` is the first cell of each notebook; ``repainted`` stands around what a user does, and
tells pixel by pixel whether the change reached the page.
"""

from contextlib import contextmanager

import pytest

KERNEL = """
import cv2, numpy as np
from openscenes.study.plan.on_demand import lesson_study, trained
from openscenes.study.runs import recipes

def composed(canvas):
    "What the page should show but for box and click, (H, W, 3)."
    image = cv2.imdecode(np.frombuffer(canvas.image, np.uint8), cv2.IMREAD_COLOR).astype(float)
    if canvas.overlay:
        layer = cv2.imdecode(np.frombuffer(canvas.overlay, np.uint8), cv2.IMREAD_UNCHANGED)
        layer = cv2.resize(layer, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        alpha = layer[..., 3:] / 255 * canvas.opacity
        image = image * (1 - alpha) + layer[..., :3] * alpha
    return image[..., ::-1]

def unmarked(canvas, shape):
    "(H, W) bool: where neither box nor click is painted."
    free, margin = np.ones(shape, np.uint8), 3 + round(14 * shape[1] / canvas.width_px)
    if canvas.box:
        top, left, bottom, right = canvas.box
        cv2.rectangle(free, (left, top), (right, bottom), 0, margin)
    for row, col, _ in canvas.clicks:
        cv2.circle(free, (col, row), margin, 0, -1)
    return free.astype(bool)

def evident_change(canvas):
    "[row, col, colour] of a changed pixel in the midst of its like; [] if nothing changed."
    now = composed(canvas)
    if now.shape == before.shape:
        change = np.abs(now - before).max(axis=2)
    else:
        change = np.full(now.shape[:2], 255.0)
    kernel = np.ones((3, 3), np.uint8)
    rough = (cv2.dilate(now, kernel) - cv2.erode(now, kernel)).max(axis=2)
    rough[(change < 24) | ~unmarked(canvas, change.shape)] = np.inf
    rough[[0, -1]] = rough[:, [0, -1]] = np.inf
    row, col = np.unravel_index(rough.argmin(), rough.shape)
    found = [int(row), int(col), now[row, col].round().astype(int).tolist()]
    return found if np.isfinite(rough[row, col]) else []
"""


@contextmanager
def repainted(notebook, image, canvas):
    """Python draws what happens in here, and a changed pixel has its new colour in the page.

    Args:
        canvas: the canvas of ``image`` as an expression in the kernel.
    """
    drawn = notebook.value(f"{canvas}.seq")
    notebook.execute(f"before = composed({canvas})")
    yield
    image.await_painted(drawn + 1)
    notebook.execute(f"import time; time.sleep(0.05); newest = {canvas}.seq")
    image.await_painted(notebook.value("newest"))
    assert_shown(notebook, image, canvas)


def assert_shown(notebook, image, canvas):
    """The page shows what differs from ``before`` in the kernel as Python means it."""
    change = notebook.value(f"evident_change({canvas})")
    assert change, f"nothing on {canvas} changed"
    row, col, colour = change
    found = image.pixel(row, col)[:3]
    assert max(abs(a - b) for a, b in zip(found, colour, strict=True)) <= 24, (change, found)


def told(image):
    """The text alternative of an image."""
    return image.locator.get_attribute("aria-label")


def choose(notebook, css_class, words):
    """Choose an option of a menu by its words."""
    notebook.page.locator(f".{css_class} select").select_option(label=words)


def moved(notebook, within, width):
    """Open the page in the other front end, and give the image, which shows as much as before."""
    words = told(notebook.canvas(within))
    notebook.move_to("Notebook 7", width)
    image = notebook.canvas(within)
    assert told(image) == words
    assert notebook.overflow_px() == 0
    return image


INTERACTION = [KERNEL, """
from openscenes.lessons.interactions import user_inputs
from openscenes.lessons.interactions.segmentation import load_trainings
from openscenes.lessons.interactions.segmentation import networks_of
from openscenes.lessons.interactions.explorer import InteractionExplorer
study = lesson_study("smoke")
models = trained(study, [recipes.initial(study.profile.initial_sets[0], 0)])
objects = user_inputs.validation_objects(study, 3)
networks = networks_of(load_trainings([study], models))
explorer = InteractionExplorer(study, networks, objects)
canvas = explorer._canvas
box = lambda: [round(side) for side in explorer.segmentation.interaction.box]
""", "explorer.widget"]  # fmt: skip


def test_interaction(open_notebook):
    notebook = open_notebook(INTERACTION, "JupyterLab", 900).run()
    image, tiles = (
        notebook.canvas(".os-interaction-explorer"),
        notebook.canvas(".os-interaction-explorer", 1),
    )
    assert "click at row" in told(image) and "tiles" in told(tiles)

    with repainted(notebook, image, "canvas"):
        choose(notebook, "os-layer", "foreground heat map")
    notebook.page.locator(".os-legend").get_by_text("yellow: 1").wait_for()
    with repainted(notebook, tiles, "explorer._tiles"):
        notebook.type_into("os-heat-map-width", "90.00")
    with repainted(notebook, image, "canvas"):
        choose(notebook, "os-layer", "what the crop leaves out")

    top, left, bottom, right = notebook.value("box()")
    place = [(top + bottom) // 2, left + (right - left) // 3]
    image.answered(image.click, *place)
    found = notebook.value("[round(at) for at in explorer.segmentation.interaction.point]")
    assert max(abs(a - b) for a, b in zip(found, place, strict=True)) <= 1
    notebook.page.get_by_role("button", name="draw the box").click()
    notebook.await_value("canvas.mode", "interaction")
    image.answered(image.drag, (top + 8, left + 8), (bottom - 8, right - 8))
    image.answered(image.press, "Escape")
    notebook.await_value("box()", [top, left, bottom, right])

    with repainted(notebook, image, "canvas"):
        choose(notebook, "os-scene", "coco")
    assert notebook.overflow_px() == 0
    notebook.screenshot("interaction-900")
    image = moved(notebook, ".os-interaction-explorer", 1400)
    notebook.screenshot("interaction-1400")
    with repainted(notebook, image, "canvas"):
        choose(notebook, "os-layer", "coarse probability")


PROTOTYPE = [KERNEL, """
from openscenes.lessons.prototypes.explorer import PrototypeExplorer
from openscenes.lessons.prototypes.explorer import objects_to_explore
study = lesson_study("smoke")
(model,) = trained(study, [recipes.initial(study.profile.initial_sets[0], 0)])
explorer = PrototypeExplorer(study, model, objects_to_explore(study, 3))
canvas = explorer._canvas
""", "explorer.widget"]  # fmt: skip


def test_prototype(open_notebook):
    notebook = open_notebook(PROTOTYPE, "JupyterLab", 900).run()
    image = notebook.canvas(".os-prototype-explorer")
    assert "confidence: merged" in told(image)

    with repainted(notebook, image, "canvas"):
        notebook.type_into("os-alpha", "0.00")
    with repainted(notebook, image, "canvas"):
        choose(notebook, "os-layer", "coarse mask against the truth")
    assert "against the truth" in told(image)
    assert notebook.value("explorer.n_predictions") == 1

    side = notebook.value("canvas.size[0]")
    image.answered(image.click, side // 3, side // 2)
    assert notebook.value("[explorer.n_predictions, canvas.clicks[0][2]]") == [2, 1]
    image.answered(image.press, "u")
    assert notebook.value("explorer.now.settings.ipt.alpha") == 0.0
    image.answered(image.press, "u")
    notebook.await_value("explorer.now.settings.ipt.alpha", 0.3)

    with repainted(notebook, image, "canvas"):
        choose(notebook, "os-scene", "coco")
    assert notebook.overflow_px() == 0
    notebook.screenshot("prototype-900")
    image = moved(notebook, ".os-prototype-explorer", 1400)
    notebook.screenshot("prototype-1400")
    with repainted(notebook, image, "canvas"):
        choose(notebook, "os-layer", "confidence: global")
    notebook.check()
    fails_when_a_callback_fails(notebook)


def fails_when_a_callback_fails(notebook):
    """One explorer stands for all: they share what guards a callback."""
    notebook.checked = False
    notebook.execute("explorer._history = None")
    notebook.type_into("os-alpha", "0.00")
    notebook.page.locator(".os-failures").get_by_text("AttributeError").first.wait_for()
    with pytest.raises(AssertionError, match="AttributeError"):
        notebook.check()


ALIGNMENT = [KERNEL, """
from openscenes.lessons.alignment import pairs
from openscenes.lessons.alignment.explorer import AlignmentExplorer
study, scene = lesson_study("smoke"), "cityscapes"
wanted = pairs.compared_recipes(study.profile, scene)
models = dict(zip(wanted, trained(study, list(wanted.values()))))
explorer = AlignmentExplorer({scene: pairs.Alignment(study, scene, models, n_pairs=6)})
""", "explorer.widget"]  # fmt: skip


def test_alignment(open_notebook):
    notebook = open_notebook(ALIGNMENT, "JupyterLab", 1400).run()
    scatter, old = (
        notebook.canvas(".os-alignment-explorer"),
        notebook.canvas(".os-alignment-explorer", 1),
    )
    assert "Chosen: pair" in told(scatter) and "ground truth" in told(old)

    other = notebook.value("(explorer.choice.pair + 1) % 6")
    with repainted(notebook, old, "explorer.old"):
        notebook.type_into("os-alignment-pair", str(other))
    notebook.await_value("explorer.choice.pair", other)
    assert f"Chosen: pair {other}" in told(scatter)

    nearest = "(lambda at: [int(at[0]), int(at[1])])(explorer._scatter.old[0])"
    scatter.answered(scatter.click, *notebook.value(nearest))
    chosen = notebook.value("explorer.choice.pair")
    assert chosen != other
    scatter.answered(scatter.press, "u")
    assert notebook.value("explorer.choice.pair") == other

    with repainted(notebook, scatter, "explorer.scatter"):
        choose(notebook, "os-alignment-model", "+ST +FA")
    choose(notebook, "os-alignment-layer", "pseudo mask M")
    notebook.page.get_by_text("the cells that term B sums over").wait_for()
    notebook.type_into("os-alignment-floor", "1.000")
    notebook.await_value("explorer.choice.floor", 1.0)
    assert notebook.overflow_px() == 0
    notebook.screenshot("alignment-1400")
    scatter = moved(notebook, ".os-alignment-explorer", 900)
    notebook.screenshot("alignment-900")
    scatter.answered(scatter.press, "n")
    assert notebook.value("explorer.choice.pair") == (other + 1) % 6


EVOLUTION = [KERNEL, """
from openscenes.lessons.evolution import sequences
from openscenes.lessons.evolution.explorer import EvolutionExplorer
from openscenes.lessons.evolution.scrubber import ObjectChoice
from openscenes.lessons.evolution.scrubber import Scrubber
study, names = lesson_study("smoke"), (sequences.ALONE, sequences.ALIGNED)
chosen = {name: sequences.task_sequences(0)[name] for name in names}
trained(study, list(dict.fromkeys(step for steps in chosen.values() for step in steps)))
explorer = EvolutionExplorer(Scrubber(study, chosen), ObjectChoice("voc", names))
left = explorer.canvases[0]
""", "explorer.widget"]  # fmt: skip


def test_evolution(open_notebook):
    notebook = open_notebook(EVOLUTION, "JupyterLab", 900).run()
    image = notebook.canvas(".os-evolution")
    assert "t = 0, after VOC+SBD: IoU" in told(image)
    image.click(5, 5)  # looks only: a click changes nothing

    with repainted(notebook, image, "left"):
        choose(notebook, "os-evolution-layer", "ground truth")
    notebook.page.locator(".os-evolution-legend").get_by_text("object").wait_for()
    with repainted(notebook, image, "left"):
        notebook.type_into("os-evolution-object", "2")
    drawn = notebook.value("left.seq")
    notebook.page.locator("button.os-evolution-later").click()
    image.await_painted(drawn + 1)
    assert notebook.value("[explorer.choice.rank, explorer.choice.time]") == [1, 1]
    assert "t = 1, after Cityscapes: IoU" in told(image)

    notebook.page.locator(".os-evolution-time .noUi-handle").focus()
    notebook.page.keyboard.press("ArrowRight")  # which does nothing to a slider in Notebook 7
    notebook.await_value("explorer.choice.time", 2)
    notebook.page.get_by_text("ends at t = 1: not trained further").first.wait_for()
    assert notebook.overflow_px() == 0
    notebook.screenshot("evolution-900")
    image = moved(notebook, ".os-evolution", 1400)
    notebook.screenshot("evolution-1400")
    with repainted(notebook, image, "left"):
        notebook.page.locator("button.os-evolution-next-object").click()


INTERVAL = [KERNEL, """
from openscenes.lessons.intervals.explorer import IntervalExplorer
from openscenes.lessons.intervals.sampling import StudyDesign
world = np.random.default_rng(0).normal(0.0, 3.0, (3, 60))
explorer = IntervalExplorer({"narrow": world, "wide": 3 * world}, StudyDesign(50, 2, 1.0))
canvas = explorer.canvas
""", "explorer.widget"]  # fmt: skip


def test_interval(open_notebook):
    notebook = open_notebook(INTERVAL, "JupyterLab", 1400).run()
    image = notebook.canvas(".os-interval")
    assert "40 studies of 50 objects and 2 seeds, truth +1.0" in told(image)
    image.click(5, 5)  # looks only: a click changes nothing

    with repainted(notebook, image, "canvas"):
        notebook.type_into("os-interval-seeds", "7")
    with repainted(notebook, image, "canvas"):
        notebook.type_into("os-interval-difference", "-2.00")
    with repainted(notebook, image, "canvas"):
        choose(notebook, "os-interval-world", "wide")
    assert "50 objects and 7 seeds, truth -2.0" in told(image)

    with repainted(notebook, image, "canvas"):
        notebook.page.locator(".os-interval-objects .noUi-handle").focus()
        notebook.page.keyboard.press("ArrowRight")  # which does nothing to a slider in Notebook 7
    assert notebook.value("explorer.studies.design.n_objects") > 50
    assert notebook.overflow_px() == 0
    notebook.screenshot("interval-1400")
    image = moved(notebook, ".os-interval", 900)
    notebook.screenshot("interval-900")
    with repainted(notebook, image, "canvas"):
        notebook.type_into("os-interval-difference", "3.00")
