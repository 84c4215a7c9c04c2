"""The annotator in both front ends: from a click to a file, to another model and back."""

import json

import pytest

PROFILE = "smoke"  # the smallest networks: what they answer means nothing, that they answer does
EVOLVED_MS = 180_000
OPEN = f"""
from openscenes.annotator.screen.example import begun
from openscenes.annotator.screen.example import place_of
from openscenes.annotator.screen.widget import Annotator
from openscenes.annotator.evolve.opening import LateStudy
study = LateStudy("{PROFILE}")
place = place_of(study, workspace=scratch)
window = Annotator(study, place)
window.evolving.background.wait(100)
begun(window.desk, study)
window.draw(0.0)
"""
SHOW = "window.widget"
ACCEPTED = (0x00, 0x9E, 0x73)
BOX, POINT = ((60, 80), (200, 240)), (130, 160)


@pytest.fixture(
    params=[("JupyterLab", 900), ("Notebook 7", 1400)], ids=["lab-900", "notebook-1400"]
)
def notebook(open_notebook, request, tmp_path):
    """An annotator at an example in which two images are done; a workspace of its own."""
    front_end, width = request.param
    scratch = f"scratch = {str(tmp_path / 'workspace')!r}"
    opened = open_notebook([scratch, OPEN, SHOW], front_end, width=width).run()
    opened.name = f"annotator-{width}"
    return opened


def press(notebook, name):
    """Press the button of a class."""
    notebook.page.locator(f"button.os-{name}").click()


def reads(notebook, css_class, text, timeout=20_000):
    """Wait until a part of the widget says something."""
    place = notebook.page.locator(f".os-{css_class}")
    place.filter(has_text=text).wait_for(timeout=timeout)


def test_from_click_to_file_to_another_model_and_back(notebook):
    """One long test, since opening the annotator takes longest."""
    n_accepted = clicked_and_corrected(notebook)
    exported(notebook, n_accepted)
    keys_hurt_nothing(notebook)
    painted(notebook)
    stands_after_a_reload(notebook)
    evolved_and_rolled_back(notebook)
    assert notebook.overflow_px() == 0


def clicked_and_corrected(notebook):
    """Mouse, keys and buttons; how many objects are accepted in the end."""
    n_before = notebook.value("window.desk.n_accepted()")
    picture = notebook.canvas(".os-annotator")
    picture.answered(picture.drag, *BOX)
    reads(notebook, "hint", "Click once inside")
    picture.answered(picture.click, *POINT)
    notebook.await_value("[c.sign for c in window.desk.object.clicks]", [1])
    notebook.page.keyboard.down("Shift")
    picture.answered(picture.click, 100, 100)
    notebook.page.keyboard.up("Shift")
    notebook.await_value("[c.sign for c in window.desk.object.clicks]", [1, -1])
    notebook.screenshot(f"{notebook.name}-corrected")
    picture.answered(picture.press, "u")
    notebook.await_value("[c.sign for c in window.desk.object.clicks]", [1])
    picture.answered(picture.press, "a")
    reads(notebook, "progress", f"{n_before + 1} objects accepted")
    press(notebook, "undo")
    reads(notebook, "progress", f"{n_before} objects accepted")
    press(notebook, "redo")
    reads(notebook, "progress", f"{n_before + 1} objects accepted")
    return n_before + 1


HURTFUL = ("r", "a", "b", "d", "d", "x", "m", "y", *"123456789", "Enter", "Shift+Enter", "Escape")
CELLS = """() => jupyterapp.shell.currentWidget.content.widgets.map(
  ({model}) => [model.type, model.sharedModel.getSource(), model.executionCount])"""


