"""The canvas under mouse and keyboard, in both front ends and at two widths."""

import pytest

CLICK = (0xCC, 0x79, 0xA7)
GREY = 120
# What an explorer does: a gesture changes the state, the state is drawn.
CELLS = [
    """
import ipywidgets as W, numpy as np
from openscenes.widgets import overlays
from openscenes.widgets.callbacks import Callbacks
from openscenes.widgets.canvas import after
from openscenes.widgets.canvas import canvas
from openscenes.widgets.readout import readout
from openscenes.study.figures.palette import PALETTE
shape = (256, 256)
""",
    """
picture = np.full((*shape, 3), 120, np.uint8)
shown = canvas(picture, label="a grey field, 256 x 256", width_px=512, mode="interaction")
callbacks, kinds = Callbacks(), []
side = W.HTML()
broken = False

def draw(change):
    gesture = change["new"]
    if broken:
        raise ZeroDivisionError("a broken callback")
    kinds.append(gesture["kind"])
    box, clicks = after(gesture, shown.box, shown.clicks)
    mask = np.zeros(shape, bool)
    if box:
        mask[box[0]:box[2], box[1]:box[3]] = True
    with shown.hold_sync():
        shown.box, shown.clicks, shown.seq = box, clicks, shown.seq + 1
        shown.overlay = overlays.encode_png(overlays.tint(mask, PALETTE["mask"], 1.0))
    side.value = readout({"pixels": str(mask.sum())}, shown.seq, 1.0)

shown.observe(callbacks.guarded(draw), "gesture")
""",
    """
fluid = W.Layout(width="auto")
opacity = W.FloatSlider(value=1, min=0, max=1, description="opacity", layout=fluid)
W.jslink((opacity.add_class("os-opacity"), "value"), (shown, "opacity"))
controls = W.VBox([opacity, side], layout=W.Layout(flex="1 1 0", min_width="260px"))
wrap = W.Layout(flex_flow="row wrap", align_items="flex-start")
W.VBox([W.HBox([shown, controls], layout=wrap), callbacks.shown])
""",
]
BOX = [40, 60, 181, 221]
MASK = (0xE6, 0x9F, 0x00)


def near(pixel, colour):
    return max(abs(a - b) for a, b in zip(pixel, colour, strict=False)) <= 3


@pytest.fixture(scope="module", params=["JupyterLab", "Notebook 7"])
def front_end(request):
    return request.param


@pytest.mark.parametrize("width", [900, 1400])
def test_drag_click_correct_and_undo(open_notebook, front_end, width):
    notebook = open_notebook(CELLS, front_end, width, again=True).run()
    picture = notebook.canvas()
    assert near(picture.pixel(10, 10), (GREY,) * 3)

    picture.answered(picture.drag, (40, 60), (180, 220))
    box = notebook.value("shown.box")
    assert max(abs(a - b) for a, b in zip(box, BOX, strict=True)) <= 1
    picture.await_painted(1)
    assert near(picture.pixel(50, 70), MASK) and near(picture.pixel(30, 50), (GREY,) * 3)

    picture.answered(picture.click, 100, 150)
    picture.answered(picture.click, 60, 100)
    picture.answered(picture.click, 70, 90, button="right")
    clicks = [[100, 150, 1], [60, 100, 1], [70, 90, -1]]
    found = notebook.value("shown.clicks")
    assert [click[2] for click in found] == [1, 1, -1]
    assert all(abs(a - b) <= 1 for one, two in zip(found, clicks, strict=True)
               for a, b in zip(one, two, strict=True))  # fmt: skip
    assert near(picture.pixel(101, 151), CLICK) and near(picture.pixel(71, 90), (255,) * 3)

    for key in ("u", "Control+z", "r", "a", "n", "Delete"):
        picture.answered(picture.press, key)
    assert notebook.value("kinds[-6:]") == ["undo", "undo", "redo", "accept", "next", "delete"]
    assert notebook.n_cells() == len(CELLS)
    assert notebook.overflow_px() == 0
    notebook.screenshot(f"canvas_{front_end.split()[0]}_{width}")


