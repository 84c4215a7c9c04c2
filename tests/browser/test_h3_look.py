import pytest
CELLS = ["""
import os
os.environ["OPENSCENES_CACHE"] = "/tmp/cd3"
from openscenes.interactive import interaction_state as state
from openscenes.interactive.interaction_answers import load_networks
from openscenes.interactive.interaction_explorer import InteractionExplorer
from openscenes.interactive.trained import lesson_study, trained
from openscenes.study import recipes
study = lesson_study("demo")
networks = load_networks(study, trained(study, [recipes.initial("voc+sbd", k) for k in (1, 0)]))
objects = state.validation_objects(study, 4)
made = InteractionExplorer(study, networks, objects)
""", "made.widget"]

@pytest.mark.parametrize("width", [900, 1400])
@pytest.mark.parametrize("front_end", ["JupyterLab", "Notebook 7"])
def test_look(open_notebook, front_end, width):
    notebook = open_notebook(CELLS, front_end, width=width).run()
    picture = notebook.canvas()
    picture.answered(picture.click, 60, 70)
    assert notebook.value("made.question.interaction.point")[:2] in ([60, 70], (60, 70), [60.0, 70.0])
    notebook.screenshot(f"h3_{front_end[:3]}_{width}")
    print("overflow", notebook.overflow_px())
    assert notebook.overflow_px() == 0
