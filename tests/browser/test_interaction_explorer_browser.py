"""The interaction explorer in both front ends, each at its own width."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

explored = SimpleNamespace(**run_path(str(Path(__file__).with_name("explored.py"))))
CELLS = [
    explored.KERNEL,
    """
from openscenes.lessons.interactions import user_inputs
from openscenes.lessons.interactions.segmentation import load_trainings
from openscenes.lessons.interactions.segmentation import networks_of
from openscenes.lessons.interactions.explorer import InteractionExplorer
from openscenes.study.plan.on_demand import lesson_study
from openscenes.study.plan.on_demand import trained
from openscenes.study.runs import recipes
study = lesson_study("smoke")
models = trained(study, [recipes.initial(study.profile.initial_sets[0], 0)])
objects = user_inputs.validation_objects(study, 3)
networks = networks_of(load_trainings([study], models))
explorer = InteractionExplorer(study, networks, objects)
canvas = explorer._canvas
box = lambda: [round(side) for side in explorer.segmentation.interaction.box]
""",
    "explorer.widget",
]
WITHIN, CANVAS = ".os-interaction-explorer", "canvas"


def test_click_slide_choose_undo_and_move(open_notebook):
    notebook = open_notebook(CELLS, "JupyterLab", 900).run()
    image, tiles = notebook.canvas(WITHIN), notebook.canvas(WITHIN, 1)
    assert "click at row" in explored.told(image) and "tiles" in explored.told(tiles)

    with explored.repainted(notebook, image, CANVAS):
        explored.choose(notebook, "os-layer", "foreground heat map")
    notebook.page.locator(".os-legend").get_by_text("yellow: 1").wait_for()
    with explored.repainted(notebook, tiles, "explorer._tiles"):
        notebook.type_into("os-heat-map-width", "90.00")
    with explored.repainted(notebook, image, CANVAS):
        explored.choose(notebook, "os-layer", "what the crop leaves out")

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

    with explored.repainted(notebook, image, CANVAS):
        explored.choose(notebook, "os-scene", "coco")
    assert notebook.overflow_px() == 0
    notebook.screenshot("interaction-900")
    image = explored.moved(notebook, WITHIN, 1400)
    notebook.screenshot("interaction-1400")
    with explored.repainted(notebook, image, CANVAS):
        explored.choose(notebook, "os-layer", "coarse probability")
