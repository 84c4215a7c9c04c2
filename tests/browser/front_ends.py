"""Page objects: a notebook open in JupyterLab or Notebook 7, and a canvas in it.

Every wait has a limit, and none is a sleep: cells by their execution count, pictures by
``data-painted``, gestures by ``data-answered``.
"""

import json
import os
import time
from pathlib import Path

PLACES = {"JupyterLab": "doc/tree", "Notebook 7": "notebooks"}  # in the server's addresses
HEIGHT_PX = 1000
READY_MS, CELL_MS, ANSWER_MS = 120_000, 300_000, 20_000

# The status dot says "idle" too early: a cell that is run then may never start.
READY = """async () => {
  const widget = jupyterapp.shell.currentWidget;
  await widget.revealed; await widget.context.ready; await widget.sessionContext.ready;
  const kernel = widget.sessionContext.session.kernel;
  await kernel.info;
  window.osKernelErrors = [];
  kernel.iopubMessage.connect((_, message) => {
    if (message.header.msg_type === 'error')
      window.osKernelErrors.push(`${message.content.ename}: ${message.content.evalue}`);
  });
}"""
RUN = """index => {
  jupyterapp.shell.currentWidget.content.activeCellIndex = index;
  void jupyterapp.commands.execute('notebook:run-cell');
}"""
FORGET = """() => {
  for (const {model} of jupyterapp.shell.currentWidget.content.widgets)
    if (model.type === 'code') model.clearExecution();
}"""
HAS_RUN = """index => {
  const model = jupyterapp.shell.currentWidget.content.widgets[index].model;
  return model.type !== 'code' || (model.executionCount > 0 && model.executionState !== 'running');
}"""
EXECUTE = """async code => {
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({code, store_history: false});
  const told = {text: '', error: ''};
  future.onIOPub = message => {
    if (message.header.msg_type === 'stream') told.text += message.content.text;
    if (message.header.msg_type === 'error')
      told.error = `${message.content.ename}: ${message.content.evalue}`;
  };
  await future.done;
  return told;
}"""
SAVE = "async () => { await jupyterapp.shell.currentWidget.context.save(); }"
RESTART = """async () => {
  const {sessionContext, content} = jupyterapp.shell.currentWidget;
  await sessionContext.session.kernel.restart();
  await sessionContext.session.kernel.info;
  for (const {model} of content.widgets) if (model.type === 'code') model.executionCount = null;
}"""
SHUT_DOWN = "async () => { await jupyterapp.shell.currentWidget.sessionContext.shutdown(); }"
IN_TIME = """([script, argument, ms]) => Promise.race([
  eval(script)(argument),
  new Promise((_, refuse) => setTimeout(() => refuse(new Error(`no answer in ${ms} ms`)), ms)),
])"""
OVERFLOW = """() => {
  const right = node => node.getBoundingClientRect().right;
  const outputs = [...document.querySelectorAll('.jp-OutputArea-output')];
  const beyond = output => [...output.querySelectorAll('*')]
    .filter(node => node.checkVisibility() && !node.closest('.os-strip *')) // it is scrolled
    .map(node => right(node) - right(output));
  return Math.round(Math.max(0, ...outputs.flatMap(beyond)));
}"""
SHOWN_ERRORS = """() => [...document.querySelectorAll('[data-mime-type$="jupyter.stderr"],'
  + '[data-mime-type$="jupyter.error"]')].map(node => node.innerText.slice(-300))
  .filter(text => /Error|Exception/.test(text))"""


