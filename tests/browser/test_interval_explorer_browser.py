"""The interval explorer in both front ends, each at its own width."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

explored = SimpleNamespace(**run_path(str(Path(__file__).with_name("explored.py"))))
CELLS = [
    explored.KERNEL,
    """
from openscenes.lessons.intervals.explorer import IntervalExplorer
from openscenes.lessons.intervals.sampling import StudyDesign
world = np.random.default_rng(0).normal(0.0, 3.0, (3, 60))
explorer = IntervalExplorer({"narrow": world, "wide": 3 * world}, StudyDesign(50, 2, 1.0))
canvas = explorer.canvas
""",
    "explorer.widget",
]
WITHIN, CANVAS = ".os-interval", "canvas"


def test_slide_choose_and_move(open_notebook):
    notebook = open_notebook(CELLS, "JupyterLab", 1400).run()
    image = notebook.canvas(WITHIN)
    assert "40 studies of 50 objects and 2 seeds, truth +1.0" in explored.told(image)
    image.click(5, 5)  # looks only: a click changes nothing

    with explored.repainted(notebook, image, CANVAS):
        notebook.type_into("os-interval-seeds", "7")
    with explored.repainted(notebook, image, CANVAS):
        notebook.type_into("os-interval-difference", "-2.00")
    with explored.repainted(notebook, image, CANVAS):
        explored.choose(notebook, "os-interval-world", "wide")
    assert "50 objects and 7 seeds, truth -2.0" in explored.told(image)

    with explored.repainted(notebook, image, CANVAS):
        notebook.page.locator(".os-interval-objects .noUi-handle").focus()
        notebook.page.keyboard.press("ArrowRight")  # which does nothing to a slider in Notebook 7
    assert notebook.value("explorer.studies.design.n_objects") > 50
    assert notebook.overflow_px() == 0
    notebook.screenshot("interval-1400")
    image = explored.moved(notebook, WITHIN, 900)
    notebook.screenshot("interval-900")
    with explored.repainted(notebook, image, CANVAS):
        notebook.type_into("os-interval-difference", "3.00")
