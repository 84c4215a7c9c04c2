"""The annotator's lists in a real browser: it answers at once; classes, images, exports."""

import json

import pytest

MADE = """
import numpy as np
from pathlib import Path
from PIL import Image
from openscenes.annotator.evolve.opening import LateStudy
from openscenes.annotator.screen.widget import Annotator
from openscenes.annotator.store.workspace import open_workspace
folder, rng = Path(scratch), np.random.default_rng(0)
folder.mkdir(exist_ok=True)
for number in range(20):
    image = Image.fromarray(rng.integers(0, 255, (300, 400, 3), dtype=np.uint8))
    image.save(folder / f"photograph-{number:02d}.png")
window = Annotator(LateStudy("smoke"), open_workspace(folder))
"""
BOX, POINT = ((60, 80), (200, 240)), (130, 160)


@pytest.fixture(params=[("JupyterLab", 1400), ("Notebook 7", 900)], ids=["lab", "notebook"])
def notebook(open_notebook, request, tmp_path):
    front_end, width = request.param
    scratch = f"scratch = {str(tmp_path / 'photos')!r}"
    opened = open_notebook([scratch, MADE, "window.widget"], front_end, width=width).run()
    opened.name = f"annotator-lists-{width}"
    return opened


def press(notebook, css):
    notebook.page.locator(f"button.os-{css}").click()


def type_into(notebook, css, text):
    field = notebook.page.locator(f".os-{css} input")
    field.fill(text)
    field.press("Enter")


def test_classes_images_and_exports(notebook):
    picture = notebook.canvas(".os-annotator")
    for name in ("person", "dog"):
        type_into(notebook, "class", name)
        notebook.await_value("window.desk.classes.label", name)
    picture.answered(picture.drag, *BOX)
    picture.answered(picture.click, *POINT)
    notebook.await_value("window.desk.object.class_name", "dog")
    notebook.page.locator(".os-classes button", has_text="1 person").click()
    notebook.await_value("window.desk.object.class_name", "person")
    type_into(notebook, "class-renamed", "walker")
    notebook.await_value("list(window.desk.classes.names())", ["walker", "dog"])
    press(notebook, "undo")
    notebook.await_value("window.desk.object.class_name", "person")
    press(notebook, "accept")
    notebook.page.locator(".os-strip button[data-state=done]").wait_for()
    press(notebook, "untouched")
    notebook.await_value("window.desk.place", 1)
    press(notebook, "skip")
    notebook.page.locator(".os-strip button[data-state=skipped]").wait_for()
    strip = notebook.page.locator(".os-strip")
    strip.evaluate("node => { node.scrollLeft = 1e6; }")
    last = strip.locator("button[aria-label^='image 20 of 20']")
    last.locator("img[src^='blob:']").wait_for()  # a thumbnail comes once it is in sight
    last.click()
    notebook.await_value("window.desk.place", 19)
    strip.locator("button[aria-current=true][aria-label^='image 20']").wait_for()
    notebook.screenshot(notebook.name)
    drawn_without_the_model(notebook, picture)
    for kind in ("yolo", "labelme"):
        press(notebook, f"export-{kind}")
        place = notebook.page.locator(".os-export-report").filter(has_text=f"exports/{kind}")
        place.wait_for()
    files = notebook.value("[p.name for p in (folder / 'openscenes/exports/labelme').iterdir()]")
    assert sorted(files) == [
        "openscenes.json",
        *(f"photograph-{number}.{kind}" for number in ("00", "19") for kind in ("json", "png")),
    ]
    assert notebook.overflow_px() == 0
    goes_on_after_a_restart(notebook, picture)


def drawn_without_the_model(notebook, picture):
    """Corners by clicks, one of them moved by keys, then accepted."""
    picture.locator.scroll_into_view_if_needed()
    picture.press("o")
    notebook.page.locator(".os-hint").filter(has_text="corner after corner").wait_for()
    for corner in ((60, 80), (60, 240), (200, 240)):
        picture.click(*corner)
    picture.answered(picture.press, "Enter")
    notebook.await_value("[window.desk.object.action, window.desk.object.model]", ["drawn", ""])
    picture.click(200, 240)
    picture.answered(picture.press, "ArrowDown")
    notebook.await_value("window.canvas.rings[0]['points'][2]", [201, 240])
    notebook.page.locator(".os-objects option", has_text="no clicks").wait_for(state="attached")
    notebook.screenshot(f"{notebook.name}-drawn")
    picture.answered(picture.press, "a")
    notebook.await_value("window.desk.n_accepted()", 2)
    picture.press("v")


def goes_on_after_a_restart(notebook, picture):
    """The object in hand, its mask and its undo come back when the cells are run again."""
    picture.answered(picture.drag, *BOX)
    picture.answered(picture.click, *POINT)
    picture.answered(picture.click, 100, 100, button="right")
    now = (
        "[window.desk.place, [c.sign for c in window.desk.object.clicks], window.desk.object.mask]"
    )
    before = notebook.value(now)
    assert before[:2] == [19, [1, -1]]
    notebook.restart()
    notebook.run()
    picture = notebook.canvas(".os-annotator")
    assert notebook.value(now) == before
    picture.answered(picture.click, 150, 170)
    signs = "[c.sign for c in window.desk.object.clicks]"
    assert notebook.value(signs) == [1, -1, 1]
    picture.answered(picture.press, "u")
    picture.answered(picture.press, "u")
    assert notebook.value(signs) == [1]
    assert notebook.value("window.desk.n_accepted()") == 2


@pytest.mark.parametrize("notebook", [("JupyterLab", 1400)], ids=["lab"], indirect=True)
def test_a_box_of_coco_comes_in_by_the_browser(notebook):
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [80, 60, 160, 140]}
    image = {"id": 1, "file_name": "photograph-00.png", "height": 300, "width": 400}
    content = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "cup"}]}
    file = {"name": "boxes.json", "mimeType": "application/json",
            "buffer": json.dumps(content).encode()}  # fmt: skip
    with notebook.page.expect_file_chooser() as chooser:
        notebook.page.locator("button.os-import-files").click()
    chooser.value.set_files(file)
    notebook.page.locator(".os-export-report").filter(has_text="accept their masks").wait_for()
    notebook.await_value("[one.class_name for one in window.desk.objects]", ["cup"])
    assert not notebook.value("window.desk.objects[0].accepted")
