"""What rolls on two wheels with an engine, flies or floats."""

import numpy as np

from openscenes.synthetic.colours import (
    CHROME,
    DARK,
    GLASS,
    LAMP,
    TAIL_LAMP,
    TYRE,
    WOODS,
    lacquer,
    pick,
    tint,
)
from openscenes.synthetic.pen import Material, Pen, box, ellipse, soft
from openscenes.synthetic.texture import Rng


def motorbike(pen: Pen, coat: Material, rng: Rng) -> None:
    """A motorcycle from the side (aspect 1.75)."""
    for x in (0.36, 1.38):
        pen.fill(ellipse(x, 0.33, 0.33, 0.33), TYRE)
        pen.fill(ellipse(x, 0.33, 0.2, 0.2), CHROME)
        pen.fill(ellipse(x, 0.33, 0.08, 0.08), DARK)
    pen.limb([(1.38, 0.33), (1.16, 0.88)], 0.07, CHROME)
    pen.fill(soft([(0.5, 0.2), (0.55, 0.55), (1.1, 0.6), (1.12, 0.2)], 1), DARK)
    pen.limb([(0.75, 0.25), (0.25, 0.2), (0.05, 0.26)], [0.06, 0.09, 0.11], CHROME)
    pen.fill(soft([(0.68, 0.58), (0.72, 0.84), (1.05, 0.88), (1.2, 0.66)], 2), coat)
    pen.fill(soft([(0.1, 0.66), (0.12, 0.8), (0.5, 0.74), (0.78, 0.76), (0.74, 0.6)], 2), DARK)
    pen.fill(soft([(0.05, 0.6), (0.06, 0.72), (0.4, 0.7), (0.4, 0.56)], 2), coat)
    pen.fill(soft([(1.12, 0.62), (1.5, 0.72), (1.62, 0.6), (1.36, 0.66)], 2), coat)
    pen.limb([(0.98, 1.0), (1.16, 0.94), (1.24, 0.84)], 0.05, DARK)
    pen.fill(ellipse(1.3, 0.8, 0.09, 0.09), LAMP)
    pen.fill(ellipse(0.04, 0.68, 0.05, 0.04), TAIL_LAMP)


def aeroplane(pen: Pen, coat: Material, rng: Rng) -> None:
    """An airliner in flight (aspect 2.8)."""
    trim = Material(lacquer(rng))
    wing = Material(tint(coat.colour, 0.8))
    pen.fill([(1.3, 0.52), (1.75, 0.9), (1.95, 0.92), (1.75, 0.5)], wing)
    pen.fill(soft([(2.2, 0.5), (2.5, 1.0), (2.74, 1.0), (2.62, 0.5)], 1), trim)
    pen.fill(
        soft([(0.0, 0.42), (0.1, 0.52), (0.4, 0.62), (2.2, 0.62), (2.78, 0.58), (2.72, 0.5),
              (2.2, 0.34), (0.4, 0.3), (0.08, 0.34)], 3),
        coat,
    )  # fmt: skip
    pen.fill(soft([(0.12, 0.5), (0.2, 0.56), (0.32, 0.57), (0.32, 0.5)], 1), GLASS)
    for x in np.arange(0.5, 2.2, 0.13):
        pen.fill(ellipse(x, 0.52, 0.03, 0.03), DARK)
    pen.limb([(0.35, 0.43), (2.4, 0.45)], 0.035, trim)
    pen.fill([(0.98, 0.42), (1.62, -0.02), (1.9, -0.02), (1.62, 0.42)], wing)
    pen.fill([(2.3, 0.5), (2.62, 0.3), (2.78, 0.3), (2.6, 0.52)], wing)
    for x, y in ((1.22, 0.16), (1.45, 0.02)):
        pen.fill(soft(box(x - 0.17, y, x + 0.15, y + 0.13), 2), CHROME)
        pen.fill(ellipse(x - 0.13, y + 0.065, 0.03, 0.05), DARK)


