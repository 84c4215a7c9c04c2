"""Small things never seen in the source: fruit, pastry, tools, toys, rackets."""

import numpy as np

from openscenes.synthetic.colours import CHROME, DARK, WOODS, lacquer, pick, tint, vary
from openscenes.synthetic.pen import Material, Pen, box, ellipse, soft
from openscenes.synthetic.texture import Rng


def banana(pen: Pen, coat: Material, rng: Rng) -> None:
    """A curved banana (aspect 1.7)."""
    peel = vary((0.93, 0.78, 0.22), rng, 0.08)
    skin = Material(peel, "cloud", (0.45, 0.3, 0.1), 0.3, 0.4)
    turn = np.linspace(np.pi * 1.08, np.pi * 1.92, 9)
    path = [(0.85 + 0.78 * np.cos(t), 0.95 + 0.78 * np.sin(t)) for t in turn]
    pen.limb(path, [0.1, 0.27, 0.33, 0.3, 0.12], skin)
    pen.limb([path[0], (path[0][0] - 0.05, path[0][1] + 0.16)], [0.1, 0.07], DARK)
    pen.limb(path[1:-1], 0.02, Material(tint(peel, 0.75), relief=0))


def donut(pen: Pen, coat: Material, rng: Rng) -> None:
    """A glazed ring with sprinkles; its hole shows the table (aspect 1.15)."""
    dough = Material(vary((0.78, 0.55, 0.30), rng, 0.06), "cloud", (0.55, 0.34, 0.15), 0.2, 0.5)
    pen.fill(ellipse(0.575, 0.5, 0.57, 0.48), dough)
    turn = np.linspace(0, 2 * np.pi, 26, endpoint=False)
    wobble = 1 + 0.06 * np.sin(5 * turn + rng.uniform(0, 6)) + 0.03 * np.sin(9 * turn)
    rim = zip(turn, wobble, strict=True)
    pen.fill([(0.575 + 0.49 * w * np.cos(t), 0.53 + 0.40 * w * np.sin(t)) for t, w in rim], coat)
    for _ in range(22):
        t, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.55, 0.85)
        x, y = 0.575 + 0.5 * radius * np.cos(t), 0.53 + 0.42 * radius * np.sin(t)
        lean = rng.uniform(0, np.pi)
        end = (x + 0.05 * np.cos(lean), y + 0.05 * np.sin(lean))
        pen.limb([(x, y), end], 0.022, Material(lacquer(rng), relief=0.2))
    pen.fill(ellipse(0.575, 0.52, 0.21, 0.17), dough)
    pen.hole(ellipse(0.575, 0.49, 0.17, 0.135))


def scissors(pen: Pen, coat: Material, rng: Rng) -> None:
    """Opened scissors: two blades, two ring handles (aspect 0.75)."""
    spread = rng.uniform(0.10, 0.22)
    pivot = (0.375, 0.5)
    for side in (-1, 1):
        tip = (pivot[0] + side * spread, 1.0)
        pen.fill([(pivot[0] - 0.035, 0.46), tip, (pivot[0] + 0.035, 0.46)], CHROME)
        ring = (pivot[0] - side * (spread + 0.04), 0.15)
        pen.limb([pivot, (ring[0] + side * 0.05, 0.28)], [0.06, 0.08], coat)
        pen.fill(ellipse(*ring, 0.12, 0.155), coat)
        pen.hole(ellipse(*ring, 0.07, 0.10))
    pen.fill(ellipse(*pivot, 0.03, 0.03), DARK)


def tennis_racket(pen: Pen, coat: Material, rng: Rng) -> None:
    """A racket: strung head, open throat, wrapped grip (aspect 0.46)."""
    grip = Material((0.15, 0.14, 0.14), "stripes", (0.4, 0.4, 0.4), 0.05, 1.0, 1.2)
    pen.limb([(0.23, 0.02), (0.23, 0.34)], 0.06, grip)
    pen.fill(ellipse(0.23, 0.7, 0.225, 0.30), coat)
    pen.hole(ellipse(0.23, 0.7, 0.175, 0.25))
    string = Material((0.9, 0.9, 0.82), relief=0)
    for k in np.linspace(-0.14, 0.14, 5):
        half = 0.25 * np.sqrt(1 - (k / 0.18) ** 2)
        pen.limb([(0.23 + k, 0.7 - half), (0.23 + k, 0.7 + half)], 0.006, string)
    for k in np.linspace(-0.2, 0.2, 6):
        half = 0.18 * np.sqrt(1 - (k / 0.26) ** 2)
        pen.limb([(0.23 - half, 0.7 + k), (0.23 + half, 0.7 + k)], 0.006, string)
    for side in (-1, 1):
        pen.limb([(0.23, 0.32), (0.23 + side * 0.13, 0.46)], 0.045, coat)


