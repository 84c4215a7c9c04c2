"""The alignment explorer in both front ends, each at its own width."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

explored = SimpleNamespace(**run_path(str(Path(__file__).with_name("explored.py"))))
CELLS = [
    explored.KERNEL,
    """
from openscenes.lessons.alignment import pairs
from openscenes.lessons.alignment.explorer import AlignmentExplorer
from openscenes.study.plan.on_demand import lesson_study
from openscenes.study.plan.on_demand import trained
study, scene = lesson_study("smoke"), "cityscapes"
wanted = pairs.compared_recipes(study.profile, scene)
models = dict(zip(wanted, trained(study, list(wanted.values()))))
explorer = AlignmentExplorer({scene: pairs.Alignment(study, scene, models, n_pairs=6)})
""",
    "explorer.widget",
]
WITHIN = ".os-alignment-explorer"
SCATTER, OLD, NEW = "explorer.scatter", "explorer.old", "explorer.new"


def test_click_slide_choose_undo_and_move(open_notebook):
    notebook = open_notebook(CELLS, "JupyterLab", 1400).run()
    scatter, old = notebook.canvas(WITHIN), notebook.canvas(WITHIN, 1)
    assert "Chosen: pair" in explored.told(scatter) and "ground truth" in explored.told(old)

    other = notebook.value("(explorer.choice.pair + 1) % 6")
    with explored.repainted(notebook, old, OLD):
        notebook.type_into("os-alignment-pair", str(other))
    notebook.await_value("explorer.choice.pair", other)
    assert f"Chosen: pair {other}" in explored.told(scatter)

    nearest = "(lambda at: [int(at[0]), int(at[1])])(explorer._scatter.old[0])"
    scatter.answered(scatter.click, *notebook.value(nearest))
    chosen = notebook.value("explorer.choice.pair")
    assert chosen != other
    scatter.answered(scatter.press, "u")
    assert notebook.value("explorer.choice.pair") == other

    with explored.repainted(notebook, scatter, SCATTER):
        explored.choose(notebook, "os-alignment-model", "+ST +FA")
    explored.choose(notebook, "os-alignment-layer", "pseudo mask M")
    notebook.page.get_by_text("the cells that term B sums over").wait_for()
    notebook.type_into("os-alignment-floor", "1.000")
    notebook.await_value("explorer.choice.floor", 1.0)
    assert notebook.overflow_px() == 0
    notebook.screenshot("alignment-1400")
    scatter = explored.moved(notebook, WITHIN, 900)
    notebook.screenshot("alignment-900")
    scatter.answered(scatter.press, "n")
    assert notebook.value("explorer.choice.pair") == (other + 1) % 6