def sailing_boat(pen: Pen, coat: Material, rng: Rng) -> None:
    """A sailing boat (aspect 0.9)."""
    hull = Material(lacquer(rng), relief=0.8)
    mast = rng.uniform(0.4, 0.5)
    pen.limb([(mast, 0.1), (mast, 1.0)], 0.022, Material(pick(WOODS, rng)))
    pen.fill(soft([(mast + 0.03, 0.2), (mast + 0.03, 0.97), (0.84, 0.22)], 1), coat)
    pen.fill(
        soft([(mast - 0.03, 0.22), (mast - 0.03, 0.86), (0.06, 0.24)], 1),
        Material(tint(coat.colour, 1.3)),
    )
    pen.fill(soft([(0.02, 0.16), (0.12, 0.0), (0.76, 0.0), (0.9, 0.18)], 1), hull)
    pen.limb([(0.04, 0.16), (0.88, 0.17)], 0.025, Material(tint(hull.colour, 1.6)))


def motor_boat(pen: Pen, coat: Material, rng: Rng) -> None:
    """A small cutter with a cabin (aspect 2.1)."""
    cabin = Material(tint(lacquer(rng), 1.4))
    pen.fill(soft([(0.8, 0.4), (0.85, 0.8), (1.6, 0.8), (1.7, 0.4)], 1), cabin)
    for x in (0.92, 1.15, 1.38):
        pen.fill(soft(box(x, 0.52, x + 0.17, 0.72), 1), GLASS)
    pen.limb([(1.3, 0.8), (1.3, 1.0)], 0.03, DARK)
    pen.limb([(0.8, 0.82), (1.7, 0.82)], 0.05, Material(tint(cabin.colour, 0.6)))
    pen.fill(soft([(0.0, 0.55), (0.35, 0.0), (1.9, 0.0), (2.08, 0.46), (1.0, 0.42)], 1), coat)
    pen.limb([(0.1, 0.46), (1.0, 0.36), (2.02, 0.38)], 0.035, Material((0.93, 0.93, 0.9)))
    for x in (0.6, 0.8):
        pen.fill(ellipse(x, 0.24, 0.045, 0.045), DARK)


def surfboard(pen: Pen, coat: Material, rng: Rng) -> None:
    """A surfboard standing on its tail (aspect 0.28)."""
    pen.fill(soft([(0.05, 0.05), (0.02, 0.5), (0.14, 1.0), (0.26, 0.5), (0.23, 0.05)], 3), coat)
    pen.limb([(0.14, 0.03), (0.14, 0.96)], 0.012, Material(tint(coat.colour, 0.5)))
    pen.fill(
        soft([(0.06, 0.3), (0.06, 0.38), (0.22, 0.44), (0.22, 0.36)], 1), Material(lacquer(rng))
    )


def kite(pen: Pen, coat: Material, rng: Rng) -> None:
    """A diamond kite with a tail (aspect 0.75)."""
    top, left, right, bottom = (0.38, 1.0), (0.03, 0.66), (0.73, 0.66), (0.38, 0.28)
    other = Material(lacquer(rng), relief=0.3)
    pen.limb([bottom, (0.3, 0.18), (0.45, 0.1), (0.36, 0.0)], 0.02, DARK)
    for x, y in ((0.31, 0.17), (0.43, 0.09)):
        pen.fill([(x - 0.07, y + 0.03), (x - 0.07, y - 0.03), (x + 0.07, y + 0.03),
                  (x + 0.07, y - 0.03)], other)  # fmt: skip
    pen.fill([top, left, bottom], coat)
    pen.fill([top, right, bottom], other)
    pen.fill([(0.38, 0.66), right, bottom], coat)
    pen.limb([top, bottom], 0.02, Material(tint(coat.colour, 0.4)))
    pen.limb([left, right], 0.02, Material(tint(coat.colour, 0.4)))
