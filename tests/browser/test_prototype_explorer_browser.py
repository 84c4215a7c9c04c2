"""The prototype explorer in both front ends, each at its own width."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

explored = SimpleNamespace(**run_path(str(Path(__file__).with_name("explored.py"))))
CELLS = [
    explored.KERNEL,
    """
from openscenes.lessons.prototypes.explorer import PrototypeExplorer
from openscenes.lessons.prototypes.explorer import objects_to_explore
from openscenes.study.plan.on_demand import lesson_study
from openscenes.study.plan.on_demand import trained
from openscenes.study.runs import recipes
study = lesson_study("smoke")
(model,) = trained(study, [recipes.initial(study.profile.initial_sets[0], 0)])
explorer = PrototypeExplorer(study, model, objects_to_explore(study, 3))
canvas = explorer._canvas
""",
    "explorer.widget",
]
WITHIN, CANVAS = ".os-prototype-explorer", "canvas"


def test_click_slide_choose_undo_and_move(open_notebook):
    notebook = open_notebook(CELLS, "JupyterLab", 900).run()
    image = notebook.canvas(WITHIN)
    assert "confidence: merged" in explored.told(image)

    with explored.repainted(notebook, image, CANVAS):
        notebook.type_into("os-alpha", "0.00")
    with explored.repainted(notebook, image, CANVAS):
        explored.choose(notebook, "os-layer", "coarse mask against the truth")
    assert "against the truth" in explored.told(image)
    assert notebook.value("explorer.n_predictions") == 1

    side = notebook.value("canvas.size[0]")
    image.answered(image.click, side // 3, side // 2)
    assert notebook.value("[explorer.n_predictions, canvas.clicks[0][2]]") == [2, 1]
    image.answered(image.press, "u")
    assert notebook.value("explorer.now.settings.ipt.alpha") == 0.0
    image.answered(image.press, "u")
    notebook.await_value("explorer.now.settings.ipt.alpha", 0.3)

    with explored.repainted(notebook, image, CANVAS):
        explored.choose(notebook, "os-scene", "coco")
    assert notebook.overflow_px() == 0
    notebook.screenshot("prototype-900")
    image = explored.moved(notebook, WITHIN, 1400)
    notebook.screenshot("prototype-1400")
    with explored.repainted(notebook, image, CANVAS):
        explored.choose(notebook, "os-layer", "confidence: global")
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
