"""What the tests of all explorers share: whether a change reached the page, pixel by pixel.

``KERNEL`` is the first cell of each test's notebook; ``repainted`` stands around what a user does.
"""

from contextlib import contextmanager

KERNEL = """
import cv2, numpy as np

def composed(canvas):
    "What the page should show but for box and click, (H, W, 3)."
    image = cv2.imdecode(np.frombuffer(canvas.image, np.uint8), cv2.IMREAD_COLOR).astype(float)
    if canvas.overlay:
        layer = cv2.imdecode(np.frombuffer(canvas.overlay, np.uint8), cv2.IMREAD_UNCHANGED)
        layer = cv2.resize(layer, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        alpha = layer[..., 3:] / 255 * canvas.opacity
        image = image * (1 - alpha) + layer[..., :3] * alpha
    return image[..., ::-1]

def unmarked(canvas, shape):
    "(H, W) bool: where neither box nor click is painted."
    free, margin = np.ones(shape, np.uint8), 3 + round(14 * shape[1] / canvas.width_px)
    if canvas.box:
        top, left, bottom, right = canvas.box
        cv2.rectangle(free, (left, top), (right, bottom), 0, margin)
    for row, col, _ in canvas.clicks:
        cv2.circle(free, (col, row), margin, 0, -1)
    return free.astype(bool)

def evident_change(canvas):
    "[row, col, colour] of a changed pixel in the midst of its like; [] if nothing changed."
    now = composed(canvas)
    if now.shape == before.shape:
        change = np.abs(now - before).max(axis=2)
    else:
        change = np.full(now.shape[:2], 255.0)
    kernel = np.ones((3, 3), np.uint8)
    rough = (cv2.dilate(now, kernel) - cv2.erode(now, kernel)).max(axis=2)
    rough[(change < 24) | ~unmarked(canvas, change.shape)] = np.inf
    rough[[0, -1]] = rough[:, [0, -1]] = np.inf
    row, col = np.unravel_index(rough.argmin(), rough.shape)
    found = [int(row), int(col), now[row, col].round().astype(int).tolist()]
    return found if np.isfinite(rough[row, col]) else []
"""


@contextmanager
def repainted(notebook, image, canvas):
    """Python draws what happens in here, and a changed pixel has its new colour in the page.

    Args:
        canvas: the canvas of ``image`` as an expression in the kernel.
    """
    drawn = notebook.value(f"{canvas}.seq")
    notebook.execute(f"before = composed({canvas})")
    yield
    image.await_painted(drawn + 1)
    notebook.execute(f"import time; time.sleep(0.05); newest = {canvas}.seq")
    image.await_painted(notebook.value("newest"))
    assert_shown(notebook, image, canvas)


def assert_shown(notebook, image, canvas):
    """The page shows what differs from ``before`` in the kernel as Python means it."""
    change = notebook.value(f"evident_change({canvas})")
    assert change, f"nothing on {canvas} changed"
    row, col, colour = change
    found = image.pixel(row, col)[:3]
    assert max(abs(a - b) for a, b in zip(found, colour, strict=True)) <= 24, (change, found)


def told(image):
    """The text alternative of an image."""
    return image.locator.get_attribute("aria-label")


def choose(notebook, css_class, words):
    """Choose an option of a menu by its words."""
    notebook.page.locator(f".{css_class} select").select_option(label=words)


def moved(notebook, within, width):
    """Open the page in the other front end, and give the image, which shows as much as before."""
    words = told(notebook.canvas(within))
    notebook.move_to("Notebook 7", width)
    image = notebook.canvas(within)
    assert told(image) == words
    assert notebook.overflow_px() == 0
    return image