def keys_hurt_nothing(notebook):
    """Wherever the focus is in the widget, Jupyter's shortcuts change no cell."""
    page = notebook.page
    before = page.evaluate(CELLS)
    for place in ("button.os-undo", ".os-progress", ".os-objects select", ".os-help"):
        page.locator(place).click(force=True)
        inside = "() => document.querySelector('.os-annotator').contains(document.activeElement)"
        assert page.evaluate(inside), place
        for key in HURTFUL:
            page.keyboard.press(key)
        assert page.evaluate(inside), place
    page.keyboard.press("v")  # "b" took the brush
    notebook.await_value("window.canvas.tool", "click")
    assert page.evaluate(CELLS) == before
    assert page.evaluate("() => jupyterapp.shell.currentWidget.content.mode") == "command"


def exported(notebook, n_accepted):
    press(notebook, "export-coco")
    reads(notebook, "export-report", f"{n_accepted} objects")
    path = "place.folder / 'exports/coco/annotations/instances_train2017.json'"
    found = json.loads(notebook.value(f"({path}).read_text()"))
    assert len(found["annotations"]) == n_accepted


def painted(notebook):
    """The lowest pixel of an accepted mask lies on its opaque rim, or the one above it where the
    image is shown smaller than it is.
    """
    notebook.execute("window.desk.lay(0); window.draw(0.0)")
    picture = notebook.canvas(".os-annotator")
    picture.await_painted(notebook.value("window.canvas.seq"))
    others = "[window.desk.mask_of(one) for one in window.desk.objects]"
    row, col = notebook.value(f"[int(v) for v in max(zip(*{others}[-1].nonzero()))]")
    drawn = [picture.pixel(one, col)[:3] for one in (row - 1, row)]
    assert min(max(abs(a - b) for a, b in zip(one, ACCEPTED, strict=True)) for one in drawn) < 90


def stands_after_a_reload(notebook):
    progress = notebook.page.locator(".os-progress").inner_text()
    notebook.save()
    notebook.reload()
    picture = notebook.canvas(".os-annotator")
    assert notebook.page.locator(".os-progress").inner_text() == progress
    picture.answered(picture.drag, *BOX)
    reads(notebook, "hint", "Click once inside")
    picture.answered(picture.press, "u")


def evolved_and_rolled_back(notebook):
    first = notebook.value("window.desk.session.label")
    press(notebook, "evolve")
    reads(notebook, "evolve-status", "Evolving")
    picture = notebook.canvas(".os-annotator")
    picture.answered(picture.drag, *BOX)  # one goes on annotating meanwhile
    reads(notebook, "evolve-status", "waits", timeout=EVOLVED_MS)
    assert notebook.page.locator(".os-judgement-page img").count() >= 1
    reads(notebook, "judgement", "labelled source")
    notebook.page.locator(".os-evolve-panel").scroll_into_view_if_needed()
    notebook.screenshot(f"{notebook.name}-judged")
    press(notebook, "accept-version")
    reads(notebook, "notice", "From now on version")
    notebook.await_value(f"window.desk.session.label != {first!r}", True)
    press(notebook, "rollback")
    notebook.await_value("window.desk.session.label", first)


HURT = '<img src=x onerror="window.hurt=1">'
MADE = f"""
import json
from pathlib import Path
import numpy as np
from PIL import Image
folder, rng = Path(scratch).with_name("photos"), np.random.default_rng(0)
folder.mkdir()
for number in range(3):
    image = Image.fromarray(rng.integers(0, 255, (300, 400, 3), dtype=np.uint8))
    image.save(folder / f"{{number}}.png")
blocks = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8).repeat(40, 0).repeat(40, 1)
Image.fromarray(blocks).save(folder / "2.png")
(folder / "0.png").write_bytes((folder / "0.png").read_bytes()[:1000])
(folder / "1.png").rename(folder / {f"1 {HURT}.png"!r})
"""
OPENED = OPEN.replace("place_of(study,", "place_of(study, str(folder),")
NAMED = f"""
about = place.folder / "versions" / window.desk.session.label / "about.json"
about.write_text(json.dumps(json.loads(about.read_text()) | {{"label": {HURT!r}}}))
window.evolving.show()
window.desk.draw((20, 20, 200, 200))
window.desk.point(100, 100)
window.desk.name({HURT!r})
window.draw(0.0)
"""