def test_the_keyboard_alone_does_all(open_notebook, front_end):
    notebook = open_notebook(CELLS, front_end, 900, again=True).run()
    picture = notebook.canvas()
    up_left = ["Shift+ArrowUp"] * 5 + ["Shift+ArrowLeft"] * 4
    picture.press(*up_left, "Enter", *["Shift+ArrowDown"] * 9, "ArrowDown")
    picture.answered(picture.press, *["Shift+ArrowRight"] * 8, "ArrowRight", "Enter")
    assert notebook.value("shown.box") == [78, 88, 170, 170]
    picture.answered(picture.press, *["Shift+ArrowUp"] * 4, "Space")
    picture.answered(picture.press, "Shift+ArrowLeft", "Shift+Enter")
    assert notebook.value("shown.clicks") == [[129, 169, 1], [129, 159, -1]]
    picture.answered(picture.press, "Escape")
    assert notebook.value("[shown.box, shown.clicks]") == [[], []]
    notebook.page.locator(".os-readout").click()  # between the controls: Jupyter gets no key
    for key in ("d", "d", "x", "r", "b"):
        notebook.page.keyboard.press(key)
    assert notebook.n_cells() == len(CELLS)
    assert notebook.page.locator(".jp-RawCell").count() == 0


@pytest.mark.parametrize(("height", "width"), [(1, 1024), (1024, 1), (1, 1)])
def test_a_strip_is_seen_and_can_be_boxed(open_notebook, height, width):
    notebook = open_notebook(CELLS, "JupyterLab", 900, again=True).run(0)
    notebook.execute(f"shape = ({height}, {width})")
    notebook.run(1, 2)
    picture = notebook.canvas()
    along = ["Shift+ArrowRight"] * (width > 1) + ["Shift+ArrowDown"] * (height > 1)
    picture.answered(picture.press, "Enter", *along, "Enter")
    first = [height // 2, width // 2]
    last = [first[0] + 1 + 10 * (height > 1), first[1] + 1 + 10 * (width > 1)]
    assert notebook.value("shown.box") == [*first, *last]
    picture.answered(picture.press, "Enter")
    assert notebook.value("len(shown.clicks)") == 1


def test_corners_a_dragged_point_opacity_and_words(open_notebook, front_end):
    notebook = open_notebook(CELLS, front_end, 900, again=True).run()
    picture = notebook.canvas()
    assert notebook.page.get_by_role("application", name="a grey field, 256 x 256").count() == 1
    picture.click(180, 220)
    picture.answered(picture.click, 40, 60)  # two clicks are corners, in any order
    assert max(abs(a - b) for a, b in zip(notebook.value("shown.box"), BOX, strict=True)) <= 1

    notebook.type_into("os-opacity", "0.50")
    notebook.await_value("shown.opacity", 0.5)
    assert near(picture.pixel(50, 70), [(m + GREY) / 2 for m in MASK])

    notebook.execute("shown.mode = 'point'; kinds.clear()")
    picture.answered(picture.drag, (50, 50), (150, 120), steps=40)
    ((row, col, _),) = notebook.value("shown.clicks")
    assert abs(row - 150) <= 1 and abs(col - 120) <= 1
    assert notebook.value("shown.gesture['dragging']") is False
    assert 1 <= notebook.value("len(kinds)") <= 41

    notebook.execute("shown.label = 'now darker'; shown.mode = 'none'")
    notebook.page.get_by_role("img", name="now darker").wait_for()


def test_no_gesture_is_lost_while_the_kernel_is_busy(open_notebook):
    notebook = open_notebook(CELLS, again=True).run()
    picture = notebook.canvas()
    picture.answered(picture.drag, (40, 60), (180, 220))
    notebook.execute("import time; shown.observe(lambda _: time.sleep(0.4), 'gesture')")
    for row in (60, 80, 100, 120):
        picture.click(row, 100)
    assert near(picture.pixel(121, 101), CLICK)  # the guess, before Python has answered
    notebook.await_value("shown.answered", 5)
    assert [click[0] for click in notebook.value("shown.clicks")] == pytest.approx(
        [60, 80, 100, 120], abs=1
    )


def test_a_reload_after_saving_brings_everything_back(open_notebook, front_end):
    notebook = open_notebook(CELLS, front_end, 1400, again=True).run()
    picture = notebook.canvas()
    picture.answered(picture.drag, (40, 60), (180, 220))
    picture.answered(picture.click, 100, 150)
    notebook.save()
    notebook.reload()
    picture = notebook.canvas()
    assert near(picture.pixel(101, 151), CLICK) and near(picture.pixel(50, 70), MASK)
    picture.answered(picture.click, 60, 100)
    assert [click[2] for click in notebook.value("shown.clicks")] == [1, 1]


@pytest.mark.parametrize("guarded", [True, False])
def test_a_callback_that_fails_fails_the_test(open_notebook, front_end, guarded):
    notebook = open_notebook(CELLS, front_end, again=True).run()
    notebook.checked = False
    notebook.check()
    broken = "broken = True" if guarded else "shown.observe(lambda _: 1 / 0, 'gesture')"
    notebook.execute(broken)
    picture = notebook.canvas()
    picture.answered(picture.drag, (40, 60), (180, 220))
    if guarded:
        notebook.page.get_by_text("ZeroDivisionError").first.wait_for()
    expected = "ZeroDivisionError: a broken callback" if guarded else "kernel: ZeroDivisionError"
    with pytest.raises(AssertionError, match=expected):
        notebook.check()


def test_a_script_that_fails_fails_the_test(open_notebook):
    script = "export default { render() { throw new Error('broken script'); } }"
    cells = [
        f"import anywidget\nclass Broken(anywidget.AnyWidget):\n    _esm = {script!r}\nBroken()"
    ]
    notebook = open_notebook(cells)
    notebook.checked = False
    with notebook.page.expect_event("pageerror"):
        notebook.run()
    with pytest.raises(AssertionError, match="broken script"):
        notebook.check()


NOISE = """
import json
from openscenes.annotator.screen.tools_panel import KEYS_HERE
from openscenes.widgets.canvas import Canvas
noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
shown = Canvas(mode="interaction", main=True, gesture_of_key=KEYS_HERE)
shown.show(noise, label="noise")
shown.image = overlays.encode_png(np.dstack([noise, np.full((300, 400), 255, np.uint8)]))
told = []

def draw(change):
    gesture = change["new"]
    told.append({k: v for k, v in gesture.items() if k != "n"})
    shown.box, shown.clicks = after(gesture, shown.box, shown.clicks)
    shown.seq += 1

shown.observe(draw, "gesture")
below = W.Button(description="a button").add_class("os-below")
W.VBox([shown, below], layout=W.Layout(width="auto"))
"""


def fingers(notebook):
    """What touches the page ("Start"), moves there or lifts all fingers ("End"), at (x, y) each."""
    session = notebook.page.context.new_cdp_session(notebook.page)

    def touch(kind, *places):
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})

    return touch


