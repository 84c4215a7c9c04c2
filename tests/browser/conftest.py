"""Widgets in a real browser, in both front ends.

How a test uses it::

    CELLS = ["from ... import ...", "canvas(image, label='a field', mode='point')"]

    @pytest.mark.parametrize("front_end", ["JupyterLab", "Notebook 7"])
    def test_a_click(open_notebook, front_end):
        notebook = open_notebook(CELLS, front_end, width=900).run()
        picture = notebook.canvas()
        picture.answered(picture.click, 20, 30)          # row, col; waits for Python's answer
        assert notebook.value("shown.clicks") == [[20, 30, 1]]
        assert picture.pixel(20, 30)[:3] == (204, 121, 167)
        assert notebook.overflow_px() == 0

``open_notebook`` takes sources of code cells or the path of a notebook; with ``again``, tests of a
file whose cells begin anew when they are run share one page and one kernel. After a test, an error
in the page, the kernel or a callback fails it; only a test of such an error sets
``notebook.checked = False`` and looks at ``notebook.errors()``. With OPENSCENES_SCREENSHOTS set to
a folder, ``notebook.screenshot("name")`` keeps what is to be seen there.

All tests in this folder have the marker ``browser`` and share one xdist group; where no Chromium or
no Playwright is, they are skipped. The browser lives as long as a file of tests: Playwright's
event loop would otherwise still run when tests elsewhere start their own.
"""

import os
import re
import shutil
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import nbformat
import pytest

from openscenes.study.pages.notebooks import KERNELSPEC

HERE = Path(__file__).parent
server = SimpleNamespace(**run_path(str(HERE / "server.py")))
front_ends = SimpleNamespace(**run_path(str(HERE / "front_ends.py")))

CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def chromium():
    """The path of the browser, or the reason why there is nothing to test."""
    if not CHROMIUM:
        pytest.skip("no Chromium is installed; set CHROMIUM to its path to test in a browser")
    pytest.importorskip("playwright", reason="Playwright, which drives the browser, is missing")
    return CHROMIUM


@pytest.fixture(scope="session")
def lab(chromium, _session_cache, tmp_path_factory):
    """The server of all browser tests of a process."""
    with server.running(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture(scope="module")
def browser(chromium, tmp_path_factory):
    """A browser with a profile of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")), executable_path=chromium, headless=True,
            args=list(FLAGS),
        )  # fmt: skip
        context.set_default_timeout(front_ends.ANSWER_MS)
        yield context
        context.close()


@pytest.fixture(scope="module")
def shared(browser):
    """Notebooks that stay open for the other tests of a file, by cells and front end."""
    found = {}
    yield found
    for notebook in found.values():
        notebook.checked = False  # by each test, at its end
        notebook.close()


@pytest.fixture
def open_notebook(lab, browser, shared, request):
    """Open cells, or a notebook file, in a front end at a width; see above."""
    opened, numbers = ExitStack(), count()

    def open_notebook(cells, front_end="JupyterLab", width=1400, *, again=False):
        if again and (front_end, *cells) in shared:
            notebook = shared[front_end, *cells].anew(width)
        else:
            name = re.sub(r"\W+", "_", request.node.name) + f"_{next(numbers)}.ipynb"
            write(cells, lab.folder / name)
            places = {end: lab.address(way, name) for end, way in front_ends.PLACES.items()}
            notebook = front_ends.Notebook(browser.new_page(), places, front_end, width)
        opened.callback(notebook.finish if again else notebook.close)
        if again:
            shared[front_end, *cells] = notebook
        return notebook

    with opened:
        yield open_notebook


def write(cells, path):
    """Put code cells, or a copy of a notebook, where the server finds them.

    One that names no kernel would ask its reader for one.
    """
    if isinstance(cells, Path):
        notebook = nbformat.read(cells, as_version=4)
    else:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in cells])
    notebook.metadata["kernelspec"] = dict(KERNELSPEC)
    nbformat.write(notebook, path)
