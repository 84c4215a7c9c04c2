"""How soon is a click seen, and how many frames a second does the canvas draw, in a real browser?

Run: ``make bench``, or ``python tests/bench/bench_canvas.py --megapixels 12``; needs Chromium and
Playwright.  A canvas of the annotator shows a made-up image of that size in JupyterLab; the model
of the repository answers.  Times are from the press of the button to the painted mask, Python, its
log on the disk and the page included; frames are counted while the wheel zooms and a drag pans.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from runpy import run_path
from statistics import median
from types import SimpleNamespace

HERE = Path(__file__).parent
BROWSER = HERE.parent / "browser"
CELLS = """
import numpy as np
from pathlib import Path
from PIL import Image
from openscenes.annotator.evolve.opening import LateStudy
from openscenes.annotator.screen.widget import Annotator
from openscenes.annotator.store.workspace import open_workspace
rng = np.random.default_rng(0)
small = rng.integers(0, 255, (60, 90, 3), dtype=np.uint8)
side = int((float({megapixels}) * 1e6 / 1.5) ** 0.5)
folder = Path({folder!r})
folder.mkdir()
Image.fromarray(small).resize((round(1.5 * side), side), Image.BICUBIC).save(folder / "a.jpg")
window = Annotator(LateStudy("demo"), open_workspace(folder))
height, width = window.desk.displayed.shape
window.widget
"""
FRAMES = """([canvas, kind]) => new Promise(done => {
  const frame = canvas.getBoundingClientRect(), times = [];
  const at = {clientX: frame.x + frame.width / 3, clientY: frame.y + frame.height / 3};
  const step = time => {
    times.push(time);
    if (times.length > 60) return done(1000 * 60 / (times.at(-1) - times[0]));
    const sign = times.length < 30 ? -1 : 1;
    if (kind === 'zoom')
      canvas.dispatchEvent(new WheelEvent('wheel',
        {...at, deltaY: sign * 12, ctrlKey: true, bubbles: true, cancelable: true}));
    else
      canvas.dispatchEvent(new KeyboardEvent('keydown',
        {key: sign < 0 ? 'ArrowRight' : 'ArrowLeft', ctrlKey: true, bubbles: true}));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""


def main(args, scratch):
    """Print one line per measurement."""
    from playwright.sync_api import sync_playwright

    kit = SimpleNamespace(**run_path(str(BROWSER / "conftest.py")))
    with kit.server.running(scratch) as lab, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(scratch / "profile"), executable_path=kit.CHROMIUM, headless=True,
            args=list(kit.FLAGS),
        )  # fmt: skip
        cells = CELLS.format(megapixels=args.megapixels, folder=str(scratch / "photos"))
        kit.write([cells], lab.folder / "bench.ipynb")
        places = {"JupyterLab": lab.address("doc/tree", "bench.ipynb")}
        notebook = kit.front_ends.Notebook(context.new_page(), places, "JupyterLab", 1400).run()
        measured(notebook, notebook.canvas(".os-annotator"))
        notebook.close()
        context.close()


def measured(notebook, picture):
    """Box, point and corrections; then frames."""
    height, width = notebook.value("[height, width]")
    print(f"image of {width} x {height} pixels, canvas {picture.view()['units']:.0f} px wide")
    at = [round(height * 0.3), round(width * 0.3)], [round(height * 0.6), round(width * 0.5)]
    picture.answered(picture.drag, *at)
    first = seen(picture, *(round((a + b) / 2) for a, b in zip(*at, strict=True)))
    rest = [seen(picture, at[0][0] + 20 * n, at[0][1] + 30 * n) for n in range(1, 6)]
    print(f"first click {first:.0f} ms; corrections {median(rest):.0f} ms, at most {max(rest):.0f}")
    handle = picture.locator.element_handle()
    picture.locator.focus()
    for kind in ("zoom", "pan"):
        if kind == "pan":
            picture.press("+", "+", "+", "+")
        print(f"{kind}: {picture.page.evaluate(FRAMES, [handle, kind]):.0f} frames/s")
    notebook.page.wait_for_timeout(1000)
    print("detail", notebook.value("[window.canvas.view, len(window.canvas.detail)]"))
    zoomed = [seen(picture, *(round(at) for at in centre(picture))) for _ in range(3)]
    print(f"corrections while zoomed in {median(zoomed):.0f} ms")
    notebook.screenshot("canvas_bench")


def centre(picture):
    """Row and column in the middle of what is seen."""
    facts = picture.view()
    frame = picture.locator.bounding_box()
    middle = frame["height"] / 2 - facts["top"], facts["units"] / 2 - facts["left"]
    return [at / facts["zoom"] for at in middle]


def seen(picture, row, col):
    """Milliseconds from the press of a button to the answer on the page."""
    drawn = int(picture.locator.get_attribute("data-painted"))
    ms = picture.answered(picture.click, row, col)
    picture.await_painted(drawn + 1)
    return ms


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--megapixels", type=float, default=12)
    given = parser.parse_args()
    if not (shutil.which("chromium") or shutil.which("chromium-browser")):
        sys.exit("There is no Chromium, so nothing is measured.")
    with tempfile.TemporaryDirectory() as folder:
        main(given, Path(folder))