def test_zoomed_in_every_gesture_is_exact(open_notebook, front_end):
    """One long test: wheel, keys, fingers, tools, each to the pixel."""
    notebook = open_notebook([CELLS[0], NOISE], front_end, 1400).run()
    picture, page = notebook.canvas(), notebook.page
    assert picture.locator.bounding_box()["width"] > 700  # it fills its place
    source = notebook.value("noise[150:160, 200:210].tolist()")
    wheel_and_keys(notebook, picture)
    assert picture.view()["zoom"] > 12
    for row, col in ((150, 200), (153, 207), (155, 204)):
        assert near(picture.pixel(row, col), source[row - 150][col - 200])

    picture.answered(picture.drag, (145, 195), (160, 215))
    picture.answered(picture.click, 151, 203)
    picture.answered(picture.click, 152, 211, button="right")
    assert notebook.value("[shown.box, shown.clicks]") == [
        [145, 195, 161, 216], [[151, 203, 1], [152, 211, -1]]]  # fmt: skip
    before = picture.view()
    page.keyboard.down(" ")
    picture.drag((150, 200), (155, 208))
    page.keyboard.up(" ")
    zoom, moved = before["zoom"], picture.view()
    assert moved["left"] - before["left"] == pytest.approx(8 * zoom, abs=1)
    assert moved["top"] - before["top"] == pytest.approx(5 * zoom, abs=1)
    assert notebook.value("len(told)") == 3

    sides_and_strokes(notebook, picture)
    touch = fingers(notebook)
    corners_of_an_outline(notebook, picture, touch)
    touched(notebook, picture, touch)
    looked_at(notebook, picture)
    notebook.screenshot(f"canvas_zoomed_{front_end.split()[0]}")
    assert notebook.overflow_px() == 0