class Notebook:
    """One notebook in a front end.

    Attributes:
        page: Playwright's, for whatever is missing here.
        checked: whether the fixture looks for errors at the end.
    """

    def __init__(self, page, places, front_end, width):
        self.page, self.checked = page, True
        self._places, self._page_errors, self._has_run = places, [], False
        page.on("pageerror", self._note)
        self._resize(width)
        page.goto(places[front_end])
        self._await_kernel()

    def anew(self, width):
        """As if just opened, for another test whose cells begin anew."""
        self._resize(width)
        self.page.evaluate(FORGET)
        return self

    def run(self, *indices):
        """Run cells, all code cells if none is named; an error in one is an error here."""
        self._has_run = True
        for index in indices or range(self.n_cells()):
            self.page.evaluate(RUN, index)
            self.page.wait_for_function(HAS_RUN, arg=index, timeout=CELL_MS)
        return self

    def n_cells(self):
        return self.page.evaluate("() => jupyterapp.shell.currentWidget.content.widgets.length")

    def output(self, index):
        """Locator of what a cell shows."""
        cell = self.page.locator(".jp-Notebook .jp-Cell").nth(index)
        return cell.locator(".jp-Cell-outputArea")

    def canvas(self, within=".jp-Notebook", which=0):
        """The canvas in an element, the first if there are several, once it is painted."""
        return Picture(self.page.locator(within).first.locator("canvas.os-canvas-picture"), which)

    def execute(self, code):
        """Run code in the kernel, outside of any cell; what it printed."""
        told = self._in_time(EXECUTE, code)
        assert not told["error"], told["error"]
        return told["text"]

    def value(self, expression):
        """The value of a Python expression in the kernel, as JSON carries it."""
        return json.loads(self.execute(f"import json; print(json.dumps({expression}))"))

    def await_value(self, expression, expected):
        """Ask until the kernel's value is as expected."""
        deadline = time.monotonic() + ANSWER_MS / 1000
        while (found := self.value(expression)) != expected:
            assert time.monotonic() < deadline, f"{expression} is {found!r}, not {expected!r}"
            self.page.wait_for_timeout(20)

    def type_into(self, css_class, text):
        """Set a slider by typing into its number: arrow keys do nothing in Notebook 7."""
        field = self.page.locator(f".{css_class} .widget-readout")
        field.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def screenshot(self, name):
        """Keep what is to be seen now, where OPENSCENES_SCREENSHOTS says; otherwise nothing."""
        if folder := os.environ.get("OPENSCENES_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def save(self):
        self._in_time(SAVE)

    def restart(self):
        """Restart the kernel; the page stays as it is, and no cell has run."""
        self._in_time(RESTART)

    def reload(self):
        """Load the page anew, as a user does; the kernel lives on."""
        self._keep_kernel_errors()
        self._has_run = False
        self.page.reload()
        self._await_kernel()

    def move_to(self, front_end, width):
        """Save, and open the same notebook in the other front end; the kernel lives on."""
        self.save()
        self._keep_kernel_errors()
        self._has_run = False
        self._resize(width)
        self.page.goto(self._places[front_end])
        self._await_kernel()

    def overflow_px(self):
        """How far anything sticks out of its cell's output to the right; 0 where all fits."""
        return self.page.evaluate(OVERFLOW)

    def errors(self):
        """Whatever went wrong in page, kernel or widgets, callbacks included.

        The kernel is asked something first, so that what it said before has arrived.
        """
        self._in_time(EXECUTE, "None")
        self._keep_kernel_errors()
        return [*self._page_errors, *self.page.evaluate(SHOWN_ERRORS)]

    def check(self):
        """Fail where anything went wrong."""
        found = self.errors()
        assert not found, "\n".join(found)

    def finish(self):
        """Fail where anything went wrong in a test that did not expect it, and forget it."""
        found, checked = self.errors(), self.checked
        self.checked, self._page_errors = True, []
        assert not (checked and found), "\n".join(found)

    def close(self):
        try:
            self.finish()
        finally:
            self._in_time(SHUT_DOWN)
            self.page.close()

    def _resize(self, width):
        self.page.set_viewport_size({"width": width, "height": HEIGHT_PX})

    def _await_kernel(self):
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell?.currentWidget?.sessionContext", timeout=READY_MS
        )
        self._in_time(READY)

    def _in_time(self, script, argument=None, ms=READY_MS):
        """Evaluate what awaits something in the page; Playwright alone would wait for ever."""
        return self.page.evaluate(IN_TIME, [f"({script})", argument, ms])

    def _note(self, error):
        """Notebook 7 raises two errors of its own while it loads; a widget's script none."""
        stack = error.stack or ""
        if self._has_run or "blob:" in stack or "anywidget" in stack:
            self._page_errors.append(f"page: {error.message[:200]} {stack[-300:]}")

    def _keep_kernel_errors(self):
        found = self.page.evaluate("() => window.osKernelErrors.splice(0)")
        self._page_errors += [f"kernel: {text}" for text in found]


