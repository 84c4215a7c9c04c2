"""Things in rooms, on tables and in parks, with the holes and thin parts that they really have."""

import numpy as np

from openscenes.synthetic.colours import CHROME, DARK, WOODS, lacquer, pick, tint
from openscenes.synthetic.pen import Material, Pen, box, ellipse, soft
from openscenes.synthetic.texture import Rng


def bottle(pen: Pen, coat: Material, rng: Rng) -> None:
    """A bottle with label and cap (aspect 0.32)."""
    shoulder = rng.uniform(0.55, 0.7)
    neck = shoulder + 0.16
    left = [(0.02, 0.0), (0.02, shoulder), (0.11, neck), (0.11, 0.95)]
    right = [(0.21, 0.95), (0.21, neck), (0.3, shoulder), (0.3, 0.0)]
    pen.fill(soft(left + right, 1), coat)
    pen.fill(box(0.02, 0.18, 0.3, shoulder - 0.12), Material(tint(lacquer(rng), 1.3)))
    pen.fill(box(0.02, 0.3, 0.3, 0.36), Material(lacquer(rng)))
    pen.fill(soft(box(0.1, 0.92, 0.22, 1.0), 1), Material(lacquer(rng)))
    shine = Material(tint(coat.colour, 1.6), relief=0)
    pen.limb([(0.07, 0.06), (0.07, shoulder)], 0.02, shine)


def chair(pen: Pen, coat: Material, rng: Rng) -> None:
    """A wooden chair: thin legs, a slatted back that one sees through (aspect 0.62)."""
    wood = Material(pick(WOODS, rng), "fur", (0.2, 0.12, 0.06), 0.2, 0.4)
    for x, foot in ((0.17, 0.1), (0.55, 0.1)):
        pen.limb([(x, 0.45), (x, foot)], 0.05, Material(tint(wood.colour, 0.6)))
    for x in (0.1, 0.46):
        pen.limb([(x, 0.45), (x - 0.05, 1.0)], 0.055, wood)
    pen.limb([(0.04, 0.95), (0.42, 0.95)], 0.1, wood)
    pen.limb([(0.07, 0.72), (0.44, 0.72)], 0.05, wood)
    for x in np.linspace(0.15, 0.36, int(rng.integers(2, 5))):
        pen.limb([(x, 0.48), (x - 0.04, 0.95)], 0.03, wood)
    pen.fill(soft([(0.04, 0.46), (0.14, 0.56), (0.6, 0.56), (0.56, 0.45)], 1), coat)
    pen.fill(box(0.04, 0.4, 0.56, 0.46), wood)
    for x in (0.07, 0.53):
        pen.limb([(x, 0.42), (x, 0.02)], 0.055, wood)
    if rng.random() < 0.5:
        pen.limb([(0.07, 0.2), (0.53, 0.2)], 0.03, wood)


def potted_plant(pen: Pen, coat: Material, rng: Rng) -> None:
    """A plant with many leaves in a pot (aspect 0.8)."""
    hue = rng.uniform(0.7, 1.1)
    green = (0.18 * hue, 0.42 * hue, 0.14 * hue)
    count = int(rng.integers(11, 19))
    for turn in rng.permutation(np.linspace(0.05, 0.95, count)):
        angle = np.pi * turn
        reach = rng.uniform(0.3, 0.5)
        tip = (0.4 + 0.8 * reach * np.cos(angle), 0.45 + 1.1 * reach * np.sin(angle))
        leaf = Material(tint(green, rng.uniform(0.7, 1.35)), relief=0.9)
        pen.limb([(0.4, 0.34), tip], 0.015, Material(tint(green, 0.6)))
        away = float(np.arctan2(tip[1] - 0.34, tip[0] - 0.4))
        pen.fill(ellipse(*tip, rng.uniform(0.09, 0.14), rng.uniform(0.035, 0.06), away), leaf)
    pen.fill(soft([(0.22, 0.0), (0.16, 0.34), (0.64, 0.34), (0.58, 0.0)], 1), coat)
    pen.fill(soft(box(0.13, 0.29, 0.67, 0.38), 1), Material(tint(coat.colour, 0.85)))


def sofa(pen: Pen, coat: Material, rng: Rng) -> None:
    """A sofa with cushions (aspect 2.1)."""
    for x in (0.16, 1.94):
        pen.limb([(x, 0.15), (x, 0.02)], 0.07, DARK)
    pen.fill(soft(box(0.12, 0.3, 1.98, 1.0), 2), coat)
    for x in (0.25, 1.06):
        pen.fill(soft(box(x, 0.42, x + 0.79, 0.92), 2), coat)
        pen.fill(soft(box(x, 0.28, x + 0.79, 0.5), 2), coat)
    pen.fill(box(0.1, 0.1, 2.0, 0.3), Material(tint(coat.colour, 0.75)))
    for x in (0.02, 1.82):
        pen.fill(soft(box(x, 0.08, x + 0.26, 0.66), 2), coat)
    if rng.random() < 0.6:
        cushion = Material(lacquer(rng), "checks", lacquer(rng), 0.1)
        pen.fill(soft([(0.4, 0.48), (0.46, 0.84), (0.8, 0.8), (0.76, 0.46)], 1), cushion)