def wheel_and_keys(notebook, picture):
    page, whole = notebook.page, picture.view()
    page.mouse.move(*picture.place(150, 200))
    before = picture.place(150, 200)
    page.mouse.wheel(0, -300)  # the focus is elsewhere: the page moves, or nothing does
    notebook.value("0")
    assert picture.view() == whole
    picture.press("+", "+")
    assert picture.view()["zoom"] == pytest.approx(whole["zoom"] * 1.25**2)
    page.locator("button.os-below").click()  # the focus comes back, and keys count
    page.keyboard.press("0")
    picture.locator.scroll_into_view_if_needed()
    before = picture.place(150, 200)
    page.mouse.move(*before)
    page.mouse.wheel(0, -1000)
    page.wait_for_function("zoom => +document.querySelector('canvas.os-canvas-picture')"
                           ".dataset.zoom > zoom", arg=whole["zoom"] * 5)  # fmt: skip
    assert picture.place(150, 200) == pytest.approx(before, abs=8)  # the wheel has whole pixels


def sides_and_strokes(notebook, picture):
    """The right side of [145, 195, 161, 216] is dragged to column 212; then a stroke."""
    row = 150
    (x0, y), (x1, _) = picture.place(row, 215.5), picture.place(row, 211.5)
    mouse = notebook.page.mouse

    def drag_side():
        mouse.move(x0, y)
        mouse.down()
        mouse.move(x1, y, steps=4)
        mouse.up()

    picture.answered(drag_side)
    assert notebook.value("[told[-1], shown.clicks[0]]") == [
        {"kind": "sides", "box": [145, 195, 161, 212]}, [151, 203, 1]]  # fmt: skip
    picture.press("b")
    picture.answered(picture.drag, (148, 199), (148, 209), 5)
    stroke = notebook.value("told[-1]")
    assert (stroke["kind"], stroke["sign"], stroke["radius"]) == ("stroke", 1, 8)
    assert stroke["points"][0] == pytest.approx([148, 199], abs=0.2)
    assert stroke["points"][-1] == pytest.approx([148, 209], abs=0.2)
    picture.press("[")
    picture.answered(picture.press, "e", "Enter")
    assert notebook.value("[told[-1]['sign'], told[-1]['radius']]") == [-1, 6.4]
    picture.press("v")


def corners_of_an_outline(notebook, picture, touch):
    """One is dragged, one is made on a line, one is taken away."""
    ring = [[148, 198], [148, 206], [156, 206], [156, 198]]
    notebook.execute(f"shown.paint(rings=[{{'hole': False, 'points': {ring}}}])")
    picture.await_painted(notebook.value("shown.seq"))
    picture.press("o")
    picture.answered(picture.drag, (156, 206), (158, 209))
    assert notebook.value("told[-1]") == {
        "kind": "ring", "hole": False, "before": ring, "after": [*ring[:2], [158, 209], ring[3]],
    }  # fmt: skip
    picture.answered(picture.drag, (148, 202), (146, 203))
    assert notebook.value("told[-1]['after']") == [ring[0], [146, 203], *ring[1:]]
    picture.answered(picture.click, 156, 198, button="right")
    assert notebook.value("told[-1]['after']") == ring[:3]
    keys_move_the_corner_taken_last(notebook, picture, ring)
    notebook.execute("shown.paint(rings=[])")
    picture.await_painted(notebook.value("shown.seq"))
    outlines_from_nothing(notebook, picture, touch)
    picture.press("v")


def keys_move_the_corner_taken_last(notebook, picture, ring):
    """However long a key is held, it is one step; a corner taken away is not the object."""
    keyboard, before = notebook.page.keyboard, notebook.value("len(told)")
    picture.click(148, 198)
    for _ in range(3):
        keyboard.down("ArrowRight")
    picture.answered(keyboard.up, "ArrowRight")
    assert notebook.value("told[-1]") == {
        "kind": "ring", "hole": False, "before": ring, "after": [[148, 201], *ring[1:]],
    }  # fmt: skip
    assert notebook.value("len(told)") == before + 1
    notebook.execute("shown.paint(rings=[{'hole': False, 'points': told[-1]['after']}])")
    picture.await_painted(notebook.value("shown.seq"))
    picture.answered(picture.press, "Shift+ArrowDown")
    assert notebook.value("told[-1]['after'][0]") == [158, 201]
    notebook.execute("shown.paint(rings=[{'hole': False, 'points': told[-1]['after']}])")
    picture.await_painted(notebook.value("shown.seq"))
    picture.answered(picture.press, "Delete")
    assert notebook.value("told[-1]['after']") == ring[1:]
    picture.answered(picture.press, "Delete")
    assert notebook.value("told[-1]") == {"kind": "delete"}


