"""The evolution scrubber in both front ends, each at its own width."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

explored = SimpleNamespace(**run_path(str(Path(__file__).with_name("explored.py"))))
CELLS = [
    explored.KERNEL,
    """
from openscenes.lessons.evolution import sequences
from openscenes.lessons.evolution.explorer import EvolutionExplorer
from openscenes.lessons.evolution.scrubber import ObjectChoice
from openscenes.lessons.evolution.scrubber import Scrubber
from openscenes.study.plan.on_demand import lesson_study
from openscenes.study.plan.on_demand import trained
study, names = lesson_study("smoke"), (sequences.ALONE, sequences.ALIGNED)
chosen = {name: sequences.task_sequences(0)[name] for name in names}
trained(study, list(dict.fromkeys(step for steps in chosen.values() for step in steps)))
explorer = EvolutionExplorer(Scrubber(study, chosen), ObjectChoice("voc", names))
left = explorer.canvases[0]
""",
    "explorer.widget",
]
WITHIN, LEFT = ".os-evolution", "left"


def test_step_slide_choose_and_move(open_notebook):
    notebook = open_notebook(CELLS, "JupyterLab", 900).run()
    image = notebook.canvas(WITHIN)
    assert "t = 0, after VOC+SBD: IoU" in explored.told(image)
    image.click(5, 5)  # looks only: a click changes nothing

    with explored.repainted(notebook, image, LEFT):
        explored.choose(notebook, "os-evolution-layer", "ground truth")
    notebook.page.locator(".os-evolution-legend").get_by_text("object").wait_for()
    with explored.repainted(notebook, image, LEFT):
        notebook.type_into("os-evolution-object", "2")
    drawn = notebook.value("left.seq")
    notebook.page.locator("button.os-evolution-later").click()
    image.await_painted(drawn + 1)
    assert notebook.value("[explorer.choice.rank, explorer.choice.time]") == [1, 1]
    assert "t = 1, after Cityscapes: IoU" in explored.told(image)

    notebook.page.locator(".os-evolution-time .noUi-handle").focus()
    notebook.page.keyboard.press("ArrowRight")  # which does nothing to a slider in Notebook 7
    notebook.await_value("explorer.choice.time", 2)
    notebook.page.get_by_text("ends at t = 1: not trained further").first.wait_for()
    assert notebook.overflow_px() == 0
    notebook.screenshot("evolution-900")
    image = explored.moved(notebook, WITHIN, 1400)
    notebook.screenshot("evolution-1400")
    with explored.repainted(notebook, image, LEFT):
        notebook.page.locator("button.os-evolution-next-object").click()