class Picture:
    """A canvas in the page; rows and columns are pixels of the image that it shows."""

    def __init__(self, locator, which):
        self.locator, self.page = locator.nth(which), locator.page
        self.locator.wait_for()
        self.await_painted()
        self.locator.scroll_into_view_if_needed()

    def fact(self, name):
        return int(self.locator.get_attribute(f"data-{name}"))

    def await_painted(self, seq=0):
        """Wait until Python's drawing number ``seq``, or a later one, is on the page."""
        self._await("(canvas, seq) => +(canvas.dataset.painted ?? -1) >= seq", seq)

    def await_detail(self, box):
        """Wait until a part of the image that Python sent on its own is on the page."""
        self._await("(canvas, box) => canvas.dataset.detail === box", ",".join(map(str, box)))

    def place(self, row, col):
        """Where on the page the middle of a pixel is, or would be beside what is seen."""
        frame, seen = self.locator.bounding_box(), self.view()
        shrunk = frame["width"] / seen["units"]
        x, y = (
            seen[side] + (at + 0.5) * seen["zoom"] for side, at in (("left", col), ("top", row))
        )
        return frame["x"] + shrunk * x, frame["y"] + shrunk * y

    def view(self):
        """What is seen of the image: zoom, left and top; and how many units are across."""
        facts = self.locator.evaluate("canvas => ({...canvas.dataset})")
        return {name: float(facts[name]) for name in ("zoom", "left", "top", "units")}

    def click(self, row, col, **options):
        """Click a pixel; ``options`` as of Playwright's mouse, ``button`` for one."""
        self.page.mouse.click(*self.place(row, col), **options)

    def drag(self, start, end, steps=8):
        """Press at one pixel, move, release at another."""
        self.page.mouse.move(*self.place(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(*end), steps=steps)
        self.page.mouse.up()

    def press(self, *keys):
        """Press keys with the focus on the canvas."""
        self.locator.focus()
        for key in keys:
            self.page.keyboard.press(key)

    def answered(self, action, *arguments, **options):
        """Do something that makes a gesture; milliseconds until its answer is on the page."""
        self.locator.scroll_into_view_if_needed()  # a menu or slider may have scrolled it away
        before, began = self.fact("sent"), time.perf_counter()
        action(*arguments, **options)
        self._await(
            "(canvas, n) => +canvas.dataset.sent > n"
            " && canvas.dataset.answered === canvas.dataset.sent",
            before,
        )
        return 1000 * (time.perf_counter() - began)

    def pixel(self, row, col):
        """(red, green, blue, alpha) at the middle of a pixel of the image, as painted."""
        script = """(canvas, [row, col]) => {
          const {zoom, left, top, units} = canvas.dataset, density = canvas.width / units;
          const [x, y] = [+left + (col + 0.5) * zoom, +top + (row + 0.5) * zoom];
          const last = canvas.height - 1;
          const at = [Math.floor(x * density), Math.min(last, Math.floor(y * density))];
          return Array.from(canvas.getContext('2d').getImageData(...at, 1, 1).data);
        }"""
        return tuple(self.locator.evaluate(script, [row, col]))

    def _await(self, condition, argument):
        handle = self.locator.element_handle()
        self.page.wait_for_function(
            f"([canvas, argument]) => ({condition})(canvas, argument)",
            arg=[handle, argument],
            timeout=ANSWER_MS,
        )
