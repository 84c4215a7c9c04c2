"""Unlabelled things in front of objects: poles, railings, grass, branches."""

import numpy as np

from openscenes.synthetic.colours import CHROME, lacquer, tint, vary
from openscenes.synthetic.ground import POLE, VEGETATION
from openscenes.synthetic.pen import Material, Pen, Sprite, ellipse
from openscenes.synthetic.stage import Stage
from openscenes.synthetic.texture import Rng, Textures


def hide_something(stage: Stage, textures: Textures, rng: Rng, place: str) -> None:
    """Put one thing of the place in front of everything drawn so far."""
    height, width = stage.numbers.shape
    col = float(rng.uniform(0.05, 0.95) * width)
    indoors = place in ("room", "table")
    if place == "road" or (place == "street" and rng.random() < 0.6):
        row = stage.backdrop.horizon + rng.uniform(0.25, 1.0) * (height - stage.backdrop.horizon)
        stage.hide(pole(stage, row, textures, rng), (row, col), POLE)
    elif indoors or rng.random() < 0.35:
        sprite = branch(stage, textures, rng)
        edge = float(rng.choice([-4.0, width + 4.0]))
        stage.hide(sprite, (rng.uniform(0.2, 1.0) * height, edge), VEGETATION)
    else:
        stage.hide(tuft(stage, textures, rng), (height + 3.0, col), VEGETATION)


def pole(stage: Stage, row: float, textures: Textures, rng: Rng) -> Sprite:
    """A lamp post or sign post whose foot is in ``row``."""
    tall = max(1.9 * (row - stage.backdrop.horizon) + 40, 30.0)
    thick = float(rng.uniform(0.018, 0.032))
    steel = CHROME if rng.random() < 0.5 else Material(tint(lacquer(rng), 0.5))
    pen = Pen(tall, 0.3, stage.lighting, textures, rng)
    pen.limb([(0.15, 0.0), (0.15, 1.0)], [thick * 1.4, thick], steel)
    if rng.random() < 0.4:
        pen.fill(ellipse(0.15, 0.9, 0.07, 0.07), Material(lacquer(rng), relief=0.2))
    return pen.sprite()


def tuft(stage: Stage, textures: Textures, rng: Rng) -> Sprite:
    """Blades of grass, near and thin."""
    pen = Pen(float(rng.uniform(35, 85)), 1.4, stage.lighting, textures, rng)
    green = vary((0.30, 0.44, 0.16), rng, 0.10)
    for _ in range(int(rng.integers(12, 26))):
        x, lean = rng.uniform(0.1, 1.3), rng.normal(0, 0.14)
        tall = rng.uniform(0.45, 1.0)
        blade = Material(tint(green, rng.uniform(0.6, 1.4)), relief=0.3)
        pen.limb(
            [(x, 0), (x + 0.4 * lean, 0.6 * tall), (x + lean, tall)], [0.035, 0.025, 0.008], blade
        )
    return pen.sprite()


def branch(stage: Stage, textures: Textures, rng: Rng) -> Sprite:
    """A twig with leaves reaching in from a side."""
    pen = Pen(float(rng.uniform(60, 120)), 1.6, stage.lighting, textures, rng)
    green = vary((0.22, 0.42, 0.20), rng, 0.12)
    halves = ((-1, np.linspace(1, 0, 5)), (1, np.linspace(0, 1, 5)))
    path = [(0.8 + 0.8 * t * side, 0.5 + 0.2 * np.sin(4 * t)) for side, ts in halves for t in ts]
    pen.limb(path, 0.02, Material((0.3, 0.2, 0.12)))
    for x, y in path:
        for _ in range(2):
            angle = rng.uniform(0, np.pi)
            centre = (x + 0.13 * np.cos(angle), y + 0.17 * np.sin(angle) * rng.choice([-1, 1]))
            leaf = Material(tint(green, rng.uniform(0.6, 1.4)), relief=0.8)
            pen.fill(ellipse(*centre, 0.13, 0.05, angle), leaf)
    return pen.sprite()