def test_damaged_files_are_listed_and_no_name_runs_in_the_page(open_notebook, tmp_path):
    scratch = f"scratch = {str(tmp_path / 'workspace')!r}"
    cells = [scratch, MADE, OPENED, NAMED, SHOW]
    notebook = open_notebook(cells, "JupyterLab", width=900).run()
    reads(notebook, "left-out", "left out: 0.png (unreadable image")
    reads(notebook, "progress", HURT)
    reads(notebook, "versions", HURT)
    picture = notebook.canvas(".os-annotator")
    picture.answered(picture.drag, *BOX)
    press(notebook, "next")
    reads(notebook, "progress", "image 3 of 3")
    large_images_are_seen_in_their_own_pixels(notebook, picture)
    notebook.execute("(folder / '2.png').write_bytes(b'')")
    picture.answered(picture.drag, *BOX)
    picture.answered(picture.click, *POINT)
    reads(notebook, "message", "2.png")
    press(notebook, "previous")
    reads(notebook, "progress", "image 2 of 3")
    reads(notebook, "left-out", "0.png")
    notebook.screenshot("annotator-left-out")
    page = notebook.page
    assert page.evaluate("window.hurt === undefined")
    assert page.locator('.os-annotator img[src="x"]').count() == 0
    assert notebook.overflow_px() == 0


def large_images_are_seen_in_their_own_pixels(notebook, picture):
    """What is zoomed into comes as finely as it is seen; boxes and strokes are exact."""
    page, (row, col) = notebook.page, (1210, 1650)
    picture.press("v")
    page.mouse.move(*picture.place(row, col))
    page.mouse.wheel(0, -800)
    notebook.await_value("len(window.canvas.detail_box)", 4)
    page.wait_for_function(
        "() => document.querySelector('.os-annotator canvas.os-canvas-picture').dataset.zoom > 0.5"
    )
    notebook.await_value("window.canvas.view[4] > 0.5", True)
    picture.await_detail(notebook.value("window.canvas.detail_box"))
    for at in ((row, col), (row + 40, col), (row, col - 40)):
        assert near(picture.pixel(*at), notebook.value(f"blocks[{at[0]}, {at[1]}].tolist()"))
    picture.answered(picture.drag, (1200, 1640), (1320, 1800))
    notebook.await_value("window.desk.box", [1200, 1640, 1321, 1801])
    picture.answered(picture.click, 1260, 1700)
    picture.press("b")
    picture.answered(picture.drag, (1340, 1660), (1340, 1760))
    drawn = notebook.value("window.canvas.seq")
    notebook.execute("from openscenes.masks import decode; mask = decode(window.desk.object.mask)")
    assert notebook.value("mask[[1340, 1360], 1700].tolist()") == [True, False]
    picture.await_painted(drawn)
    painted, source = picture.pixel(1340, 1700), notebook.value("blocks[1340, 1700].tolist()")
    assert not near(painted, source)
    page.locator(".os-steps select").select_option(index=1)
    notebook.await_value("len(window.desk.annotations.steps()[1])", 1)
    notebook.screenshot("annotator-zoomed")
    picture.press("v", "Escape", "0")


def near(pixel, colour):
    return max(abs(a - b) for a, b in zip(pixel, colour, strict=False)) <= 8


def test_a_failing_callback_is_seen(notebook):
    notebook.checked = False
    notebook.execute("window.desk.draw = None")
    picture = notebook.canvas(".os-annotator")
    picture.answered(picture.drag, *BOX)
    notebook.page.locator(".os-failures").get_by_text("TypeError").first.wait_for()
    assert any("TypeError" in error for error in notebook.errors())
