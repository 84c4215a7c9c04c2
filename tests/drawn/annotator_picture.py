"""The picture of the annotator that README shows, taken anew in a real browser.

Run: ``python tests/drawn/annotator_picture.py``; needs Chromium and Playwright.  The annotator
opens in JupyterLab on synthetic scenes: two are done, on the third a user works.
"""

import io
import sys
import tempfile
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

from PIL import Image

from openscenes.paths import SHOWN, atomic
from openscenes.study.figures.few_bytes import as_png

BROWSER = Path(__file__).parents[1] / "browser"
NAME = "annotator"
WIDTH_PX, HEIGHT_PX = 1100, 1400
CELLS = """
from openscenes.annotator.evolve.opening import LateStudy
from openscenes.annotator.screen.example import SCENE, begun, place_of
from openscenes.annotator.screen.widget import Annotator
from openscenes.study.runs.data import validation
study = LateStudy("demo")
place = place_of(study, workspace={workspace!r})
window = Annotator(study, place)
desk = window.desk
begun(desk, study)
here = [one for one in validation(study(), SCENE).examples if one.image.name == desk.path.name]
here.sort(key=lambda one: one.supervision.area)
for one in here[-3:]:
    desk.draw(one.interaction.box)
    desk.point(*one.interaction.point)
    desk.name(one.supervision.class_name)
    if one is not here[-1]:
        desk.accept()
row, col = here[-1].interaction.box[:2]
desk.correct(row + 2, col + 2, -1)
window.draw(0.0)
""", "window.widget"  # fmt: skip


def taken(scratch):
    """The annotator from its tools to what is saved, as PNG."""
    from playwright.sync_api import sync_playwright

    kit = SimpleNamespace(**run_path(str(BROWSER / "conftest.py")))
    with kit.server.running(scratch) as lab, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(scratch / "profile"), executable_path=kit.CHROMIUM, headless=True,
            args=list(kit.FLAGS),
        )  # fmt: skip
        first, shown = CELLS
        cells = [first.format(workspace=str(scratch / "workspace")), shown]
        kit.write(cells, lab.folder / f"{NAME}.ipynb")
        places = {"JupyterLab": lab.address("doc/tree", f"{NAME}.ipynb")}
        notebook = kit.front_ends.Notebook(context.new_page(), places, "JupyterLab", WIDTH_PX)
        notebook.page.set_viewport_size({"width": WIDTH_PX, "height": HEIGHT_PX})
        picture = notebook.run().canvas(".os-annotator")
        picture.await_painted(notebook.value("window.canvas.seq"))
        notebook.page.wait_for_function(
            "() => [...document.querySelectorAll('.os-strip img')].every(one => one.complete)"
        )
        content = notebook.page.locator(".os-annotator > :first-child").screenshot()
        notebook.close()
        context.close()
    return content


def kept(content, folder):
    """Put a screenshot into a folder as a PNG in few bytes, whole; its path."""
    path = folder / f"{NAME}.png"
    with atomic(path) as partial:
        partial.write_bytes(as_png(Image.open(io.BytesIO(content))))
    return path


if __name__ == "__main__":
    if not run_path(str(BROWSER / "conftest.py"))["CHROMIUM"]:
        sys.exit(
            "There is no Chromium to take the picture in; install it, or set CHROMIUM to its path."
        )
    with tempfile.TemporaryDirectory() as folder:
        path = kept(taken(Path(folder)), SHOWN / "figures")
    print(f"{path}: {path.stat().st_size:,} bytes")