def television(pen: Pen, coat: Material, rng: Rng) -> None:
    """A screen on a foot (aspect 1.45)."""
    sky, land = lacquer(rng), lacquer(rng)
    pen.fill(soft([(0.4, 0.0), (0.5, 0.07), (0.95, 0.07), (1.05, 0.0)], 1), DARK)
    pen.limb([(0.725, 0.03), (0.725, 0.2)], 0.12, DARK)
    pen.fill(box(0.0, 0.14, 1.45, 1.0), DARK)
    pen.fill(box(0.06, 0.2, 1.39, 0.94), Material(tint(sky, 1.3), "gradient", sky, relief=0.1))
    pen.fill(
        soft([(0.06, 0.2), (0.06, 0.45), (0.5, 0.66), (0.9, 0.4), (1.39, 0.55), (1.39, 0.2)], 1),
        Material(land, "cloud", tint(land, 0.5), relief=0.2),
    )


def umbrella(pen: Pen, coat: Material, rng: Rng) -> None:
    """An open umbrella, alternating panels, scalloped rim (aspect 1.15)."""
    other = Material(lacquer(rng) if rng.random() < 0.5 else tint(coat.colour, 0.7))
    pen.limb([(0.575, 0.95), (0.575, 0.12), (0.62, 0.03), (0.69, 0.06)], 0.03, DARK)
    rim = np.linspace(0.02, 1.13, 7)
    for k in range(6):
        middle = (rim[k] + rim[k + 1]) / 2
        bulge = 0.5 + 0.46 * np.sqrt(max(1 - ((middle - 0.575) / 0.6) ** 2, 0.0))
        left, right = ((edge * 0.55 + 0.575 * 0.45, bulge) for edge in rim[k : k + 2])
        low = [(rim[k], 0.52), (middle, 0.57), (rim[k + 1], 0.52)]
        pen.fill([(0.575, 0.96), left, *low, right], coat if k % 2 else other)
    pen.limb([(0.575, 0.94), (0.575, 1.0)], 0.025, CHROME)


def clock(pen: Pen, coat: Material, rng: Rng) -> None:
    """A wall clock (aspect 1)."""
    pen.fill(ellipse(0.5, 0.5, 0.5, 0.5), coat)
    pen.fill(ellipse(0.5, 0.5, 0.41, 0.41), Material((0.93, 0.91, 0.85), relief=0.15))
    for turn in np.arange(12) * np.pi / 6:
        c, s = np.cos(turn), np.sin(turn)
        pen.limb([(0.5 + 0.33 * c, 0.5 + 0.33 * s), (0.5 + 0.38 * c, 0.5 + 0.38 * s)], 0.03, DARK)
    for length, width in ((0.22, 0.045), (0.33, 0.03)):
        turn = rng.uniform(0, 2 * np.pi)
        pen.limb(
            [(0.5, 0.5), (0.5 + length * np.cos(turn), 0.5 + length * np.sin(turn))], width, DARK
        )


def stop_sign(pen: Pen, coat: Material, rng: Rng) -> None:
    """An octagonal sign on a pole (aspect 0.5)."""
    turn = np.arange(8) * np.pi / 4 + np.pi / 8
    red, white = Material((0.74, 0.08, 0.10), relief=0.3), Material((0.94, 0.93, 0.92), relief=0.2)
    pen.limb([(0.25, 0.0), (0.25, 0.7)], 0.035, CHROME)
    for radius, paint in ((0.25, white), (0.225, red)):
        pen.fill([(0.25 + radius * np.cos(t), 0.75 + radius * np.sin(t)) for t in turn], paint)
    for x in (0.12, 0.19, 0.26, 0.33):
        pen.limb([(x, 0.70), (x, 0.80), (x + 0.035, 0.80)], 0.016, white)


def vase(pen: Pen, coat: Material, rng: Rng) -> None:
    """A bellied vase, sometimes with two handles (aspect 0.65)."""
    belly, neck = rng.uniform(0.22, 0.3), rng.uniform(0.08, 0.13)
    if rng.random() < 0.5:
        for side in (-1, 1):
            handle = ((neck, 0.82), (0.3, 0.74), (belly, 0.52))
            pen.limb([(0.325 + side * x, y) for x, y in handle], 0.045, coat)
    profile = ((0.15, 0.0), (belly, 0.35), (belly * 0.9, 0.6), (neck, 0.78), (neck * 1.5, 1.0))
    left = [(0.325 - x, y) for x, y in profile]
    right = [(0.65 - x, y) for x, y in reversed(left)]
    pen.fill(soft(left + right, 2), coat)
    pen.fill(ellipse(0.325, 0.975, neck * 1.35, 0.025), DARK)


def cup(pen: Pen, coat: Material, rng: Rng) -> None:
    """A mug with an open handle (aspect 1.15)."""
    pen.fill(ellipse(0.85, 0.5, 0.3, 0.3), coat)
    pen.hole(ellipse(0.87, 0.5, 0.18, 0.18))
    pen.fill(soft([(0.12, 0.02), (0.05, 0.9), (0.85, 0.9), (0.78, 0.02)], 1), coat)
    pen.fill(ellipse(0.45, 0.89, 0.40, 0.10), Material(tint(coat.colour, 1.2), relief=0.3))
    pen.fill(ellipse(0.45, 0.88, 0.34, 0.07), Material((0.25, 0.14, 0.07), relief=0.3))