def teddy_bear(pen: Pen, coat: Material, rng: Rng) -> None:
    """A sitting teddy bear (aspect 0.85)."""
    pale = Material(tint(coat.colour, 1.4), "fur", coat.colour, 0.1)
    for side in (-1, 1):
        x = 0.425
        pen.limb([(x + side * 0.14, 0.2), (x + side * 0.3, 0.09)], [0.2, 0.17], coat)
        pen.fill(ellipse(x + side * 0.33, 0.10, 0.07, 0.09), pale)
        pen.limb([(x + side * 0.15, 0.52), (x + side * 0.33, 0.36)], [0.14, 0.12], coat)
        pen.fill(ellipse(x + side * 0.2, 0.93, 0.085, 0.08), coat)
        pen.fill(ellipse(x + side * 0.2, 0.93, 0.045, 0.04), pale)
    pen.fill(ellipse(0.425, 0.34, 0.23, 0.27), coat)
    pen.fill(ellipse(0.425, 0.31, 0.14, 0.17), pale)
    pen.fill(ellipse(0.425, 0.76, 0.24, 0.21), coat)
    pen.fill(ellipse(0.425, 0.69, 0.11, 0.085), pale)
    for side in (-1, 1):
        pen.fill(ellipse(0.425 + side * 0.1, 0.79, 0.025, 0.028), DARK)
    pen.fill(ellipse(0.425, 0.72, 0.035, 0.025), DARK)
    if rng.random() < 0.5:
        bow = Material(lacquer(rng))
        pen.fill([(0.3, 0.6), (0.3, 0.5), (0.55, 0.6), (0.55, 0.5)], bow)


def pizza(pen: Pen, coat: Material, rng: Rng) -> None:
    """A round pizza seen at an angle, with a slice missing (aspect 1.5)."""
    crust = Material(vary((0.78, 0.56, 0.30), rng, 0.05), "cloud", (0.4, 0.22, 0.1), 0.2, 0.6)
    cheese = Material((0.92, 0.75, 0.36), "cloud", (0.75, 0.25, 0.12), 0.25)
    pen.fill(ellipse(0.75, 0.5, 0.75, 0.48), crust)
    pen.fill(ellipse(0.75, 0.52, 0.65, 0.39), cheese)
    for _ in range(14):
        t, radius = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 0.8))
        x, y = 0.75 + 0.62 * radius * np.cos(t), 0.52 + 0.36 * radius * np.sin(t)
        top = [(0.66, 0.14, 0.1), (0.2, 0.42, 0.15), (0.2, 0.15, 0.2)][int(rng.integers(3))]
        pen.fill(ellipse(x, y, 0.075, 0.05), Material(top, relief=0.5))
    if rng.random() < 0.6:
        start = rng.uniform(0, 2 * np.pi)
        arc = np.linspace(start, start + 0.8, 6)
        pen.hole([(0.75, 0.5), *((0.75 + 0.8 * np.cos(t), 0.5 + 0.52 * np.sin(t)) for t in arc)])


def apple(pen: Pen, coat: Material, rng: Rng) -> None:
    """An apple with stalk and leaf (aspect 1)."""
    hue = [(0.75, 0.12, 0.12), (0.5, 0.68, 0.2), (0.85, 0.65, 0.2)][int(rng.integers(3))]
    skin = Material(hue, "cloud", (0.85, 0.7, 0.3), 0.4, 0.5, relief=1.0, gloss=0.5)
    pen.limb([(0.5, 0.75), (0.56, 1.0)], 0.05, DARK)
    pen.fill(ellipse(0.68, 0.93, 0.14, 0.05, 0.4), Material((0.25, 0.5, 0.15)))
    pen.fill(soft([(0.5, 0.82), (0.85, 0.88), (1.0, 0.5), (0.72, 0.0), (0.5, 0.05), (0.28, 0.0),
                   (0.0, 0.5), (0.15, 0.88)], 3), skin)  # fmt: skip


def book(pen: Pen, coat: Material, rng: Rng) -> None:
    """A book standing open towards the viewer (aspect 0.75)."""
    pen.fill([(0.03, 0.0), (0.0, 1.0), (0.1, 0.96), (0.12, 0.02)], Material((0.9, 0.87, 0.78)))
    pen.fill(box(0.1, 0.0, 0.75, 1.0), coat)
    pen.fill(box(0.1, 0.0, 0.17, 1.0), Material(tint(coat.colour, 0.6)))
    title = Material(tint(lacquer(rng), 1.3), relief=0.1)
    pen.fill(box(0.26, 0.66, 0.66, 0.84), title)
    for y in (0.2, 0.28):
        pen.limb([(0.28, y), (0.62, y)], 0.025, title)


def skateboard(pen: Pen, coat: Material, rng: Rng) -> None:
    """A skateboard from the side (aspect 3.0)."""
    for x in (0.6, 2.4):
        pen.limb([(x, 0.5), (x, 0.3)], 0.18, CHROME)
        for shift in (-0.18, 0.18):
            pen.fill(ellipse(x + shift, 0.22, 0.2, 0.2), Material((0.92, 0.88, 0.75), relief=0.9))
    pen.limb([(0.08, 0.85), (0.4, 0.6), (2.6, 0.6), (2.92, 0.85)], 0.2, coat)
    pen.limb([(0.1, 0.92), (0.4, 0.69), (2.6, 0.69), (2.9, 0.92)], 0.06, DARK)


def spoon(pen: Pen, coat: Material, rng: Rng) -> None:
    """A wooden or steel spoon (aspect 0.24)."""
    stuff = CHROME if rng.random() < 0.5 else Material(pick(WOODS, rng), relief=0.8)
    pen.limb([(0.12, 0.03), (0.12, 0.72)], [0.07, 0.045], stuff)
    pen.fill(ellipse(0.12, 0.83, 0.115, 0.165), stuff)
    pen.fill(ellipse(0.12, 0.84, 0.075, 0.12), Material(tint(stuff.colour, 0.75), relief=0.5))