def outlines_from_nothing(notebook, picture, touch):
    """Closed by a double click, Enter, the first corner, a finger; Esc gives up."""
    corners = [[147, 197], [147, 209], [157, 209]]
    closed = {"kind": "outline", "points": corners}

    def tapped(row, col):
        touch("Start", picture.place(row, col))
        touch("End")

    def outlined(place, *close):
        for corner in corners:
            place(*corner)
        picture.answered(*close)
        assert notebook.value("told[-1]") == closed
        notebook.execute("told.append(None)")

    outlined(picture.click, picture.click, *corners[-1])
    outlined(picture.click, picture.click, *corners[0])
    outlined(tapped, tapped, *corners[-1])
    picture.click(155, 200)
    picture.press("Escape")  # no corner of what follows
    picture.click(*corners[0])
    picture.click(150, 203)
    picture.press("u")
    picture.click(155, 200)
    picture.click(155, 200, button="right")  # as u: both take the last corner back
    picture.click(*corners[1])
    picture.click(*corners[2])
    picture.locator.hover(position={"x": 40, "y": 40})
    picture.answered(picture.press, "Enter")
    assert notebook.value("told[-2:]") == [None, closed]
    picture.press("Shift+ArrowDown", "Enter", "Shift+ArrowRight", "Enter", "ArrowUp", "Enter")
    picture.answered(picture.press, "Enter")
    row, col = notebook.value("told[-1]['points'][0]")
    assert notebook.value("told[-1]") == {
        "kind": "outline", "points": [[row, col], [row, col + 10], [row - 1, col + 10]]
    }  # fmt: skip


def touched(notebook, picture, touch):
    """One finger draws a box, a tap clicks, two fingers zoom, a button means outside."""
    start, end = picture.place(147, 197), picture.place(157, 209)

    def drag():
        touch("Start", start)
        for share in (0.3, 0.6, 1):
            at = [a + share * (b - a) for a, b in zip(start, end, strict=True)]
            touch("Move", at)
        touch("End")

    def tap(row, col):
        touch("Start", picture.place(row, col))
        touch("End")

    picture.answered(drag)
    assert notebook.value("told[-1]") == {"kind": "box", "box": [147, 197, 158, 210]}
    picture.answered(tap, 152, 203)
    picture.press("x")
    picture.answered(tap, 149, 205)
    picture.press("x")
    assert notebook.value("shown.clicks") == [[152, 203, 1], [149, 205, -1]]
    before, n_told = picture.view()["zoom"], notebook.value("len(told)")
    (x, y) = picture.place(150, 204)
    touch("Start", (x - 40, y))
    touch("Start", (x - 40, y), (x + 40, y))
    touch("Move", (x - 80, y), (x + 80, y))
    touch("End")
    notebook.page.wait_for_function(
        "zoom => +document.querySelector('canvas.os-canvas-picture').dataset.zoom > zoom",
        arg=min(1.8 * before, 39),
    )
    assert notebook.value("len(told)") == n_told


def looked_at(notebook, picture):
    """Masks and marks are hidden and seen again; more contrast makes bright pixels brighter."""
    notebook.execute(
        "layer = np.zeros((300, 400, 4), np.uint8); layer[:] = (230, 159, 0, 255)\n"
        "shown.paint(overlay=overlays.encode_png(layer))"
    )
    picture.await_painted(notebook.value("shown.seq"))
    source = notebook.value("noise[150, 200].tolist()")
    assert near(picture.pixel(150, 200), MASK)
    picture.press("h")
    assert near(picture.pixel(150, 200), source)
    notebook.execute("shown.paint(contrast=2.0)")
    picture.await_painted(notebook.value("shown.seq"))
    expected = [min(255, max(0, 2 * (value - 127.5) + 127.5)) for value in source]
    assert near(picture.pixel(150, 200), expected)
    notebook.execute("shown.paint(contrast=1.0, brightness=0.5)")
    picture.await_painted(notebook.value("shown.seq"))
    assert near(picture.pixel(150, 200), [value / 2 for value in source])
    picture.press("h")
    assert near(picture.pixel(150, 200), MASK)
